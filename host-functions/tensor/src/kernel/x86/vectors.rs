//! Loops of [`kernel::vectors`](crate::kernel::vectors), compiled for the vectors of x86-64.

use crate::kernel::vectors::Vectors;

/// For vectors of 256 bits.
pub(in crate::kernel) fn avx2<V: Vectors>(work: V) -> V::Output {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn compiled<V: Vectors>(work: V) -> V::Output {
        work.run()
    }
    // SAFETY: kernels of these levels are only made where `Level::is_available` has found these features.
    unsafe { compiled(work) }
}

/// For vectors of 512 bits.
pub(in crate::kernel) fn avx512<V: Vectors>(work: V) -> V::Output {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,avx512f,avx512bw,avx512dq,avx512vl")]
    fn compiled<V: Vectors>(work: V) -> V::Output {
        work.run()
    }
    // SAFETY: kernels of this level are only made where `Level::is_available` has found these features.
    unsafe { compiled(work) }
}
