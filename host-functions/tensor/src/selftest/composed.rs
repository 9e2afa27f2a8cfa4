//! Cases of the opcodes that are compositions of rounded steps, and of the check of products; the answers are those of
//! `conformance-tests/scripts`.

use super::{compare, text};
use crate::{
    Kernels,
    kernel::{self, Activations, Norm, PackedWeights, Rotary, Scales, Softmax},
};

/// How many cases there are.
pub(super) const CASES: usize = 6;

/// Every case with its result.
pub(super) fn cases(kernels: &Kernels) -> [(&'static str, Result<(), String>); CASES] {
    [
        ("log-softmax", log_softmax(kernels)),
        ("rows over their length", l2_norm(kernels)),
        ("group norm", group_norm(kernels)),
        ("rotary embedding", rotary(kernels)),
        ("Freivalds' check", freivalds(kernels)),
        ("products requantised at once", requantised(kernels)),
    ]
}

fn log_softmax(kernels: &Kernels) -> Result<(), String> {
    let mut out = [77; 6];
    let softmax = Softmax::new(1_717_986_918, 36, 24).map_err(text)?;
    kernel::log_softmax_rows(kernels, &[127i8, 126, 100, 64, 0, -128], 6, softmax, &mut out);
    compare(&out, LOG_SOFTMAX)
}

fn l2_norm(kernels: &Kernels) -> Result<(), String> {
    let mut out = [77i32; 5];
    kernel::l2_norm_rows(kernels, &[3i16, -4, 12, 32_767, -1], 5, 9, 28, &mut out);
    compare(&out, L2_NORM)
}

fn group_norm(kernels: &Kernels) -> Result<(), String> {
    let mut out = [77i32; 12];
    let x = [5i8, -7, 100, 3, 0, -128, 1, 9, 44, -45, 46, 127];
    let (gain, bias) = ([1 << 20, 70_000, -(1 << 19), 5], [0, 1 << 15, -3, 1 << 12]);
    let norm = Norm { gain: &gain, bias: Some(&bias), epsilon: 168, shift: 6 };
    kernel::group_norm(kernels, &x, 3, 2, norm, &mut out);
    compare(&out, GROUP_NORM)
}

fn rotary(kernels: &Kernels) -> Result<(), String> {
    let x = [100i16, -32_768, 3, 32_767, 5, 6, -7, 8];
    let (cos, sin) = ([32_767i16, 23_170, 0, -32_768], [0i16, 23_170, 32_767, 1]);
    for (interleaved, expected) in [(false, ROTARY[0]), (true, ROTARY[1])] {
        let mut out = [77i16; 8];
        let rotary = Rotary { cos: &cos, sin: &sin, bits: 15, interleaved };
        kernel::rotary_rows(kernels, rotary, &x, 4, &mut out);
        compare(&out, expected)?;
    }
    Ok(())
}

fn freivalds(kernels: &Kernels) -> Result<(), String> {
    // The product of [3, -4] and [[5, 6], [7, 8]], right, wrong by one, and as wide numbers.
    let r = kernel::challenge(b"seed", 2);
    let mut projected = [7; 2];
    kernel::project(kernels, &[5i8, 6, 7, 8], &r, &mut projected);
    let mut sums = [0; 3];
    kernel::accumulate(kernels, &[3i16, -4, 3, -4, 3, -4], (2, 0), &projected[..1], &mut sums);
    kernel::accumulate(kernels, &[3i16, -4, 3, -4, 3, -4], (2, 1), &projected[1..], &mut sums);
    let mut out = [7; 3];
    kernel::agree(kernels, &[-13i32, -14, -13, -15, -13, -14], &r, &sums, &mut out);
    compare(&out, &[1, 0, 1])?;
    // As many times p away: nothing that a sum of products could be.
    let far = (1i64 << 61) - 1;
    kernel::agree(kernels, &[-13i64, -14, -13 + far, -14, -13, -14 - far], &r, &sums, &mut out);
    compare(&out, &[1, 0, 0])
}

/// Beside the product and the requantisation one after the other, which have cases of their own.
fn requantised(kernels: &Kernels) -> Result<(), String> {
    const ROWS: usize = 37;
    let (k, n) = (131, 53);
    let byte = |i: usize| (i * i * 7 + i * 31).to_le_bytes()[0].cast_signed();
    let (bytes, w): (Vec<i8>, Vec<i8>) = ((0..ROWS * k).map(byte).collect(), (3..n * k + 3).map(byte).collect());
    let words: Vec<i16> = bytes.iter().map(|x| 251 * i16::from(*x)).collect();
    let bias: Vec<i32> = bytes[..n].iter().map(|x| 1000 * i32::from(*x)).collect();
    let weights = PackedWeights::pack(kernels.level(), k, n, &w).map_err(text)?;
    // Scales that let nothing lie in the middle, and some that do.
    for (multiplier, shift) in [(1_518_500_249, 43), (1 << 30, 40)] {
        let (multipliers, shifts) = (vec![multiplier; n], vec![shift; n]);
        let scales = Scales { multipliers: &multipliers, shifts: &shifts, zero_point: 3 };
        for x in [Activations::I8(&bytes), Activations::I16(&words)] {
            let (mut sums, mut expected, mut out) = (vec![0; ROWS * n], vec![0i8; ROWS * n], vec![77i8; ROWS * n]);
            kernel::linear_biased(kernels, x, ROWS, &weights, &bias, &mut sums).map_err(text)?;
            kernel::requantise_rows(kernels, &sums, n, scales, &mut expected);
            if kernel::requantises_at_once(kernels.level()) {
                kernel::linear_requantised(kernels, x, ROWS, &weights, &bias, scales, &mut out).map_err(text)?;
                compare(&out, &expected)?;
            }
        }
    }
    Ok(())
}

const LOG_SOFTMAX: &[i32] = &[-16_879_910, -17_299_341, -28_204_531, -43_304_025, -70_147_571, -123_834_662];
const L2_NORM: &[i32] = &[24_577, -32_769, 98_307, 268_435_435, -8192];
const GROUP_NORM: &[i32] = &[8127, 812, -8660, 64, 6613, -1635, 7723, 64, 19_939, 44, 276, 64];
const ROTARY: [&[i16]; 2] = [&[100, -32_768, 3, -1, 7, -6, 5, -8], &[100, -32_767, -23_167, 23_171, -6, 5, 7, -8]];
