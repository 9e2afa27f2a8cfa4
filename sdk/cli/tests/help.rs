//! Every command explains itself with an example.

mod program;

use clap::CommandFactory;
use program::Workplace;

/// Every command and subcommand, as the words that name it.
fn paths(command: &clap::Command, path: &[String], all: &mut Vec<Vec<String>>) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let path: Vec<String> = path.iter().cloned().chain([sub.get_name().to_owned()]).collect();
        all.push(path.clone());
        paths(sub, &path, all);
    }
}

#[test]
fn every_command_shows_an_example() {
    let workplace = Workplace::new();
    let mut all = vec![vec![]];
    paths(&noema_cli::Cli::command(), &[], &mut all);
    assert!(all.len() > 20, "{all:?}");
    for mut path in all {
        let name = path.join(" ");
        path.push("--help".to_owned());
        let help = workplace.run(&path);
        assert_eq!(help.exit, Some(0), "{help:?}");
        let example = help.stdout.split_once("Example:").map(|(_, example)| example.trim());
        let example = example.unwrap_or_else(|| panic!("`noema {name} --help` has no example:\n{}", help.stdout));
        assert!(
            example.contains(&format!("noema {name}").trim().to_owned())
                || example.contains(&format!("noema --json {name}")),
            "{name}: {example}"
        );
        assert!(help.stderr.is_empty(), "{help:?}");
    }
}

#[test]
fn exit_statuses_are_documented() {
    let help = Workplace::new().run(&["--help"]).stdout;
    assert!(
        help.contains("Exit status:") && help.contains("  0  ") && help.contains("  1  ") && help.contains("  2  ")
    );
}

#[test]
fn no_command_is_a_usage_error() {
    let run = Workplace::new().run::<&str>(&[]);
    assert_eq!(run.exit, Some(2), "{run:?}");
    assert!(run.stderr.contains("Usage:"), "{run:?}");
}

#[test]
fn usage_errors_come_as_json_where_asked() {
    let workplace = Workplace::new();
    let error = workplace.json(2, &["receipt", "0x12"]);
    program::assert_error(&error, "usage", &["32 bytes", "noema --help"]);
    let error = workplace.json(2, &["frobnicate"]);
    program::assert_error(&error, "usage", &["frobnicate"]);
}
