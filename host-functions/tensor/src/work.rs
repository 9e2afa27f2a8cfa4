//! What opcodes count as work: closed forms of types and shapes alone, which the specification states row by row. Operators of models
//! count the same.
//!
//! A *run* is what a kernel goes through at once; shorter ones cost more for each element, so that their number is part of the
//! work. Numbers saturate.
//!
//! ```
//! use noema_tensor::{DType, work};
//! // A bias for each of 768 columns, and one for each of 128 rows: 128 runs.
//! assert_eq!(work::runs(&[128, 768], &[&[128, 768], &[768]]), 128);
//! assert_eq!(work::elementwise(DType::I8, &[128, 768], &[&[128, 768], &[128, 1]]), 128 * 768 + 32 * 128);
//! ```

use crate::{DType, shape::product};

/// What a run of elements costs, in bytes.
const RUN: u64 = 32;
/// Channels that a product fills up to, and the least length of a sum.
const CHANNELS: u64 = 16;
const DEPTH: u64 = 16;

/// Elements of a shape, saturating.
#[must_use]
pub fn elements(dims: &[u32]) -> u64 {
    product(dims).unwrap_or(u64::MAX)
}

/// Bytes of so many elements.
#[must_use]
pub fn bytes(dtype: DType, elements: u64) -> u64 {
    elements.saturating_mul(width(dtype))
}

fn width(dtype: DType) -> u64 {
    u64::try_from(dtype.size()).unwrap_or(u64::MAX)
}

fn times(factors: &[u64]) -> u64 {
    factors.iter().fold(1, |product, factor| product.saturating_mul(*factor))
}

fn sum(terms: &[u64]) -> u64 {
    terms.iter().fold(0, |sum, term| sum.saturating_add(*term))
}

/// Elements of all axes but the last one.
#[must_use]
pub fn rows(dims: &[u32]) -> u64 {
    dims.split_last().map_or(1, |(_, outer)| elements(outer))
}

/// Runs of a result that operands are broadcast to. Axes of the result of length 1 do not count; a run is as many of the others, from the
/// last one on, as have the same operands repeated along them.
#[must_use]
pub fn runs(result: &[u32], operands: &[&[u32]]) -> u64 {
    let all = elements(result);
    let repeated = |from_last: usize| {
        let dim = |operand: &&[u32]| operand.iter().rev().nth(from_last).copied().unwrap_or(1);
        operands.iter().fold(0u64, |mask, operand| (mask << 1) | u64::from(dim(operand) == 1))
    };
    let (mut run, mut alike) = (1u64, None);
    for (from_last, dim) in result.iter().rev().enumerate().filter(|(_, dim)| **dim != 1) {
        if *alike.get_or_insert(repeated(from_last)) != repeated(from_last) {
            break;
        }
        run = run.saturating_mul((*dim).into());
    }
    all.checked_div(run).unwrap_or(0)
}

/// Runs of a box of these `sizes` inside `dims`: a run is the last axes that the box has whole, and the next one.
#[must_use]
pub fn box_runs(sizes: &[u32], dims: &[u32]) -> u64 {
    let mut run = 1u64;
    for (size, dim) in sizes.iter().zip(dims).rev() {
        run = run.saturating_mul((*size).into());
        if size != dim {
            break;
        }
    }
    elements(sizes).checked_div(run).unwrap_or(0)
}

/// `add`, `sub`, `mul`, `min`, `max` and the bitwise ones: elements of the result in bytes, and 32 for each run.
#[must_use]
pub fn elementwise(dtype: DType, result: &[u32], operands: &[&[u32]]) -> u64 {
    bytes(dtype, elements(result)).saturating_add(RUN.saturating_mul(runs(result, operands)))
}

/// The checked ones: an element has two bytes more.
#[must_use]
pub fn checked(dtype: DType, result: &[u32], operands: &[&[u32]]) -> u64 {
    elementwise(dtype, result, operands).saturating_add(elements(result).saturating_mul(2))
}

