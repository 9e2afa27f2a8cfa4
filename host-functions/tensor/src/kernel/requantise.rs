//! `sat(rne(x * multiplier / 2^shift) + zero_point)`.

use super::scale::scaled;
use super::vectors::{Vectors, low, vectorised};
#[cfg(target_arch = "x86_64")]
use super::x86::{self, requantise::Uneven};
use super::{Kernels, reference, round};
use crate::{DType, Element, Level};

/// The dyadic scales of a row: one for all its elements, or one for each.
///
/// The zero point is added after rounding.
#[derive(Clone, Copy, Debug)]
pub struct Scales<'a> {
    /// One, or as many as a row is long.
    pub multipliers: &'a [i32],
    /// One, or as many as a row is long; each at most 62.
    pub shifts: &'a [u8],
    /// For all elements.
    pub zero_point: i32,
}

/// Rows are put together until they have so many elements.
const MIN_ROW: usize = 256;

/// Requantises `x` of `i32` or `i64` to the element type of `out`, rows of `row` elements.
///
/// # Panics
/// Where lengths do not fit together, or a shift is above 62.
pub fn requantise_rows<X: Element, T: Element>(k: &Kernels, x: &[X], row: usize, scales: Scales<'_>, out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    assert!(scales.shifts.iter().fold(true, |all, shift| all & (*shift <= 62)), "a shift above 62");
    for length in [scales.multipliers.len(), scales.shifts.len()] {
        assert!(length == 1 || length == row, "scales of another shape");
    }
    if x.is_empty() {
        return;
    }
    assert!(row > 0 && x.len().is_multiple_of(row), "rows of another shape");
    let level = k.level();
    // Where only one of both is for all elements it is repeated.
    let (multipliers, shifts): (Vec<i32>, Vec<u8>);
    // Rows that are short are taken several at a time.
    let length = row * (MIN_ROW.min(x.len() / 2) / row).max(1);
    let scales = if scales.multipliers.len() == scales.shifts.len() && (scales.is_single() || length == row) {
        scales
    } else {
        multipliers = scales.multipliers.iter().copied().cycle().take(length).collect();
        shifts = scales.shifts.iter().copied().cycle().take(length).collect();
        Scales { multipliers: &multipliers, shifts: &shifts, ..scales }
    };
    let way = vectorised(level, Choice { x: X::DTYPE, level, scales });
    // A rounding costs about as much as this many multiplications of a product.
    const WORK: usize = 16;
    let unit = scales.multipliers.len();
    k.split_rows((x, unit), (&mut *out, unit), unit.saturating_mul(WORK), |x, out| {
        vectorised(level, Rows { x, scales, way, level, out });
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Requantise, out);
}

impl Scales<'_> {
    /// Whether [`uneven`] computes these: no number of 32 bits becomes one in the middle between two results, and the zero point fits behind
    /// it. The first takes a number with as many zeros at its end as the shift has bits, less one, beyond those at the end of the multiplier,
    /// and from 33 on no number but 0 has them.
    #[inline(always)]
    pub(super) fn are_uneven(&self) -> bool {
        let beside = |(m, s): (&i32, &u8)| {
            // As many bits of the multiplier as the shift has above 32 are not all zeros, unless the whole is.
            let lowest = 1i32.wrapping_shl(u32::from(*s).wrapping_sub(32)).wrapping_sub(1);
            (*s >= 33) & ((*m == 0) | (*m & lowest != 0))
        };
        self.zero_point.unsigned_abs() <= 1 << 30
            && self.multipliers.len() == self.shifts.len()
            // All of them, so that the loop becomes vectors.
            && self.multipliers.iter().zip(self.shifts).fold(true, |all, scale| all & beside(scale))
    }

    fn is_single(&self) -> bool {
        self.multipliers.len() == 1 && self.shifts.len() == 1
    }
}

/// How results are computed, for all elements alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One after the other, for whatever there is.
    One,
    /// Of 32 bits, in 64 bits.
    Narrow,
    /// The same where nothing lies in the middle between two results, by upper halves of 32 bits.
    NarrowUneven,
    /// Of 64 bits, in two halves.
    Wide,
}

/// What a way is chosen by.
struct Choice<'a> {
    x: DType,
    level: Level,
    scales: Scales<'a>,
}

