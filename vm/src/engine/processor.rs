//! Where a thread runs. Only what is faster depends on it.

/// The number of the processor that runs this thread now; where nobody says so, a number that the thread keeps.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "the C library says it, and no crate that we have wraps it")]
pub(super) fn current() -> usize {
    // SAFETY: it takes nothing and changes nothing.
    let processor = unsafe { libc::sched_getcpu() };
    usize::try_from(processor).unwrap_or(0)
}

/// The number of the processor that runs this thread now; where nobody says so, a number that the thread keeps.
#[cfg(not(target_os = "linux"))]
pub(super) fn current() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed));
    THREAD.with(|number| *number)
}
