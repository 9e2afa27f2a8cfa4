//! x86-64 kernels.
//!
//! The only unsafe code is here: loads from slices whose bounds are known, and calls into functions
//! that need instructions which [`Level::is_available`](crate::Level::is_available) has found.
#![allow(unsafe_code, reason = "SIMD loads and calls into functions with target features")]
#![allow(clippy::as_conversions, reason = "pointers to vectors")]

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

pub(crate) mod amx;
pub(super) mod avx2;
pub(super) mod avx2_trees;
pub(super) mod avx512_trees;
pub(super) mod avx512_vnni;
pub(super) mod avx_vnni;
pub(super) mod bytes;
pub(super) mod depthwise;
pub(super) mod requantise;
pub(super) mod vectors;

/// Asks for what is about to be written, so that it has come when the sums for it are there: the rows of a large result
/// lie too far from each other for the machine to guess the next one.
#[inline(always)]
fn prefetch<A>(out: &[A]) {
    const LINE: usize = 64;
    for line in out.chunks(LINE / size_of::<A>()) {
        // SAFETY: a prefetch reads nothing; every x86-64 machine has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}
