//! Whether the tables of a tokenizer are tables: nothing outside their lengths, tries that are tries.

use super::{ALONE, DROP, KEEP, LIST, SPACE, WordPiece, bits};
use crate::{
    ops::tokenizer::{self, LAST},
    parameters::Parameters,
};

pub(super) fn check(op: &WordPiece, parameters: &Parameters<'_>) -> Result<(), String> {
    characters(op, parameters)?;
    tries(op, parameters)
}

fn characters(op: &WordPiece, parameters: &Parameters<'_>) -> Result<(), String> {
    let refused = |at: usize, what: &str| Err(format!("range {at} of characters: {what}"));
    let starts = tokenizer::starts(parameters)?;
    let values: Vec<i32> = parameters.i32s(3).collect();
    let (kinds, counts) = (parameters.u8s(1), parameters.u8s(4));
    let mut longest = 1;
    for (at, kind) in kinds.iter().enumerate() {
        let end = starts.get(at + 1).map_or(LAST, |next| next - 1);
        let (value, count) = (i64::from(values[at]), i64::from(counts[at]));
        match *kind {
            DROP | SPACE if value == 0 && count == 0 => {}
            KEEP | ALONE if count == 0 => {
                let ends = [i64::from(starts[at]) + value, i64::from(end) + value];
                if ends.iter().any(|end| !(0..=i64::from(LAST)).contains(end)) {
                    return refused(at, "moved out of the code points");
                }
            }
            LIST => {
                if value < 0 || value + count > i64::from(op.listed) {
                    return refused(at, "outside the list");
                }
                longest = longest.max(u32::from(counts[at]));
            }
            _ => return refused(at, "an unknown kind, or numbers that it has not"),
        }
    }
    if longest != op.expansion {
        return Err(format!("the longest replacement has {longest} entries, {} are stated", op.expansion));
    }
    let known = bits::POINT | (0xff << bits::CLASS_SHIFT) | bits::ALONE | bits::DROPPED;
    for (at, value) in parameters.i32s(5).enumerate() {
        let entry = value.cast_unsigned();
        if entry & !known != 0 || entry & bits::POINT > LAST.cast_unsigned() {
            return Err(format!("entry {at} of the list: {value}"));
        }
    }
    Ok(())
}

fn tries(op: &WordPiece, parameters: &Parameters<'_>) -> Result<(), String> {
    let children = tokenizer::table(parameters, 6);
    let points: Vec<i32> = parameters.i32s(7).collect();
    tokenizer::check_tries("tries", 2, &children, &points)?;
    let mut depths = vec![0u32; points.len()];
    for (node, ends) in children.windows(2).enumerate() {
        let depth = depths[node] + 1;
        depths[ends[0]..ends[1]].fill(depth);
    }
    let depth = depths.iter().copied().max().unwrap_or(0);
    if depth != op.depth {
        return Err(format!("the longest piece has {depth} characters, {} are stated", op.depth));
    }
    for (node, token) in parameters.i32s(8).enumerate() {
        let known = u32::try_from(token).map_or(token == -1, |token| token < op.vocabulary);
        if !known || (node < 2 && token != -1) {
            return Err(format!("node {node} of the tries ends with token {token}"));
        }
    }
    Ok(())
}
