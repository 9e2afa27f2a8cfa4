//! Arithmetic on slices: what the opcodes and the model executor are made of.
//!
//! Every function takes the [`Kernels`] whose level and threads it shall use. Slices are row-major;
//! a length that does not fit the stated shape is a mistake of the calling code and panics before
//! anything is written.

mod argmax;
mod attention;
mod binary;
mod candle_f32;
mod convolution;
mod elementwise;
mod ending;
mod exp;
mod exp_estimates;
mod exp_rows;
mod freivalds;
mod function;
mod group_norm;
mod l2_norm;
mod linear;
mod log_softmax;
mod lookup;
mod matmul;
mod movement;
#[cfg(target_arch = "aarch64")]
mod neon;
mod norm;
mod order;
mod packed;
mod panels;
mod pool;
mod portable;
mod product;
mod quantise;
mod reduce;
pub(crate) mod reference;
mod requantise;
mod rotary;
mod round;
mod scale;
mod softmax;
mod strided;
mod trees;
mod unary;
mod vectors;
mod wide;
mod window;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

#[cfg(feature = "cuda")]
pub(crate) use exp::tables as exp_tables;

pub use argmax::{argmax_rows, argmin_rows};
pub use attention::{Head, MAX_KEYS, Scale, attention_head};
pub use binary::{Binary, Operand, Relation, binary, binary_checked, compare, select};
pub use convolution::{
    Convolution, conv2d_i8, conv2d_i8_wide, conv2d_i16, conv2d_i16_narrow, conv2d_u8, conv2d_u8_wide,
};
pub(crate) use convolution::{Products, convolve};
pub use elementwise::{add, add_broadcast, copy_box, relu};
pub use freivalds::{CHALLENGE, accumulate, agree, challenge, project};
pub use function::{Format, Function, MAX_IN_BITS, MAX_OUT_BITS, apply as apply_function, table as function_table};
pub use group_norm::{MAX_NARROW_GROUP, group_norm, max_group};
pub use l2_norm::l2_norm_rows;
pub use linear::{
    Activations, linear_biased, linear_biased_wide, linear_i8, linear_i8_wide, linear_i16, linear_i16_i16,
    linear_i16_narrow, linear_requantised, linear_u8, linear_u8_wide, max_k_i32, requantises_at_once,
};
pub use log_softmax::log_softmax_rows;
pub use lookup::lookup;
pub use matmul::{matmul_i8, matmul_i8_wide, matmul_i16, matmul_i16_i16, matmul_u8, matmul_u8_wide};
pub use movement::{
    Places, copy_strided, gather, gather_elements, paste_box, pick, row_major, scatter, tile, triangle,
};
pub use norm::{MAX_NORM_ROW, MAX_NORM_SHIFT, Norm, norm_rows};
pub use order::{MAX_TOP_ROW, Order, sort_rows, top_rows};
pub use packed::{PackedWeights, PackedWeights16};
pub use pool::{Pool, pool};
pub use product::{MAX_PRODUCT_SHIFT, Numbers, ProductScale, mul_requantise};
pub use quantise::{STEP_BITS, quantise_rows, row_step};
pub use reduce::{Axis, Reduction, cumulative_sum, reduce, reduce_prod, reduce_sum};
pub use requantise::{Scales, requantise_rows};
pub use rotary::{Rotary, rotary_rows};
pub use round::{round_shift, round_shift_i128, round_shift_wide};
pub use softmax::{MAX_SOFTMAX_ROW, Softmax, softmax_rows};
pub use trees::{Decision, PackedTrees, Tree, tree_sums};
pub use unary::{Unary, unary};
pub use window::Window;

use crate::Kernels;

#[cfg(test)]
mod row_tests;
#[cfg(test)]
mod tests;
