//! Inputs to begin from. They are made here, not kept as files, so that they follow the formats.

use noema_chain::{KeyPair, Transaction};
use noema_import::{ImportOptions, Table, TreeOptions, import_lightgbm, import_onnx};
use noema_vm::{Action, Address};

use crate::{ENTRIES, Mutator};

/// Small contracts.
#[must_use]
pub fn modules() -> Vec<Vec<u8>> {
    let texts = [
        r#"(module (memory (export "memory") 1) (func (export "call")))"#,
        r#"(module (memory (export "memory") 1) (func (export "call") (loop (br 0))))"#,
        r#"(module
            (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
            (import "context" "output_write" (func $out (param i32 i32) (result i64)))
            (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 0) $f)
            (data (i32.const 8) "bytes")
            (func $f (param i32) (result i32) (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
            (func (export "init") (drop (call $set (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 5))))
            (func (export "call")
                (i32.store (i32.const 0) (call_indirect (param i32) (result i32) (i32.const 20) (i32.const 0)))
                (f64.store (i32.const 16) (f64.div (f64.const 0) (f64.const 0)))
                (memory.fill (i32.const 64) (i32.const 7) (i32.const 99))
                (drop (memory.grow (i32.const 1)))
                (drop (call $out (i32.const 0) (i32.const 64)))))"#,
        r#"(module (memory (export "memory") 1) (global $n (mut i64) (i64.const 3)) (table $t 4 funcref)
            (func $a (param i64 f32) (result i64 f32) (local v128)
                (block $out (result i64 f32) (br_table $out $out (i64.const 5) (f32.sqrt (local.get 1)) (i32.const 1)))
                (local.set 2 (i32x4.add (i32x4.splat (i32.const 9)) (local.get 2))))
            (func (export "view") (table.set $t (i32.const 1) (ref.func $a)) (global.set $n (i64.const 4)))
            (elem declare func $a)
            (func (export "call")
                (drop (drop (call $a (i64.extend8_s (global.get $n)) (f32.const nan))))
                (memory.copy (i32.const 0) (i32.const 8) (i32.trunc_sat_f64_s (f64.const 16)))))"#,
    ];
    texts.map(|text| wat::parse_str(text).expect("the seed is a module")).to_vec()
}

/// Bytes that mean nothing, for entries that read choices from them.
#[must_use]
pub fn arbitrary() -> Vec<Vec<u8>> {
    let mut mutator = Mutator::new(1);
    (0..64).map(|number| mutator.bytes(100 + 20 * number)).collect()
}

/// The containers of the screening models, of an encoder and of an image classifier.
#[must_use]
pub fn containers() -> Vec<Vec<u8>> {
    let of = |digits: &str| {
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
        digits.chunks(2).map(|pair| (nibble(pair[0]) << 4) | nibble(pair[1])).collect()
    };
    let encoder = of(include_str!("../../conformance-tests/vectors/models/encoder.model.hex"));
    vec![screening(), trees(), encoder, of(include_str!("../../conformance-tests/vectors/models/images.model.hex"))]
}

/// The same, with inputs behind it.
#[must_use]
pub fn models() -> Vec<Vec<u8>> {
    let mut mutator = Mutator::new(2);
    let containers = containers();
    let rows = (0..4u8).flat_map(|rows| containers.iter().map(move |container| (rows, container)));
    rows.map(|(rows, container)| {
        let inputs = [vec![rows], mutator.bytes(30 * usize::from(rows))].concat();
        crate::model::input(container, &inputs)
    })
    .collect()
}

/// The screening network as its author exported it.
#[must_use]
pub fn onnx_files() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../examples/screening/model/screening.onnx").to_vec()]
}

/// Trees as LightGBM saved them: of the example, of the importer's tests, and the first few of each, which mutations
/// reach more of.
#[must_use]
pub fn lightgbm_files() -> Vec<Vec<u8>> {
    let files = [
        include_str!("../../examples/screening/trees/screening.lightgbm.txt"),
        include_str!("../../sdk/import/tests/trees/lightgbm-zero.txt"),
        include_str!("../../sdk/import/tests/trees/lightgbm-three.txt"),
    ];
    let few = files.iter().filter_map(|file| first_trees(file, 3));
    files.iter().map(|file| (*file).to_owned()).chain(few).map(String::into_bytes).collect()
}

/// The first trees of a file, with as many sizes in its header.
fn first_trees(file: &str, trees: usize) -> Option<String> {
    let (header, first) = (file.find("tree_sizes=")?, file.find("\nTree=0\n")?);
    let end = file.find(&format!("\nTree={trees}\n"))?;
    let sizes = vec!["1"; trees].join(" ");
    Some(format!("{}tree_sizes={sizes}\n{}\nend of trees\n", file.get(..header)?, file.get(first..end)?))
}

/// Trees as XGBoost saved them.
#[must_use]
pub fn xgboost_files() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../examples/screening/trees/screening.xgboost.json").to_vec(),
        include_bytes!("../../sdk/import/tests/trees/xgboost-pruned.json").to_vec(),
        include_bytes!("../../sdk/import/tests/trees/xgboost-three.json").to_vec(),
    ]
}

/// Signed transactions of several kinds.
#[must_use]
pub fn transactions() -> Vec<Vec<u8>> {
    let keys = KeyPair::from_seed([3; 32]);
    let actions = [
        Action::Transfer { to: Address([1; 32]) },
        Action::Call { contract: Address([2; 32]), input: vec![1, 2, 3] },
        Action::Deploy { code: vec![0, 97, 115, 109], salt: 7, input: vec![] },
        Action::ModelChunk { id: [4; 32], index: 1, bytes: vec![9; 40], proof: vec![[5; 32]; 2] },
    ];
    actions
        .map(|action| {
            let transaction =
                Transaction { chain_id: "fuzz".into(), nonce: 1, gas_limit: 1000, gas_price: 1, value: 5, action };
            keys.sign(transaction).to_bytes()
        })
        .to_vec()
}

/// The container of the screening model.
pub(crate) fn screening() -> Vec<u8> {
    let calibration = &include_bytes!("../../examples/screening/model/calibration.csv")[..];
    let calibration = Table::read_csv(calibration).expect("the example is a table").rows;
    let options = ImportOptions { calibration, ..ImportOptions::new("screening", "CC BY 4.0") };
    import_onnx(&onnx_files()[0], &options).expect("the example can be imported").container
}

/// The container of the first screening trees.
pub(crate) fn trees() -> Vec<u8> {
    let file = &lightgbm_files()[3];
    import_lightgbm(file, &TreeOptions::new("screening trees", "CC BY 4.0"))
        .expect("the example can be imported")
        .container
}

/// Writes the seeds of an entry to the folder that `NOEMA_FUZZ_SEEDS` names, if it is set: targets do so when they start.
///
/// # Panics
/// Where there is no such entry, or the folder cannot be written.
#[allow(clippy::disallowed_methods, reason = "a program reads its environment")]
pub fn write(name: &str) {
    let Some(folder) = std::env::var_os("NOEMA_FUZZ_SEEDS").map(std::path::PathBuf::from) else { return };
    let entry = ENTRIES.iter().find(|entry| entry.name == name).expect("a target is named after its entry");
    std::fs::create_dir_all(&folder).expect("the folder of seeds can be made");
    for (number, seed) in (entry.seeds)().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed).expect("seeds can be written");
    }
}
