//! `sat(rne(x * multiplier / 2^shift) + zero_point)` in pieces of 64 bits, for loops that become vectors.

use super::vectors::lower;
use crate::Element;

/// The largest shift.
pub(super) const MAX_SHIFT: u32 = 94;

const LOW: i64 = 0xffff_ffff;

/// Of any `x`, a multiplier that is not negative and a shift of at most [`MAX_SHIFT`].
///
/// The product has 95 bits with its sign. It is kept as `upper * 2^32 + rest` with a rest of 32 bits and an upper part of less than
/// `2^62 + 2^31`, and shifted in three steps of at most 32 bits. Of what the first one cuts, which it only does where 62 more follow, it is
/// enough to know whether it was 0. Nothing wraps but what is masked.
#[inline(always)]
pub(super) fn scaled<T: Element>(x: i64, multiplier: i32, shift: u32, zero_point: i32) -> T {
    let rest = lower(x.cast_unsigned()).wrapping_mul(u64::from(multiplier.cast_unsigned()));
    let upper = (x >> 32).wrapping_mul(i64::from(multiplier)).wrapping_add((rest >> 32).cast_signed());
    let far = shift.saturating_sub(62);
    let near = shift.wrapping_sub(far);
    let first = near.min(32);
    let second = near.wrapping_sub(first);
    let (upper, rest, cut) = moved(upper, lower(rest).cast_signed(), far);
    let (upper, rest, low) = moved(upper, rest | i64::from(cut != 0), first);
    let (upper, rest, high) = moved(upper, rest, second);
    // What was cut, in units of the last place cut: at most 62 bits.
    let cut = (high << 32) | low;
    let half = if near == 0 { i64::MAX } else { 1i64.wrapping_shl(near.wrapping_sub(1)) };
    let up = (cut > half) | ((cut == half) & (rest & 1 == 1));
    let rest = rest.wrapping_add(i64::from(up)).wrapping_add(i64::from(zero_point));
    let upper = upper.wrapping_add(rest >> 32);
    let whole = upper << 32;
    let beyond = if upper < 0 { i64::MIN } else { i64::MAX };
    T::saturate_i64(if whole >> 32 == upper { whole | (rest & LOW) } else { beyond })
}

/// `upper * 2^32 + rest` over `2^by`, `by` at most 32: both parts, and what was cut.
#[inline(always)]
fn moved(upper: i64, rest: i64, by: u32) -> (i64, i64, i64) {
    let whole = ((upper.wrapping_shl(32u32.wrapping_sub(by))) & LOW) | rest.wrapping_shr(by);
    (upper.wrapping_shr(by), whole, rest & 1i64.wrapping_shl(by).wrapping_sub(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MAX_SHIFT, scaled};
    use crate::{Element, kernel::reference::rne_ratio};

    fn check<T: Element>(x: i64, multiplier: i32, shift: u32, zero_point: i32) -> Result<(), TestCaseError> {
        let exact = rne_ratio(i128::from(x) * i128::from(multiplier), 1 << shift) + i128::from(zero_point);
        prop_assert_eq!(scaled::<T>(x, multiplier, shift, zero_point), T::saturate(exact));
        Ok(())
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            any in any::<i64>(),
            cut in 0u32..64,
            low in -3i64..=3,
            multiplier in prop_oneof![Just(0), Just(1 << 30), Just(3 << 29), Just(i32::MAX), (1i32 << 30)..=i32::MAX],
            shift in 0u32..=MAX_SHIFT,
            zero_point in prop_oneof![Just(0), Just(i32::MIN), Just(i32::MAX), any::<i32>()],
        ) {
            // Numbers of every length, and those around powers of two, where ties are.
            let powers = [1i64 << (cut % 63), i64::MIN >> cut, (any >> cut) << cut];
            for x in [any, any >> cut].into_iter().chain(powers).map(|x| x.saturating_add(low)) {
                check::<i8>(x, multiplier, shift, zero_point)?;
                check::<u8>(x, multiplier, shift, zero_point)?;
                check::<i32>(x, multiplier, shift, zero_point)?;
                check::<i64>(x, multiplier, shift, zero_point)?;
            }
        }
    }
}
