//! Scaled dot product attention of 8-bit queries, keys and values.
//!
//! `ops::attention` has the formula. The work of one key head and the query heads that share it is
//! two products on the kernels of the level: scores, and exponentials by values. The exponentials, of
//! at most `2^30`, go through the second one as four planes of bytes: with at most `2^16` keys a sum
//! `E * V` of one plane fits 32 bits (`65536 * 255 * 128 < 2^31`), and the whole one is below `2^54`.

use super::vectors::{Vectors, low, vectorised};
use super::{Kernels, PackedWeights, exp_rows::Exponentials, linear_i8, linear_u8, reference, softmax};
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

/// Memory that [`attention_head`] works in, for one head after the other: at most `2^19` scores of four bytes (or those of one query, where
/// they are more), as many bytes of planes, and four sums for each element of a block of the result.
#[derive(Debug, Default)]
pub struct Workspace {
    scores: Vec<i32>,
    planes: Vec<u8>,
    sums: Vec<i32>,
    totals: Vec<u64>,
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
    workspace: &mut Workspace,
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
    // Keys that no query sees have no weight.
    let seen = if head.length == 0 { return zeros(k, out) } else { head.length };
    let head = &Head { k: &head.k[..seen * depth], v: &head.v[..seen * width], keys: seen, ..*head };
    let keys = seen;
    let level = k.level();
    let packed_keys = PackedWeights::pack(level, depth, keys, head.k)?;
    let packed_values = PackedWeights::pack_columns(level, keys, width, head.v)?;
    let exponentials = Exponentials::new(level, softmax);
    let block = (SCORES / keys).max(1);
    let Workspace { scores, planes, sums, totals } = workspace;
    for (index, out) in out.chunks_mut(block * width).enumerate() {
        let (first, count) = (index * block, out.len() / width);
        scores.resize(count * keys, 0);
        planes.resize(PLANES * count * keys, 0);
        sums.resize(PLANES * count * width, 0);
        totals.resize(count, 0);
        linear_i8(k, &head.q[first * depth..(first + count) * depth], count, &packed_keys, scores)?;
        weigh(k, head, first, &exponentials, (&mut *scores, &mut *totals));
        vectorised(level, Split { numbers: scores, planes });
        linear_u8(k, planes, PLANES * count, &packed_values, sums)?;
        for (row, (out, total)) in out.chunks_exact_mut(width).zip(&*totals).enumerate() {
            let sums: [&[i32]; PLANES] = std::array::from_fn(|p| &sums[(p * count + row) * width..][..width]);
            quotients(level, sums, *total, scale, out);
        }
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Attention, out);
    Ok(())
}

fn zeros(k: &Kernels, out: &mut [i8]) -> Result<(), OpError> {
    out.fill(0);
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Attention, out);
    let _ = k;
    Ok(())
}

/// Turns scores into exponentials, those of keys that a row does not see into zeros; and the sum of each row.
fn weigh(
    k: &Kernels,
    head: &Head<'_>,
    first: usize,
    exponentials: &Exponentials,
    (scores, totals): (&mut [i32], &mut [u64]),
) {
    let mut rows: Vec<(&mut [i32], &mut u64)> = scores.chunks_exact_mut(head.keys).zip(totals).collect();
    let places: Vec<usize> = (first..first + rows.len()).collect();
    k.split_rows((&places, 1), (&mut rows, 1), head.keys.saturating_mul(50), |places, rows| {
        for (place, (scores, total)) in places.iter().zip(rows) {
            let (seen, hidden) = scores.split_at_mut(head.visible(*place));
            hidden.fill(0);
            **total = exponentials.replace(seen);
        }
    });
}

/// Bytes of an exponential.
const PLANES: usize = 4;

/// The bytes of numbers that are not negative, those of one place after those of the other.
struct Split<'a> {
    numbers: &'a [i32],
    planes: &'a mut [u8],
}

