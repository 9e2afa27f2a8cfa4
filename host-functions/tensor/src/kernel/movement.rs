//! Elements moved, and not changed. All levels move alike.

use super::strided::{Runs, merged};

/// `out[i, j, ..] = x[first + i * strides_0 + j * strides_1 + ..]`, over the index space `dims`: permuted axes, repeated axes.
///
/// # Panics
/// Where the strides leave `x`, or the slices do not fit `dims`.
pub fn copy_strided<T: Copy>(x: &[T], first: usize, strides: &[usize], dims: &[usize], out: &mut [T]) {
    if out.len() == dims.iter().product::<usize>()
        && let [outer @ .., (rows, [1]), (columns, [step])] = &merged(dims, [strides])[..]
        // An element that is repeated is a run.
        && *step > 1
        && (*rows).min(*columns) >= MIN_TURNED
        && outer.len() <= 1
    {
        // At most one axis before the two that change places.
        let (count, stride) = outer.first().map_or((1, 0), |(count, [stride])| (*count, *stride));
        for (index, out) in out.chunks_exact_mut(rows * columns).take(count).enumerate() {
            turn(&x[first + index * stride..], *step, *columns, out);
        }
        return;
    }
    assert_eq!(out.len(), dims.iter().product::<usize>(), "results of another shape");
    if out.is_empty() {
        return;
    }
    let mut runs = Runs::new(dims, [strides]);
    let (len, [step]) = (runs.len, runs.steps);
    for out in out.chunks_exact_mut(len) {
        let [at] = runs.next();
        let x = &x[first + at..];
        match step {
            1 => out.copy_from_slice(&x[..len]),
            0 => out.fill(x[0]),
            _ => out.iter_mut().zip(x.iter().step_by(step)).for_each(|(out, x)| *out = *x),
        }
    }
}

/// From this many rows and columns on they are turned in squares.
const MIN_TURNED: usize = 4;

/// `out[i][j] = x[j * step + i]`, rows of `columns`: in squares that stay in the first cache.
fn turn<T: Copy>(x: &[T], step: usize, columns: usize, out: &mut [T]) {
    const SIDE: usize = 32;
    let rows = out.len() / columns;
    for i0 in (0..rows).step_by(SIDE) {
        for j0 in (0..columns).step_by(SIDE) {
            let (width, height) = (SIDE.min(columns - j0), SIDE.min(rows - i0));
            for i in i0..i0 + height {
                let out = &mut out[i * columns + j0..][..width];
                let x = &x[j0 * step + i..][..(width - 1) * step + 1];
                for (j, out) in out.iter_mut().enumerate() {
                    *out = x[j * step];
                }
            }
        }
    }
}

/// Elements from one index to the next along each axis of a row-major tensor.
#[must_use]
pub fn row_major(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(dims[axis]);
    }
    strides
}

/// Writes `x`, of the dimensions `dims`, into the box of `out`, of the dimensions `to`, that begins at `starts`.
///
/// # Panics
/// Where the box leaves `out`, or a slice has another length.
pub fn paste_box<T: Copy>(x: &[T], dims: &[usize], starts: &[usize], to: &[usize], out: &mut [T]) {
    assert_eq!(x.len(), dims.iter().product::<usize>(), "a box of another shape");
    assert!(dims.len() == starts.len() && dims.len() == to.len(), "a box of another rank");
    if x.is_empty() {
        return;
    }
    let strides = row_major(to);
    let first: usize = starts.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
    let mut runs = Runs::new(dims, [&strides]);
    let (len, [step]) = (runs.len, runs.steps);
    for x in x.chunks_exact(len) {
        let [at] = runs.next();
        let out = &mut out[first + at..];
        match step {
            1 => out[..len].copy_from_slice(x),
            _ => out.iter_mut().step_by(step).zip(x).for_each(|(out, x)| *out = *x),
        }
    }
}

/// `out[o, i, ..] = x[o, indices_i, ..]`: of each block of `count` slices of `inner` elements, those that are named.
///
/// # Panics
/// Where an index is not below `count`, or lengths do not fit together.
pub fn gather<T: Copy>(x: &[T], count: usize, inner: usize, indices: &[usize], out: &mut [T]) {
    let block = indices.len() * inner;
    if out.is_empty() {
        return;
    }
    for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(block)) {
        if inner == 1 {
            indices.iter().zip(out).for_each(|(index, out)| *out = x[*index]);
            continue;
        }
        for (index, out) in indices.iter().zip(out.chunks_exact_mut(inner)) {
            assert!(*index < count, "an index past the end");
            out.copy_from_slice(&x[index * inner..(index + 1) * inner]);
        }
    }
}

/// `out = x`, but for the slices of each block of `count` slices of `inner` elements that `indices` names, which come from
/// `updates`; of several for one slice the last one stays.
///
/// # Panics
/// Where an index is not below `count`, or lengths do not fit together.
pub fn scatter<T: Copy>(x: &[T], count: usize, inner: usize, indices: &[usize], updates: &[T], out: &mut [T]) {
    out.copy_from_slice(x);
    if updates.is_empty() {
        return;
    }
    let blocks = out.chunks_exact_mut(count * inner).zip(updates.chunks_exact(indices.len() * inner));
    for (out, updates) in blocks {
        if inner == 1 {
            indices.iter().zip(updates).for_each(|(index, update)| out[*index] = *update);
            continue;
        }
        for (index, update) in indices.iter().zip(updates.chunks_exact(inner)) {
            assert!(*index < count, "an index past the end");
            out[index * inner..(index + 1) * inner].copy_from_slice(update);
        }
    }
}

