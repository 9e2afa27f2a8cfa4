//! Freivalds' check of a matrix product, row by row: whether each row of `c` is that of `a` times `b`, for much less than the product
//! costs.
//!
//! `a` is `[.., m, k]`, `b` is `[k, n]`, `c` is `[.., m, n]`; the result is `u8` `[.., m]`. With `p = 2^61 - 1`,
//! `r_(4 i + t)` the little-endian `u64` at byte `8 t` of `keccak256("noema.freivalds.v1" seed i)`, modulo `p` (`i` as a little-endian
//! `u64`), row `i` is
//!
//! ```text
//! 1 where no |c[i, j]| is above 2^60 and sum over j of c[i, j] * r_j = sum over l of a[i, l] * (sum over j of b[l, j] * r_j), modulo p
//! 0 otherwise
//! ```
//!
//! A right row gives 1. A wrong one gives 1 with a probability below `2^-60` over the seed: exact sums are at most `2^58` (`2^28`
//! products of `2^30`), so that a difference is less than `p` and not 0 in the field. The seed must not be known to whoever chose `c`:
//! a hash of the operands and of `c` (`tensor_hash`) will do.

use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, challenge},
    ops::storage::filled,
};

/// The longest sums.
const MAX_DEPTH: u32 = 1 << 28;

/// Rows of `b` that are projected at a time: the workspace is 8 bytes for each of them, for each row of `a` and each column of `b`.
const BLOCK: usize = 1 << 16;

/// What four numbers of the challenge cost, in elements: a hash.
const NUMBERS: u64 = 256;

/// Checks types and shapes. Work: elements of `a`, `b` and `c`, and 256 for each four of the `n` columns.
///
/// # Errors
/// `TypeMismatch` where `a` and `b` are not of types that [`matmul`](super::matmul) takes or `c` is not `i32` or `i64`; `ShapeMismatch` where
/// shapes do not fit or `k` is above 2^28.
pub fn plan(a: &Tensor, b: &Tensor, c: &Tensor, seed: &[u8]) -> Result<Plan, Status> {
    let _any = seed;
    super::convolved::check_types(a, b)?;
    if !matches!(c.dtype(), DType::I32 | DType::I64) {
        return Err(Status::TypeMismatch);
    }
    let ([rows @ .., k], [b_k, n]) = (a.shape().dims(), b.shape().dims()) else { return Err(Status::ShapeMismatch) };
    if rows.is_empty() || k != b_k || *k > MAX_DEPTH || c.shape().dims() != [rows, &[*n]].concat() {
        return Err(Status::ShapeMismatch);
    }
    let elements = a.elements().saturating_add(b.elements()).saturating_add(c.elements());
    let work = elements.saturating_add(u64::from(n.div_ceil(4)).saturating_mul(NUMBERS));
    Plan::new(DType::U8, Shape::new(rows)?, work)
}

/// Checks.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, a: &Tensor, b: &Tensor, c: &Tensor, seed: &[u8]) -> Result<Tensor, OpError> {
    let (_, depth) = a.shape().split_last()?;
    let (_, n) = b.shape().split_last()?;
    let length = |length: u32| usize::try_from(length).map_err(|_| Status::LimitExceeded);
    let (depth, n) = (length(depth)?, length(n)?);
    if c.elements() == 0 {
        // Nothing to compare, and no reason to draw numbers.
        return filled(plan, |out: &mut [u8]| out.fill(1));
    }
    let r = challenge(seed, n);
    let mut sums = vec![0; length(u32::try_from(plan.shape.elements()?).map_err(|_| Status::LimitExceeded)?)?];
    let mut projected = vec![0; depth.min(BLOCK)];
    for start in (0..depth).step_by(BLOCK) {
        let projected = &mut projected[..BLOCK.min(depth - start)];
        let block = start * n..(start + projected.len()) * n;
        with_element!(b.dtype(), T => b.read(|b: &[T]| kernel::project(k, &b[block], &r, projected)))?;
        with_element!(a.dtype(), T => a.read(|a: &[T]| kernel::accumulate(k, a, (depth, start), projected, &mut sums)))?;
    }
    let mut out = vec![0u8; sums.len()];
    with_element!(c.dtype(), T => c.read(|c: &[T]| kernel::agree(k, c, &r, &sums, &mut out)))?;
    Tensor::from_vec(plan.shape.clone(), out)
}
