//! Exact integer tensors: values, opcodes and kernels.
//!
//! ```text
//!   ops/      one file per `op` row of the table: check shapes (`plan`), then run as a candle
//!     |       custom operation (`run`)
//!     v
//!   kernel/   slices in, slices out; one entry per primitive, dispatched on the level
//!     |
//!     +-- reference   naive loops in checked 128-bit arithmetic: the oracle
//!     +-- portable    plain Rust that the compiler vectorises
//!     +-- candle-f32  candle's float product, K split so that it is exact
//!     +-- avx2, avx-vnni, avx512-vnni, amx, neon
//!
//!   program/  the same operations for a device: one opcode, or a whole graph
//!     v
//!   device/   the seam to accelerators: checks, fallback to the CPU, alarms
//!     +-- cuda (feature `cuda`)
//! ```
//!
//! Every result is a mathematical function of the integers that go in: exact, or the exact value
//! rounded once to nearest with ties to even. It cannot depend on the level, the thread count, the
//! batch or the machine, and [`Kernels::new`] refuses a level that gets one bit of its known answers
//! wrong.
//!
//! ```
//! use noema_tensor::{Kernels, Level, Shape, Tensor, ops};
//!
//! let kernels = Kernels::new(Level::best(), 1)?;
//! let a = Tensor::from_vec(Shape::new(&[1, 3])?, vec![1i8, -2, 3])?;
//! let b = Tensor::from_vec(Shape::new(&[3, 2])?, vec![1i8, 0, 0, 1, 1, 1])?;
//! let plan = ops::matmul::plan(&a, &b)?;
//! assert_eq!(ops::matmul::run(&kernels, &plan, &a, &b)?.to_vec::<i32>()?, [4, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::as_conversions, clippy::float_arithmetic, clippy::host_endian_bytes)]
#![cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(dead_code, unused_variables, reason = "what only kernels of our own for a processor's vectors use")
)]

#[cfg(feature = "cuda")]
pub mod cuda;
pub mod device;
mod element;
mod error;
pub mod kernel;
mod kernels;
mod level;
pub mod ops;
mod plan;
pub mod program;
mod selftest;
mod shape;
mod tensor;
pub mod work;

pub use element::Element;
pub use error::OpError;
pub use kernels::{KernelError, Kernels};
pub use level::{Level, UnknownLevel};
pub use noema_abi::{DType, Status};
pub use plan::Plan;
pub use selftest::{Difference, SelfTestReport, selftest};
pub use shape::Shape;
pub use tensor::Tensor;
