//! A row of the table from its line, as `HostFunction` writes it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use noema_abi::{HostFunction, Kind, Param, Price, Return};

/// What rows of functions in C can take.
const KINDS: [Kind; 12] = [
    Kind::u32,
    Kind::i32,
    Kind::u64,
    Kind::i64,
    Kind::bytes,
    Kind::out,
    Kind::in16,
    Kind::in32,
    Kind::in64,
    Kind::out16,
    Kind::out32,
    Kind::out64,
];

/// `0x8001 mychain.shout(text: bytes, loud: out) -> u64 since 1 price(1000000, 1000, 0)`
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(line: &str) -> Result<&'static HostFunction, String> {
    let wrong = |what: &str| format!("the row `{line}` {what}");
    let form = "is not of the form `0x8001 module.name(parameter: kind, ...) -> result since 1 price(1, 2, 3)`";
    let (id, rest) = line.split_once(' ').ok_or_else(|| wrong(form))?;
    let id = id.strip_prefix("0x").ok_or_else(|| wrong(form))?;
    let id = u16::from_str_radix(id, 16).map_err(|_| wrong("has no id of up to four hexadecimal digits"))?;
    let (name, rest) = rest.split_once('(').ok_or_else(|| wrong(form))?;
    let (group, name) = name.split_once('.').ok_or_else(|| wrong(form))?;
    let (params, rest) = rest.split_once(") -> ").ok_or_else(|| wrong(form))?;
    let params = if params.is_empty() { Vec::new() } else { params.split(", ").collect() };
    let params = params
        .into_iter()
        .map(|param| {
            let (name, kind) = param.split_once(": ").ok_or_else(|| wrong(form))?;
            let known = KINDS.into_iter().find(|known| known.name() == kind);
            let kind = known.ok_or_else(|| wrong(&format!("has a parameter of kind `{kind}`, which is none for C")))?;
            Ok(Param { name: keep(name), kind })
        })
        .collect::<Result<Vec<Param>, String>>()?;
    let (result, rest) = rest.split_once(" since ").ok_or_else(|| wrong(form))?;
    let result = [Return::unit, Return::u64].into_iter().find(|known| known.name() == result);
    let result = result.ok_or_else(|| wrong("has a result that is neither `u64` nor `unit`"))?;
    let (since, rest) = rest.split_once(" price(").ok_or_else(|| wrong(form))?;
    let since = since.parse().map_err(|_| wrong("has no version behind `since`"))?;
    let price = rest.strip_suffix(')').ok_or_else(|| wrong(form))?;
    let price = price.split(", ").map(str::parse).collect::<Result<Vec<u64>, _>>();
    let Ok([base, per_byte, per_work]) = price.as_deref() else {
        return Err(wrong("has no price of three numbers"));
    };
    let price = Price { base: *base, per_byte: *per_byte, per_work: *per_work };
    let (group, name) = (keep(group), keep(name));
    let row = HostFunction { id, group, name, since, params: &[], result, price, doc: "" };
    Ok(keep_row(row, params))
}

/// Text that lives as long as the program: tables do. Equal texts are kept once, so that machines may come and go.
fn keep(text: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = kept.get(text) {
        return same;
    }
    let new: &'static str = Box::leak(text.into());
    kept.insert(new);
    new
}

/// The same for rows.
fn keep_row(row: HostFunction, params: Vec<Param>) -> &'static HostFunction {
    static KEPT: Mutex<Vec<&'static HostFunction>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |kept: &&&'static HostFunction| HostFunction { params: &[], ..***kept } == row && kept.params == params;
    if let Some(same) = kept.iter().find(same) {
        return same;
    }
    let new: &'static HostFunction = Box::leak(Box::new(HostFunction { params: params.leak(), ..row }));
    kept.push(new);
    new
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_are_read_as_they_are_written() {
        for line in [
            "0x8001 mychain.shout(text: bytes, loud: out) -> u64 since 1 price(1000000, 1000, 0)",
            "0xffff a.b() -> unit since 12 price(0, 0, 18446744073709551615)",
            "0x9000 c.d(a: u32, b: i32, c: u64, d: i64, e: in16, f: in32, g: in64, h: out16, i: out32, j: out64) -> u64 since 1 price(1, 2, 3)",
        ] {
            let row = parse(line).unwrap();
            assert_eq!(row.to_string(), line);
            assert!(std::ptr::eq(row, parse(line).unwrap()), "kept once");
        }
    }

    #[test]
    fn other_lines_are_refused_with_a_reason() {
        for (line, reason) in [
            ("", "is not of the form"),
            ("8001 a.b() -> unit since 1 price(1, 2, 3)", "is not of the form"),
            ("0x18001 a.b() -> unit since 1 price(1, 2, 3)", "has no id"),
            ("0x8001 ab() -> unit since 1 price(1, 2, 3)", "is not of the form"),
            ("0x8001 a.b(x bytes) -> unit since 1 price(1, 2, 3)", "is not of the form"),
            ("0x8001 a.b(x: float) -> unit since 1 price(1, 2, 3)", "`float`"),
            ("0x8001 a.b(x: tensor) -> unit since 1 price(1, 2, 3)", "`tensor`"),
            ("0x8001 a.b() -> never since 1 price(1, 2, 3)", "neither"),
            ("0x8001 a.b() -> unit since x price(1, 2, 3)", "no version"),
            ("0x8001 a.b() -> unit since 1 price(1, 2)", "price"),
            ("0x8001 a.b() -> unit since 1 price(1, 2, -3)", "price"),
            ("0x8001 a.b() -> unit since 1 price(1, 2, 3) ", "is not of the form"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
