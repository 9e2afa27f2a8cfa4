//! Elements moved, and not changed. All levels move alike.

use super::strided::walk;

/// `out[i, j, ..] = x[first + i * strides_0 + j * strides_1 + ..]`, over the index space `dims`: permuted axes, repeated axes.
///
/// # Panics
/// Where the strides leave `x`, or the slices do not fit `dims`.
pub fn copy_strided<T: Copy>(x: &[T], first: usize, strides: &[usize], dims: &[usize], out: &mut [T]) {
    walk(dims, [strides], out, |out, [at]| out.copy_from_slice(&x[first + at..first + at + out.len()]));
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
    let row = dims.last().copied().unwrap_or(1);
    let outer = &dims[..dims.len().saturating_sub(1)];
    let mut index = vec![0usize; outer.len()];
    for x in x.chunks_exact(row) {
        let at = first + index.iter().zip(&strides).map(|(i, stride)| i * stride).sum::<usize>();
        out[at..at + row].copy_from_slice(x);
        for (i, dim) in index.iter_mut().zip(outer).rev() {
            *i += 1;
            if *i < *dim {
                break;
            }
            *i = 0;
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
        for (index, out) in indices.iter().zip(out.chunks_exact_mut(inner)) {
            assert!(*index < count, "an index past the end");
            out.copy_from_slice(&x[index * inner..(index + 1) * inner]);
        }
    }
}
