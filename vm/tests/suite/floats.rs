//! The control state of floats belongs to the thread, and the thread to the embedder: no result may depend on it.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code, reason = "the control register has no safe interface")]

use std::sync::Arc;

use noema_host::{HostCall, Reply};
use noema_vm::Vm;

use super::world::{World, config, succeeded};

fn set(state: u32) {
    // SAFETY: loads a register from four bytes; the value sets no reserved bit.
    unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack, preserves_flags)) };
}

fn get() -> u32 {
    let mut state = 0u32;
    // SAFETY: stores four bytes to a place of ours.
    unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags)) };
    state & 0xffc0
}

/// Flush to zero, denormals are zero, round up.
const OTHER: u32 = 0xdfc0;
const DEFAULT: u32 = 0x1f80;

noema_host::extension! {
    /// A chain that does not tidy up.
    mod untidy {
        /// Leaves the control state changed.
        0x8001 since 1 change() -> unit price(1, 0, 0);
    }
}

struct Untidy;

impl untidy::Functions for Untidy {
    fn change(&self, _: &mut HostCall<'_>) -> Reply<()> {
        assert_eq!(get(), DEFAULT, "foreign code of the machine runs in the default state as well");
        set(OTHER);
        Ok(())
    }
}

#[test]
fn no_result_depends_on_the_state_that_the_embedder_set() {
    let code = wat::parse_str(
        r#"(module
             (import "untidy" "change" (func $change (result i64)))
             (import "context" "output_write" (func $output (param i32 i32) (result i64)))
             (memory (export "memory") 1)
             (global $three (mut f64) (f64.const 3)) (global $small (mut f64) (f64.const 0x1p-1060))
             (func $compute (param i32)
               ;; A sum that rounds, and a product that is denormal.
               (f64.store (local.get 0) (f64.div (f64.const 1) (global.get $three)))
               (f64.store offset=8 (local.get 0) (f64.mul (global.get $small) (f64.const 0.5))))
             (func (export "call")
               (call $compute (i32.const 0))
               (drop (call $change))
               (call $compute (i32.const 16))
               (drop (call $output (i32.const 0) (i32.const 32)))))"#,
    )
    .unwrap();
    let vm = Vm::new(config().with_extension(untidy::extension(Untidy))).unwrap();
    let mut world = World::on(Arc::new(vm));
    let contract = world.deploy(&code);
    let third = (1.0f64 / 3.0).to_bits().to_le_bytes();
    let small = (f64::from_bits(1 << 14) * 0.5).to_bits().to_le_bytes();
    let expected = [third, small, third, small].concat();
    for state in [DEFAULT, OTHER, 0x3f80, 0x9fc0] {
        set(state);
        let outcome = world.call(contract, &[]);
        let after = get();
        set(DEFAULT);
        assert_eq!(succeeded(&outcome).output, expected, "{state:#x}");
        assert_eq!(after, state, "the embedder gets back what it had");
    }
}
