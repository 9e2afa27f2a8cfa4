//! Where the largest or the smallest element stands.

use super::{Kernels, reference};
use crate::{Element, Level};

/// `out[r]` is the index of the largest element of row `r`, the lowest index among equals.
///
/// # Panics
/// Where `x` is not `out.len()` rows of `row` elements, rows are empty, or an index does not fit.
pub fn argmax_rows<T: Element>(k: &Kernels, x: &[T], row: usize, out: &mut [i32]) {
    places(k, x, row, out, [reference::argmax, argmax]);
}

/// The same of the smallest element.
///
/// # Panics
/// As [`argmax_rows`].
pub fn argmin_rows<T: Element>(k: &Kernels, x: &[T], row: usize, out: &mut [i32]) {
    places(k, x, row, out, [reference::argmin, argmin]);
}

/// By the first function on the reference level, by the second one on the others.
fn places<T: Element>(k: &Kernels, x: &[T], row: usize, out: &mut [i32], place: [fn(&[T]) -> usize; 2]) {
    assert!(row > 0, "an empty row has no largest element");
    assert_eq!(Some(x.len()), out.len().checked_mul(row), "results of another shape");
    i32::try_from(row).expect("rows whose indices fit 32 bits");
    let [slow, fast] = place;
    let place = if k.level() == Level::Reference { slow } else { fast };
    k.split_rows((x, row), (out, 1), row.saturating_mul(8), |x, out| {
        for (row, out) in x.chunks_exact(row).zip(out) {
            *out = i32::try_from(place(row)).expect("checked for the row length");
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Argmax, out);
}

/// Two passes, the first of which vectorises: the largest value, then its first place.
fn argmax<T: Element>(row: &[T]) -> usize {
    first(row, row.iter().copied().fold(row[0], T::max))
}

fn argmin<T: Element>(row: &[T]) -> usize {
    first(row, row.iter().copied().fold(row[0], T::min))
}

fn first<T: Element>(row: &[T], value: T) -> usize {
    row.iter().position(|other| *other == value).expect("the value is in the row")
}
