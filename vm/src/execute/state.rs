//! The state that the running message reads.
//!
//! The engine wants everything that host functions reach to live as long as the program, and a view of the state lives
//! as long as one call of [`crate::Vm::execute`]. So the view is lent to the thread for that time, which the compiler
//! can check, instead of being cast.

use noema_state::StateView;
use scoped_tls_hkt::scoped_thread_local;

scoped_thread_local!(static STATE: for<'a> &'a (dyn StateView + 'a));

/// Runs `work` with `view` as the state.
pub(super) fn lend<R>(view: &dyn StateView, work: impl FnOnce() -> R) -> R {
    STATE.set(view, work)
}

/// Uses the state of the running message.
pub(super) fn with<R>(work: impl FnOnce(&dyn StateView) -> R) -> R {
    STATE.with(|view| work(view))
}
