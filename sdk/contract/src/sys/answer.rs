//! What a host function returned, as the result of its row. For generated code.

pub use noema_abi::Status;

/// A number, or the status.
#[cfg(target_arch = "wasm32")]
#[inline]
pub fn number(result: i64) -> Result<u64, Status> {
    if result < 0 { Err(refusal(result)) } else { Ok(result.unsigned_abs()) }
}

/// Out of line: it would otherwise stand at every call of a host function.
#[cfg(target_arch = "wasm32")]
#[cold]
#[inline(never)]
fn refusal(result: i64) -> Status {
    Status::from_return(result).err().unwrap_or(Status::BadArgument)
}

/// Nothing, or the status.
#[cfg(target_arch = "wasm32")]
#[inline]
pub fn unit(result: i64) -> Result<(), Status> {
    number(result).map(|_| ())
}

/// A handle, or the status.
#[cfg(target_arch = "wasm32")]
#[inline]
pub fn handle(result: i64) -> Result<u32, Status> {
    // Handles are 32-bit numbers by definition of their kind.
    number(result).map(|handle| handle as u32)
}

/// After a host function that does not return.
#[cfg(target_arch = "wasm32")]
#[inline]
pub fn unreachable(_: i64) -> ! {
    core::arch::wasm32::unreachable()
}

/// There is no host outside WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
pub fn outside(function: &str) -> ! {
    panic!("`{function}` exists only inside the VM: test the compiled contract, with noema-testing")
}
