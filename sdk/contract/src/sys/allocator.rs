//! A bump allocator.
//!
//! A contract's memory lives for one call, mostly milliseconds, and the host takes all of it back
//! at once. So memory is handed out upwards and only the newest block can be returned or grown in
//! place (which is what a growing `Vec` or `String` does). It costs a few hundred bytes of code and
//! a handful of instructions an allocation, where a general allocator costs some thousand bytes
//! and its bookkeeping, all paid in gas. A contract that frees and reuses much memory in one call
//! turns off the feature `allocator` and brings another.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PAGE: usize = 65536;

struct Bump {
    /// First free byte; 0 before the first allocation. Atomic only to be shareable in safe code:
    /// contracts have one thread, and these are plain loads and stores.
    next: AtomicUsize,
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { next: AtomicUsize::new(0) };

unsafe extern "C" {
    /// Set by the linker: its address is the first byte after stack and static data.
    static __heap_base: u8;
}

impl Bump {
    fn next(&self) -> usize {
        match self.next.load(Relaxed) {
            0 => (&raw const __heap_base).addr(),
            next => next,
        }
    }

    /// Takes `[start, start + size)`, growing the memory where needed.
    fn take(&self, start: usize, size: usize) -> *mut u8 {
        let Some(end) = start.checked_add(size) else { out_of_memory() };
        let missing = end.div_ceil(PAGE).saturating_sub(memory_size(0));
        if missing > 0 && memory_grow(0, missing) == usize::MAX {
            out_of_memory();
        }
        self.next.store(end, Relaxed);
        // SAFETY: `start` is not below the end of the static data, which does not begin at zero. This
        // lets the compiler drop every path for a failed allocation.
        unsafe { core::hint::assert_unchecked(start != 0) };
        core::ptr::with_exposed_provenance_mut(start)
    }
}

/// Ends the call at once: what the standard library would do instead ends in a panic with a
/// formatted message, and the formatting alone is a kilobyte.
#[cold]
fn out_of_memory() -> ! {
    super::control::abort(crate::code::PANIC, b"out of memory")
}

// SAFETY: a block is `[start, start + size)` with `start` rounded up to the alignment, at or after
// the first free byte, and inside memory that exists; the first free byte then moves past it, so
// no two live blocks overlap. It moves down only to the start of the newest block, when that one is
// returned or resized by its owner.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(start) = self.next().checked_next_multiple_of(layout.align()) else { out_of_memory() };
        self.take(start, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let start = block.addr();
        if start.wrapping_add(layout.size()) == self.next() {
            self.next.store(start, Relaxed);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let start = block.addr();
        if start.wrapping_add(layout.size()) == self.next() {
            return self.take(start, new_size);
        }
        if new_size <= layout.size() {
            return block;
        }
        // SAFETY: the caller promises that `new_size` and the alignment make a layout; old and new
        // block are distinct and both at least `layout.size()` long.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            core::ptr::copy_nonoverlapping(block, new, layout.size());
            new
        }
    }
}
