//! Sums of masked updates, modulo 2^32.
//!
//! Hospital `i` submits `x_i + own_i + sum of m_ij for j > i - sum of m_ij for j < i`, in the order of addresses. In the sum over all who
//! submit, the masks of pairs cancel; what is left are the own masks, and the masks of pairs whose other half never came. Both are opened
//! afterwards, by seeds whose hashes stood here before. An own mask is opened only of who has submitted, so that an update that comes
//! too late stays hidden even though the masks of its pairs are known.

use noema_sdk::{Address, Hash, crypto};

use crate::WEIGHTS;

/// An update, or a mask.
pub type Masked = [u32; WEIGHTS];

/// The mask of a seed: SHA-256 of the seed and a counter byte, eight numbers at a time, little-endian.
fn expand(seed: &Hash) -> Masked {
    let mut mask = [0; WEIGHTS];
    for (counter, words) in (0u8..).zip(mask.chunks_mut(8)) {
        let mut input = [0; 33];
        input[..32].copy_from_slice(&seed.0);
        input[32] = counter;
        let block = crypto::sha256(&input);
        for (word, bytes) in words.iter_mut().zip(block.0.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
    }
    mask
}

pub(crate) fn add(sum: &mut Masked, other: &Masked) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum = sum.wrapping_add(*other));
}

fn subtract(sum: &mut Masked, other: &Masked) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum = sum.wrapping_sub(*other));
}

/// Takes an own mask out of a sum.
pub(crate) fn remove_own(sum: &mut Masked, seed: &Hash) {
    subtract(sum, &expand(seed));
}

/// Takes out of a sum the mask that `of` shares with somebody who never submitted.
pub(crate) fn remove_pair(sum: &mut Masked, of: &Address, missing: &Address, seed: &Hash) {
    if of < missing {
        subtract(sum, &expand(seed));
    } else {
        add(sum, &expand(seed));
    }
}

/// What the sum stands for, if no number of it is larger than so many clipped ones can make.
///
/// Whoever submits more than the clip allows is invisible under the mask; but honest sums are always inside, and what is
/// outside is thrown away. So no weight moves further in a round than the clip, whatever anybody submits.
pub(crate) fn inside(sum: &Masked, submitted: u32, clip: u32) -> Option<[i32; WEIGHTS]> {
    let largest = clip.checked_mul(submitted)?;
    let sum = sum.map(u32::cast_signed);
    sum.iter().all(|number| number.unsigned_abs() <= largest).then_some(sum)
}

/// The average, to the nearest, of two the even one.
pub(crate) fn average(sum: i32, count: u32) -> i32 {
    let (sum, count) = (i64::from(sum), i64::from(count));
    let (floor, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
    let up = 2 * rest > count || (2 * rest == count && floor % 2 != 0);
    // An average is no larger than what it is of.
    i32::try_from(floor + i64::from(up)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{average, inside};
    use crate::WEIGHTS;

    #[test]
    fn averages_are_rounded_to_the_nearest() {
        let expected =
            [(7, 2, 4), (5, 2, 2), (-5, 2, -2), (-7, 2, -4), (10, 3, 3), (11, 3, 4), (-10, 3, -3), (-11, 3, -4)];
        for (sum, count, nearest) in expected {
            assert_eq!(average(sum, count), nearest, "{sum} / {count}");
        }
        assert_eq!((average(i32::MIN, 1), average(i32::MAX, 1)), (i32::MIN, i32::MAX));
    }

    #[test]
    fn what_clipped_updates_cannot_make_is_outside() {
        let mut sum = [0; WEIGHTS];
        sum[3] = (-300i32).cast_unsigned();
        assert_eq!(inside(&sum, 3, 100).unwrap()[3], -300);
        sum[3] = (-301i32).cast_unsigned();
        assert_eq!(inside(&sum, 3, 100), None);
        sum[3] = 1 << 31;
        assert_eq!(inside(&sum, 3, 100), None);
    }
}
