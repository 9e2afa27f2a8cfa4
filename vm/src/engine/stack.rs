//! Stacks that the virtual machine owns. The thread of an embedder may have 2 MiB or 256 KiB of stack; what a contract
//! can do must not depend on it.

use std::sync::{Condvar, Mutex, PoisonError};

use corosensei::on_stack;
use corosensei::stack::DefaultStack;

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
        Ok(on_stack(stack, work))
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
    use super::Stacks;

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
