//! wasmtime, set up for each kind of engine, and modules compiled by it: in this process, or in one of its own.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use noema_abi::ProtocolVersion;
use noema_abi::limits::MAX_CALL_DEPTH;
use noema_host::Extensions;
use wasmtime::{
    Config, Engine, Instance, InstanceAllocationStrategy, Linker, Module, OptLevel, PoolingAllocationConfig, Store,
    Strategy,
};

use super::bind::{self, Native};
use super::compiled::Compiled;
use super::process::CompilerProcess;
use super::{EngineKind, known_answer, max_wasm_stack};
use crate::error::panic_text;
use crate::rules::{Machine, Rules};
use crate::{Admitted, VmError};

/// Linear memory and tables that stay resident in a slot of the pool, and are set to zero by hand.
const KEEP_RESIDENT: usize = 256 * 1024;

/// wasmtime, with every host function bound.
pub(super) struct Compiler {
    kind: EngineKind,
    pub(super) engine: Engine,
    pub(super) linker: Linker<Native>,
    /// What compiled code depends on, in wasmtime's own words: for this machine only.
    pub(super) compatibility: Vec<u8>,
    /// What compiles, if this process does not.
    process: Option<CompilerProcess>,
}

impl Compiler {
    /// Sets wasmtime up for `concurrent` messages at a time; `None` where the kind of engine does not use it.
    pub(super) fn new(
        kind: EngineKind,
        machine: &Machine,
        concurrent: u32,
        extensions: &Extensions,
        process: Option<&CompilerProcess>,
    ) -> Result<Option<Compiler>, VmError> {
        let Some(config) = config(kind, machine, concurrent)? else { return Ok(None) };
        let engine = Engine::new(&config).map_err(|error| {
            VmError::Engine(format!(
                "cannot set up the engine: {error:#} (it reserves about {} GiB of address space, not memory: \
                 is there a limit such as `ulimit -v`?)",
                u64::from(slots(concurrent)) * 4
            ))
        })?;
        known_answer::check(kind, &known_answer::ask(|| answer(&engine)))?;
        let mut linker = Linker::new(&engine);
        bind::bind(&mut linker, extensions).map_err(|error| VmError::Engine(format!("{error:#}")))?;
        let compatibility = compatibility(&engine);
        let compiler = Compiler { kind, engine, linker, compatibility, process: process.cloned() };
        compiler.try_process()?;
        Ok(Some(compiler))
    }

    /// A process that cannot compile the empty module is a mistake in the set-up, and no reason to interpret everything.
    fn try_process(&self) -> Result<(), VmError> {
        const EMPTY: &[u8] = b"\0asm\x01\0\0\0";
        let Some(process) = &self.process else { return Ok(()) };
        let failed = |reason| VmError::Engine(format!("the compiler process {}: {reason}", process.program.display()));
        process.compile(self.kind, &self.compatibility, EMPTY).map(|_| ()).map_err(failed)
    }

    /// Machine code of a module; or why there is none.
    pub(super) fn compile(&self, admitted: &Admitted) -> Result<Compiled, String> {
        let work = || match (self.kind, &self.process) {
            (EngineKind::CraneliftFails, _) => Err("told to fail".into()),
            (EngineKind::CraneliftPanics, _) => panic!("told to panic"),
            (_, None) => Compiled::new(&self.engine, &self.linker, admitted).map_err(|error| error.to_string()),
            (kind, Some(process)) => {
                let code = process.compile(kind, &self.compatibility, &admitted.instrumented)?;
                Compiled::load(&self.engine, &self.linker, &code).map_err(|error| error.to_string())
            }
        };
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|panic| Err(format!("the compiler panicked: {}", panic_text(panic.as_ref()))))
    }
}

/// For a process that only compiles: the same settings without a pool, and what they are in wasmtime's words.
pub(super) fn compile_only(kind: EngineKind) -> Result<(Engine, Vec<u8>), String> {
    let machine = &Rules::of(ProtocolVersion::LATEST).machine;
    let config = config(kind, machine, 1).map_err(|error| error.to_string())?;
    let mut config = config.ok_or_else(|| format!("{kind} does not compile"))?;
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    let engine = Engine::new(&config).map_err(|error| format!("{error:#}"))?;
    let compatibility = compatibility(&engine);
    Ok((engine, compatibility))
}

fn answer(engine: &Engine) -> wasmtime::Result<i64> {
    let module = Module::new(engine, known_answer::module())?;
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    instance.get_typed_func::<(), i64>(&mut store, known_answer::QUESTION)?.call(&mut store, ())
}

fn compatibility(engine: &Engine) -> Vec<u8> {
    let mut compatibility = Bytes(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    compatibility.0
}

/// Takes down what is hashed, instead of hashing it.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The configuration of a kind of engine, if it is wasmtime.
fn config(kind: EngineKind, machine: &Machine, concurrent: u32) -> Result<Option<Config>, VmError> {
    Ok(match kind {
        EngineKind::Wasmi | EngineKind::Observed => None,
        EngineKind::Pulley => Some(pulley(machine)?),
        EngineKind::CraneliftUnoptimized => Some(unoptimized(machine)),
        EngineKind::CraneliftShallow => {
            let mut config = optimized(machine, concurrent);
            config.max_wasm_stack(64 * 1024);
            Some(config)
        }
        _ => Some(optimized(machine, concurrent)),
    })
}

fn slots(concurrent: u32) -> u32 {
    concurrent.saturating_mul(MAX_CALL_DEPTH)
}

/// The whole configuration. What is not set here is wasmtime's default, and no default may change a receipt: features
/// are decided by admission, which has seen the module before.
pub(crate) fn optimized(machine: &Machine, concurrent: u32) -> Config {
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

    let mut config = base(machine);
    config.cranelift_opt_level(OptLevel::Speed).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// A configuration that shares as little as it can with the first one.
fn unoptimized(machine: &Machine) -> Config {
    let mut config = base(machine);
    config
        .cranelift_opt_level(OptLevel::None)
        .signals_based_traps(false)
        .memory_reservation(0)
        .memory_guard_size(0)
        .memory_init_cow(false)
        .allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config
}

/// As compiled code runs in a node, with instances allocated one by one.
#[cfg(test)]
pub(crate) fn config_on_demand(machine: &Machine) -> Config {
    let mut config = base(machine);
    config.cranelift_opt_level(OptLevel::Speed);
    config
}

/// For the interpreter inside wasmtime.
fn pulley(machine: &Machine) -> Result<Config, VmError> {
    let mut config = unoptimized(machine);
    config.cranelift_opt_level(OptLevel::Speed);
    let target = if cfg!(target_endian = "big") { "pulley64be" } else { "pulley64" };
    config.target(target).map_err(|error| VmError::Engine(format!("no Pulley: {error:#}")))?;
    Ok(config)
}

fn base(machine: &Machine) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
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
        .generate_address_map(false);
    config
}