/// `select` and the comparisons: an element has one byte more, that of its condition or result, and a run costs 48.
#[must_use]
pub fn conditional(dtype: DType, result: &[u32], operands: &[&[u32]]) -> u64 {
    let more = elements(result).saturating_add(runs(result, operands).saturating_mul(16));
    elementwise(dtype, result, operands).saturating_add(more)
}

/// `expand`: bytes of the result, and 64 for each run.
#[must_use]
pub fn expand(dtype: DType, result: &[u32], x: &[u32]) -> u64 {
    bytes(dtype, elements(result)).saturating_add(runs(result, &[x]).saturating_mul(64))
}

/// `mul_requantise`: elements of the result, 6 for each where an operand is `i64`, and 10 for each run.
#[must_use]
pub fn mul_requantise(types: [DType; 2], result: &[u32], operands: &[&[u32]]) -> u64 {
    let each = if types.contains(&DType::I64) { 6 } else { 1 };
    sum(&[times(&[elements(result), each]), times(&[10, runs(result, operands)])])
}

/// `requantise`: elements, 3 for each of `i64`, and 2 for each of `multiplier`.
#[must_use]
pub fn requantise(dtype: DType, elements: u64, multipliers: u64) -> u64 {
    times(&[elements, if dtype == DType::I64 { 3 } else { 1 }]).saturating_add(multipliers.saturating_mul(2))
}

/// `argmax`, `argmin`: bytes, and for each row 96 and 24 for each of its first 32 elements.
#[must_use]
pub fn argmax(dtype: DType, dims: &[u32]) -> u64 {
    let row = u64::from(dims.last().copied().unwrap_or(1));
    bytes(dtype, elements(dims)).saturating_add(times(&[rows(dims), 96 + 24 * row.min(32)]))
}

/// `row_step`: bytes, and for each row 128 and 8 for each of its first 32 elements.
#[must_use]
pub fn row_step(dtype: DType, dims: &[u32]) -> u64 {
    let row = u64::from(dims.last().copied().unwrap_or(1));
    bytes(dtype, elements(dims)).saturating_add(times(&[rows(dims), 128 + 8 * row.min(32)]))
}

/// `quantise_rows`: elements, and 24 for each row.
#[must_use]
pub fn quantise_rows(dims: &[u32]) -> u64 {
    elements(dims).saturating_add(rows(dims).saturating_mul(24))
}

/// Runs of a reduction of `[outer][count][inner]`: rows where the axis is the innermost one, else as many as there are elements of the
/// others outside of it and along it.
fn reduced_runs([outer, count, inner]: [u64; 3]) -> u64 {
    match inner {
        0 => 0,
        1 => outer,
        _ => outer.saturating_mul(count),
    }
}

/// `reduce_sum`: elements, one more for each byte of them, 48 for each run and 16 for each element of the result.
#[must_use]
pub fn reduce_sum(dtype: DType, sides: [u64; 3]) -> u64 {
    let all = times(&sides);
    sum(&[all, bytes(dtype, all), times(&[48, reduced_runs(sides)]), times(&[16, sides[0], sides[2]])])
}

/// `reduce_prod`: elements of the tensor and of the result.
#[must_use]
pub fn reduce_prod(_: DType, sides: [u64; 3]) -> u64 {
    sum(&[times(&sides), times(&[sides[0], sides[2]])])
}

/// `reduce_mean`, `global_average_pool`: elements, one more for each byte of them, 80 for each run and 200 for each element of the result.
#[must_use]
pub fn reduce_mean(dtype: DType, sides: [u64; 3]) -> u64 {
    let all = times(&sides);
    sum(&[all, bytes(dtype, all), times(&[80, reduced_runs(sides)]), times(&[200, sides[0], sides[2]])])
}

/// `reduce_min`, `reduce_max`: bytes, 256 for each run and 16 for each element of the result.
#[must_use]
pub fn reduce_extreme(dtype: DType, sides: [u64; 3]) -> u64 {
    sum(&[bytes(dtype, times(&sides)), times(&[256, reduced_runs(sides)]), times(&[16, sides[0], sides[2]])])
}

