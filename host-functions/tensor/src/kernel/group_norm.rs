//! Layer normalisation of groups of channels, which come last.
//!
//! The formula and its bounds are those of [`norm_rows`](super::norm_rows) with all elements of a group of an image in the place of
//! a row. The bounds hold for `2^16` elements of 32 bits, and for `2^24` of at most 16: `|D| < 2^41`,
//! `V < 2^78`, and `n^2 * epsilon < 2^112`.

use super::{Kernels, MAX_NORM_ROW, MAX_NORM_SHIFT, Norm, norm, round};
use crate::{DType, Element, Level};

/// The largest group of elements of at most 16 bits.
pub const MAX_NARROW_GROUP: usize = 1 << 24;

/// Groups whose sums are kept at a time.
const BLOCK: usize = 64;

/// The largest group of elements of a type.
#[must_use]
pub const fn max_group(x: DType) -> usize {
    match x {
        DType::I32 => MAX_NORM_ROW,
        _ => MAX_NARROW_GROUP,
    }
}

/// Normalises images of `places` times as many channels as `norm` has gains, each group of `width` channels by itself.
///
/// # Panics
/// Where lengths do not fit together, a group is empty or larger than [`max_group`], or the shift is above [`MAX_NORM_SHIFT`].
pub fn group_norm<X: Element, Y: Element>(
    k: &Kernels,
    x: &[X],
    places: usize,
    width: usize,
    norm: Norm<'_>,
    out: &mut [Y],
) {
    let channels = norm.gain.len();
    assert_eq!(x.len(), out.len(), "results of another shape");
    assert!(width > 0 && channels.is_multiple_of(width), "groups that leave a remainder");
    assert!((1..=max_group(X::DTYPE)).contains(&(places * width)), "a group too small or too large");
    assert!(norm.bias.is_some_and(|bias| bias.len() == channels), "biases of another shape");
    assert!(norm.shift <= MAX_NORM_SHIFT, "a shift above {MAX_NORM_SHIFT}");
    if x.is_empty() {
        return;
    }
    let image = places * channels;
    assert!(x.len().is_multiple_of(image), "images of another shape");
    let level = k.level();
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 100;
    k.split_rows((x, image), (out, image), image.saturating_mul(WORK), |x, out| {
        for (x, out) in x.chunks_exact(image).zip(out.chunks_exact_mut(image)) {
            if level == Level::Reference {
                reference_image(x, width, norm, out);
            } else {
                for first in (0..channels).step_by(BLOCK * width) {
                    block(x, (first, channels.min(first + BLOCK * width)), width, norm, out);
                }
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::GroupNorm, out);
}

/// What is known about a group.
#[derive(Clone, Copy, Default)]
struct Group {
    sum: i64,
    squares: u128,
    root: i128,
    exponent: u32,
}

/// The groups of some channels of one image.
fn block<X: Element, Y: Element>(x: &[X], (first, end): (usize, usize), width: usize, norm: Norm<'_>, out: &mut [Y]) {
    let channels = norm.gain.len();
    let mut groups = [Group::default(); BLOCK];
    for x in x.chunks_exact(channels) {
        for (x, group) in x[first..end].chunks_exact(width).zip(&mut groups) {
            group.sum += x.iter().map(|x| Into::<i64>::into(*x)).sum::<i64>();
            group.squares += norm::squares(x);
        }
    }
    let n = i64::try_from(x.len() / channels * width).expect("at most 2^24");
    let count = u128::from(n.unsigned_abs());
    for group in &mut groups[..(end - first) / width] {
        let sum = u128::from(group.sum.unsigned_abs());
        let variance = count * group.squares - sum * sum;
        let radicand = (variance << norm::EPSILON_BITS) + count * count * u128::from(norm.epsilon);
        let (root, exponent) = norm::reciprocal_root(radicand);
        (group.root, group.exponent) = (i128::from(root), exponent);
    }
    let bias = norm.bias.unwrap_or_default();
    for (x, out) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
        let rows = x[first..end].chunks_exact(width).zip(out[first..end].chunks_exact_mut(width));
        for (index, ((x, out), group)) in rows.zip(&groups).enumerate() {
            let scale = group.exponent + 31 - norm::EPSILON_BITS / 2;
            for (i, (x, out)) in x.iter().zip(out).enumerate() {
                let channel = first + index * width + i;
                let x: i64 = (*x).into();
                let product = i128::from(n * x - group.sum) * i128::from(norm.gain[channel]) * group.root;
                let value = product + (i128::from(bias[channel]) << scale);
                *out = Y::saturate(round::rne_shift(value, scale + norm.shift));
            }
        }
    }
}

/// Group after group as a row of its own.
fn reference_image<X: Element, Y: Element>(x: &[X], width: usize, norm: Norm<'_>, out: &mut [Y]) {
    let channels = norm.gain.len();
    let bias = norm.bias.unwrap_or_default();
    for group in 0..channels / width {
        let of_group = |at: &usize| at % channels / width == group;
        let places: Vec<usize> = (0..x.len()).filter(of_group).collect();
        let row: Vec<X> = places.iter().map(|at| x[*at]).collect();
        let gain: Vec<i32> = places.iter().map(|at| norm.gain[at % channels]).collect();
        let bias: Vec<i32> = places.iter().map(|at| bias[at % channels]).collect();
        let mut found = vec![Y::default(); row.len()];
        norm::reference_row(&row, Norm { gain: &gain, bias: Some(&bias), ..norm }, &mut found);
        for (at, found) in places.iter().zip(found) {
            out[*at] = found;
        }
    }
}
