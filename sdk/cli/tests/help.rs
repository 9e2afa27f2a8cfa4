//! Every command explains itself with an example.

mod program;

use clap::{CommandFactory, Parser};
use program::Workplace;

/// The commands in a text: lines that begin with `noema`, as words. Capitals stand for a hash, and what comes behind the
/// command (a comment, a file to write to) is for the shell.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("noema "));
    lines
        .map(|line| {
            let (mut words, mut quote) = (vec![String::new()], None);
            for letter in line.chars() {
                match (letter, quote) {
                    ('\'' | '"', None) => quote = Some(letter),
                    (_, Some(open)) if open == letter => quote = None,
                    (' ', None) => words.push(String::new()),
                    _ => words.last_mut().unwrap().push(letter),
                }
            }
            let command = words
                .into_iter()
                .filter(|word| !word.is_empty())
                .take_while(|word| !matches!(&word[..], "#" | ">" | "|" | "&&"));
            let placeholder =
                |word: &str| word.len() > 3 && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
            command.map(|word| if placeholder(&word) { "11".repeat(32) } else { word }).collect()
        })
        .collect()
}

/// Whether the command line is one that the program takes.
fn assert_parses(words: &[String], of: &str) {
    if let Err(error) = noema_cli::Cli::try_parse_from(words) {
        panic!("`{}` of {of}: {error}", words.join(" "));
    }
}

#[test]
fn the_commands_of_the_readme_are_commands() {
    let readme = include_str!("../../../README.md");
    let shell: String =
        readme.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default()).collect();
    let commands = commands(&shell);
    assert!(commands.len() >= 8, "{commands:?}");
    commands.iter().for_each(|words| assert_parses(words, "the README"));
}

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
        let shown = commands(example);
        assert!(!shown.is_empty(), "{name}: {example}");
        shown.iter().for_each(|words| assert_parses(words, &format!("`noema {name} --help`")));
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
