//! Layer normalisation of groups of channels: `x` is `[n, .., c]`, and the elements of an image that belong to one of `groups` equal
//! parts of its channels, at all places, are one row of [`layer_norm`](super::layer_norm). `gain` and `bias` have one number for
//! each channel. With as many groups as channels this is instance normalisation.

use super::{moved, norm::is_signed, storage::slice};
use crate::{
    DType, Kernels, OpError, Plan, Status, Tensor,
    element::with_signed,
    kernel::{self, MAX_NORM_SHIFT, Norm},
    shape::product,
};

/// What an element, and what a group costs, in turns to another group.
const ELEMENT: u64 = 2;
const GROUP: u64 = 16;

/// Places of an image, channels of a group.
struct Sides {
    places: u64,
    width: u32,
}

fn sides(x: &Tensor, groups: u32) -> Result<Sides, Status> {
    let [_, between @ .., channels] = x.shape().dims() else { return Err(Status::ShapeMismatch) };
    if groups == 0 {
        return Err(Status::BadArgument);
    }
    if channels % groups != 0 {
        return Err(Status::ShapeMismatch);
    }
    let (places, width) = (product(between).ok_or(Status::ShapeMismatch)?, channels / groups);
    let group = places.saturating_mul(width.into());
    if group == 0 || usize::try_from(group).is_ok_and(|group| group > kernel::max_group(x.dtype())) {
        return Err(Status::ShapeMismatch);
    }
    Ok(Sides { places, width })
}

/// Checks types, shapes and numbers. Work: 2 for each element, 16 for each group of each image, and one for each group
/// of each place.
///
/// # Errors
/// `TypeMismatch` as for [`layer_norm`](super::layer_norm); `ShapeMismatch` where `x` has fewer than two axes, `gain` and `bias` are not
/// one number for each channel, `groups` does not divide the channels, or a group has not 1 to 65536 elements of `i32`, to 2^24 of `i8`
/// or `i16`; `BadArgument` for a shift above 31 and for no groups.
#[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
pub fn plan(
    x: &Tensor,
    gain: &Tensor,
    bias: &Tensor,
    groups: u32,
    epsilon: u64,
    shift: u32,
    dtype: u32,
) -> Result<Plan, Status> {
    let _any = epsilon;
    let dtype = DType::from_code(dtype).filter(|dtype| is_signed(*dtype)).ok_or(Status::TypeMismatch)?;
    if !is_signed(x.dtype()) || gain.dtype() != DType::I32 || bias.dtype() != DType::I32 {
        return Err(Status::TypeMismatch);
    }
    let [images, .., channels] = x.shape().dims() else { return Err(Status::ShapeMismatch) };
    if gain.shape().dims() != [*channels] || bias.shape().dims() != [*channels] {
        return Err(Status::ShapeMismatch);
    }
    if shift > MAX_NORM_SHIFT {
        return Err(Status::BadArgument);
    }
    let Sides { places, .. } = sides(x, groups)?;
    let turns = u64::from(*images).saturating_mul(groups.into()).saturating_mul(places.saturating_add(GROUP));
    Plan::new(dtype, x.shape().clone(), x.elements().saturating_mul(ELEMENT).saturating_add(turns))
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
#[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    gain: &Tensor,
    bias: &Tensor,
    groups: u32,
    epsilon: u64,
    shift: u32,
    _dtype: u32,
) -> Result<Tensor, OpError> {
    let Sides { places, width } = sides(x, groups)?;
    let length = |length: u64| usize::try_from(length).map_err(|_| Status::LimitExceeded);
    let (places, width) = (length(places)?, length(width.into())?);
    // As long as the channels, and so no larger than they are.
    let (gain, bias): (Vec<i32>, Vec<i32>) = (gain.to_vec()?, bias.to_vec()?);
    moved::one(k, plan, "group_norm", x, |context, values, layout| {
        let norm = Norm { gain: &gain, bias: Some(&bias), epsilon, shift };
        with_signed!(x.dtype(), X => with_signed!(context.plan.dtype, Y => context.fill(|out: &mut [Y]| {
            let x: &[X] = slice(values, layout)?;
            kernel::group_norm(context.kernels, x, places, width, norm, out);
            Ok(())
        })))
    })
}
