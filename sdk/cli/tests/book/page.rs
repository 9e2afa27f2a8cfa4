//! What a page of the book asks a reader to do.

/// Something that a reader does, in the order of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Types commands; what they print, where the page shows it; they are to end with an error where the page says so.
    Commands { line: usize, script: String, output: Option<String>, fails: bool },
    /// Writes a file.
    File { line: usize, path: String, text: String },
    /// Types what the test does not: the commands that install the program.
    Skipped { line: usize, script: String },
}

/// The fenced blocks of a page:
///
/// - `sh` holds commands, `sh fails` commands that end with an error, `sh skip` those that a test does not run;
/// - `text` right behind one of them is what they print;
/// - `LANGUAGE file=PATH` is a file to be written;
/// - all others are there to be read.
///
/// # Panics
/// Where the page is none: a fence that does not end, output of nothing.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().enumerate();
    // Whether the last step may still get its output.
    let mut open = false;
    while let Some((at, fence)) = lines.next() {
        let Some(info) = fence.trim_start().strip_prefix("```") else { continue };
        let mut body = String::new();
        loop {
            match lines.next() {
                Some((_, line)) if line.trim_start().starts_with("```") => break,
                Some((_, line)) => {
                    body.push_str(line);
                    body.push('\n');
                }
                None => panic!("line {}: the block does not end", at + 1),
            }
        }
        let line = at + 1;
        let words: Vec<&str> = info.split_whitespace().collect();
        let file = words.iter().find_map(|word| word.strip_prefix("file="));
        let was_open = std::mem::replace(&mut open, false);
        match (words.as_slice(), file) {
            (_, Some(path)) => steps.push(Step::File { line, path: path.to_owned(), text: body }),
            (["sh"], _) | (["sh", "fails"], _) => {
                steps.push(Step::Commands { line, script: body, output: None, fails: words.len() == 2 });
                open = true;
            }
            (["sh", "skip"], _) => steps.push(Step::Skipped { line, script: body }),
            (["sh", ..], _) => panic!("line {line}: `sh` with {info}"),
            (["text"], _) if was_open => {
                if let Some(Step::Commands { output, .. }) = steps.last_mut() {
                    *output = Some(body);
                }
            }
            _ => {}
        }
    }
    steps
}

#[test]
fn blocks_of_a_page() {
    let page = "```sh\na\nb\n```\nprints\n```text\nx ..\n```\n```text\nread\n```\n```rust file=p/q.rs\nfn f() {}\n```\n\
                ```sh fails\nc\n```\n```sh skip\nd\n```\n```text\nnothing\n```\n```json\n{}\n```\n";
    let commands = |line, script: &str, output: Option<&str>, fails| Step::Commands {
        line,
        script: script.into(),
        output: output.map(str::to_owned),
        fails,
    };
    let expected = [
        commands(1, "a\nb\n", Some("x ..\n"), false),
        Step::File { line: 12, path: "p/q.rs".into(), text: "fn f() {}\n".into() },
        commands(15, "c\n", None, true),
        Step::Skipped { line: 18, script: "d\n".into() },
    ];
    assert_eq!(steps(page), expected);
}
