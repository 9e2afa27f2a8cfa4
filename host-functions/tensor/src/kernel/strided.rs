//! Walking through a row-major result while operands move by strides of their own.

use arrayvec::ArrayVec;
use noema_abi::limits::MAX_RANK;

use super::Kernels;
use crate::OpError;

/// The runs of a result, one behind the other, and where their elements come from in `N` operands.
///
/// A run is everything along the innermost axis, after axes of length 1 were dropped and neighbours joined that every operand
/// walks as one: operands of one shape are one run. How many there are is part of what opcodes cost (docs/spec/opcodes.md).
#[derive(Clone, Debug)]
pub(super) struct Runs<const N: usize> {
    /// The axes outside a run, and the steps of each operand along them.
    outer: ArrayVec<(usize, [usize; N]), MAX_RANK>,
    index: [usize; MAX_RANK],
    /// Where the run that comes next begins.
    at: [usize; N],
    /// Elements of a run.
    pub(super) len: usize,
    /// Steps of each operand inside a run.
    pub(super) steps: [usize; N],
}

impl<const N: usize> Runs<N> {
    /// `dims` is the shape of the result and `strides[i]` the steps of operand `i` along its axes. Offsets are used to index, so a mistake
    /// of the caller is a panic and not a wrong read.
    pub(super) fn new(dims: &[usize], strides: [&[usize]; N]) -> Runs<N> {
        let mut outer = merged(dims, strides);
        let (len, steps) = outer.pop().unwrap_or((1, [1; N]));
        Runs { outer, index: [0; MAX_RANK], at: [0; N], len, steps }
    }

    /// The runs of one result that has no axes outside them.
    fn is_one(&self) -> bool {
        self.outer.is_empty()
    }

    /// From run `first` on, or where there is only one, `len` elements of it from `first` on.
    fn part(&self, first: usize, len: usize) -> Runs<N> {
        let mut part = self.clone();
        if self.is_one() {
            part.len = len;
            step(&mut part.at, &self.steps, first);
            return part;
        }
        let mut rest = first;
        for (index, (dim, steps)) in part.index.iter_mut().zip(&self.outer).take(self.outer.len()).rev() {
            *index = rest % dim;
            rest /= dim;
            step(&mut part.at, steps, *index);
        }
        part
    }

    /// Where the next run begins in each operand.
    #[inline(always)]
    pub(super) fn next(&mut self) -> [usize; N] {
        let here = self.at;
        for (index, (dim, steps)) in self.index.iter_mut().zip(&self.outer).take(self.outer.len()).rev() {
            *index += 1;
            step(&mut self.at, steps, 1);
            if *index < *dim {
                break;
            }
            step(&mut self.at, steps, index.wrapping_neg());
            *index = 0;
        }
        here
    }
}

#[inline(always)]
fn step<const N: usize>(offsets: &mut [usize; N], steps: &[usize; N], times: usize) {
    for (offset, step) in offsets.iter_mut().zip(steps) {
        *offset = offset.wrapping_add(step.wrapping_mul(times));
    }
}

/// Calls `f(runs, out)` for blocks of whole runs that cover the result, or of elements where it is one run. `work` is what an element
/// costs, in multiplications of a product.
///
/// # Panics
/// Where the result does not fit `dims`.
pub(super) fn over<T: Send, const N: usize>(
    k: &Kernels,
    dims: &[usize],
    strides: [&[usize]; N],
    out: &mut [T],
    work: usize,
    f: impl Fn(Runs<N>, &mut [T]) + Sync,
) {
    assert_eq!(out.len(), dims.iter().product::<usize>(), "results of another shape");
    if out.is_empty() {
        return;
    }
    let runs = Runs::new(dims, strides);
    let row = if runs.is_one() { 1 } else { runs.len };
    let done: Result<(), OpError> = k.split_out(out, row, row.saturating_mul(work), |first, out| {
        f(runs.part(first, out.len()), out);
        Ok(())
    });
    done.expect("nothing here can fail");
}

/// The axes with those of length 1 dropped and neighbours joined that every operand walks as one.
pub(super) fn merged<const N: usize>(
    dims: &[usize],
    strides: [&[usize]; N],
) -> ArrayVec<(usize, [usize; N]), MAX_RANK> {
    let mut axes: ArrayVec<(usize, [usize; N]), MAX_RANK> = ArrayVec::new();
    for (axis, dim) in dims.iter().enumerate() {
        let steps = strides.map(|strides| strides[axis]);
        match axes.last_mut() {
            _ if *dim == 1 => {}
            Some((outer_dim, outer)) if *outer == steps.map(|step| step.saturating_mul(*dim)) => {
                *outer_dim *= dim;
                *outer = steps;
            }
            _ => axes.push((*dim, steps)),
        }
    }
    axes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Runs, over};
    use crate::{Kernels, Level};

    proptest! {
        #[test]
        fn visits_what_plain_indexing_visits(
            dims in prop::collection::vec(0usize..4, 0..=6),
            a in prop::collection::vec(0usize..7, 6),
            b in prop::collection::vec(prop_oneof![Just(0usize), Just(1), 0usize..50], 6),
            threads in 1usize..4,
        ) {
            let (a, b) = (&a[..dims.len()], &b[..dims.len()]);
            let elements: usize = dims.iter().product();
            let mut expected = Vec::new();
            for flat in 0..elements {
                let (mut rest, mut at) = (flat, [0, 0]);
                for (axis, dim) in dims.iter().enumerate().rev() {
                    at[0] += rest % dim * a[axis];
                    at[1] += rest % dim * b[axis];
                    rest /= dim;
                }
                expected.push(at);
            }
            let mut seen = vec![[usize::MAX; 2]; elements];
            // So much work for each element that even one is worth a thread.
            over(&Kernels::new(Level::Portable, threads).unwrap(), &dims, [a, b], &mut seen, 1 << 20, |mut runs, out| {
                for out in out.chunks_exact_mut(runs.len) {
                    let at = runs.next();
                    for (i, out) in out.iter_mut().enumerate() {
                        *out = [at[0] + i * runs.steps[0], at[1] + i * runs.steps[1]];
                    }
                }
            });
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn contiguous_operands_are_one_run(dims in prop::collection::vec(1usize..4, 0..=6)) {
            let mut strides = vec![1; dims.len()];
            for axis in (1..dims.len()).rev() {
                strides[axis - 1] = strides[axis] * dims[axis];
            }
            let runs = Runs::new(&dims, [&strides]);
            prop_assert_eq!((runs.len, runs.steps), (dims.iter().product(), [1]));
        }
    }
}