/// `slice`, `pad`: bytes of the result, and 32 for each run of the box.
#[must_use]
pub fn boxed(dtype: DType, result: &[u32], sizes: &[u32], dims: &[u32]) -> u64 {
    bytes(dtype, elements(result)).saturating_add(RUN.saturating_mul(box_runs(sizes, dims)))
}

/// `concat`: bytes of the result, and 96 for each index of the axes before the one along which both lie.
#[must_use]
pub fn concat(dtype: DType, result: &[u32], axis: usize) -> u64 {
    let outer = elements(result.get(..axis).unwrap_or_default());
    bytes(dtype, elements(result)).saturating_add(outer.saturating_mul(96))
}

/// `gather`: bytes of the result, 40 for each slice and 64 for each index.
#[must_use]
pub fn gather(dtype: DType, result: u64, slices: u64, indices: u64) -> u64 {
    sum(&[bytes(dtype, result), times(&[40, slices]), times(&[64, indices])])
}

/// `transpose`: bytes, and where the last axis stays the last one 32 for each row, else 24 for each element. Axes of length 1 do not count.
#[must_use]
pub fn transpose(dtype: DType, dims: &[u32], axes: &[usize]) -> u64 {
    let long = |axis: &usize| dims.get(*axis).is_some_and(|dim| *dim != 1);
    let last = (0..dims.len()).rev().find(|axis| long(axis));
    let all = elements(dims);
    let moved = if axes.iter().rev().copied().find(|axis| long(axis)) == last {
        let row = last.and_then(|axis| dims.get(axis)).map_or(1, |dim| u64::from(*dim));
        RUN.saturating_mul(all.checked_div(row).unwrap_or(0))
    } else {
        all.saturating_mul(24)
    };
    bytes(dtype, all).saturating_add(moved)
}

/// `softmax`: elements, and 5 for each row.
#[must_use]
pub fn softmax(dims: &[u32]) -> u64 {
    elements(dims).saturating_add(rows(dims).saturating_mul(5))
}

/// `layer_norm`, `rms_norm`: elements, 12 for each of `i32` and of rows above 32768, 64 for each row and 4 for each gain and bias.
#[must_use]
pub fn norm(dtype: DType, dims: &[u32], parameters: u64) -> u64 {
    let long = dims.last().is_some_and(|row| *row > 1 << 15);
    let each = if dtype == DType::I32 || long { 12 } else { 1 };
    sum(&[times(&[elements(dims), each]), times(&[64, rows(dims)]), times(&[4, parameters])])
}

/// `l2_norm`: elements, and 4 for each row.
#[must_use]
pub fn l2_norm(dims: &[u32]) -> u64 {
    elements(dims).saturating_add(rows(dims).saturating_mul(4))
}

/// A function of one number: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
#[must_use]
pub fn function(dtype: DType, result: DType, elements: u64) -> u64 {
    let values = if dtype == DType::I8 { 1 << 8 } else { 1 << 16 };
    let each = if result == DType::I32 { 2 } else { 1 };
    sum(&[times(&[elements, each]), times(&[elements.min(values), 7])])
}

/// What a product of these types takes: multiplications that one counts as, what a row takes for each 16 columns, what an element of the
/// right side takes to be put in order.
fn product_of(left: DType, right: DType) -> (u64, u64, u64) {
    match (left, right) {
        (DType::I16, DType::I16) => (8, 12_000, 120),
        (DType::I16, _) => (4, 4_000, 100),
        _ => (1, 1_500, 60),
    }
}

