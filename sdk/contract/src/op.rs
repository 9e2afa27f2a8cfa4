//! Opcodes: one function for each `op` row of the table, made from the row.
//!
//! Shapes, starts and sizes travel as little-endian `u32`s ([`dims`]); [`Tensor`](crate::Tensor) has
//! methods that take them as numbers.

use alloc::vec::Vec;

noema_abi::host_functions!(noema_macros::op_functions);

/// Numbers as opcodes read them: little-endian, four bytes each.
#[must_use]
pub fn dims(dims: &[u32]) -> Vec<u8> {
    dims.iter().flat_map(|dim| dim.to_le_bytes()).collect()
}
