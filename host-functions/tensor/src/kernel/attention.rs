//! Scaled dot product attention of 8-bit queries, keys and values.
//!
//! `ops::attention` has the formula. A result has 8 bits, so that exponentials of 24 bits and a bound on what they are off by
//! nearly always decide it: [`estimated`] computes those, and the rows of which a result is too near to the middle between two
//! go the [`exact`] way, with all bits of every exponential. Which way a row goes is never seen in a result.

mod estimated;
mod exact;
mod mean;

use super::{Kernels, PackedWeights, exp_rows::Exponentials, linear_i8, softmax};
use crate::{Level, OpError};

/// The most keys.
pub const MAX_KEYS: usize = 65_536;

/// Scores of a block of rows: they stay in the first cache, with what is made of them.
const SCORES: usize = 1 << 12;

/// Rows of a block at least, so that products have enough of them; where they have more scores than [`MOST_SCORES`], fewer.
const ROWS: usize = 16;

/// The most scores of a block: the workspace of a thread is at most twelve times as many bytes, as many again for rows that
/// go the exact way, and packed keys and values of one head. One row may have more.
const MOST_SCORES: usize = 1 << 18;

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

/// What both ways need of a head.
struct Prepared<'a> {
    kernels: &'a Kernels,
    /// Its keys are those that a query may see.
    head: Head<'a>,
    keys: PackedWeights,
    values: PackedWeights,
    exponentials: Exponentials,
    scale: Scale,
}

/// Attention of one key head; `softmax` scales the scores, and `out` is `[groups][queries][width]`.
///
/// # Errors
/// [`OpError::Node`] where candle fails (level `candle-f32` only).
///
/// # Panics
/// Where lengths do not fit together, there are more than [`MAX_KEYS`] keys, or the shift is above 62.
pub fn attention_head(
    kernels: &Kernels,
    head: &Head<'_>,
    softmax: softmax::Softmax,
    scale: Scale,
    out: &mut [i8],
) -> Result<(), OpError> {
    let Head { keys, depth, width, length, .. } = *head;
    assert!(keys <= MAX_KEYS && length <= keys && scale.1 <= 62, "attention out of range");
    assert!(head.k.len() == keys * depth && head.v.len() == keys * width, "keys or values of another shape");
    if out.is_empty() {
        return Ok(());
    }
    let rows = out.len() / width;
    assert!(rows * width == out.len() && rows.is_multiple_of(head.queries), "results of another shape");
    assert_eq!(head.q.len(), rows * depth, "queries of another shape");
    if length == 0 {
        out.fill(0);
    } else {
        // Keys that no query sees have no weight.
        let (k, v) = (&head.k[..length * depth], &head.v[..length * width]);
        let level = kernels.level();
        let prepared = Prepared {
            kernels,
            head: Head { k, v, keys: length, ..*head },
            keys: PackedWeights::pack(level, depth, length, k)?,
            values: PackedWeights::pack_columns(level, length, width, v)?,
            exponentials: Exponentials::new(level, softmax),
            scale,
        };
        kernels
            .split_out(out, width, length.saturating_mul(depth + width + 50), |first, out| prepared.rows(first, out))?;
    }
    #[cfg(test)]
    kernels.inject(crate::selftest::Primitive::Attention, out);
    Ok(())
}

impl Prepared<'_> {
    /// The results from row `first` on.
    fn rows(&self, first: usize, out: &mut [i8]) -> Result<(), OpError> {
        let Head { keys, depth, width, q, .. } = self.head;
        let most = (MOST_SCORES / keys).max(1);
        let block = (SCORES / keys).max(ROWS).min(most);
        let rows = out.len() / width;
        let mut estimates = self.estimates();
        let mut scores = vec![0; block.min(rows) * keys];
        // Rows that go the exact way, and their scores.
        let (mut places, mut kept) = (Vec::new(), Vec::new());
        for start in (0..rows).step_by(block) {
            let count = block.min(rows - start);
            let scores = &mut scores[..count * keys];
            let queries = &q[(first + start) * depth..(first + start + count) * depth];
            linear_i8(self.kernels, queries, count, &self.keys, scores)?;
            let left = match &mut estimates {
                Some(estimates) => {
                    self.estimated(estimates, first + start, scores, &mut out[start * width..(start + count) * width])?
                }
                None => (0..count).collect(),
            };
            if 2 * left.len() > count {
                // Many keys, or values that are alike: the other rows would not be decided either.
                estimates = None;
            }
            for row in left {
                places.push(start + row);
                kept.extend_from_slice(&scores[row * keys..(row + 1) * keys]);
                if places.len() == most {
                    self.exact(first, &places, &mut kept, out)?;
                    places.clear();
                    kept.clear();
                }
            }
        }
        self.exact(first, &places, &mut kept, out)
    }

    fn level(&self) -> Level {
        self.kernels.level()
    }
}
