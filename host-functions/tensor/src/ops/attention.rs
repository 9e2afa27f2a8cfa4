//! Scaled dot product attention of 8-bit queries, keys and values, with one rounding at the end.
//!
//! `q` is `[.., h, m, d]`, `k` is `[.., g, n, d]`, `v` is `[.., g, n, w]`, all `i8` and with the same leading dimensions
//! (the batch); `h` is a multiple of `g`, and query head `a` reads key head `a / (h / g)` (grouped queries). The
//! result is `[.., h, m, w]`, `i8`.
//!
//! `lengths` and `positions` are empty or hold a little-endian `u32` for each element of the batch. Query
//! `i` sees the keys `j < length` (padding; all where `lengths` is empty) with `j <= position + i` (causal; no
//! such bound where `positions` is empty): always the first few, `J_i`. With `c = multiplier / 2^shift`:
//!
//! ```text
//! S_ij = sum over l of q_il * k_jl                        exact, 32 bits
//! E_ij = rne(2^30 * exp(c * (S_ij - max over J_i of S)))  as in `softmax`; 0 outside J_i
//! Z_i  = sum over j of E_ij                               exact, below 2^47
//! N_it = sum over j of E_ij * v_jt                        exact, below 2^54
//! y_it = sat(rne(N_it * out_multiplier / (Z_i * 2^out_shift)))
//! ```
//!
//! and 0 where `J_i` is empty. Sums are exact, so tiles, blocks and their order never change a bit; the
//! maximum is that of the whole row. Weights are not rounded to a few bits before they meet the
//! values: a weight is off by at most `2^-31` of the largest one, so even 65536 keys move `N / Z`
//! by less than 0.01 of a unit of `v`.

use candle_core::{CpuStorage, CustomOp3, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    kernel::{self, Head, MAX_KEYS, Softmax},
    program::{self, Heads, Length, Operation, Positions, Seen},
    shape::product,
    work,
};

/// The sides of the products.
struct Sides {
    batches: u64,
    heads: u64,
    key_heads: u64,
    queries: u64,
    keys: u64,
    depth: u64,
    width: u64,
}

