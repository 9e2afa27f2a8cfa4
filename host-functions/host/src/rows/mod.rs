//! What the rows do, one file for each group of the table.
//!
//! A function gets the frame and the typed arguments of its row. It checks the documented limits and
//! does the thing; gas, guest memory, handles and results are the business of `call.rs`. A row whose
//! price counts work, or which makes a tensor, is a module with `plan` (every check, and the cost)
//! and `run`.

pub(crate) mod call;
pub(crate) mod context;
pub(crate) mod control;
pub(crate) mod crypto;
pub(crate) mod event;
pub(crate) mod model;
pub(crate) mod storage;
pub(crate) mod tensor;
pub(crate) mod transient;

use crate::{Fault, HostContext};

/// Refuses to change anything in a view.
fn forbid_in_view<C: HostContext>(context: &C, group: &'static str, name: &'static str) -> Result<(), Fault> {
    if context.call_info().read_only { Err(Fault::WriteInView { group, name }) } else { Ok(()) }
}
