//! x86-64 kernels.
//!
//! The only unsafe code is here: loads from slices whose bounds are known, and calls into functions
//! that need instructions which [`Level::is_available`](crate::Level::is_available) has found.
#![allow(unsafe_code, reason = "SIMD loads and calls into functions with target features")]
#![allow(clippy::as_conversions, reason = "pointers to vectors")]

pub(super) mod avx2;
pub(super) mod avx512_vnni;
pub(super) mod avx_vnni;
pub(super) mod bytes;
