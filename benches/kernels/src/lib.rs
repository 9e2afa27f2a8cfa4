//! Programs as contracts run them, for `noema-bench metering`: one module, whose entry point `call` runs the kernel whose
//! number stands at [`WHICH`] and leaves a number that depends on all that it did at [`RESULT`].
//!
//! Nothing is imported, so that any engine can run it.
#![no_std]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

mod codes;
mod data;
mod machine;
mod numbers;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;

/// Where the host writes the number of the kernel: below the stack, where Rust puts nothing.
const WHICH: *const u32 = 16 as *const u32;
/// Where the result is left.
const RESULT: *mut u64 = 8 as *mut u64;

/// Memory that is handed out once and taken back as a whole, at the beginning of every call.
struct Arena {
    used: Cell<usize>,
}

const ARENA_BYTES: usize = 25 << 15;
static mut ARENA: [u8; ARENA_BYTES] = [0; ARENA_BYTES];

// SAFETY: a module has one thread.
unsafe impl Sync for Arena {}

// SAFETY: pieces do not overlap: each begins behind the one before.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = (self.used.get() + layout.align() - 1) & !(layout.align() - 1);
        let end = start + layout.size();
        if end > ARENA_BYTES {
            return core::ptr::null_mut();
        }
        self.used.set(end);
        // SAFETY: `start..end` is inside the arena.
        unsafe { (&raw mut ARENA).cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Arena = Arena { used: Cell::new(0) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

#[unsafe(no_mangle)]
extern "C" fn call() {
    ALLOCATOR.used.set(0);
    // SAFETY: the first page is part of memory, and nobody else uses these bytes.
    let which = unsafe { WHICH.read_volatile() };
    let result = match which {
        0 => codes::sha256(),
        1 => codes::keccak(),
        2 => data::quicksort(),
        3 => data::sieve(),
        4 => numbers::matrix_i64(),
        5 => numbers::matrix_f64(),
        6 => u64::from(numbers::fibonacci(24)),
        7 => data::json(),
        8 => numbers::modular_power(),
        9 => data::balances(),
        10 => machine::shapes(),
        11 => machine::interpreter(),
        12 => numbers::simd_dot(),
        _ => 0,
    };
    // SAFETY: as above.
    unsafe { RESULT.write_volatile(result) }
}

/// A generator of numbers that look random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Mixes a number into a checksum.
fn mix(sum: u64, number: u64) -> u64 {
    (sum ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
}
