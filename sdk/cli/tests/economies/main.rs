//! Every economy's story, told on a real chain: that it goes as it says, and that what it claims is so.
//!
//! A file for each, which checks the facts that the story read from its chain.

#[path = "../program/mod.rs"]
mod program;

mod agents;
mod compute_market;
mod data_market;
mod fraud_screening;
mod model_incentives;
mod private_health;
mod supply_chain;
mod trading;

use noema_cli::demo::economies::{ECONOMIES, Economy, EconomyReport, Story};
use noema_cli::demo::stage::COIN;
use noema_cli::{Output, Report};
use program::{Workplace, assert_error, demo_options, repository};
use serde_json::Value;

/// Tells a story and replays it once, with kernels that did not compute it.
fn told(name: &str) -> EconomyReport {
    let economy = Economy::find(name).expect("it is in the menu");
    let report =
        economy.run(Output::new(true), &demo_options(None), &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.replay.identical);
    let mut screen = Vec::new();
    report.write(&mut screen).expect("a vector takes everything");
    let screen = String::from_utf8(screen).expect("text");
    println!("{screen}");
    assert!(screen.lines().count() <= Story::LINES, "{} lines", screen.lines().count());
    for line in screen.lines() {
        assert!(line.chars().count() <= Story::COLUMNS, "{} columns: {line}", line.chars().count());
    }
    assert_eq!(screen.lines().last(), Some("demo: ok"));
    report
}

/// Native units under `gains` of the facts.
fn gain(facts: &Value, who: &str) -> i128 {
    facts["gains"][who].as_str().and_then(|units| units.parse().ok()).unwrap_or_else(|| panic!("{who}: {facts:#}"))
}

/// Whether a gain is so many coins, to the ten-thousandth: deposits that are not back yet are less.
fn is_coins(units: i128, thousandths: i128) -> bool {
    let coin = i128::try_from(COIN).expect("small");
    (units - thousandths * (coin / 1000)).abs() < coin / 1000
}

#[test]
fn the_menu_is_complete_and_names_the_folders() {
    let workplace = Workplace::new();
    let list = workplace.json(0, &["demo", "--list"]);
    let names: Vec<&str> =
        list["demos"].as_array().unwrap().iter().map(|demo| demo["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), ECONOMIES.len() + 1);
    for name in names {
        let folder = repository().join("examples").join(name);
        assert!(folder.join("README.md").is_file() || name == "screening", "{name} has no page");
    }
    let error = workplace.json(2, &["demo", "perpetual-motion"]);
    assert_error(&error, "argument", &["no economy `perpetual-motion`", "compute-market", "--list"]);
    let error = workplace.json(2, &["demo", "compute-market", "--examples", "nowhere"]);
    assert_error(&error, "file", &["compute-market", "--examples DIR"]);
    assert_eq!(workplace.run(&["demo", "compute-market", "--all"]).exit, Some(2));
}

#[test]
fn all_of_them_run_in_sequence_each_on_a_chain_of_its_own() {
    let workplace = Workplace::new();
    let quick = ["demo", "--all", "--dir", "chains", "--levels", "portable", "--threads", "1"];
    let run = workplace.run(&quick);
    assert_eq!(run.exit, Some(0), "{run:#?}");
    assert_eq!(run.stdout.lines().filter(|line| *line == "demo: ok").count(), 1);
    let names: Vec<&str> = std::iter::once("screening").chain(ECONOMIES.iter().map(|economy| economy.name)).collect();
    for (place, name) in (1..).zip(&names) {
        assert!(run.stdout.contains(&format!("[{place}/{}] {name}: ", names.len())), "{name}");
        // The table at the end.
        let closing = run.stdout.lines().rfind(|line| line.trim_start().starts_with(name)).expect("a line");
        assert!(closing.contains("1 x identical") && closing.trim_end().ends_with("ok"), "{closing}");
        // An ordinary chain, of which single commands work.
        let block = workplace.json(0, &["block", "--chain", &format!("chains/{name}")]);
        assert!(block["height"].as_u64() > Some(5), "{block:#}");
    }
    // Nothing is overwritten, and nothing is run before that is known.
    std::fs::remove_dir_all(workplace.path("chains/screening")).expect("it is there");
    let error = workplace.json(2, &quick);
    assert_error(&error, "chain-exists", &["has a chain already", ECONOMIES[0].name]);
    assert!(!workplace.path("chains/screening").exists());
}
