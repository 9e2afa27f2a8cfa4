use super::{Found, Plan, run};

fn some(seed: u64, cases: u64) -> Found {
    run(&Plan { seed, save: None }, &mut |done| done < cases).unwrap()
}

#[test]
fn engines_agree_on_random_programs() {
    let found = some(20_260_727, 300);
    println!("{found}");
    assert!(found.report.is_clean(), "{found}");
    // Programs that do nothing would agree too.
    assert!(found.completed * 2 >= found.cases, "{found}");
    assert!(found.host_calls * 5 >= found.cases, "{found}");
    assert!(found.short_of_gas * 5 >= found.cases, "{found}");
    assert!(found.faulted > 0 && found.aborted > 0 && found.median_gas > 1_000 * 400, "{found}");
}

#[test]
fn a_seed_gives_the_same_programs() {
    let counts = |found: Found| (found.completed, found.faulted, found.host_calls, found.median_gas);
    assert_eq!(counts(some(7, 20)), counts(some(7, 20)));
    assert_ne!(counts(some(7, 20)), counts(some(8, 20)));
}
