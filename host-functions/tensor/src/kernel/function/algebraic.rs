//! Functions whose values are roots and quotients of integers: exact, ties included.

use super::super::round::rne_div;

/// More than any result of 32 bits.
const HUGE: i64 = 1 << 32;

/// `rne(2^out_bits * sqrt(x / 2^in_bits))`.
#[inline(always)]
pub(super) fn sqrt(x: u64, in_bits: u32, out_bits: u32) -> i64 {
    // Twice the root is that of 4 x 2^(2 out_bits - in_bits).
    match (2 * out_bits + 2).checked_sub(in_bits) {
        Some(shift) if x.leading_zeros() < shift => HUGE,
        Some(shift) => half_root(x << shift, true),
        None => {
            let shift = in_bits - 2 * out_bits - 2;
            half_root(x >> shift, (x >> shift) << shift == x)
        }
    }
}

/// `rne(2^out_bits / sqrt(x / 2^in_bits))`.
#[inline(always)]
pub(super) fn rsqrt(x: u64, in_bits: u32, out_bits: u32) -> i64 {
    // 2^power / x in two steps, as a power has up to 78 bits.
    let power = 2 * out_bits + in_bits + 2;
    let (first, more) = (power.min(62), power.saturating_sub(62));
    let (high, rest) = ((1 << first) / x, (1 << first) % x);
    if high.leading_zeros() < more {
        return HUGE;
    }
    // A remainder has 15 bits, and there are 16 more.
    let low = rest << more;
    half_root((high << more) + low / x, low % x == 0)
}

/// `rne(2^out_bits / (x / 2^in_bits))`.
#[inline(always)]
pub(super) fn recip(x: i64, in_bits: u32, out_bits: u32) -> i64 {
    // At most 2^46 over at least 1.
    rne_div(1 << (in_bits + out_bits), x.unsigned_abs()).cast_signed() * x.signum()
}

/// `rne(sqrt(n) / 2)` of a number that is `floor(n)`, and `n` itself if that is `exact`.
#[inline(always)]
fn half_root(floor: u64, exact: bool) -> i64 {
    let doubled = root(floor);
    let up = doubled.div_ceil(2);
    // A tie: the doubled root is odd and exact.
    let tie = exact & (doubled & 1 == 1) & (doubled.wrapping_mul(doubled) == floor);
    up.wrapping_sub(u64::from(tie) & up).cast_signed()
}

/// `floor(sqrt(n))`, which `u64::isqrt` takes three divisions for.
#[inline(always)]
#[allow(clippy::as_conversions, reason = "an index of 9 bits; differences change their sign type")]
fn root(n: u64) -> u64 {
    // From 2^62 on, if n is not 0.
    let zeros = (n | 1).leading_zeros() & !1;
    let a = n.wrapping_shl(zeros);
    let high = a >> 32;
    // 1 / sqrt(a / 2^62) with 16 bits, off by at most a 2^9th of it; a step of Newton's method, then off by less than a 2^17th.
    let guess = u64::from(INVERSE_ROOTS[((a >> 55) as usize).saturating_sub(128)]);
    let rest = (1i64 << 62).wrapping_sub_unsigned(high.wrapping_mul(guess.wrapping_mul(guess)));
    let inverse = (guess << 16).wrapping_add_signed((guess as i64).wrapping_mul(rest >> 16) >> 31);
    // The root with 17 bits, and what is missing: off by less than a fifth, so that a fourth less is not too much.
    let near = high.wrapping_mul(inverse) >> 31;
    let missing = a.wrapping_sub(near.wrapping_mul(near)) as i64;
    let more = (missing >> 20).wrapping_mul(inverse as i64).wrapping_sub(1 << 42) >> 44;
    let below = near.wrapping_add_signed(more);
    // For 0 this is one less than nothing, of which the square is 1, and then nothing again.
    let rest = a.wrapping_sub(below.wrapping_mul(below));
    below.wrapping_add(u64::from(rest > below.wrapping_mul(2))).wrapping_shr(zeros / 2)
}

/// `2^16 / sqrt(x)` in the middle of each 128th from 1 to 4.
#[allow(clippy::as_conversions, reason = "constants cannot call From; at most 16 bits")]
static INVERSE_ROOTS: [u16; 384] = {
    let (mut out, mut i) = ([0; 384], 0);
    while i < 384 {
        out[i] = ((256u64 << 32) / (2 * (128 + i as u64) + 1)).isqrt() as u16;
        i += 1;
    }
    out
};

#[cfg(test)]
mod tests {
    use super::root;

    /// Every number that `sqrt` and `rsqrt` take the root of.
    #[test]
    fn every_root() {
        for x in 1..1u64 << 15 {
            for shift in 0..64 - x.ilog2() {
                assert_eq!(root(x << shift), (x << shift).isqrt(), "{x} * 2^{shift}");
                assert_eq!(root(x >> (shift & 15)), (x >> (shift & 15)).isqrt(), "{x} / 2^{shift}");
            }
            for power in 0..=78 {
                let quotient = (1u128 << power) / u128::from(x);
                if let Ok(quotient) = u64::try_from(quotient) {
                    assert_eq!(root(quotient), quotient.isqrt(), "2^{power} / {x}");
                }
            }
        }
    }

    #[test]
    fn roots() {
        let squares = (0..64).map(|bits| (1u64 << bits).isqrt()).chain([3, 46_341, 3_037_000_500, u64::from(u32::MAX)]);
        let edges = squares.flat_map(|root| [root * root, (root * root).wrapping_sub(1), root * root + 1]);
        for n in edges.chain(0..100_000).chain([u64::MAX, u64::MAX - 1, 1 << 62, (1 << 62) - 1]) {
            assert_eq!(root(n), n.isqrt(), "{n}");
        }
    }

    proptest::proptest! {
        #[test]
        fn roots_of_anything(n: u64, bits in 0u32..64, root_of: u32) {
            let square = u64::from(root_of) * u64::from(root_of);
            for n in [n >> bits, square, square.wrapping_sub(1), square + 1] {
                proptest::prop_assert_eq!(root(n), n.isqrt(), "{}", n);
            }
        }
    }
}
