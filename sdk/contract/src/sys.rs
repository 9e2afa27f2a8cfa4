//! The imports: one safe function for each row of the table of host functions, made from the row.
//!
//! A parameter of kind `bytes` is a `&[u8]`, `out` a `&mut [u8]`, `in32` a `&[u8; 32]` and so on,
//! handles are `u32`. The other modules of this crate are thin wrappers over this one.
//!
//! This is the only place with `unsafe`. Outside WebAssembly there is no host, and every function
//! panics.
#![allow(unsafe_code, reason = "imports and the allocator")]

#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;
#[cfg(all(target_arch = "wasm32", feature = "panic-handler"))]
mod panic;

#[cfg(target_arch = "wasm32")]
use noema_abi::Status;

// SAFETY of every generated call: the import has the exact type that the table states, and
// admission refuses a contract whose imports differ. Each pointer and length come from one slice or
// array that is borrowed for the whole call; the host reads inside a `&` range, writes inside a
// `&mut` range (exclusive, and any byte is a valid `u8`), and keeps no pointer after it returns.
noema_abi::host_functions!(noema_macros::host_imports);

#[cfg(target_arch = "wasm32")]
#[inline]
fn number(result: i64) -> Result<u64, Status> {
    if result < 0 { Err(refusal(result)) } else { Ok(result.unsigned_abs()) }
}

/// Out of line: it would otherwise stand at every call of a host function.
#[cfg(target_arch = "wasm32")]
#[cold]
#[inline(never)]
fn refusal(result: i64) -> Status {
    Status::from_return(result).err().unwrap_or(Status::BadArgument)
}

#[cfg(target_arch = "wasm32")]
#[inline]
fn unit(result: i64) -> Result<(), Status> {
    number(result).map(|_| ())
}

#[cfg(target_arch = "wasm32")]
#[inline]
fn handle(result: i64) -> Result<u32, Status> {
    // Handles are 32-bit numbers by definition of their kind.
    number(result).map(|handle| handle as u32)
}

/// After a host function that does not return.
#[cfg(target_arch = "wasm32")]
#[inline]
fn unreachable(_: i64) -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn outside(function: &str) -> ! {
    panic!("`{function}` exists only inside the VM: test the compiled contract, with noema-testing")
}
