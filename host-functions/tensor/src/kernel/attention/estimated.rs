//! Attention with exponentials of 24 bits, off by less than [`ERROR`].
//!
//! With weights `w_j` and what they are taken for, `w_j + d_j` with `|d_j| < ERROR`, sums over `n` keys and `|v_j| <= 128`, the mean is
//! off by
//!
//! ```text
//! sum (w_j + d_j) v_j / Z' - sum w_j v_j / Z = sum d_j (v_j - mean) / Z'     below 256 * n * ERROR / Z'
//! ```
//!
//! where `Z'` is the sum of the estimates. [`rounded`] is told so, in its units.

use super::{
    Prepared,
    mean::{is_usual, of_row, rounded},
};
use crate::kernel::{
    exp_estimates::{ERROR, Estimates, PLANES},
    linear_u8,
};
use crate::{Level, OpError};

/// What is used for one block after the other.
pub(super) struct Workspace {
    estimates: Estimates,
    planes: Vec<u8>,
    sums: Vec<i32>,
    totals: Vec<u64>,
}

impl Prepared<'_> {
    /// Nothing where estimates decide no result.
    pub(super) fn estimates(&self) -> Option<Workspace> {
        let estimates = self.exponentials.estimates();
        let workspace = Workspace { estimates, planes: Vec::new(), sums: Vec::new(), totals: Vec::new() };
        (self.level() != Level::Reference && is_usual(self.scale)).then_some(workspace)
    }

    /// Writes the results of a block of rows from row `first` on, and names those that are not decided, counted from there.
    pub(super) fn estimated(
        &self,
        workspace: &mut Workspace,
        first: usize,
        scores: &[i32],
        out: &mut [i8],
    ) -> Result<Vec<usize>, OpError> {
        let (level, keys, width) = (self.level(), self.head.keys, self.head.width);
        let count = out.len() / width;
        let Workspace { estimates, planes, sums, totals } = workspace;
        planes.resize(PLANES * count * keys, 0);
        sums.resize(PLANES * count * width, 0);
        totals.clear();
        for (row, scores) in scores.chunks_exact(keys).enumerate() {
            let mut rest = planes.as_mut_slice();
            let planes = std::array::from_fn(|_| {
                let (plane, others) = std::mem::take(&mut rest).split_at_mut(count * keys);
                rest = others;
                &mut plane[row * keys..(row + 1) * keys]
            });
            totals.push(estimates.planes(level, &scores[..self.head.visible(first + row)], planes));
        }
        linear_u8(self.kernels, planes, PLANES * count, &self.values, sums)?;
        let mut left = Vec::new();
        for (row, (out, total)) in out.chunks_exact_mut(width).zip(&*totals).enumerate() {
            let seen = u64::try_from(self.head.visible(first + row)).expect("at most 2^16");
            let sums: [&[i32]; PLANES] = of_row(sums, row, count, width);
            if *total == 0 {
                out.fill(0);
            } else if !rounded(level, sums, *total, ((256 * ERROR * seen) << 23) / *total + 1, self.scale, out) {
                left.push(row);
            }
        }
        Ok(left)
    }
}
