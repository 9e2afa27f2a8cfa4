//! Whether the tables of a tokenizer are tables: nothing outside their lengths, pairs in order, a trie that is one.

use super::{BREAK, BytePairs};
use crate::{
    ops::{length, tokenizer},
    parameters::Parameters,
};

pub(super) fn check(op: &BytePairs, parameters: &Parameters<'_>) -> Result<(), String> {
    characters(parameters)?;
    let known = |token: i32| u32::try_from(token).is_ok_and(|token| token < op.vocabulary);
    if let Some(at) = parameters.i32s(2).position(|token| !known(token)) {
        return Err(format!("the token of byte {at} is not in the vocabulary"));
    }
    pairs(op, parameters, known)?;
    trie(parameters, known)
}

fn characters(parameters: &Parameters<'_>) -> Result<(), String> {
    tokenizer::starts(parameters)?;
    match parameters.u8s(1).iter().position(|class| *class > BREAK) {
        Some(at) => Err(format!("range {at} of characters: an unknown class")),
        None => Ok(()),
    }
}

fn pairs(op: &BytePairs, parameters: &Parameters<'_>, known: impl Fn(i32) -> bool) -> Result<(), String> {
    let firsts = tokenizer::table(parameters, 3);
    if firsts.first() != Some(&0) || firsts.last() != Some(&length(op.pairs)) || !firsts.is_sorted() {
        return Err("pairs that are not those of one token on the left".into());
    }
    let rights: Vec<i32> = parameters.i32s(4).collect();
    let mut widest = 0;
    for (left, ends) in firsts.windows(2).enumerate() {
        let of_left = &rights[ends[0]..ends[1]];
        if !of_left.is_sorted_by(|a, b| a < b) {
            return Err(format!("the pairs of token {left} do not rise"));
        }
        widest = widest.max(of_left.len());
    }
    if widest != length(op.widest) {
        return Err(format!("a token has up to {widest} pairs, {} are stated", op.widest));
    }
    let all = rights.iter().copied().zip(parameters.i32s(5)).zip(parameters.i32s(6));
    match all.into_iter().position(|((right, rank), result)| !known(right) || rank < 0 || !known(result)) {
        Some(at) => Err(format!("pair {at} has tokens that are not in the vocabulary, or a rank below 0")),
        None => Ok(()),
    }
}

fn trie(parameters: &Parameters<'_>, known: impl Fn(i32) -> bool) -> Result<(), String> {
    tokenizer::check_tries("trie", 1, &tokenizer::table(parameters, 7), parameters.u8s(8))?;
    for (node, token) in parameters.i32s(9).enumerate() {
        if token != -1 && (node == 0 || !known(token)) {
            return Err(format!("node {node} of the trie ends with token {token}"));
        }
    }
    Ok(())
}
