//! The reference page of the host functions, made from the table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use noema_abi::{DType, HostFunction, Kind, Price, ProtocolVersion, ROWS, Status, limits};

use crate::report::{ConformanceError, Report, read, write};

/// How to bring the page up to date.
pub const BLESS: &str = "cargo run --release -p noema-conformance -- reference --bless";

/// Where the page is.
#[must_use]
pub fn path() -> PathBuf {
    crate::repository().join("docs/reference/host-functions.md")
}

/// What each group of rows is for, from the table.
macro_rules! groups {
    ($( $(#[doc = $doc:literal])* mod $group:ident $rows:tt )*) => {
        const GROUPS: &[(&str, &str)] = &[ $( (stringify!($group), concat!($($doc),*)) ),* ];
    };
}
noema_abi::host_functions!(groups);

/// Statuses that the documentation of a row names.
#[must_use]
pub fn statuses_of(row: &HostFunction) -> Vec<Status> {
    let named = |status: Status| row.doc.contains(&format!("`{}`", status.name()));
    Status::ALL.iter().map(|(status, _)| *status).filter(|status| named(*status)).collect()
}

/// The page.
#[must_use]
pub fn render() -> String {
    let mut page = String::new();
    introduction(&mut page);
    for (group, doc) in GROUPS {
        let _ = write!(page, "\n## {group}\n\n{}\n", paragraph(doc));
        for row in ROWS.iter().filter(|row| row.group == *group) {
            function(&mut page, row);
        }
    }
    tables(&mut page);
    page
}

fn introduction(page: &mut String) {
    let paragraphs = [
        format!(
            "Made from the table in `host-functions/abi/src/table.rs` by `noema-conformance reference --bless`; a test fails while this page is not up \
             to date. Newest protocol version: {}.",
            ProtocolVersion::LATEST
        ),
        "A contract imports a function by its group and name. Every function returns an `i64`: zero or more is the \
         result, less is the negated code of a [status](#statuses), and then nothing was written into the contract's \
         memory. All inputs are read before the first output is written, so ranges may overlap. A range outside the \
         memory is a fault."
            .to_owned(),
        "The price is in gas, picoseconds of the reference machine. `bytes` is the sum of the lengths of the `bytes` \
         arguments and the capacities of the `out` arguments; it is charged with the base before anything is looked \
         at. `work` is the row's own unit; it is charged before anything is allocated or computed."
            .to_owned(),
    ];
    page.push_str("# Host functions\n\n");
    for text in paragraphs {
        page.push_str(&paragraph(&text));
        page.push_str("\n\n");
    }
    page.push_str("| kind | import | meaning |\n|---|---|---|\n");
    for (kind, meaning) in [
        (Kind::u32, "a 32-bit number"),
        (Kind::i32, "a signed 32-bit number"),
        (Kind::u64, "a 64-bit number"),
        (Kind::i64, "a signed 64-bit number"),
        (Kind::bytes, "a range to read: pointer and length"),
        (Kind::out, "a range to write: pointer and capacity; what does not fit is not written"),
        (Kind::in16, "16 bytes to read, by pointer (`in32` and `in64` likewise)"),
        (Kind::out16, "16 bytes to write, by pointer (`out32` and `out64` likewise)"),
        (Kind::tensor, "a tensor handle of the running frame"),
        (Kind::model, "a model handle of the running frame"),
    ] {
        let _ = writeln!(page, "| `{}` | {} | {meaning} |", kind.name(), wasm(kind));
    }
}

fn wasm(kind: Kind) -> String {
    kind.wasm_types().iter().map(|wasm| format!("`{}`", wasm.name())).collect::<Vec<_>>().join(" ")
}

fn function(page: &mut String, row: &HostFunction) {
    let params: Vec<String> = row.params.iter().map(|param| format!("{}: {}", param.name, param.kind.name())).collect();
    let import: Vec<&str> = row.wasm_params().map(noema_abi::WasmType::name).collect();
    let import = if import.is_empty() { String::new() } else { format!(" (param {})", import.join(" ")) };
    let _ = write!(
        page,
        "\n### {group}.{name}\n\n```text\n{name}({params}) -> {result}\n```\n\n{doc}\n\n\
         - Import: `(import \"{group}\" \"{name}\" (func{import} (result i64)))`\n\
         - Gas: {price}\n",
        group = row.group,
        name = row.name,
        params = params.join(", "),
        result = row.result.name(),
        doc = paragraph(row.doc),
        price = price(row.price),
    );
    let statuses = statuses_of(row);
    if !statuses.is_empty() {
        let names: Vec<String> =
            statuses.iter().map(|status| format!("{} ({})", status.name(), -i32::from(status.code()))).collect();
        let _ = writeln!(page, "- Statuses: {}", names.join(", "));
    }
    let _ = writeln!(page, "- Id {:#06x}, since version {}", row.id, row.since);
}

/// `10 000 + 100 * bytes`
fn price(price: Price) -> String {
    let mut text = digits(price.base);
    for (factor, unit) in [(price.per_byte, "bytes"), (price.per_work, "work")] {
        match factor {
            0 => {}
            1 => text += &format!(" + {unit}"),
            factor => text += &format!(" + {} * {unit}", digits(factor)),
        }
    }
    text
}

/// A number with its digits in groups of three.
fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A documentation comment as one paragraph of at most 120 columns.
fn paragraph(doc: &str) -> String {
    let mut lines = vec![String::new()];
    for word in doc.split_whitespace() {
        let last = lines.last_mut().expect("there is a first line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.len() + 1 + word.len() <= 120 {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

fn tables(page: &mut String) {
    page.push_str("\n## Statuses\n\n| code | name | meaning |\n|---|---|---|\n");
    for (status, doc) in Status::ALL {
        let _ = writeln!(page, "| {} | `{}` | {} |", -i32::from(status.code()), status.name(), one_line(doc));
    }
    page.push_str("\n## Element types\n\n| code | name | bytes | smallest | largest |\n|---|---|---|---|---|\n");
    for dtype in DType::ALL {
        let (min, max) = (dtype.min(), dtype.max());
        let _ = writeln!(page, "| {} | `{dtype}` | {} | {min} | {max} |", dtype.code(), dtype.size());
    }
    page.push_str("\n## Limits\n\n| name | value | meaning |\n|---|---|---|\n");
    for (name, value, doc) in limits::ALL {
        let _ = writeln!(page, "| `{name}` | {} | {} |", digits(*value), one_line(doc));
    }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Compares the page with the table.
///
/// # Errors
/// The page cannot be read.
pub fn check(path: &Path) -> Result<Report, ConformanceError> {
    let (committed, current) = (read(path)?, render());
    let mut report = Report::default();
    let first = committed.lines().zip(current.lines()).position(|(old, new)| old != new);
    let what = match first {
        _ if committed == current => None,
        None => Some(format!("{} lines are {} now", committed.lines().count(), current.lines().count())),
        Some(line) => {
            let of = |text: &str| text.lines().nth(line).unwrap_or_default().to_owned();
            Some(format!("line {}: was\n    {}\n  is\n    {}", line + 1, of(&committed), of(&current)))
        }
    };
    report.compare(|| "docs/reference/host-functions.md".to_owned(), what);
    Ok(report)
}

/// Writes the page.
///
/// # Errors
/// It cannot be written.
pub fn bless(path: &Path) -> Result<(), ConformanceError> {
    write(path, &render())
}

#[cfg(test)]
mod tests {
    use noema_abi::{Price, ROWS, Status, find};

    use super::{BLESS, GROUPS, check, path, price, render, statuses_of};

    #[test]
    fn the_page_is_up_to_date() {
        let report = check(&path()).unwrap();
        assert!(report.is_clean(), "{report}\nTo write it: {BLESS}");
    }

    #[test]
    fn every_row_is_on_the_page() {
        let page = render();
        for row in ROWS {
            assert!(GROUPS.iter().any(|(group, doc)| *group == row.group && !doc.is_empty()));
            assert!(page.contains(&format!("\n### {}.{}\n", row.group, row.name)));
        }
    }

    /// The normative text has a section for every opcode, which names the statuses and the work that the row names.
    #[test]
    fn every_opcode_is_specified() {
        let text = std::fs::read_to_string(crate::repository().join("docs/spec/opcodes.md")).unwrap();
        let sections: Vec<&str> = text.split("\n### ").skip(1).collect();
        let mut missing = Vec::new();
        for row in ROWS.iter().filter(|row| row.group == "op") {
            let name = format!("op.{}", row.name);
            // A heading may name several rows that differ in one thing.
            let heading =
                |section: &&&str| section.lines().next().is_some_and(|line| line.contains(&format!("`{name}`")));
            let Some(section) = sections.iter().find(heading) else {
                missing.push(format!("{name} has no section in docs/spec/opcodes.md"));
                continue;
            };
            for status in statuses_of(row) {
                if !section.contains(&format!("`{}`", status.name())) {
                    missing.push(format!("the section of {name} does not name {status}"));
                }
            }
            let work = row.doc.split_once("Work:").map_or("", |(_, work)| work);
            let plain = section.replace(',', "");
            let numbers = work.split(|letter: char| !letter.is_ascii_digit()).filter(|number| !number.is_empty());
            if row.price.per_work > 0 && !section.contains("Work:") {
                missing.push(format!("the section of {name} does not say what work is"));
            }
            for number in numbers.filter(|number| !plain.contains(*number)) {
                missing.push(format!("the section of {name} does not have the {number} of its work"));
            }
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }

    #[test]
    fn prices_and_statuses_read_well() {
        assert_eq!(price(Price { base: 1_234_567, per_byte: 0, per_work: 0 }), "1 234 567");
        assert_eq!(price(Price { base: 500, per_byte: 1, per_work: 4_000 }), "500 + bytes + 4 000 * work");
        let row = find("storage", "get").unwrap();
        assert_eq!(statuses_of(row), [Status::NotFound, Status::LimitExceeded]);
    }
}
