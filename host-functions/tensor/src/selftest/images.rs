//! Cases of convolutions and pools, small enough to be written here; the answers are those of
//! `conformance-tests/scripts/windows.py`.

use super::{compare, text};
use crate::{
    Kernels,
    kernel::{self, Convolution, PackedWeights, Pool, Products, Window},
};

/// How many cases there are.
pub(super) const CASES: usize = 2;

/// Every case with its result.
pub(super) fn cases(kernels: &Kernels) -> [(&'static str, Result<(), String>); CASES] {
    [("convolution", convolution(kernels)), ("pools", pools(kernels))]
}

/// Three by three, two channels.
const IMAGE: [i8; 18] = [-117, -80, -43, -6, 31, 68, 105, -114, -77, -40, -3, 34, 71, 108, -111, -74, -37, 0];

const WEIGHTS: [i8; 16] = [-123, -70, -17, 36, 89, -114, -61, -8, 45, 98, -105, -52, 1, 54, 107, -96];

/// Two by two taps over some of the image, to two channels.
fn sides(input: [usize; 2], output: [usize; 2], groups: usize) -> Convolution {
    let window =
        Window { input, output, kernel: [2, 2], strides: [1, 1], pads: [0, 0], dilations: [1, 1], transposed: false };
    Convolution { window, images: 1, channels: 2, outputs: 2, groups }
}

fn convolve(
    kernels: &Kernels,
    sides: &Convolution,
    x: &[i8],
    pad: i8,
    w: &[i8],
    expected: &[i32],
) -> Result<(), String> {
    let products = Products { pack: PackedWeights::pack, linear: kernel::linear_i8 };
    let mut out = vec![-77i32; expected.len()];
    kernel::convolve(kernels, sides, (x, pad), w, &products, &mut out).map_err(text)?;
    compare(&out, expected)
}

fn convolution(kernels: &Kernels) -> Result<(), String> {
    let mut plain = sides([3, 3], [3, 2], 1);
    plain.window.pads = [1, 0];
    let expected = [2596, -8364, -4360, -3480, 47_864, -18_728, 5248, -15_136, -3696, 4848, 14_360, -16_904];
    convolve(kernels, &plain, &IMAGE, -7, &WEIGHTS, &expected)?;
    let expected = [
        12_844, 838, 4320, -6118, -3864, 3612, -12_728, -11_582, 10_236, -2922, 896, 2660, -906, 17_841, 16_300, -6793,
        4398, -549,
    ];
    convolve(kernels, &sides([3, 3], [3, 3], 2), &IMAGE, 3, &WEIGHTS[..8], &expected)?;
    let mut transposed = sides([2, 2], [3, 3], 1);
    (transposed.window.strides, transposed.window.pads, transposed.window.transposed) = ([2, 2], [1, 1], true);
    let expected = [
        7777, -4839, -3143, -367, 2671, -4025, 1921, -6791, -4935, -6447, -5889, -5097, -2435, -3211, 22_341, -6051,
        -5493, 22_179,
    ];
    convolve(kernels, &transposed, &IMAGE[..8], 0, &WEIGHTS, &expected)
}

fn pools(kernels: &Kernels) -> Result<(), String> {
    let mut window = sides([3, 3], [2, 2], 1).window;
    (window.strides, window.pads) = ([2, 2], [1, 1]);
    for (pool, expected) in [
        (Pool::Max, [-117i8, -80, 31, 68, 105, 108, -3, 34]),
        (Pool::Average, [-29, -20, -3, 16, 44, -2, -57, -20]),
        (Pool::AverageSeen, [-117, -80, -6, 31, 88, -3, -57, -20]),
    ] {
        let mut out = [77i8; 8];
        kernel::pool(kernels, &window, 2, pool, &IMAGE, &mut out);
        compare(&out, &expected)?;
        let wide = IMAGE.map(i64::from);
        let mut out = [77i64; 8];
        kernel::pool(kernels, &window, 2, pool, &wide, &mut out);
        compare(&out, &expected)?;
    }
    Ok(())
}
