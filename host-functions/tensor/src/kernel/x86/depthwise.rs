//! Depthwise convolution: the portable loops, compiled for wider vectors.

use crate::kernel::{
    convolution::{Factor, lanes_of_any_machine},
    linear::Accumulator,
};

/// As [`lanes_of_any_machine`].
pub(in crate::kernel) fn lanes_avx2<X: Factor, W: Factor, A: Accumulator>(
    seen: &[&[X]],
    w: &[W],
    at: (usize, usize),
    out: &mut [A],
) {
    #[target_feature(enable = "avx2")]
    fn compiled<X: Factor, W: Factor, A: Accumulator>(seen: &[&[X]], w: &[W], at: (usize, usize), out: &mut [A]) {
        lanes_of_any_machine(seen, w, at, out);
    }
    // SAFETY: kernels of these levels are only made where `Level::is_available` has found AVX2.
    unsafe { compiled(seen, w, at, out) }
}

/// As [`lanes_of_any_machine`].
pub(in crate::kernel) fn lanes_avx512<X: Factor, W: Factor, A: Accumulator>(
    seen: &[&[X]],
    w: &[W],
    at: (usize, usize),
    out: &mut [A],
) {
    #[target_feature(enable = "avx2,avx512f,avx512bw")]
    fn compiled<X: Factor, W: Factor, A: Accumulator>(seen: &[&[X]], w: &[W], at: (usize, usize), out: &mut [A]) {
        lanes_of_any_machine(seen, w, at, out);
    }
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AVX2 and AVX-512 F and BW.
    unsafe { compiled(seen, w, at, out) }
}
