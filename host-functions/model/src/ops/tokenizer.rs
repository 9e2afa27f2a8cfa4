//! What all tokenizers share: a text that is read, ranges of characters, tries, and tokens that are given.

use noema_abi::{DType, Status};
use noema_tensor::OpError;

use super::{Shapes, is_length, length, sequence_lengths};
use crate::{
    arena::{self, Sink, Source},
    graph::Edge,
    parameters::Parameters,
};

/// The last code point.
pub(super) const LAST: i32 = 0x10_ffff;

/// Most bytes of a text. What a tokenizer keeps of it while it runs is not in the arena, and many times as large.
pub(super) const MAX_TEXT: u32 = 1 << 20;

/// What a tokenizer gives for a text and its length, with room for so many tokens.
pub(super) fn infer(inputs: &[&Edge], tokens: u32) -> Result<Edge, String> {
    let text = inputs[0];
    if text.dtype != DType::U8 || text.dims.len() != 1 || !is_length(inputs[1]) {
        return Err(format!("a text is u8 with one axis, its length one i32; not {} {:?}", text.dtype, text.dims));
    }
    if text.last() > MAX_TEXT {
        return Err(format!("a text of {} bytes, the limit is {MAX_TEXT}", text.last()));
    }
    // As many as there can be are refused by the operator.
    Ok(Edge::new(DType::I32, &[tokens.saturating_add(1)]))
}

/// The first code points of ranges of characters, if they are that.
pub(super) fn starts(parameters: &Parameters<'_>) -> Result<Vec<i32>, String> {
    let starts: Vec<i32> = parameters.i32s(0).collect();
    if starts.first() != Some(&0) || !starts.is_sorted_by(|a, b| a < b) || starts.iter().any(|start| *start > LAST) {
        return Err("ranges of characters that do not rise from 0 to 0x10ffff".into());
    }
    Ok(starts)
}

/// A table of places; what is none is behind everything.
pub(super) fn table(parameters: &Parameters<'_>, index: usize) -> Vec<usize> {
    parameters.i32s(index).map(|place| usize::try_from(place).unwrap_or(usize::MAX)).collect()
}

/// Whether the children of nodes make tries with so many roots, and what leads to them rises. The children of the first node begin behind
/// the roots, those of the last end with the nodes: every other node is the child of exactly one, which stands before it.
pub(super) fn check_tries<K: PartialOrd>(
    name: &str,
    roots: usize,
    children: &[usize],
    keys: &[K],
) -> Result<(), String> {
    if children.first() != Some(&roots) || children.last() != Some(&keys.len()) || !children.is_sorted() {
        return Err(format!("nodes of the {name} that are not the children of one other"));
    }
    for (node, ends) in children.windows(2).enumerate() {
        if ends[0] < ends[1] && ends[0] <= node {
            return Err(format!("node {node} of the {name} stands behind its children"));
        }
        if !keys[ends[0]..ends[1]].is_sorted_by(|a, b| a < b) {
            return Err(format!("the children of node {node} do not rise"));
        }
    }
    Ok(())
}

/// What stands around the tokens of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Most tokens, those before and behind the text included.
    pub(super) tokens: u32,
    pub(super) before: Option<u32>,
    pub(super) behind: Option<u32>,
    pub(super) padding: u32,
}

impl Frame {
    /// How many tokens stand around those of the text.
    pub(super) fn around(&self) -> u32 {
        u32::from(self.before.is_some()) + u32::from(self.behind.is_some())
    }

    /// Runs a tokenizer, of which `tokens` gives those of a text, at most so many.
    pub(super) fn run(
        &self,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
        tokens: impl Fn(&str, usize) -> Vec<i32>,
    ) -> Result<(), OpError> {
        let (Source::U8(text), y) = (inputs[0], output.i32s()?) else { return Err(arena::unexpected()) };
        let bytes = text.len() / shapes.rows;
        let counts = sequence_lengths(inputs[1], 0, bytes)?;
        let room = length(self.tokens);
        let most = room - length(self.around());
        for ((text, count), y) in text.chunks_exact(bytes).zip(counts).zip(y.chunks_exact_mut(room + 1)) {
            let text = std::str::from_utf8(&text[..count]).map_err(|_| Status::BadArgument)?;
            let [before, behind] = [self.before, self.behind].map(|token| token.map(u32::cast_signed));
            y.fill(self.padding.cast_signed());
            let mut given = 0;
            for (y, token) in y[1..].iter_mut().zip(before.into_iter().chain(tokens(text, most)).chain(behind)) {
                *y = token;
                given += 1;
            }
            y[0] = given;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::{ModelError, container, parameters::Array, sample::Sample};

    /// Puts each of these values into each place of each table that `picked` picks by the length of the table and the place: a container
    /// with it is refused for its tables, or `accepted` gets it. How many were refused, and how many were not.
    pub(in super::super) fn every_number_replaced(
        arrays: &[Array],
        values: &[i32],
        picked: impl Fn(usize, usize) -> bool,
        sample: impl Fn(Vec<Array>) -> Sample,
        accepted: impl Fn(&Sample),
    ) -> (usize, usize) {
        let mut counts = (0, 0);
        for (table, array) in arrays.iter().enumerate() {
            let length = match array {
                Array::I32(values) => values.len(),
                Array::U8(values) => values.len(),
                _ => unreachable!(),
            };
            for at in (0..length).filter(|at| picked(length, *at)) {
                for value in values {
                    let mut altered = arrays.to_vec();
                    match &mut altered[table] {
                        Array::I32(values) => values[at] = *value,
                        Array::U8(values) => values[at] = value.to_le_bytes()[0],
                        _ => unreachable!(),
                    }
                    let sample = sample(altered);
                    match container::encode(&sample.manifest(), &sample.graph, &sample.parameters) {
                        Err(error) => {
                            assert!(matches!(error, ModelError::Bound { .. }), "{error}");
                            counts.0 += 1;
                        }
                        Ok(_) => {
                            accepted(&sample);
                            counts.1 += 1;
                        }
                    }
                }
            }
        }
        counts
    }
}
