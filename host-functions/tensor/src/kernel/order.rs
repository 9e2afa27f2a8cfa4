//! Rows in the order of their elements; of equal ones the lower index comes first.

use super::Kernels;
use crate::{Element, Level};

/// Which element comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The largest one.
    Descending,
    /// The smallest one.
    Ascending,
}

/// The longest row whose indices are ordered: what is kept for one is 16 MiB.
pub const MAX_TOP_ROW: usize = 1 << 20;

/// Work of one comparison, in multiplications of a product.
const WORK: usize = 16;

/// Sorts rows of `row` elements.
///
/// # Panics
/// Where lengths do not fit together.
pub fn sort_rows<T: Element>(k: &Kernels, order: Order, x: &[T], row: usize, out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    if x.is_empty() {
        return;
    }
    assert!(row > 0 && x.len().is_multiple_of(row), "rows of another shape");
    let level = k.level();
    k.split_rows((x, row), (&mut *out, row), work(row), |x, out| {
        out.copy_from_slice(x);
        for out in out.chunks_exact_mut(row) {
            if level == Level::Reference {
                let places = reference(order, out);
                let sorted: Vec<T> = places.into_iter().map(|place| out[place]).collect();
                out.copy_from_slice(&sorted);
                continue;
            }
            // Equal integers cannot be told apart, so that any way to sort will do.
            match order {
                Order::Ascending => out.sort_unstable(),
                Order::Descending => out.sort_unstable_by(|a, b| b.cmp(a)),
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Sort, out);
}

/// The indices of the first `count` elements of each row, in order.
///
/// # Panics
/// Where lengths do not fit together, `count` is 0 or more than a row, or a row is longer than [`MAX_TOP_ROW`].
pub fn top_rows<T: Element>(k: &Kernels, order: Order, x: &[T], row: usize, count: usize, out: &mut [i32]) {
    assert!((1..=row).contains(&count) && row <= MAX_TOP_ROW, "more than a row, or too long a row");
    assert!(x.len().is_multiple_of(row) && x.len() / row * count == out.len(), "results of another shape");
    let level = k.level();
    k.split_rows((x, row), (&mut *out, count), work(row), |x, out| {
        if level == Level::Reference {
            for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(count)) {
                for (out, place) in out.iter_mut().zip(reference(order, x)) {
                    *out = i32::try_from(place).expect("at most 2^20");
                }
            }
            return;
        }
        let mut keys: Vec<(i64, i32)> = Vec::with_capacity(row);
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(count)) {
            keys.clear();
            keys.extend(x.iter().zip(0..).map(|(x, index)| {
                let x: i64 = (*x).into();
                // Turning all bits turns the order, and moves no number out of its type.
                (if order == Order::Ascending { x } else { !x }, index)
            }));
            if count < row {
                keys.select_nth_unstable(count - 1);
            }
            keys[..count].sort_unstable();
            for (out, (_, index)) in out.iter_mut().zip(&keys) {
                *out = *index;
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Top, out);
}

/// The indices of a row in order, by a sort that leaves equal ones as they are.
fn reference<T: Element>(order: Order, x: &[T]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..x.len()).collect();
    places.sort_by(|a, b| match order {
        Order::Ascending => x[*a].cmp(&x[*b]),
        Order::Descending => x[*b].cmp(&x[*a]),
    });
    places
}

fn work(row: usize) -> usize {
    row.saturating_mul(WORK).saturating_mul(usize::try_from(row.ilog2() + 1).unwrap_or(1))
}
