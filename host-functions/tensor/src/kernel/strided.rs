//! Walking through a row-major result while operands move by strides of their own.

use arrayvec::ArrayVec;
use noema_abi::limits::MAX_RANK;

/// Axes that one [`Tile`] covers. With three, even a result whose inner axes are all 2 long costs
/// little more per element than one long row: the price of an element does not know the shape.
const TILE_RANK: usize = 3;

/// A box of the result, contiguous in it, and where its elements come from in `N` operands.
pub(super) struct Tile<const N: usize> {
    /// Offset of the first element in each operand.
    start: [usize; N],
    /// Lengths of the three innermost axes.
    dims: [usize; TILE_RANK],
    /// Steps of each operand along them.
    steps: [[usize; N]; TILE_RANK],
}

impl<const N: usize> Tile<N> {
    /// Calls `f` with the offsets of each element, in the order of the result.
    #[inline(always)]
    fn for_each(&self, mut f: impl FnMut([usize; N])) {
        let [d0, d1, d2] = self.dims;
        let mut plane = self.start;
        for _ in 0..d0 {
            let mut row = plane;
            for _ in 0..d1 {
                let mut offsets = row;
                for _ in 0..d2 {
                    f(offsets);
                    step(&mut offsets, &self.steps[2], 1);
                }
                step(&mut row, &self.steps[1], 1);
            }
            step(&mut plane, &self.steps[0], 1);
        }
    }

    /// Whether the innermost axis is contiguous in every operand.
    fn is_contiguous(&self) -> bool {
        self.steps[2] == [1; N]
    }

    /// Calls `f` with the offsets and the length of each innermost row, in the order of the result.
    fn for_each_row(&self, mut f: impl FnMut([usize; N], usize)) {
        let rows = Tile { dims: [self.dims[0], self.dims[1], 1], ..*self };
        rows.for_each(|offsets| f(offsets, self.dims[2]));
    }
}

#[inline(always)]
fn step<const N: usize>(offsets: &mut [usize; N], steps: &[usize; N], times: usize) {
    for (offset, step) in offsets.iter_mut().zip(steps) {
        *offset = offset.wrapping_add(step.wrapping_mul(times));
    }
}

/// Calls `f(out, offsets)` for runs of result elements in order: where operands allow it a whole row
/// at a time, else one element.
///
/// `dims` is the shape of the result and `strides[i]` the steps of operand `i` along its axes. The
/// offsets stay inside an operand that spans those strides; they are used to index, so a mistake of
/// the caller is a panic and not a wrong read.
pub(super) fn walk<T, const N: usize>(
    dims: &[usize],
    strides: [&[usize]; N],
    out: &mut [T],
    mut run: impl FnMut(&mut [T], [usize; N]),
) {
    assert_eq!(out.len(), dims.iter().product::<usize>(), "results of another shape");
    if out.is_empty() {
        return;
    }
    let axes = merged(dims, strides);
    let (outer, inner) = axes.split_at(axes.len().saturating_sub(TILE_RANK));
    let mut tile = Tile { start: [0; N], dims: [1; TILE_RANK], steps: [[0; N]; TILE_RANK] };
    let missing = TILE_RANK - inner.len();
    for (i, (dim, steps)) in inner.iter().enumerate() {
        (tile.dims[missing + i], tile.steps[missing + i]) = (*dim, *steps);
    }
    let mut index = [0usize; MAX_RANK];
    for out in out.chunks_exact_mut(tile.dims.iter().product()) {
        if tile.is_contiguous() {
            let mut rows = out.chunks_exact_mut(tile.dims[2]);
            tile.for_each_row(|offsets, _| run(rows.next().expect("as many rows as the tile has"), offsets));
        } else {
            let mut elements = out.chunks_exact_mut(1);
            tile.for_each(|offsets| run(elements.next().expect("as many elements as the tile has"), offsets));
        }
        for (index, (dim, steps)) in index.iter_mut().zip(outer).rev() {
            *index += 1;
            step(&mut tile.start, steps, 1);
            if *index < *dim {
                break;
            }
            step(&mut tile.start, steps, index.wrapping_neg());
            *index = 0;
        }
    }
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

    use super::walk;

    proptest! {
        #[test]
        fn visits_what_plain_indexing_visits(
            dims in prop::collection::vec(0usize..4, 0..=6),
            a in prop::collection::vec(0usize..7, 6),
            b in prop::collection::vec(prop_oneof![Just(0usize), Just(1), 0usize..50], 6),
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
            walk(&dims, [a, b], &mut seen, |out, [a, b]| {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = [a + i, b + i];
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
            let mut out = vec![0; dims.iter().product()];
            let mut runs = 0;
            walk(&dims, [&strides], &mut out, |_, _| runs += 1);
            prop_assert_eq!(runs, 1);
        }
    }
}
