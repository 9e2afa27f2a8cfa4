//! The engine underneath: wasmtime with one fixed configuration, compiled modules in a cache, host functions bound by
//! the table, and stacks of our own to run on.
//!
//! Nothing in here decides a verdict. Gas and depth are counted by the instrumentation, growth by the limits alone;
//! the engine only has to execute WebAssembly as specified, and what it cannot do is a [`VmError`].

mod bind;
mod cache;
mod compiled;
mod limiter;
mod stack;

use std::sync::Arc;

use noema_abi::limits::MAX_CALL_DEPTH;
use noema_host::Extensions;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig, Strategy};

pub(crate) use bind::{Accounts, Stopped, read_account};
pub(crate) use cache::{Key, ModuleCache};
pub(crate) use compiled::{Compiled, EntryPoint};
pub(crate) use limiter::{GrowthFailed, Limiter};
pub(crate) use stack::Stacks;
pub use stack::on_caller_stack;

use crate::VmError;
use crate::execute::Frame;
use crate::rules::Machine;

/// Native bytes that are there for each logical one. Frames of hostile code have been measured at less than an eighth
/// of it (`instrument/tests/native.rs`).
pub(crate) const NATIVE_PER_LOGICAL: u64 = 32;
/// Native stack for everything that is not WebAssembly: the compiler, host functions, nested calls.
const HOST_STACK: usize = 64 * 1024 * 1024;
/// Linear memory and tables that stay resident in a slot of the pool, and are set to zero by hand.
const KEEP_RESIDENT: usize = 256 * 1024;

/// wasmtime, set up, with every host function bound: those of the table, and those of the extensions.
pub(crate) struct Machinery {
    engine: Engine,
    linker: Linker<Frame>,
}

impl Machinery {
    /// Sets the engine up for `concurrent` messages at a time.
    pub(crate) fn new(machine: &Machine, concurrent: u32, extensions: &Extensions) -> Result<Machinery, VmError> {
        let engine = Engine::new(&config(machine, concurrent)).map_err(|error| {
            VmError::Engine(format!(
                "cannot set up the engine: {error:#} (it reserves about {} GiB of address space, not memory: \
                 is there a limit such as `ulimit -v`?)",
                u64::from(slots(concurrent)) * 4
            ))
        })?;
        let mut linker = Linker::new(&engine);
        bind::bind(&mut linker, extensions).map_err(|error| VmError::Engine(format!("{error:#}")))?;
        Ok(Machinery { engine, linker })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles an instrumented module.
    pub(crate) fn compile(&self, admitted: crate::Admitted) -> Result<Arc<Compiled>, VmError> {
        Compiled::new(&self.engine, &self.linker, admitted).map(Arc::new)
    }
}

/// Native stack that WebAssembly code of one instance may use: its share for the whole logical stack. Its end is never
/// a verdict.
fn max_wasm_stack(machine: &Machine) -> usize {
    usize::try_from(machine.stack_units * 8 * NATIVE_PER_LOGICAL).expect("limited")
}

/// Stacks for `concurrent` messages at a time. Each instance may use what one may, counted from where it begins.
pub(crate) fn stacks(machine: &Machine, concurrent: u32) -> Stacks {
    let nested = usize::try_from(MAX_CALL_DEPTH).expect("small");
    Stacks::new(nested * max_wasm_stack(machine) + HOST_STACK, concurrent)
}

fn slots(concurrent: u32) -> u32 {
    concurrent.saturating_mul(MAX_CALL_DEPTH)
}

/// The whole configuration. What is not set here is wasmtime's default, and no default may change a receipt: features
/// are decided by admission, which has seen the module before.
pub(crate) fn config(machine: &Machine, concurrent: u32) -> Config {
    let slots = slots(concurrent);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots)
        .total_memories(slots)
        .max_memories_per_module(1)
        .max_memory_size(usize::try_from(machine.memory_pages).expect("limited") * 65_536)
        .total_tables(slots.saturating_mul(4))
        .max_tables_per_module(4)
        .table_elements(usize::try_from(machine.table_elements).expect("limited"))
        .max_core_instance_size(4 * 1024 * 1024)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT);

    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // The one result that WebAssembly leaves open is settled by the instrumentation.
        .cranelift_nan_canonicalization(false)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .consume_fuel(false)
        .epoch_interruption(false)
        .max_wasm_stack(max_wasm_stack(machine))
        // Not used, but it must not be smaller.
        .async_stack_size(max_wasm_stack(machine))
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