fn sides(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<(Sides, Shape), Status> {
    let ([q_outer @ .., h, m, d], [k_outer @ .., g, n, k_depth], [v_outer @ .., v_heads, v_keys, w]) =
        (q.shape().dims(), k.shape().dims(), v.shape().dims())
    else {
        return Err(Status::ShapeMismatch);
    };
    if q_outer != k_outer || q_outer != v_outer || d != k_depth || g != v_heads || n != v_keys {
        return Err(Status::ShapeMismatch);
    }
    // No key head at all fits only no query head.
    if (*g == 0 && *h != 0) || (*g != 0 && !h.is_multiple_of(*g)) {
        return Err(Status::ShapeMismatch);
    }
    let long = |length: u32, limit: usize| usize::try_from(length).is_ok_and(|length| length > limit);
    if long(*n, MAX_KEYS) || long(*d, kernel::max_k_i32(DType::I8).unwrap_or(0)) {
        return Err(Status::ShapeMismatch);
    }
    let batches = product(q_outer).ok_or(Status::LimitExceeded)?;
    let [heads, key_heads, queries, keys, depth, width] = [*h, *g, *m, *n, *d, *w].map(u64::from);
    let mut dims = q_outer.to_vec();
    dims.extend([*h, *m, *w]);
    Ok((Sides { batches, heads, key_heads, queries, keys, depth, width }, Shape::new(&dims)?))
}

/// One number for each element of the batch, or none at all.
fn numbers(bytes: &[u8], batches: u64) -> Result<Option<Vec<u32>>, Status> {
    let (words, rest) = bytes.as_chunks::<4>();
    if bytes.is_empty() {
        return Ok(None);
    }
    if !rest.is_empty() || u64::try_from(words.len()) != Ok(batches) {
        return Err(Status::ShapeMismatch);
    }
    Ok(Some(words.iter().map(|word| u32::from_le_bytes(*word)).collect()))
}

/// Checks types, shapes and numbers. Work: [`work::attention`].
///
/// # Errors
/// `TypeMismatch`; `ShapeMismatch` (also for more than 65536 keys and a depth above 131071);
/// `BadArgument` for a scale out of range; `IndexOutOfRange` for a length above the number of keys;
/// `LimitExceeded` where the size of the result cannot be counted.
#[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
pub fn plan(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    lengths: &[u8],
    positions: &[u8],
    multiplier: i32,
    shift: u32,
    out_multiplier: i32,
    out_shift: u32,
) -> Result<Plan, Status> {
    if [q, k, v].iter().any(|tensor| tensor.dtype() != DType::I8) {
        return Err(Status::TypeMismatch);
    }
    let (sides, shape) = sides(q, k, v)?;
    let lengths = numbers(lengths, sides.batches)?;
    numbers(positions, sides.batches)?;
    Softmax::new(multiplier, shift, 0)?;
    Softmax::new(out_multiplier, out_shift, 0)?;
    if lengths.is_some_and(|lengths| lengths.iter().any(|length| u64::from(*length) > sides.keys)) {
        return Err(Status::IndexOutOfRange);
    }
    let Sides { batches, heads, queries, keys, depth, width, .. } = sides;
    let work = work::attention(batches.saturating_mul(heads), queries, keys, depth, width);
    Plan::new(DType::I8, shape, work)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
#[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
pub fn run(
    kernels: &Kernels,
    plan: &Plan,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    lengths: &[u8],
    positions: &[u8],
    multiplier: i32,
    shift: u32,
    out_multiplier: i32,
    out_shift: u32,
) -> Result<Tensor, OpError> {
    let (sides, _) = sides(q, k, v)?;
    let (lengths, positions) = (numbers(lengths, sides.batches)?, numbers(positions, sides.batches)?);
    let softmax = Softmax::new(multiplier, shift, 0)?;
    let scale = (out_multiplier, out_shift);
    let op = Attention { context: Context { kernels, plan }, sides, lengths, positions, softmax, scale };
    kernels.run(
        plan,
        &[q, k, v],
        || Ok(Operation::Attention(op.attributes()?)),
        || {
            let y = q.flat().apply_op3_no_bwd(k.flat(), v.flat(), &op)?;
            Tensor::from_flat(y, plan.dtype, plan.shape.clone())
        },
    )
}

struct Attention<'a> {
    context: Context<'a>,
    sides: Sides,
    lengths: Option<Vec<u32>>,
    positions: Option<Vec<u32>>,
    softmax: Softmax,
    scale: (i32, u32),
}

impl Attention<'_> {
    /// The same for a device.
    fn attributes(&self) -> candle_core::Result<program::Attention> {
        let side = |side: u64| usize::try_from(side).map_err(candle_core::Error::wrap);
        let sides = &self.sides;
        Ok(program::Attention {
            batches: side(sides.batches)?,
            heads: (side(sides.heads)?, side(sides.key_heads)?),
            lengths: (Length::Fixed(side(sides.queries)?), Length::Fixed(side(sides.keys)?)),
            widths: (side(sides.depth)?, side(sides.width)?),
            layout: Heads::Apart,
            seen: self.lengths.clone().map_or(Seen::All, Seen::Each),
            positions: self.positions.clone().map_or(Positions::Nowhere, Positions::Each),
            softmax: self.softmax,
            scale: self.scale,
        })
    }
}

impl CustomOp3 for Attention<'_> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> candle_core::Result<Fresh> {
        let side = |side: u64| usize::try_from(side).map_err(candle_core::Error::wrap);
        let (key_heads, queries, keys) =
            (side(self.sides.key_heads)?, side(self.sides.queries)?, side(self.sides.keys)?);
        let (depth, width) = (side(self.sides.depth)?, side(self.sides.width)?);
        let (q, k, v): (&[i8], &[i8], &[i8]) = (slice(q, lq)?, slice(k, lk)?, slice(v, lv)?);
        self.context.fill(|out: &mut [i8]| {
            if out.is_empty() {
                return Ok(());
            }
            let rows = side(self.sides.heads)? / key_heads * queries;
            for (index, out) in out.chunks_exact_mut(rows * width).enumerate() {
                let batch = index / key_heads;
                let head = Head {
                    q: &q[index * rows * depth..(index + 1) * rows * depth],
                    k: &k[index * keys * depth..(index + 1) * keys * depth],
                    v: &v[index * keys * width..(index + 1) * keys * width],
                    queries,
                    keys,
                    depth,
                    width,
                    length: self.lengths.as_ref().map_or(Ok(keys), |all| side(u64::from(all[batch])))?,
                    position: self.positions.as_ref().map(|all| all[batch]),
                };
                kernel::attention_head(self.context.kernels, &head, self.softmax, self.scale, out)
                    .map_err(OpError::into_candle)?;
            }
            Ok(())
        })
    }
}
