//! Stacks that are switched to, on architectures that the crate of coroutines does not know.

use std::convert::Infallible;

/// The size of a stack: it is there while something runs on it.
pub(super) struct Stack(usize);

impl Stack {
    #[allow(clippy::unnecessary_wraps, reason = "as with coroutines")]
    pub(super) fn new(bytes: usize) -> Result<Stack, Infallible> {
        Ok(Stack(bytes))
    }

    /// Runs `work` there. A panic goes on in the caller.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        stacker::grow(self.0, work)
    }
}

/// Runs `work`. On other architectures it goes back to the stack of the thread that called [`crate::Vm::execute`].
///
/// ```
/// assert_eq!(noema_vm::on_caller_stack(|| 6 * 7), 42);
/// ```
pub fn on_caller_stack<R>(work: impl FnOnce() -> R + Send) -> R {
    work()
}