impl Vectors for Choice<'_> {
    type Output = Way;

    #[inline(always)]
    fn run(self) -> Way {
        let Choice { x, level, scales } = self;
        let positive = || scales.multipliers.iter().all(|multiplier| *multiplier >= 0);
        match x {
            _ if level == Level::Reference => Way::One,
            DType::I64 if positive() => Way::Wide,
            DType::I64 => Way::One,
            _ if scales.are_uneven() => Way::NarrowUneven,
            _ => Way::Narrow,
        }
    }
}

/// Whole rows with a multiplier and a shift for each element, or where there is one of both any number of elements.
struct Rows<'a, X, T> {
    x: &'a [X],
    scales: Scales<'a>,
    way: Way,
    level: Level,
    out: &'a mut [T],
}

impl<X: Element, T: Element> Vectors for Rows<'_, X, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Rows { x, scales: Scales { multipliers, shifts, zero_point }, way, level, out } = self;
        if let (&[multiplier], &[shift]) = (multipliers, shifts) {
            return row(way, level, zero_point, x, |_| (multiplier, shift), out);
        }
        #[cfg(target_arch = "x86_64")]
        let (x, out) = match way {
            Way::NarrowUneven => {
                let done = x86::requantise::rows(level, x, Uneven { multipliers, shifts, zero_point }, out);
                (&x[done..], &mut out[done..])
            }
            _ => (x, out),
        };
        let length = multipliers.len();
        for (x, out) in x.chunks(length).zip(out.chunks_mut(length)) {
            let (multipliers, shifts) = (&multipliers[..x.len()], &shifts[..x.len()]);
            row(way, level, zero_point, x, |i| (multipliers[i], shifts[i]), out);
        }
    }
}

#[inline(always)]
fn row<X: Element, T: Element>(
    way: Way,
    level: Level,
    zero_point: i32,
    x: &[X],
    scale: impl Fn(usize) -> (i32, u8),
    out: &mut [T],
) {
    let (out, zero) = (&mut out[..x.len()], i64::from(zero_point));
    match way {
        Way::One => {
            for i in 0..x.len() {
                let (multiplier, shift) = scale(i);
                out[i] = one(level, x[i], multiplier, shift, zero_point);
            }
        }
        Way::Narrow => {
            for i in 0..x.len() {
                let (multiplier, shift) = scale(i);
                out[i] = T::saturate_i64(narrow(low(x[i].into()), multiplier, shift.into()).wrapping_add(zero));
            }
        }
        Way::NarrowUneven => {
            for i in 0..x.len() {
                let (multiplier, shift) = scale(i);
                out[i] = T::saturate_i32(uneven(low(x[i].into()), multiplier, shift.into()).wrapping_add(zero_point));
            }
        }
        Way::Wide => {
            for i in 0..x.len() {
                let (multiplier, shift) = scale(i);
                out[i] = scaled(x[i].into(), multiplier, shift.into(), zero_point);
            }
        }
    }
}

/// `rne(x * multiplier / 2^shift)`. Nothing wraps: a product has at most 62 bits, half a unit 61; a zero point 31.
#[inline(always)]
pub(super) fn narrow(x: i32, multiplier: i32, shift: u32) -> i64 {
    let unit = 1i64.wrapping_shl(shift);
    let sum = i64::from(x).wrapping_mul(i64::from(multiplier)).wrapping_add(unit >> 1);
    let rounded = sum.wrapping_shr(shift);
    // In the middle, where there is one, odd results go down again.
    let tie = (sum & unit.wrapping_sub(1) == 0) & (shift > 0);
    rounded.wrapping_sub(if tie { rounded & 1 } else { 0 })
}

/// [`narrow`] where no result lies in the middle, for which shifts are at least 33: the upper halves of products are enough, and results are
/// below `2^30`, so that a zero point of up to that can be added.
#[inline(always)]
pub(super) fn uneven(x: i32, multiplier: i32, shift: u32) -> i32 {
    let upper = low(i64::from(x).wrapping_mul(i64::from(multiplier)) >> 32);
    // Half a unit has nothing in the lower half, so nothing is carried.
    let half = 1i32.wrapping_shl(shift.wrapping_sub(33));
    upper.wrapping_add(half).wrapping_shr(shift.wrapping_sub(32))
}

#[inline(always)]
fn one<X: Element, T: Element>(level: Level, x: X, multiplier: i32, shift: u8, zero_point: i32) -> T {
    let wide: i64 = x.into();
    if level == Level::Reference {
        return reference::requantise(wide, multiplier, shift, zero_point);
    }
    let rounded = round::round_shift_i128(wide, multiplier, u32::from(shift));
    T::saturate(rounded + i128::from(zero_point))
}
