//! Where the largest or the smallest element stands.

use std::ops::Range;

use super::vectors::{Vectors, vectorised};
use super::{Kernels, reference};
use crate::{Element, Level};

/// `out[r]` is the index of the largest element of row `r`, the lowest index among equals.
///
/// # Panics
/// Where `x` is not `out.len()` rows of `row` elements, rows are empty, or an index does not fit.
pub fn argmax_rows<T: Element>(k: &Kernels, x: &[T], row: usize, out: &mut [i32]) {
    places(k, x, row, out, true);
}

/// The same of the smallest element.
///
/// # Panics
/// As [`argmax_rows`].
pub fn argmin_rows<T: Element>(k: &Kernels, x: &[T], row: usize, out: &mut [i32]) {
    places(k, x, row, out, false);
}

fn places<T: Element>(k: &Kernels, x: &[T], row: usize, out: &mut [i32], most: bool) {
    assert!(row > 0, "an empty row has no largest element");
    assert_eq!(Some(x.len()), out.len().checked_mul(row), "results of another shape");
    i32::try_from(row).expect("rows whose indices fit 32 bits");
    let level = k.level();
    k.split_rows((x, row), (&mut *out, 1), row.saturating_mul(8), |x, out| {
        if level != Level::Reference {
            return vectorised(level, Places { x, row, most, out });
        }
        let place = if most { reference::argmax } else { reference::argmin };
        for (row, out) in x.chunks_exact(row).zip(out) {
            *out = number(place(row));
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Argmax, out);
}

fn number(place: usize) -> i32 {
    i32::try_from(place).expect("checked for the row length")
}

struct Places<'a, T> {
    x: &'a [T],
    row: usize,
    most: bool,
    out: &'a mut [i32],
}

impl<T: Element> Vectors for Places<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Places { x, row, most, out } = self;
        if most {
            each_row(x, row, out, |a, b| a > b, T::max);
        } else {
            each_row(x, row, out, |a, b| a < b, T::min);
        }
    }
}

/// Rows up to here are gone through once.
const SHORT: usize = 16;

/// Elements that are looked at together, then so many of those.
const BLOCKS: [usize; 2] = [64, 16];

/// Rows from here on are left to the compiler; what shorter ones leave of its vectors would be gone through one by one.
const LONG: usize = 512;

#[inline(always)]
fn each_row<T: Element>(x: &[T], row: usize, out: &mut [i32], better: impl Fn(T, T) -> bool, best: fn(T, T) -> T) {
    for (row, out) in x.chunks_exact(row).zip(out) {
        if row.len() <= SHORT {
            let (mut found, mut place) = (row[0], 0i32);
            for (x, i) in row.iter().zip(0i32..) {
                let now = better(*x, found);
                (found, place) = (if now { *x } else { found }, if now { i } else { place });
            }
            *out = place;
            continue;
        }
        // Two passes that vectorise: the value, then the first block that has it, and in it the first part.
        let found = if row.len() < LONG {
            best_of_lanes(row, best)
        } else {
            row.iter().fold(row[0], |found, x| best(found, *x))
        };
        let block = first_with(row, BLOCKS[0], found);
        let part = block.start + first_with(&row[block.clone()], BLOCKS[1], found).start;
        let place = row[part..].iter().position(|x| *x == found).expect("it is in the part");
        *out = number(part + place);
    }
}

/// The best of a row of at least as many elements as there are lanes.
#[inline(always)]
fn best_of_lanes<T: Element>(row: &[T], best: fn(T, T) -> T) -> T {
    let (lanes, rest) = row.as_chunks::<LANES>();
    let mut found = lanes[0];
    for x in &lanes[1..] {
        for lane in 0..LANES {
            found[lane] = best(found[lane], x[lane]);
        }
    }
    found.iter().chain(rest).fold(found[0], |found, x| best(found, *x))
}

/// Elements that are compared together.
const LANES: usize = 16;

/// The first block of so many elements that has the number.
#[inline(always)]
fn first_with<T: Element>(row: &[T], size: usize, number: T) -> Range<usize> {
    let has = |block: &[T]| block.iter().fold(false, |any, x| any | (*x == number));
    let index = row.chunks(size).position(has).expect("it is in the row");
    index * size..row.len().min((index + 1) * size)
}