impl Vectors for Split<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (plane, shift) in self.planes.chunks_exact_mut(self.numbers.len()).zip([0, 8, 16, 24]) {
            for (byte, number) in plane.iter_mut().zip(self.numbers) {
                *byte = (number >> shift).to_le_bytes()[0];
            }
        }
    }
}

/// [`quotient`] of a row. A result is `sum / total * multiplier / 2^shift`, of which the first part lies between -128 and
/// 127. With `total` moved up to 47 bits and `sum` as far, what is above the lowest 23 bits of `sum` has 32, `x`; and
/// `F = floor(2^32 * multiplier / floor(total / 2^16) / 4)` has at most 31. Then the result is `x * F / 2^(23 + shift)`, off by
/// less than `2^33` in the numerator: `2^31` for what was cut from the sum, `2^31.4` from the quotient, `2^32` from the total.
/// Where that decides nothing, for shifts that make it rare that it does, [`quotient`] does.
fn quotients(level: Level, sums: [&[i32]; PLANES], total: u64, scale: Scale, out: &mut [i8]) {
    let (multiplier, shift) = scale;
    if level == Level::Reference || total == 0 || multiplier <= 0 || !(20..=38).contains(&shift) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = quotient(level, joined(sums.map(|sums| sums[i])), total, scale);
        }
        return;
    }
    // A total has 31 to 47 bits.
    let up = total.leading_zeros() - 17;
    let factor = ((u64::from(multiplier.unsigned_abs()) << 32) / (total << up >> 16) / 4).cast_signed();
    vectorised(
        level,
        Quotients { sums, total, up, factor: i32::try_from(factor).expect("31 bits"), scale, level, out },
    );
}

/// The sum that planes belong to: below `2^54`.
#[inline(always)]
fn joined([a, b, c, d]: [i32; PLANES]) -> i64 {
    let low = i64::from(a).wrapping_add(i64::from(b) << 8);
    low.wrapping_add(i64::from(c) << 16).wrapping_add(i64::from(d) << 24)
}

struct Quotients<'a> {
    sums: [&'a [i32]; PLANES],
    total: u64,
    up: u32,
    factor: i32,
    scale: Scale,
    level: Level,
    out: &'a mut [i8],
}

impl Vectors for Quotients<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        const ERROR: i64 = 1 << 33;
        const LANES: usize = 16;
        let Quotients { sums, total, up, factor, scale, level, out } = self;
        let shift = 23 + scale.1;
        let (half, mask) = (1i64 << (shift - 1), (1i64 << shift) - 1);
        let chunk = |joint: [i64; LANES]| -> [i8; LANES] {
            let (mut results, mut doubtful) = ([0i8; LANES], [0i8; LANES]);
            for i in 0..LANES {
                // At most 31 bits and the sign, times at most 31: nothing wraps.
                let x = low(joint[i].wrapping_shl(up) >> 23);
                let value = i64::from(x).wrapping_mul(i64::from(factor)).wrapping_add(half);
                results[i] = i8::saturate_i64(value.wrapping_shr(shift));
                doubtful[i] = i8::from(value.wrapping_add(ERROR) & mask < 2 * ERROR);
            }
            if doubtful.iter().fold(0, |any, one| any | one) != 0 {
                for i in 0..LANES {
                    if doubtful[i] != 0 {
                        results[i] = quotient(level, joint[i], total, scale);
                    }
                }
            }
            results
        };
        let (whole, rest) = out.as_chunks_mut::<LANES>();
        let parts = sums.map(|sums| sums.as_chunks::<LANES>());
        for (index, out) in whole.iter_mut().enumerate() {
            let [a, b, c, d] = parts.map(|(whole, _)| &whole[index]);
            *out = chunk(std::array::from_fn(|i| joined([a[i], b[i], c[i], d[i]])));
        }
        if !rest.is_empty() {
            let at = |part: &[i32], i: usize| part.get(i).copied().unwrap_or_default();
            let results = chunk(std::array::from_fn(|i| joined(parts.map(|(_, rest)| at(rest, i)))));
            rest.copy_from_slice(&results[..rest.len()]);
        }
    }
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
