//! The call and the chain around it.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use noema_abi::Status;

use crate::{Address, code, sys};

/// For functions whose row names no status.
pub(crate) fn must<T>(result: Result<T, Status>) -> T {
    match result {
        Ok(value) => value,
        Err(status) => sys::control::abort(code::STATUS | u32::from(status.code()), &[]),
    }
}

/// Who made this call: a contract, or the sender of the transaction. A view read from outside has no
/// sender, and the zero address stands for it.
#[must_use]
pub fn caller() -> Address {
    let mut address = [0; 32];
    must(sys::context::caller(&mut address));
    Address(address)
}

/// The running contract.
#[must_use]
pub fn self_address() -> Address {
    let mut address = [0; 32];
    must(sys::context::self_address(&mut address));
    Address(address)
}

/// The native value that came with this call.
#[must_use]
pub fn value() -> u128 {
    let mut amount = [0; 16];
    must(sys::context::value(&mut amount));
    u128::from_le_bytes(amount)
}

/// Height of the block being executed.
#[must_use]
pub fn block_height() -> u64 {
    must(sys::context::block_height())
}

/// Time of the block being executed, in milliseconds since the Unix epoch.
#[must_use]
pub fn block_time_ms() -> u64 {
    must(sys::context::block_time())
}

/// The name of the chain.
#[must_use]
pub fn chain_id() -> String {
    let bytes = read(64, |buffer| must(sys::context::chain_id(buffer)));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Gas left for this call.
#[must_use]
pub fn gas_left() -> u64 {
    must(sys::context::gas_left())
}

/// The native balance of an account or contract.
#[must_use]
pub fn balance(address: &Address) -> u128 {
    let mut amount = [0; 16];
    must(sys::context::balance(&address.0, &mut amount));
    u128::from_le_bytes(amount)
}

/// What this contract keeps now: its record, its code and its entries, in bytes.
#[must_use]
pub fn kept_bytes() -> u64 {
    deposit().0
}

/// The part of this contract's balance that is the deposit for what it keeps now. With less than this at its end, a call
/// fails.
#[must_use]
pub fn locked_balance() -> u128 {
    deposit().1
}

/// The part of this contract's balance that it may spend, if it keeps no more than now: nothing where it lacks some of
/// its deposit.
#[must_use]
pub fn free_balance() -> u128 {
    balance(&self_address()).saturating_sub(locked_balance())
}

fn deposit() -> (u64, u128) {
    let mut amount = [0; 16];
    let bytes = must(sys::context::deposit(&mut amount));
    (bytes, u128::from_le_bytes(amount))
}

/// See [`log!`](crate::log).
#[doc(hidden)]
pub fn log(message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(fixed) => must(sys::control::log(fixed.as_bytes())),
        None => must(sys::control::log(alloc::fmt::format(message).as_bytes())),
    }
}

/// The bytes of a host function that fills a buffer and returns how many there are: asked once with
/// room for `guess`, and again with enough room if there were more.
pub(crate) fn read(guess: usize, mut fill: impl FnMut(&mut [u8]) -> u64) -> Vec<u8> {
    let mut buffer = vec![0; guess];
    let mut len = length(fill(&mut buffer));
    if len > buffer.len() {
        buffer = vec![0; len];
        len = length(fill(&mut buffer));
    }
    buffer.truncate(len);
    buffer
}

/// A length in guest memory. One that no slice can have becomes the largest that one can have: then
/// there is not enough memory for it either way, but the compiler need not look further.
#[inline]
pub(crate) fn length(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX).min(isize::MAX.cast_unsigned())
}
