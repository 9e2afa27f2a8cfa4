//! What `conv2d` and `conv_transpose2d` share.

use candle_core::{CpuStorage, Layout};

use super::moved;
use super::storage::{Context, Fresh, slice};
use super::windowed::Moves;
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    kernel::{self, Convolution, PackedWeights, PackedWeights16, Products},
    work,
};

/// Images and weights with all that is known about them.
pub(super) struct Sides {
    moves: Moves,
    /// Images, rows, columns, channels.
    x: [u32; 4],
    /// Channels of the result, and of a group.
    outputs: u32,
    width: u32,
    groups: u32,
    /// Rows and columns of the result.
    output: [u32; 2],
    transposed: bool,
}

impl Sides {
    /// Checks all but the types. With `more` it is a transposed convolution.
    pub(super) fn new(
        x: &Tensor,
        w: &Tensor,
        (strides, pads, dilations): (&[u8], &[u8], &[u8]),
        more: Option<[u32; 2]>,
        groups: u32,
    ) -> Result<Sides, Status> {
        let (&[images, rows, columns, channels], &[outputs, kernel_rows, kernel_columns, width]) =
            (x.shape().dims(), w.shape().dims())
        else {
            return Err(Status::ShapeMismatch);
        };
        let moves = Moves::new([kernel_rows, kernel_columns], strides, pads, dilations)?;
        if moves.taps() == 0 {
            return Err(Status::ShapeMismatch);
        }
        moves.check()?;
        if groups == 0 {
            return Err(Status::BadArgument);
        }
        if u64::from(width) * u64::from(groups) != u64::from(channels) || !outputs.is_multiple_of(groups) {
            return Err(Status::ShapeMismatch);
        }
        let output = match more {
            None => moves.places([rows, columns])?,
            Some(more) => moves.spread([rows, columns], more)?,
        };
        let (x, transposed) = ([images, rows, columns, channels], more.is_some());
        Ok(Sides { moves, x, outputs, width, groups, output, transposed })
    }

    fn depth(&self) -> u64 {
        self.moves.taps().saturating_mul(u64::from(self.width))
    }

    fn lengths(&self) -> Result<Convolution, Status> {
        let length = |number: u32| usize::try_from(number).map_err(|_| Status::LimitExceeded);
        let [images, rows, columns, channels] = self.x;
        Ok(Convolution {
            window: self.moves.window([rows, columns], self.output, self.transposed)?,
            images: length(images)?,
            channels: length(channels)?,
            outputs: length(self.outputs)?,
            groups: length(self.groups)?,
        })
    }
}

/// Whether there is a product of these types.
pub(super) fn check_types(x: &Tensor, w: &Tensor) -> Result<(), Status> {
    match (x.dtype(), w.dtype()) {
        (DType::I8 | DType::U8, DType::I8) | (DType::I16, DType::I8 | DType::I16) => Ok(()),
        _ => Err(Status::TypeMismatch),
    }
}

/// The result and the work, with the bound of shapes and types on sums as for `matmul`.
pub(super) fn plan(x: &Tensor, w: &Tensor, sides: &Sides) -> Result<Plan, Status> {
    let depth = sides.depth();
    let narrow = kernel::max_k_i32(x.dtype()).and_then(|max| u64::try_from(max).ok()).is_some_and(|max| depth <= max);
    let dtype = if narrow { DType::I32 } else { DType::I64 };
    let ([images, .., channels], [rows, columns]) = (sides.x, sides.output);
    let shape = Shape::new(&[images, rows, columns, sides.outputs])?;
    let places = Shape::new(&[images, rows, columns])?.elements()?;
    shape.elements()?;
    let window = work::Places {
        places,
        taps: sides.moves.taps(),
        channels: [channels.into(), sides.outputs.into()],
        groups: sides.groups.into(),
    };
    let weights = work::elements(w.shape().dims());
    Plan::new(dtype, shape, work::conv2d([x.dtype(), w.dtype()], window, weights))
}

/// Computes.
pub(super) fn run(
    k: &Kernels,
    plan: &Plan,
    name: &'static str,
    sides: &Sides,
    pad: i32,
    (x, w): (&Tensor, &Tensor),
) -> Result<Tensor, OpError> {
    let sides = sides.lengths()?;
    let types = (x.dtype(), w.dtype(), plan.dtype);
    moved::two(k, plan, name, (x, w), |context, x, w| by_type(context, &sides, types, pad, x, w))
}

fn by_type(
    context: &Context<'_>,
    sides: &Convolution,
    types: (DType, DType, DType),
    pad: i32,
    x: (&CpuStorage, &Layout),
    w: (&CpuStorage, &Layout),
) -> candle_core::Result<Fresh> {
    /// One combination of types: activations, weights, packing, product, sums.
    macro_rules! with {
        ($x:ty, $w:ty, $packed:ident, $linear:ident, $sum:ty) => {{
            let products = Products { pack: $packed::pack, linear: kernel::$linear };
            let pad = <$x as crate::Element>::saturate_i64(pad.into());
            context.fill(|out: &mut [$sum]| {
                let (x, w) = (slice::<$x>(x.0, x.1)?, slice::<$w>(w.0, w.1)?);
                kernel::convolve(context.kernels, sides, (x, pad), w, &products, out).map_err(OpError::into_candle)
            })
        }};
    }
    match types {
        (DType::I8, _, DType::I32) => with!(i8, i8, PackedWeights, linear_i8, i32),
        (DType::I8, ..) => with!(i8, i8, PackedWeights, linear_i8_wide, i64),
        (DType::U8, _, DType::I32) => with!(u8, i8, PackedWeights, linear_u8, i32),
        (DType::U8, ..) => with!(u8, i8, PackedWeights, linear_u8_wide, i64),
        (_, DType::I8, _) => with!(i16, i8, PackedWeights, linear_i16, i64),
        _ => with!(i16, i16, PackedWeights16, linear_i16_i16, i64),
    }
}