/// Rows times a right side that is in order, as models have it, of `k` inputs and `n` columns: for each row `k` and at least 16, times `n`
/// up to a multiple of 16 (4 times where the left side is `i16`, 8 where both are), for each 16 columns 1500 (4000, 12000), and 50 for each input.
#[must_use]
pub fn linear(types: [DType; 2], rows: u64, k: u64, n: u64) -> u64 {
    let (factor, panel, _) = product_of(types[0], types[1]);
    let panels = n.div_ceil(CHANNELS);
    let products = times(&[factor, rows, panels.saturating_mul(CHANNELS), k.max(DEPTH)]);
    sum(&[products, times(&[panel, rows, panels]), times(&[50, rows, k])])
}

/// `matmul`: for each of its products what [`linear`] says, 200000, and 60 for each element of the right side, whose rows are filled up to
/// a multiple of 16 (100 where the left side is `i16`, 120 where both are).
#[must_use]
pub fn matmul(types: [DType; 2], batches: u64, m: u64, k: u64, n: u64) -> u64 {
    let (.., weight) = product_of(types[0], types[1]);
    let filled = n.div_ceil(CHANNELS).saturating_mul(CHANNELS);
    let each = sum(&[linear(types, m, k, n), times(&[weight, k, filled]), 200_000]);
    batches.saturating_mul(each)
}

/// The sides of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Places of the window on all images.
    pub places: u64,
    /// Taps of the window.
    pub taps: u64,
    /// Channels of the images, and of the result.
    pub channels: [u64; 2],
    /// Groups of both.
    pub groups: u64,
}

/// A convolution with weights that are in order: for each place and group what [`linear`] says of a row of all taps of the group's channels,
/// without its inputs, and 2000; for each place and tap 10 for each channel and 1500 for each group. Where a group has one channel, for each place 6000
/// and 100 for each channel of the result, and for each of its taps 200, 8 for each channel of the result (16 for `i16`), and 64 for those of
/// the channels beyond the last multiple of 32.
#[must_use]
pub fn convolution(types: [DType; 2], sides: Places) -> u64 {
    let Places { places, taps, channels: [inputs, outputs], groups } = sides;
    let (factor, panel, _) = product_of(types[0], types[1]);
    let (width, columns) = (inputs.checked_div(groups).unwrap_or(0), outputs.checked_div(groups).unwrap_or(0));
    let single = width == 1 && groups > 1;
    let depth = taps.saturating_mul(width).max(DEPTH);
    let panels = columns.div_ceil(CHANNELS);
    let place = if single {
        let beyond = times(&[64, inputs % 32, columns]);
        let tap = sum(&[200, times(&[if factor == 1 { 8 } else { 16 }, outputs]), beyond]);
        sum(&[6000, times(&[100, outputs]), times(&[taps, tap])])
    } else {
        let products = times(&[factor, groups, panels.saturating_mul(CHANNELS), depth]);
        let gathered = taps.saturating_mul(sum(&[times(&[10, inputs]), times(&[1500, groups])]));
        sum(&[products, times(&[panel, groups, panels]), times(&[2000, groups]), gathered])
    };
    places.saturating_mul(place)
}

/// `conv2d`, `conv_transpose2d`: what [`convolution`] says, 200 for each weight and 100000 for each group.
#[must_use]
pub fn conv2d(types: [DType; 2], sides: Places, weights: u64) -> u64 {
    sum(&[convolution(types, sides), times(&[200, weights]), times(&[100_000, sides.groups])])
}

/// `attention`: for each query of each head 8000, and for each of its keys 280, and the depth and the width, each at least 16; 12000 for
/// each head; 16 for each element of the result.
#[must_use]
pub fn attention(heads: u64, queries: u64, keys: u64, depth: u64, width: u64) -> u64 {
    let score = sum(&[280, depth.max(DEPTH), width.max(DEPTH)]);
    let query = sum(&[8000, times(&[keys, score]), times(&[16, width])]);
    times(&[heads, sum(&[12_000, times(&[queries, query])])])
}

/// `max_pool`: for each place and tap the bytes of the channels and 160, and 16 for each element of the result.
#[must_use]
pub fn max_pool(dtype: DType, places: u64, taps: u64, channels: u64) -> u64 {
    let each = bytes(dtype, channels).saturating_add(160);
    sum(&[times(&[places, taps, each]), times(&[16, places, channels])])
}

