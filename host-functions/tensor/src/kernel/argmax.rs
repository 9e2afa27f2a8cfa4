//! Where the largest element stands.

use super::{Kernels, reference};
use crate::{Element, Level};

/// `out[r]` is the index of the largest element of row `r`, the lowest index among equals.
///
/// # Panics
/// Where `x` is not `out.len()` rows of `row` elements, rows are empty, or an index does not fit.
pub fn argmax_rows<T: Element>(k: &Kernels, x: &[T], row: usize, out: &mut [i32]) {
    assert!(row > 0, "an empty row has no largest element");
    assert_eq!(Some(x.len()), out.len().checked_mul(row), "results of another shape");
    i32::try_from(row).expect("rows whose indices fit 32 bits");
    let level = k.level();
    k.split_rows((x, row), (out, 1), row.saturating_mul(8), |x, out| {
        for (row, out) in x.chunks_exact(row).zip(out) {
            let index = if level == Level::Reference { reference::argmax(row) } else { argmax(row) };
            *out = i32::try_from(index).expect("checked for the row length");
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Argmax, out);
}

/// Two passes, the first of which vectorises: the largest value, then its first place.
fn argmax<T: Element>(row: &[T]) -> usize {
    let largest = row.iter().copied().fold(row[0], T::max);
    row.iter().position(|value| *value == largest).expect("the largest value is in the row")
}
