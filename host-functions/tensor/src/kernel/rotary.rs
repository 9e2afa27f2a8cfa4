//! Pairs of elements turned by angles: rotary position embedding.

use super::{Kernels, reference::rne_ratio};
use crate::{Element, Level};

/// The angles, and which elements are a pair.
#[derive(Clone, Copy, Debug)]
pub struct Rotary<'a> {
    /// Cosines of each row, half as many as a row is long.
    pub cos: &'a [i16],
    /// Sines.
    pub sin: &'a [i16],
    /// Fraction bits of both, at most 15.
    pub bits: u32,
    /// Elements `2 i` and `2 i + 1` are pair `i`; else elements `i` and `i + row / 2`.
    pub interleaved: bool,
}

/// With `(a, b)` a pair of a row: `a' = sat(rne((a cos - b sin) / 2^bits))`, `b' = sat(rne((b cos + a sin) / 2^bits))`. Rows are
/// `row` elements of at most 32 bits; after as many as there are angles for, the angles begin again.
///
/// # Panics
/// Where lengths do not fit together, a row is odd or empty, or `bits` is above 15.
pub fn rotary_rows<T: Element>(k: &Kernels, rotary: Rotary<'_>, x: &[T], row: usize, out: &mut [T]) {
    let half = row / 2;
    assert!(row > 0 && row.is_multiple_of(2) && x.len().is_multiple_of(row) && x.len() == out.len(), "other rows");
    assert!(rotary.cos.len() == rotary.sin.len() && rotary.cos.len().is_multiple_of(half), "other angles");
    assert!(rotary.bits <= 15, "more than 15 bits");
    if x.is_empty() {
        return;
    }
    let level = k.level();
    let angles = rotary.cos.len() / half;
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 20;
    let done = k.split_out(out, row, row.saturating_mul(WORK), |first, out| {
        let rows = x[first * row..].chunks_exact(row).zip(out.chunks_exact_mut(row));
        for (index, (x, out)) in rows.enumerate() {
            let at = (first + index) % angles * half;
            let (cos, sin) = (&rotary.cos[at..at + half], &rotary.sin[at..at + half]);
            for (pair, (cos, sin)) in cos.iter().zip(sin).enumerate() {
                let (a, b) = if rotary.interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + half) };
                [out[a], out[b]] = turn(level, [x[a], x[b]], [*cos, *sin], rotary.bits);
            }
        }
        Ok(())
    });
    done.expect("nothing here can fail");
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Rotary, out);
}

#[inline(always)]
fn turn<T: Element>(level: Level, [a, b]: [T; 2], [cos, sin]: [i16; 2], bits: u32) -> [T; 2] {
    if level == Level::Reference {
        let [a, b]: [i128; 2] = [a.into(), b.into()];
        let [cos, sin] = [i128::from(cos), i128::from(sin)];
        return [a * cos - b * sin, b * cos + a * sin].map(|sum| T::saturate(rne_ratio(sum, 1 << bits)));
    }
    // Two products of 2^31 * 2^15: far inside 64 bits.
    let [a, b]: [i64; 2] = [a.into(), b.into()];
    let [cos, sin] = [i64::from(cos), i64::from(sin)];
    let sums =
        [a.wrapping_mul(cos).wrapping_sub(b.wrapping_mul(sin)), b.wrapping_mul(cos).wrapping_add(a.wrapping_mul(sin))];
    sums.map(|sum| {
        if bits == 0 {
            return T::saturate_i64(sum);
        }
        // Half a unit less one rounds ties down; the lowest bit of the quotient lifts odd ones up.
        let odd = (sum >> bits) & 1;
        T::saturate_i64(sum.wrapping_add((1 << (bits - 1)) - 1).wrapping_add(odd) >> bits)
    })
}
