//! Stacks that the virtual machine owns. The thread of an embedder may have 2 MiB or 256 KiB of stack; what a contract
//! can do must not depend on it.

use std::sync::{Condvar, Mutex, PoisonError};

use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, ScopedCoroutine, Yielder};
use scoped_tls_hkt::scoped_thread_local;

use crate::VmError;

/// A pool of guarded stacks, which at the same time limits how many messages run at a time: each may need as many
/// slots of the engine's pool as calls can nest, and those must be there before it begins.
pub(crate) struct Stacks {
    bytes: usize,
    free: Mutex<Free>,
    returned: Condvar,
}

struct Free {
    stacks: Vec<DefaultStack>,
    /// How many more messages may begin.
    permits: u32,
}

impl Stacks {
    pub(crate) fn new(bytes: usize, concurrent: u32) -> Stacks {
        let free = Free { stacks: Vec::new(), permits: concurrent.max(1) };
        Stacks { bytes, free: Mutex::new(free), returned: Condvar::new() }
    }

    /// Runs `work` on a stack of the pool, waiting for one where all are in use. A panic in `work` goes on in the
    /// caller, and the stack goes back all the same.
    pub(crate) fn run<R>(&self, work: impl FnOnce() -> R) -> Result<R, VmError> {
        let mut lease = self.lease()?;
        let stack = lease.stack.as_mut().expect("a lease has its stack until it is dropped");
        let coroutine =
            ScopedCoroutine::<(), (), R, _>::with_stack(stack, |yielder, ()| CALLER.set(Some(yielder), work));
        Ok(coroutine.scope(|mut coroutine| match coroutine.resume(()) {
            CoroutineResult::Return(result) => result,
            CoroutineResult::Yield(()) => unreachable!("work is never suspended"),
        }))
    }

    fn lease(&self) -> Result<Lease<'_>, VmError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.returned.wait_while(free, |free| free.permits == 0).unwrap_or_else(PoisonError::into_inner);
        let stack = match free.stacks.pop() {
            Some(stack) => stack,
            None => DefaultStack::new(self.bytes)
                .map_err(|error| VmError::Memory(format!("a stack of {} bytes: {error}", self.bytes)))?,
        };
        free.permits -= 1;
        Ok(Lease { stacks: self, stack: Some(stack) })
    }
}

scoped_thread_local!(
    /// The way back to the stack that the running work was called from; `None` while something runs there.
    static CALLER: for<'y> Option<&'y Yielder<(), ()>>
);

/// Runs `work` on the stack of the thread that called [`crate::Vm::execute`], from code that the virtual machine calls
/// on a stack of its own: a [`crate::StateView`], a model store, a function of an extension. For foreign code that looks at where its
/// stack is, as the runtime of Go does when C calls it. Everywhere else it just runs `work`. Panics go on in the caller.
///
/// `work` must be `Send` although it stays on its thread, so that no way to change stacks goes with it.
///
/// ```
/// assert_eq!(noema_vm::on_caller_stack(|| 6 * 7), 42);
/// ```
pub fn on_caller_stack<R>(work: impl FnOnce() -> R + Send) -> R {
    if !CALLER.is_set() {
        return work();
    }
    CALLER.with(|caller| match caller {
        // While `work` runs there, that stack is in use: going there again would overwrite it.
        Some(yielder) => yielder.on_parent_stack(|| CALLER.set(None, work)),
        None => work(),
    })
}

struct Lease<'s> {
    stacks: &'s Stacks,
    stack: Option<DefaultStack>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut free = self.stacks.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.stacks.extend(self.stack.take());
        free.permits += 1;
        drop(free);
        self.stacks.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::{Stacks, on_caller_stack};

    /// Uses about `frames` KiB of stack.
    fn deep(frames: u32) -> u64 {
        let block = std::hint::black_box([1u8; 1024]);
        let below = if frames == 0 { 0 } else { deep(frames - 1) };
        below + u64::from(block[usize::try_from(frames % 1024).unwrap_or(0)])
    }

    #[test]
    fn a_small_thread_can_go_deep() {
        let stacks = Stacks::new(64 * 1024 * 1024, 2);
        let found = std::thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(move || stacks.run(|| deep(20_000)).unwrap())
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(found, 20_001);
    }

    /// About where the stack is.
    #[inline(never)]
    fn here() -> usize {
        let local = 0u8;
        std::hint::black_box(&raw const local).addr()
    }

    /// Whether two places are on one stack of a test's thread.
    fn near(a: usize, b: usize) -> bool {
        a.abs_diff(b) < 128 * 1024
    }

    #[test]
    fn work_can_go_back_to_the_stack_it_was_called_from() {
        let (outer, inner) = (Stacks::new(1024 * 1024, 1), Stacks::new(1024 * 1024, 1));
        let start = here();
        let found = outer.run(|| {
            let away = here();
            assert!(!near(away, start));
            on_caller_stack(|| {
                assert!(near(here(), start));
                // There already: nothing to switch to.
                on_caller_stack(|| assert!(near(here(), start)));
                // Another machine, called from there, comes back there.
                let nested = inner.run(|| {
                    assert!(!near(here(), start) && !near(here(), away));
                    on_caller_stack(|| assert!(near(here(), start)));
                    5
                });
                assert!(near(here(), start));
                on_caller_stack(|| assert!(near(here(), start)));
                nested.unwrap()
            }) + on_caller_stack(|| {
                assert!(near(here(), start));
                2
            })
        });
        assert_eq!(found.unwrap(), 7);
        assert_eq!(on_caller_stack(|| 3), 3, "and outside it is an ordinary call");
        // From work on a stack, into another machine, and back to the first stack only.
        let away = std::cell::Cell::new(0);
        outer
            .run(|| {
                away.set(here());
                let first = away.get();
                inner.run(|| on_caller_stack(|| assert!(near(here(), first)))).unwrap();
                on_caller_stack(|| assert!(near(here(), start)));
            })
            .unwrap();
    }

    #[test]
    fn a_panic_there_goes_on_here() {
        let stacks = Stacks::new(1024 * 1024, 1);
        for _ in 0..3 {
            let text = stacks
                .run(|| {
                    let caught =
                        std::panic::catch_unwind(|| on_caller_stack(|| -> u32 { panic!("on the other side") }));
                    // The way back is open again after it.
                    on_caller_stack(|| ());
                    *caught.unwrap_err().downcast::<&str>().unwrap()
                })
                .unwrap();
            assert_eq!(text, "on the other side");
        }
    }

    #[test]
    fn a_panic_returns_the_stack() {
        let stacks = Stacks::new(1024 * 1024, 1);
        for _ in 0..3 {
            let caught =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stacks.run(|| panic!("as it happens"))));
            assert!(caught.is_err());
        }
        assert_eq!(stacks.run(|| 7).unwrap(), 7);
    }
}
