//! Stacks that the virtual machine owns. The thread of an embedder may have 2 MiB or 256 KiB of stack; what a contract
//! can do must not depend on it.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use super::processor;
use crate::VmError;

// Coroutines know the way back to the stack that they were called from. Where there are none (s390x, POWER), a stack is switched to and no more.
#[cfg(not(any(target_arch = "s390x", target_arch = "powerpc64")))]
#[path = "stack/coroutine.rs"]
mod switch;
#[cfg(any(target_arch = "s390x", target_arch = "powerpc64"))]
#[path = "stack/plain.rs"]
mod switch;

use switch::Stack;
pub use switch::on_caller_stack;

/// A pool of guarded stacks, which at the same time limits how many messages run at a time: each may need as many
/// slots of the engine's pool as calls can nest, and those must be there before it begins.
///
/// They are divided into shards, and a thread looks first in that of the processor that it runs on: threads that run at the same time have
/// nothing in common, and those that take turns on a processor find what they need in its caches.
pub(crate) struct Stacks {
    bytes: usize,
    slots: Box<[Slot]>,
    /// Stack `number` belongs to shard `number % shards`.
    shards: usize,
    /// Threads that wait for a stack.
    waiting: AtomicUsize,
    /// Held by a thread from when it counts itself as waiting until it sleeps.
    falling_asleep: Mutex<()>,
    returned: Condvar,
}

/// A stack, once it has been used; locked by the message that runs on it. On cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Slot(Mutex<Option<Stack>>);

impl Stacks {
    pub(crate) fn new(bytes: usize, concurrent: u32, shards: usize) -> Stacks {
        let slots: Box<[Slot]> = (0..concurrent.max(1)).map(|_| Slot::default()).collect();
        let shards = shards.clamp(1, slots.len());
        let waiting = AtomicUsize::new(0);
        Stacks { bytes, slots, shards, waiting, falling_asleep: Mutex::new(()), returned: Condvar::new() }
    }

    /// Runs `work` on a stack of the pool, waiting for one where all are in use; it is told which. A panic in `work` goes on
    /// in the caller, and the stack goes back all the same.
    pub(crate) fn run<R>(&self, work: impl FnOnce(usize) -> R) -> Result<R, VmError> {
        let mut lease = self.lease();
        let number = lease.number;
        let slot = lease.slot.as_mut().expect("a lease has its slot until it is dropped");
        let stack = match &mut **slot {
            Some(stack) => stack,
            empty => empty.insert(
                Stack::new(self.bytes)
                    .map_err(|error| VmError::Memory(format!("a stack of {} bytes: {error}", self.bytes)))?,
            ),
        };
        Ok(stack.run(|| work(number)))
    }

    fn lease(&self) -> Lease<'_> {
        if let Some(lease) = self.free() {
            return lease;
        }
        let mut asleep = self.falling_asleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // Whoever gives a stack back from here on sees that someone waits, and wakes us after we have gone to sleep.
        fence(Ordering::SeqCst);
        loop {
            if let Some(lease) = self.free() {
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                return lease;
            }
            asleep = self.returned.wait(asleep).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A stack that nobody uses.
    fn free(&self) -> Option<Lease<'_>> {
        let first = processor::current() % self.shards;
        let shards = (first..self.shards).chain(0..first);
        let mut numbers = shards.flat_map(|shard| (shard..self.slots.len()).step_by(self.shards));
        numbers.find_map(|number| {
            let slot = match self.slots[number].0.try_lock() {
                Ok(slot) => slot,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            Some(Lease { stacks: self, number, slot: Some(slot) })
        })
    }
}

struct Lease<'s> {
    stacks: &'s Stacks,
    number: usize,
    slot: Option<MutexGuard<'s, Option<Stack>>>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.slot = None;
        fence(Ordering::SeqCst);
        if self.stacks.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.stacks.falling_asleep.lock().unwrap_or_else(PoisonError::into_inner));
            self.stacks.returned.notify_one();
        }
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
        let stacks = Stacks::new(64 * 1024 * 1024, 2, 1);
        let found = std::thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(move || stacks.run(|_| deep(20_000)).unwrap())
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(found, 20_001);
    }

    #[test]
    fn a_panic_returns_the_stack() {
        let stacks = Stacks::new(1024 * 1024, 1, 1);
        for _ in 0..3 {
            let caught =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stacks.run(|_| panic!("as it happens"))));
            assert!(caught.is_err());
        }
        assert_eq!(stacks.run(|_| 7).unwrap(), 7);
    }

    #[test]
    fn each_that_runs_has_a_number_of_its_own() {
        let stacks = Stacks::new(1024 * 1024, 3, 2);
        let mut all = stacks.run(|a| stacks.run(|b| stacks.run(|c| [a, b, c]).unwrap()).unwrap()).unwrap();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }

    #[test]
    fn those_that_find_none_wait_for_one() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let (stacks, running, done) = (Stacks::new(1024 * 1024, 2, 1), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let work = |_| {
                            assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                            running.fetch_sub(1, Ordering::SeqCst);
                            done.fetch_add(1, Ordering::SeqCst);
                        };
                        stacks.run(work).unwrap();
                    }
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 16_000);
    }
}
