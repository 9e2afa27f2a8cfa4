//! Stacks of coroutines.

use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, ScopedCoroutine, Yielder};
use scoped_tls_hkt::scoped_thread_local;

/// A stack with a guard page below it.
pub(super) struct Stack(DefaultStack);

impl Stack {
    pub(super) fn new(bytes: usize) -> std::io::Result<Stack> {
        DefaultStack::new(bytes).map(Stack)
    }

    /// Runs `work` there. A panic goes on in the caller.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let coroutine =
            ScopedCoroutine::<(), (), R, _>::with_stack(&mut self.0, |yielder, ()| CALLER.set(Some(yielder), work));
        coroutine.scope(|mut coroutine| match coroutine.resume(()) {
            CoroutineResult::Return(result) => result,
            CoroutineResult::Yield(()) => unreachable!("work is never suspended"),
        })
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

#[cfg(test)]
mod tests {
    use super::on_caller_stack;
    use crate::engine::Stacks;

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
        let (outer, inner) = (Stacks::new(1024 * 1024, 1, 1), Stacks::new(1024 * 1024, 1, 1));
        let start = here();
        let found = outer.run(|_| {
            let away = here();
            assert!(!near(away, start));
            on_caller_stack(|| {
                assert!(near(here(), start));
                // There already: nothing to switch to.
                on_caller_stack(|| assert!(near(here(), start)));
                // Another machine, called from there, comes back there.
                let nested = inner.run(|_| {
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
            .run(|_| {
                away.set(here());
                let first = away.get();
                inner.run(|_| on_caller_stack(|| assert!(near(here(), first)))).unwrap();
                on_caller_stack(|| assert!(near(here(), start)));
            })
            .unwrap();
    }

    #[test]
    fn a_panic_there_goes_on_here() {
        let stacks = Stacks::new(1024 * 1024, 1, 1);
        for _ in 0..3 {
            let text = stacks
                .run(|_| {
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
}
