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

#[doc(hidden)]
pub mod answer;

// SAFETY of every generated call: the import has the exact type that the table states, and
// admission refuses a contract whose imports differ. Each pointer and length come from one slice or
// array that is borrowed for the whole call; the host reads inside a `&` range, writes inside a
// `&mut` range (exclusive, and any byte is a valid `u8`), and keeps no pointer after it returns.
noema_abi::host_functions!(noema_macros::host_imports);

/// Functions for the host functions that a chain has beyond the built-in ones, from the same rows that the chain makes
/// its extension of: a module of the name of the table, with one safe function for each row, as in
/// [`sys`](crate::sys). Only chains with the extension admit the contract.
///
/// ```
/// noema_sdk::extension! {
///     /// What this chain adds.
///     pub mod mychain {
///         /// Whether somebody has been admitted by the chain: 1 or 0.
///         0x8001 since 1 admitted(member: in32) -> u64 price(2_000_000, 0, 0);
///     }
/// }
///
/// // In a contract:
/// fn is_member(somebody: &[u8; 32]) -> noema_sdk::Result<bool> {
///     Ok(mychain::admitted(somebody)? == 1)
/// }
/// ```
#[macro_export]
macro_rules! extension {
    ($($table:tt)*) => {
        $crate::__extension_imports! { [$crate::sys::answer] $($table)* }
    };
}
