//! Every entry with its seeds and thousands of mutations of them.

use noema_fuzz::{ENTRIES, Entry, Mutator};

/// Cases for an entry that is neither fast nor slow: a few seconds.
const CASES: u64 = 3_000;

/// The seeds as they are, then mutated; each case is made from its own number, so that the one named
/// by a failure can be run alone.
fn run(entry: fn(&[u8]), seeds: &[Vec<u8>], cases: u64) {
    seeds.iter().for_each(|seed| entry(seed));
    for case in 0..cases {
        let mut mutator = Mutator::new(case);
        let seed = &seeds[mutator.below(seeds.len())];
        let bytes = mutator.mutate(seed);
        if let Err(panic) = std::panic::catch_unwind(|| entry(&bytes)) {
            eprintln!("case {case}: {} bytes", bytes.len());
            std::panic::resume_unwind(panic);
        }
    }
}

/// A test for each entry: how many mutations.
macro_rules! seeded {
    ($($name:ident: $cases:expr;)*) => {
        $(#[test]
        fn $name() {
            let Entry { run: entry, seeds, .. } = entry(stringify!($name));
            run(*entry, &seeds(), $cases);
        })*

        /// The entries that have a test above.
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

seeded! {
    module: CASES;
    execute: CASES / 20;
    host: 2 * CASES;
    journal: 2 * CASES;
    opcode: 4 * CASES;
    model: 2 * CASES;
    container: 2 * CASES;
    onnx: CASES;
    lightgbm: CASES;
    xgboost: CASES;
    transaction: 4 * CASES;
}

fn entry(name: &str) -> &'static Entry {
    ENTRIES.iter().find(|entry| entry.name == name).expect("there is such an entry")
}

#[test]
fn every_entry_has_a_test_and_a_target() {
    let manifest = include_str!("../Cargo.toml");
    for Entry { name, .. } in ENTRIES {
        assert!(TESTED.contains(name), "{name} has no line in tests/seeded.rs");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} has no line in Cargo.toml");
        let target = std::fs::read_to_string(format!("{}/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR")));
        let target = target.unwrap_or_else(|error| panic!("fuzz_targets/{name}.rs: {error}"));
        assert!(target.contains(&format!("noema_fuzz::target!({name});")), "fuzz_targets/{name}.rs is another target");
    }
    assert_eq!(ENTRIES.len(), TESTED.len());
}

#[test]
fn seeds_are_what_they_say() {
    for seed in noema_fuzz::seeds::containers() {
        assert!(noema_model::Model::from_bytes(seed).is_ok());
    }
    let options = noema_import::TreeOptions::new("seed", "none");
    for seed in noema_fuzz::seeds::lightgbm_files() {
        noema_import::import_lightgbm(&seed, &options).unwrap();
    }
    for seed in noema_fuzz::seeds::xgboost_files() {
        noema_import::import_xgboost(&seed, &options).unwrap();
    }
    for seed in noema_fuzz::seeds::transactions() {
        assert!(
            noema_chain::SignedTransaction::from_bytes(&seed).is_ok_and(|transaction| transaction.verify().is_ok())
        );
    }
}
