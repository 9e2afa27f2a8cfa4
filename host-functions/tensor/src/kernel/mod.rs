//! Arithmetic on slices: what the opcodes and the model executor are made of.
//!
//! Every function takes the [`Kernels`] whose level and threads it shall use. Slices are row-major;
//! a length that does not fit the stated shape is a mistake of the calling code and panics before
//! anything is written.

mod argmax;
mod attention;
mod binary;
mod candle_f32;
mod elementwise;
mod exp;
mod function;
mod linear;
mod lookup;
mod movement;
#[cfg(target_arch = "aarch64")]
mod neon;
mod norm;
mod packed;
mod panels;
mod portable;
mod quantise;
mod reduce;
pub(crate) mod reference;
mod requantise;
mod round;
mod softmax;
mod strided;
mod trees;
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(feature = "cuda")]
pub(crate) use exp::tables as exp_tables;

pub use argmax::{argmax_rows, argmin_rows};
pub use attention::{Head, MAX_KEYS, Scale, attention_head};
pub use binary::{
    Binary, MAX_PRODUCT_SHIFT, Numbers, Operand, ProductScale, Relation, Unary, binary, binary_checked, compare,
    mul_requantise, select, unary,
};
pub use elementwise::{add, add_broadcast, copy_box, relu};
pub use function::{Format, Function, MAX_IN_BITS, MAX_OUT_BITS, apply as apply_function};
pub use linear::{linear_i8, linear_i8_wide, linear_i16, linear_i16_i16, linear_u8, linear_u8_wide, max_k_i32};
pub use lookup::lookup;
pub use movement::{copy_strided, gather, paste_box, row_major};
pub use norm::{MAX_NORM_ROW, MAX_NORM_SHIFT, Norm, norm_rows};
pub use packed::{PackedWeights, PackedWeights16};
pub use quantise::{STEP_BITS, quantise_rows, row_step};
pub use reduce::{Axis, Reduction, cumulative_sum, reduce, reduce_sum};
pub use requantise::{Scales, requantise_rows};
pub use round::{round_shift, round_shift_i128};
pub use softmax::{MAX_SOFTMAX_ROW, Softmax, softmax_rows};
pub use trees::{Decision, PackedTrees, Tree, tree_sums};

use crate::Kernels;

#[cfg(test)]
mod tests;
