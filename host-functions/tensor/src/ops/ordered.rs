//! What `sort` and `topk` share.

use crate::{Shape, Status, kernel::Order};

/// 0: the largest first; 1: the smallest first.
pub(super) fn order(order: u32) -> Result<Order, Status> {
    match order {
        0 => Ok(Order::Descending),
        1 => Ok(Order::Ascending),
        _ => Err(Status::BadArgument),
    }
}

/// Bits of a number: what a sort of as many elements costs for each of them.
pub(super) fn bits(number: u32) -> u64 {
    u64::from(u32::BITS - number.leading_zeros())
}

/// The last axis, as a length of this machine.
pub(super) fn row(shape: &Shape) -> Result<usize, Status> {
    let (_, row) = shape.split_last()?;
    usize::try_from(row).map_err(|_| Status::LimitExceeded)
}
