//! The control state of floats. Compiled code computes with whatever rounding and flushing the thread is set to, and a
//! thread belongs to the embedder: so the default is set before a contract runs and after everything foreign that it
//! calls, and what the embedder had is given back at the end.
#![allow(unsafe_code, reason = "the control register has no safe interface")]

/// Round to nearest, no flushing to zero, exceptions masked.
#[cfg(target_arch = "x86_64")]
const DEFAULT: State = 0x1f80;
#[cfg(any(target_arch = "aarch64", target_arch = "s390x"))]
const DEFAULT: State = 0;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")))]
const DEFAULT: State = ();

/// Without what only reports: exceptions that have happened.
#[cfg(target_arch = "x86_64")]
const CONTROL: State = 0xffc0;
#[cfg(target_arch = "aarch64")]
const CONTROL: State = u64::MAX;
#[cfg(target_arch = "s390x")]
const CONTROL: State = 0xf800_0077;

#[cfg(any(target_arch = "x86_64", target_arch = "s390x"))]
type State = u32;
#[cfg(target_arch = "aarch64")]
type State = u64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")))]
type State = ();

#[cfg(target_arch = "x86_64")]
fn get() -> State {
    let mut state = 0u32;
    // SAFETY: stores four bytes to where the pointer points, which is ours.
    unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags)) };
    state
}

#[cfg(target_arch = "x86_64")]
fn set(state: State) {
    // SAFETY: loads four bytes that are ours; they came from `get` or are the default, so no reserved bit is set. Rust
    // code computes no floats while they are not the default, as before this program changed them.
    unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack, preserves_flags)) };
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x"))]
fn is_default(state: State) -> bool {
    state & CONTROL == DEFAULT
}

#[cfg(target_arch = "aarch64")]
fn get() -> State {
    let state: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mrs {}, fpcr", out(reg) state, options(nomem, nostack, preserves_flags)) };
    state
}

#[cfg(target_arch = "aarch64")]
fn set(state: State) {
    // SAFETY: the value came from `get` or is the default.
    unsafe { core::arch::asm!("msr fpcr, {}", in(reg) state, options(nomem, nostack, preserves_flags)) };
}

#[cfg(target_arch = "s390x")]
fn get() -> State {
    let state: u32;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("efpc {}", out(reg) state, options(nomem, nostack, preserves_flags)) };
    state
}

#[cfg(target_arch = "s390x")]
fn set(state: State) {
    // SAFETY: the value came from `get` or is the default.
    unsafe { core::arch::asm!("sfpc {}", in(reg) state, options(nomem, nostack, preserves_flags)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")))]
fn get() -> State {}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")))]
fn set(_: State) {}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")))]
fn is_default(_: State) -> bool {
    true
}

/// Sets the default, if something else is set.
#[inline]
pub(crate) fn reset() {
    if !is_default(get()) {
        set(DEFAULT);
    }
}

/// Runs `work` in the default state and gives back what was set before, also after a panic.
pub(crate) fn with_default<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(State);
    impl Drop for Restore {
        fn drop(&mut self) {
            if !is_default(self.0) {
                set(self.0);
            }
        }
    }
    let _restore = Restore(get());
    reset();
    work()
}

#[cfg(test)]
#[cfg(any(target_arch = "x86_64", target_arch = "s390x"))]
mod tests {
    use super::{CONTROL, DEFAULT, get, reset, set, with_default};

    /// Flush to zero, denormals are zero, round up.
    #[cfg(target_arch = "x86_64")]
    const OTHER: u32 = 0xdfc0;
    /// Round up.
    #[cfg(target_arch = "s390x")]
    const OTHER: u32 = 2;

    #[test]
    fn the_default_is_set_and_what_was_there_comes_back() {
        let before = get();
        set(OTHER);
        with_default(|| {
            assert_eq!(get() & CONTROL, DEFAULT);
            set(OTHER);
            reset();
            assert_eq!(get() & CONTROL, DEFAULT);
        });
        assert_eq!(get() & CONTROL, OTHER);
        let panicked = std::panic::catch_unwind(|| with_default(|| panic!("as it happens")));
        assert!(panicked.is_err());
        assert_eq!(get() & CONTROL, OTHER);
        set(before);
    }
}
