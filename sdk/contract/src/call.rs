//! Calling other contracts, and paying.

use alloc::vec::Vec;
use core::fmt;

use noema_abi::Status;

use crate::encoding::{Decode, Encode, decode};
use crate::env::length;
use crate::{Address, Error, Result, code, sys};

/// A call of another contract, being prepared.
///
/// ```no_run
/// use noema_sdk::{Address, Result, call};
///
/// fn double(other: &Address, n: u64) -> Result<u64> {
///     Ok(call::contract(other).gas(1_000_000_000).method("double", &(n,))?)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a call is made by `method` or `raw`"]
pub struct Call<'a> {
    target: &'a Address,
    value: u128,
    gas: u64,
}

/// The methods of another contract as methods of a type. `#[noema::contract]` makes one for every contract, named after it
/// (`TallyClient` for `Tally`); each call and view of the contract is a method with the same arguments, and what it returns
/// comes as a `Result<_, CallError>`.
///
/// ```no_run
/// # use noema_sdk::{self as noema, prelude::*};
/// # #[noema::state] pub struct Tally { votes: u64 }
/// # #[noema::contract] impl Tally {
/// #     #[init] fn new() -> Self { Tally { votes: 0 } }
/// #     #[call(payable)] fn vote(&mut self, yes: bool) -> u64 { self.votes }
/// # }
/// fn vote_there(tally: &Address) -> Result<u64> {
///     Ok(TallyClient::at(tally).with_value(5).with_gas(1_000_000_000).vote(true)?)
/// }
/// ```
///
/// The field is public, so that a client whose contract has methods of these names can be made as well:
/// `TallyClient(call::contract(&address).value(5))`.
pub trait Client<'a>: Sized {
    /// The contract at this address.
    fn at(address: &'a Address) -> Self;
    /// Sends native value along with every call.
    #[must_use]
    fn with_value(self, value: u128) -> Self;
    /// Lets every call use at most this much of the gas that is left.
    #[must_use]
    fn with_gas(self, gas: u64) -> Self;
}

/// Why a call of another contract gave no result. Whatever the called contract did is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// It aborted.
    Aborted(CallAborted),
    /// It could not be called, or faulted (then its gas is gone).
    Status(Status),
    /// It returned something else than was asked for.
    BadReply,
}

/// The abort of a called contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAborted {
    /// Its code.
    pub code: u32,
    /// Its message, usually UTF-8.
    pub message: Vec<u8>,
}

/// Prepares a call with no value and all the gas there is.
pub const fn contract(target: &Address) -> Call<'_> {
    Call { target, value: 0, gas: u64::MAX }
}

impl<'a> Call<'a> {
    /// Sends native value along.
    pub const fn value(self, value: u128) -> Call<'a> {
        Call { value, ..self }
    }

    /// Lets the call use at most this much of the gas that is left.
    pub const fn gas(self, gas: u64) -> Call<'a> {
        Call { gas, ..self }
    }

    /// Calls a method; `args` is a tuple of its arguments: `&(a, b)`, `&(a,)`, `&()`.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn method<A: Encode, R: Decode>(self, name: &str, args: &A) -> Result<R, CallError> {
        let mut input = Vec::new();
        name.encode(&mut input);
        args.encode(&mut input);
        decode(&self.raw(&input)?).ok_or(CallError::BadReply)
    }

    /// Calls with any input and returns the output as it is.
    ///
    /// # Errors
    /// [`CallError::Aborted`] and [`CallError::Status`].
    pub fn raw(self, input: &[u8]) -> Result<Vec<u8>, CallError> {
        let value = self.value.to_le_bytes();
        let mut output = [0; 256];
        match sys::call::contract(&self.target.0, &value, self.gas, input, &mut output) {
            Ok(len) => {
                let len = length(len);
                match output.get(..len) {
                    Some(whole) => Ok(whole.to_vec()),
                    None => last_output(len).map_err(CallError::Status),
                }
            }
            Err(Status::CallAborted) => {
                let reply = last_output(MAX_ABORT_REPLY).map_err(CallError::Status)?;
                let (code, message) = reply.split_first_chunk().ok_or(CallError::BadReply)?;
                Err(CallError::Aborted(CallAborted { code: u32::from_le_bytes(*code), message: message.to_vec() }))
            }
            Err(status) => Err(CallError::Status(status)),
        }
    }
}

/// Code and message of an abort.
const MAX_ABORT_REPLY: usize = 4 + noema_abi::limits::MAX_ABORT_BYTES;

fn last_output(capacity: usize) -> Result<Vec<u8>, Status> {
    let mut output = alloc::vec![0; capacity];
    let len = length(sys::call::output_read(0, &mut output)?);
    output.truncate(len);
    Ok(output)
}

/// Sends native value of this contract without running any code.
///
/// # Errors
/// `InsufficientBalance`.
pub fn transfer(target: &Address, value: u128) -> Result<(), Status> {
    sys::call::transfer(&target.0, &value.to_le_bytes())
}

impl From<CallError> for Error {
    /// An abort of the called contract becomes an abort of this one, with its code and message.
    fn from(error: CallError) -> Error {
        match error {
            CallError::Aborted(CallAborted { code, message }) => {
                Error::with_message(code, alloc::string::String::from_utf8_lossy(&message).into_owned())
            }
            CallError::Status(status) => Error::from(status),
            CallError::BadReply => crate::__failure!(code::BAD_REPLY, "the called contract returned another type"),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Error::from(self.clone()), f)
    }
}

impl core::error::Error for CallError {}
