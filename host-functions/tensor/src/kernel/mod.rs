//! Arithmetic on slices: what the opcodes and the model executor are made of.
//!
//! Every function takes the [`Kernels`] whose level and threads it shall use. Slices are row-major;
//! a length that does not fit the stated shape is a mistake of the calling code and panics before
//! anything is written.

mod argmax;
mod candle_f32;
mod elementwise;
mod exp;
mod linear;
#[cfg(target_arch = "aarch64")]
mod neon;
mod packed;
mod panels;
mod portable;
pub(crate) mod reference;
mod requantise;
mod round;
mod softmax;
mod strided;
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(feature = "cuda")]
pub(crate) use exp::tables as exp_tables;

pub use argmax::argmax_rows;
pub use elementwise::{add, add_broadcast, copy_box, relu};
pub use linear::{linear_i8, linear_i8_wide, linear_i16, linear_i16_i16, linear_u8, linear_u8_wide, max_k_i32};
pub use packed::{PackedWeights, PackedWeights16};
pub use requantise::{Scales, requantise_rows};
pub use round::{round_shift, round_shift_i128};
pub use softmax::{MAX_SOFTMAX_ROW, Softmax, softmax_rows};

use crate::Kernels;

#[cfg(test)]
mod tests;
