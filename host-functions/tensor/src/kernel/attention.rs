//! Scaled dot product attention of 8-bit queries, keys and values.
//!
//! `ops::attention` has the formula. The work of one key head and the query heads that share it is
//! two products on the kernels of the level: scores, and exponentials by values. The exponentials, of
//! at most `2^30`, go through the second one as four planes of bytes: with at most `2^16` keys a sum
//! `E * V` of one plane fits 32 bits (`65536 * 255 * 128 < 2^31`), and the whole one is below `2^54`.

use super::{Kernels, PackedWeights, linear_i8, linear_u8, reference, softmax};
use crate::{Element, Level, OpError};

/// The most keys.
pub const MAX_KEYS: usize = 65_536;

/// Scores that are held at a time, in elements: the workspace is this many 32-bit scores and four
/// bytes for each, besides packed keys and values of one head.
const SCORES: usize = 1 << 19;

/// One key head and the query heads that share it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `[groups][queries][depth]`
    pub q: &'a [i8],
    /// `[keys][depth]`
    pub k: &'a [i8],
    /// `[keys][width]`
    pub v: &'a [i8],
    /// Queries of each query head.
    pub queries: usize,
    /// How many keys there are.
    pub keys: usize,
    /// Elements of a query and of a key.
    pub depth: usize,
    /// Elements of a value.
    pub width: usize,
    /// Keys from here on are not seen by any query.
    pub length: usize,
    /// Where the first query stands among the keys: one at `p` sees the keys up to `p`. `None`: all keys.
    pub position: Option<u32>,
}

impl Head<'_> {
    /// How many keys the query of a row sees: always the first ones.
    fn visible(&self, row: usize) -> usize {
        let query = row % self.queries;
        self.position.map_or(self.length, |position| {
            // A position has at most 32 bits and a query fits the memory.
            let seen = usize::try_from(position).unwrap_or(usize::MAX).saturating_add(query).saturating_add(1);
            seen.min(self.length)
        })
    }
}

/// The scale of a result: `multiplier / 2^shift`, of a shift of at most 62.
pub type Scale = (i32, u32);

/// Attention of one key head; `softmax` scales the scores, and `out` is `[groups][queries][width]`.
///
/// # Errors
/// [`OpError::Node`] where candle fails (level `candle-f32` only).
///
/// # Panics
/// Where lengths do not fit together, there are more than [`MAX_KEYS`] keys, or the shift is above 62.
pub fn attention_head(
    k: &Kernels,
    head: &Head<'_>,
    softmax: softmax::Softmax,
    scale: Scale,
    out: &mut [i8],
) -> Result<(), OpError> {
    let Head { keys, depth, width, .. } = *head;
    assert!(keys <= MAX_KEYS && head.length <= keys && scale.1 <= 62, "attention out of range");
    assert!(head.k.len() == keys * depth && head.v.len() == keys * width, "keys or values of another shape");
    if out.is_empty() {
        return Ok(());
    }
    let rows = out.len() / width;
    assert!(rows * width == out.len() && rows.is_multiple_of(head.queries), "results of another shape");
    assert_eq!(head.q.len(), rows * depth, "queries of another shape");
    if keys == 0 {
        out.fill(0);
        return Ok(());
    }
    let packed_keys = PackedWeights::pack(k.level(), depth, keys, head.k)?;
    let packed_values = PackedWeights::pack_columns(k.level(), keys, width, head.v)?;
    let block = (SCORES / keys).max(1);
    let (mut scores, mut planes) = (Vec::new(), vec![Vec::new(); 4]);
    let mut sums = vec![Vec::new(); 4];
    for (index, out) in out.chunks_mut(block * width).enumerate() {
        let (first, count) = (index * block, out.len() / width);
        scores.resize(count * keys, 0);
        linear_i8(k, &head.q[first * depth..(first + count) * depth], count, &packed_keys, &mut scores)?;
        let totals = exponentials(k, head, first, &mut scores, softmax);
        for (shift, (plane, sums)) in [0, 8, 16, 24].into_iter().zip(planes.iter_mut().zip(&mut sums)) {
            plane.clear();
            plane.extend(scores.iter().map(|e: &i32| (e >> shift).to_le_bytes()[0]));
            sums.resize(count * width, 0i32);
            linear_u8(k, plane, count, &packed_values, sums)?;
        }
        let level = k.level();
        for (i, out) in out.iter_mut().enumerate() {
            let sum = [0, 8, 16, 24].into_iter().zip(&sums).map(|(shift, sums)| i64::from(sums[i]) << shift).sum();
            *out = quotient(level, sum, totals[i / width], scale);
        }
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Attention, out);
    Ok(())
}

/// Turns scores into exponentials, those of keys that a row does not see into zeros, and returns the
/// sum of each row.
fn exponentials(k: &Kernels, head: &Head<'_>, first: usize, scores: &mut [i32], softmax: softmax::Softmax) -> Vec<u64> {
    let level = k.level();
    let rows: Vec<usize> = (first..first + scores.len() / head.keys).collect();
    k.split_rows((&rows, 1), (&mut *scores, head.keys), head.keys.saturating_mul(500), |rows, scores| {
        for (row, scores) in rows.iter().zip(scores.chunks_exact_mut(head.keys)) {
            let (seen, hidden) = scores.split_at_mut(head.visible(*row));
            hidden.fill(0);
            softmax::exponentials(level, seen, softmax);
        }
    });
    let total = |row: &[i32]| row.iter().map(|e| u64::from(e.cast_unsigned())).sum();
    scores.chunks_exact(head.keys).map(total).collect()
}

/// `sat(rne(sum * multiplier / (total * 2^shift)))`; 0 where a row sees no key.
fn quotient(level: Level, sum: i64, total: u64, (multiplier, shift): Scale) -> i8 {
    if total == 0 {
        return 0;
    }
    // At most 54 + 31 bits over at most 47 + 62.
    let (numerator, denominator) = (i128::from(sum) * i128::from(multiplier), i128::from(total) << shift);
    if level == Level::Reference {
        return i8::saturate(reference::rne_ratio(numerator, denominator));
    }
    let (quotient, rest) = (numerator.unsigned_abs() / denominator.unsigned_abs(), numerator % denominator);
    let doubled = 2 * rest.unsigned_abs();
    let up = match doubled.cmp(&denominator.unsigned_abs()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient & 1 == 1,
        std::cmp::Ordering::Greater => true,
    };
    let rounded = quotient.cast_signed() + i128::from(up);
    i8::saturate(if numerator < 0 { -rounded } else { rounded })
}