/// `average_pool`: for each place and tap the channels and 16, for each place 32, and 16 for each element of the result; twice as much of `i64`.
#[must_use]
pub fn average_pool(dtype: DType, places: u64, taps: u64, channels: u64) -> u64 {
    let place = sum(&[times(&[taps, channels.saturating_add(16)]), 32, times(&[16, channels])]);
    let all = places.saturating_mul(place);
    if dtype == DType::I64 { all.saturating_mul(2) } else { all }
}

#[cfg(test)]
mod tests {
    use super::{Places, average_pool, box_runs, convolution, function, matmul, runs, transpose};
    use crate::DType;

    #[test]
    fn runs_of_broadcasts() {
        let check = |result: &[u32], operands: [&[u32]; 2], expected: u64| {
            assert_eq!(runs(result, &operands), expected, "{result:?} {operands:?}");
        };
        check(&[2, 3, 4], [&[2, 3, 4], &[2, 3, 4]], 1);
        check(&[2, 3, 4], [&[2, 3, 4], &[4]], 6);
        check(&[2, 3, 4], [&[2, 3, 4], &[3, 1]], 6);
        check(&[2, 3, 4], [&[2, 3, 4], &[1, 1]], 1);
        check(&[2, 3, 4], [&[2, 3, 4], &[2, 1, 1]], 2);
        check(&[2, 3, 4, 1], [&[1, 3, 4, 1], &[2, 1, 1, 1]], 2);
        check(&[5, 1, 4], [&[5, 1, 1], &[4]], 5);
        check(&[], [&[], &[]], 1);
        check(&[3, 0], [&[3, 1], &[0]], 0);
        assert_eq!(runs(&[u32::MAX, u32::MAX, u32::MAX], &[]), 1);
    }

    #[test]
    fn runs_of_boxes() {
        assert_eq!(box_runs(&[2, 3, 4], &[2, 3, 4]), 1);
        assert_eq!(box_runs(&[2, 3, 4], &[9, 3, 4]), 1);
        assert_eq!(box_runs(&[2, 3, 4], &[9, 5, 4]), 2);
        assert_eq!(box_runs(&[2, 3, 4], &[9, 5, 6]), 6);
        assert_eq!((box_runs(&[], &[]), box_runs(&[0, 3], &[5, 5])), (1, 0));
    }

    #[test]
    fn a_last_axis_that_stays() {
        assert_eq!(transpose(DType::I8, &[2, 3, 4], &[1, 0, 2]), 24 + 32 * 6);
        assert_eq!(transpose(DType::I8, &[2, 3, 4, 1], &[3, 1, 0, 2]), 24 + 32 * 6);
        assert_eq!(transpose(DType::I16, &[2, 3, 4], &[2, 0, 1]), 48 + 24 * 24);
        assert_eq!(transpose(DType::I8, &[1, 1], &[1, 0]), 1 + 32);
    }

    #[test]
    fn values_and_places() {
        assert_eq!(function(DType::I8, DType::I8, 1000), 1000 + 256 * 7);
        assert_eq!(function(DType::I16, DType::I32, 1000), 2000 + 1000 * 7);
        assert_eq!(average_pool(DType::I16, 5, 4, 3), 5 * (4 * 19 + 48 + 32));
        assert_eq!(average_pool(DType::I64, 5, 4, 3), 2 * 5 * (4 * 19 + 48 + 32));
        let sides = Places { places: 7, taps: 9, channels: [4, 34], groups: 2 };
        let place = 2 * (32 * 18 + 2 * 1500 + 2000) + 9 * (40 + 2 * 1500);
        assert_eq!(convolution([DType::I8; 2], sides), 7 * place);
    }

    #[test]
    fn nothing_wraps() {
        assert_eq!(matmul([DType::I16; 2], u64::MAX, u64::MAX, u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(matmul([DType::I8; 2], 0, 5, 5, 5), 0);
    }
}
