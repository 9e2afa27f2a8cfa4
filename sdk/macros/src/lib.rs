//! The macros of the Noema SDK. Contract authors reach them through `noema_sdk`, which re-exports
//! all of them and holds the traits that the generated code names.
//!
//! ```text
//! #[contract] impl T { #[init] .. #[call] .. #[view] .. #[migrate] .. }
//!      |
//!      +--> the same impl, markers taken out
//!      +--> impl entry::Contract for T   decode arguments, load state, run, save state, reply
//!      +--> TClient, whose methods call a deployed T from other contracts
//!      +--> exports init/call/view/migrate and the section `noema.schema`   (only where `noema build` builds this crate)
//! ```
#![forbid(unsafe_code)]

mod client;
mod contract;
mod data;
mod error;
mod imports;

use proc_macro::TokenStream;

/// Makes an inherent `impl` block the interface of a contract.
///
/// Methods marked `#[init]` (exactly one, returns `Self` or `Result<Self>`), `#[call]`, `#[view]`
/// and `#[migrate]` (at most one) become entry points; the others stay private. Arguments are owned
/// values whose types implement `noema_sdk::Type`; a returned `Err` aborts the call.
/// `#[call(payable)]` accepts native value, as do `#[init]` and `#[migrate]`, because a contract needs a deposit for what
/// it keeps; all others refuse it. While a contract is running, calls back into it are refused but for methods marked
/// `#[call(reentrant)]` and `#[view(reentrant)]` (or `#[call(payable, reentrant)]`); a method with `&mut self` in a contract
/// that has one aborts if such a call has changed the state struct under it.
/// `#[contract(events(A, B), errors(E))]` names the event types and the error types (`#[error]`), for tools that show receipts.
///
/// For a contract `Tally` there is also a type `TallyClient`, whose methods call a deployed one (`noema_sdk::call::Client`): a
/// contract that depends on this crate uses it. Entry points are exported only from the crate that `noema build` builds, which
/// it compiles with `--cfg noema_contract`.
///
/// See the crate documentation of `noema_sdk` for an example.
#[proc_macro_attribute]
pub fn contract(attribute: TokenStream, item: TokenStream) -> TokenStream {
    contract::expand(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Derives what a value needs to be an argument, a result or part of an event: the borsh encoding
/// and `noema_sdk::Type`. For structs and enums without generic parameters.
#[proc_macro_attribute]
pub fn data(attribute: TokenStream, item: TokenStream) -> TokenStream {
    data::expand_data(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Derives the borsh encoding for a contract's state, which need not be part of its interface.
#[proc_macro_attribute]
pub fn state(attribute: TokenStream, item: TokenStream) -> TokenStream {
    data::expand_state(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// As `data`, and makes the type an event. Its topic is the type's name in snake case, or the given
/// one: `#[event("decision")]`.
#[proc_macro_attribute]
pub fn event(attribute: TokenStream, item: TokenStream) -> TokenStream {
    data::expand_event(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum of errors with codes: each variant is one, its doc comment the message. Codes count from 1 on, or from
/// what a variant is set to; `noema_sdk::Error` is made of a variant with `?`, `.into()`, `ensure!` and `bail!`.
///
/// ```ignore
/// #[noema::error]
/// pub enum VoteError {
///     /// the vote is over
///     Closed,
///     /// this account has voted
///     Twice = 7,
/// }
/// ```
#[proc_macro_attribute]
pub fn error(attribute: TokenStream, item: TokenStream) -> TokenStream {
    error::expand(&attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Derives `noema_sdk::Type`, the description of a type in the interface. `data` includes it.
#[proc_macro_derive(Type)]
pub fn derive_type(item: TokenStream) -> TokenStream {
    data::expand_type(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// For `noema_sdk::sys` alone: one `extern "C"` import and one safe function for each row of the
/// table of host functions.
#[doc(hidden)]
#[proc_macro]
pub fn host_imports(table: TokenStream) -> TokenStream {
    imports::expand_imports(table.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// For `noema_sdk::op` alone: one function over tensors for each `op` row of the table.
#[doc(hidden)]
#[proc_macro]
pub fn op_functions(table: TokenStream) -> TokenStream {
    imports::expand_ops(table.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// For `noema_sdk::extension` alone: imports and safe functions for the rows of a chain's own table.
#[doc(hidden)]
#[proc_macro]
pub fn extension_imports(table: TokenStream) -> TokenStream {
    imports::expand_extension(table.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
