//! Whether what a command printed is what the page shows.

use std::collections::BTreeMap;

/// Words of the book that stand for something of this run: `CONTRACT` for an address.
pub(crate) type Names = BTreeMap<String, String>;

/// Whether a word is such a name: capitals, digits and underscores, three at least, a capital first.
fn is_name(word: &str) -> bool {
    word.len() >= 3
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The text in words and what is between them.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let end = if part(first) { rest.find(|c| !part(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind;
    }
    words
}

/// Puts what names stand for in their places; a word behind a `$` is the shell's.
pub(crate) fn fill(text: &str, names: &Names) -> String {
    let words = words(text);
    let behind =
        |at: usize| at.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|word| ["$", "{"].contains(word));
    let filled = |(at, word): (usize, &&str)| match names.get(*word) {
        Some(value) if !behind(at) => value.clone(),
        _ => (*word).to_owned(),
    };
    words.iter().enumerate().map(filled).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `..`: anything within the line.
    Any,
    Name(String),
}

fn parts(line: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (nth, between) in line.split("..").enumerate() {
        if nth > 0 {
            parts.push(Part::Any);
        }
        for word in words(between) {
            match (is_name(word), parts.last_mut()) {
                (true, _) => parts.push(Part::Name(word.to_owned())),
                (false, Some(Part::Text(text))) => text.push_str(word),
                (false, _) => parts.push(Part::Text(word.to_owned())),
            }
        }
    }
    parts
}

/// Whether the parts make up the whole text; binds names that have not been seen before.
fn line_matches(parts: &[Part], text: &str, names: &mut Names) -> bool {
    let Some((first, rest)) = parts.split_first() else { return text.is_empty() };
    match first {
        Part::Text(literal) => text.strip_prefix(literal.as_str()).is_some_and(|text| line_matches(rest, text, names)),
        Part::Any => {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| line_matches(rest, &text[at..], names))
        }
        Part::Name(name) => {
            if let Some(value) = names.get(name).cloned() {
                return text.strip_prefix(value.as_str()).is_some_and(|text| line_matches(rest, text, names));
            }
            let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(text.len());
            // The longest word: an address is not cut.
            end > 0 && {
                let mut with = names.clone();
                with.insert(name.clone(), text[..end].to_owned());
                let matched = line_matches(rest, &text[end..], &mut with);
                if matched {
                    *names = with;
                }
                matched
            }
        }
    }
}

/// Runs of spaces count as one, and none at the ends of a line.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the output is what is shown:
///
/// - a line of `..` alone stands for any lines, or none; `..` inside of a line for anything in it;
/// - a name in capitals (`CONTRACT`) stands for a word: the first time for any, which it keeps from then on;
/// - runs of spaces count as one.
///
/// # Errors
/// The first line of the page that is not there.
pub(crate) fn compare(shown: &str, output: &str, names: &mut Names) -> Result<(), String> {
    let output: Vec<String> = output.lines().map(squeezed).collect();
    let output: Vec<&str> = output.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let shown: Vec<String> = shown.lines().map(squeezed).filter(|line| !line.is_empty()).collect();
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    let mut furthest = 0;
    if lines_match(&shown, &output, names, 0, &mut furthest) {
        return Ok(());
    }
    Err(shown.get(furthest).map_or("there is more than the page shows".to_owned(), |line| format!("no line `{line}`")))
}

fn lines_match(shown: &[&str], output: &[&str], names: &mut Names, at: usize, furthest: &mut usize) -> bool {
    *furthest = (*furthest).max(at);
    let Some((first, rest)) = shown.split_first() else { return output.is_empty() };
    if *first == ".." {
        return (0..=output.len()).any(|skip| lines_match(rest, &output[skip..], names, at + 1, furthest));
    }
    let Some((line, behind)) = output.split_first() else { return false };
    let mut with = names.clone();
    if line_matches(&parts(first), line, &mut with) && lines_match(rest, behind, &mut with, at + 1, furthest) {
        *names = with;
        return true;
    }
    false
}

#[test]
fn what_varies_is_named_or_left_out() {
    let mut names = Names::new();
    let is = |shown: &str, output: &str, names: &mut Names| compare(shown, output, names).is_ok();
    assert!(is("contract   CONTRACT\ngas .. of 10\n", "contract a4c-c\ngas 1 000 of 10\n", &mut names));
    assert_eq!(names["CONTRACT"], "a4c-c");
    // From then on it is that word and no other.
    assert!(is("..\nto CONTRACT, twice", "one\ntwo\nto a4c-c, twice", &mut names));
    assert!(!is("to CONTRACT", "to a4c-d", &mut names) && !is("to CONTRACT", "to a4c-c-e", &mut names));
    assert!(!is("a\n", "a\nb\n", &mut names) && !is("a\nb\n", "a\n", &mut names) && !is("a", "b", &mut names));
    assert!(is("a\n..\n", "a\nb\nc\n", &mut names) && !is("..\nd\n", "a\nb\n", &mut names));
    assert_eq!(compare("a\nb\nc", "a\nx\nc", &mut names).unwrap_err(), "no line `b`");
    assert_eq!(
        fill("call CONTRACT '[\"CONTRACT\"]' $CONTRACT OTHER", &names),
        "call a4c-c '[\"a4c-c\"]' $CONTRACT OTHER"
    );
}