/// `out[o, j, i] = x[o, indices[o, j, i], i]`, with blocks of `count` by `inner` elements of `x` and of `indices.len()` over
/// their number by `inner` of the result.
///
/// # Panics
/// Where an index is not below `count`, or lengths do not fit together.
pub fn gather_elements<T: Copy>(x: &[T], (count, inner): (usize, usize), indices: &[i32], along: usize, out: &mut [T]) {
    assert_eq!(indices.len(), out.len(), "results of another shape");
    if out.is_empty() {
        return;
    }
    let blocks = indices.chunks_exact(along * inner).zip(out.chunks_exact_mut(along * inner));
    for ((indices, out), x) in blocks.zip(x.chunks_exact(count * inner)) {
        for (indices, out) in indices.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
            for (i, (index, out)) in indices.iter().zip(out).enumerate() {
                let index = usize::try_from(*index).expect("an index that was checked");
                assert!(index < count, "an index past the end");
                *out = x[index * inner + i];
            }
        }
    }
}

/// `x`, of the dimensions `dims`, as often along each axis as `repeats` says.
///
/// # Panics
/// Where lengths do not fit together.
pub fn tile<T: Copy>(x: &[T], dims: &[usize], repeats: &[usize], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    // An axis that is not repeated belongs to the block of the axis before it.
    let mut axes: Vec<(usize, usize)> = Vec::with_capacity(dims.len());
    for (dim, times) in dims.iter().zip(repeats) {
        match axes.last_mut() {
            Some((outer, _)) if *times == 1 => *outer *= dim,
            _ => axes.push((*dim, *times)),
        }
    }
    tile_axes(x, &axes, out);
}

fn tile_axes<T: Copy>(x: &[T], axes: &[(usize, usize)], out: &mut [T]) {
    let Some(((dim, times), inner)) = axes.split_first() else {
        out.copy_from_slice(x);
        return;
    };
    let block = out.len() / times;
    let (first, _) = out.split_at_mut(block);
    if inner.is_empty() {
        first.copy_from_slice(x);
    } else {
        for (x, out) in x.chunks_exact(x.len() / dim).zip(first.chunks_exact_mut(block / dim)) {
            tile_axes(x, inner, out);
        }
    }
    // What is there doubles until all is there.
    let mut done = block;
    while done < out.len() {
        let more = done.min(out.len() - done);
        out.copy_within(..more, done);
        done += more;
    }
}

/// `out = x` in each matrix of `columns`, `rows` times, where the column less the row is at most `diagonal` (`lower`), or at least
/// `diagonal`; 0 elsewhere. `out` is zeros.
///
/// # Panics
/// Where lengths do not fit together.
pub fn triangle<T: Copy>(x: &[T], [rows, columns]: [usize; 2], lower: bool, diagonal: i64, out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    if x.is_empty() {
        return;
    }
    for (index, (x, out)) in x.chunks_exact(columns).zip(out.chunks_exact_mut(columns)).enumerate() {
        let row = i64::try_from(index % rows).expect("a length of this machine");
        // The first column that is not at most on the diagonal, or the first that is at least on it.
        let edge = row + diagonal + i64::from(lower);
        let edge = usize::try_from(edge.max(0)).expect("at least 0").min(columns);
        let kept = if lower { 0..edge } else { edge..columns };
        out[kept.clone()].copy_from_slice(&x[kept]);
    }
}

/// `floor((first + step * i) / divisor)` for `i` from 0 on: which place of an axis each place of another one comes from.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Places of the result.
    pub count: usize,
    /// At least 0.
    pub first: u64,
    /// At least 0.
    pub step: u64,
    /// Above 0.
    pub divisor: u64,
}

impl Places {
    /// The sources one after the other, without a table and without dividing each time.
    fn sources(self) -> impl Iterator<Item = usize> {
        let Places { count, first, step, divisor } = self;
        let (whole, part) = (step / divisor, step % divisor);
        let (mut quotient, mut rest) = (first / divisor, first % divisor);
        (0..count).map(move |_| {
            let source = quotient;
            (quotient, rest) = (quotient + whole, rest + part);
            if rest >= divisor {
                (quotient, rest) = (quotient + 1, rest - divisor);
            }
            usize::try_from(source).expect("a place of an axis")
        })
    }
}

/// `out[i, j, ..] = x[source of i, source of j, ..]`, where `x` has the dimensions `dims`.
///
/// # Panics
/// Where a source lies outside, or lengths do not fit together.
pub fn pick<T: Copy>(x: &[T], dims: &[usize], places: &[Places], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    match (dims, places) {
        ([_], [along]) => along.sources().zip(out).for_each(|(source, out)| *out = x[source]),
        ([dim, dims @ ..], [along, places @ ..]) => {
            let (block, part) = (out.len() / along.count, x.len() / dim);
            let mut last: Option<usize> = None;
            for (at, source) in along.sources().enumerate() {
                if last == Some(source) {
                    // The same source as before: the same block again.
                    out.copy_within((at - 1) * block..at * block, at * block);
                } else {
                    pick(&x[source * part..][..part], dims, places, &mut out[at * block..][..block]);
                    last = Some(source);
                }
            }
        }
        _ => out.copy_from_slice(x),
    }
}
