//! The engines underneath: wasmtime with fixed configurations, and the interpreter wasmi; modules in a cache, host
//! functions bound by the table, and stacks of our own to run on.
//!
//! ```text
//! kind.rs  ->  Machinery  --compile-->  runnable.rs  -+-  compiled.rs     wasmtime, host functions in bind.rs
//!                                                     +-  interpreter.rs  wasmi
//! host_call.rs, limiter.rs: what both have in common
//! cache.rs in memory, artifacts.rs on disk; stack.rs, float_state.rs: where and how they run
//! ```
//!
//! Nothing in here decides a verdict. Gas and depth are counted by the instrumentation, growth by the limits alone;
//! an engine only has to execute WebAssembly as specified, and what it cannot do is a [`VmError`].

mod artifacts;
mod bind;
mod cache;
mod compiled;
pub(crate) mod float_state;
mod host_call;
mod interpreter;
mod kind;
mod limiter;
mod runnable;
mod stack;

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use noema_abi::limits::MAX_CALL_DEPTH;
use noema_host::Extensions;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig, Strategy};

pub use artifacts::ArtifactCache;
use artifacts::Artifacts;
use bind::Native;
pub(crate) use cache::{Key, ModuleCache};
use compiled::Compiled;
pub(crate) use host_call::{Halted, Ran};
use interpreter::Interpreter;
#[cfg(test)]
pub(crate) use interpreter::config as interpreter_config;
pub use kind::{EngineKind, UnknownEngine};
use limiter::Limiter;
use runnable::Code;
pub(crate) use runnable::Runnable;
pub(crate) use stack::Stacks;
pub use stack::on_caller_stack;

use crate::hash::hash;
use crate::instrument::{self, Placement};
use crate::rules::{Machine, Rules};
use crate::{Admitted, VmError};

/// Native bytes that are there for each logical one. Frames of hostile code have been measured at less than an eighth
/// of it (`instrument/tests/native.rs`).
pub(crate) const NATIVE_PER_LOGICAL: u64 = 32;
/// Native stack for everything that is not WebAssembly: the compiler, host functions, nested calls.
const HOST_STACK: usize = 64 * 1024 * 1024;
/// Linear memory and tables that stay resident in a slot of the pool, and are set to zero by hand.
const KEEP_RESIDENT: usize = 256 * 1024;

/// The engines of a node, set up, with every host function bound: those of the table, and those of the extensions.
pub(crate) struct Machinery {
    kind: EngineKind,
    compiler: Option<Compiler>,
    interpreter: Interpreter,
    /// Compiled code on disk, if the node keeps it.
    artifacts: Option<Artifacts>,
}

/// wasmtime.
struct Compiler {
    engine: Engine,
    linker: Linker<Native>,
    /// What compiled code depends on, in wasmtime's own words: for this machine only.
    compatibility: Vec<u8>,
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

impl Machinery {
    /// Sets the engines up for `concurrent` messages at a time.
    pub(crate) fn new(
        kind: EngineKind,
        machine: &Machine,
        concurrent: u32,
        extensions: &Extensions,
        artifacts: Option<&ArtifactCache>,
    ) -> Result<Machinery, VmError> {
        let open = |cache: &ArtifactCache| {
            Artifacts::open(cache).map_err(|error| {
                VmError::Engine(format!("cannot keep compiled code in {}: {error}", cache.directory.display()))
            })
        };
        let artifacts = artifacts.map(open).transpose()?;
        let compiler = match kind {
            EngineKind::Wasmi => None,
            EngineKind::Pulley => Some(Compiler::new(&pulley(machine)?, concurrent, extensions)?),
            EngineKind::CraneliftUnoptimized => Some(Compiler::new(&unoptimized(machine), concurrent, extensions)?),
            _ => Some(Compiler::new(&config(machine, concurrent), concurrent, extensions)?),
        };
        Ok(Machinery { kind, compiler, interpreter: Interpreter::new(machine, extensions)?, artifacts })
    }

    /// Where charges are put.
    pub(crate) fn placement(&self) -> Placement {
        self.kind.placement()
    }

    /// Makes an instrumented module ready to run. What the compiler cannot take, the interpreter runs: whether a
    /// contract can be called must not depend on a compiler.
    ///
    /// What was compiled is kept on disk under `key`, if the node does that.
    pub(crate) fn compile(&self, key: &Key, admitted: &Admitted) -> Result<Arc<Runnable>, VmError> {
        let code = match &self.compiler {
            None => Code::Interpreted(self.interpreter.translate(admitted)?),
            Some(compiler) => match self.try_compile(compiler, admitted) {
                Ok(compiled) => Code::Compiled(compiled),
                Err(reason) => {
                    tracing::warn!(reason, "this module is interpreted");
                    Code::Interpreted(self.interpreter.translate(admitted)?)
                }
            },
        };
        let Admitted { instantiate_gas, compile_gas, .. } = *admitted;
        let runnable = Runnable { instantiate_gas, compile_gas, code };
        if let (Some(artifacts), Some(compiler)) = (&self.artifacts, &self.compiler)
            && let Some(payload) = runnable.to_artifact()
        {
            artifacts.put(&self.artifact_name(compiler, key), &payload);
        }
        Ok(Arc::new(runnable))
    }

    /// What this node compiled before, with the same rules, program and processor.
    pub(crate) fn restore(&self, key: &Key) -> Option<Arc<Runnable>> {
        let (artifacts, compiler) = (self.artifacts.as_ref()?, self.compiler.as_ref()?);
        let payload = artifacts.get(&self.artifact_name(compiler, key))?;
        match Runnable::from_artifact(&compiler.engine, &compiler.linker, &payload) {
            Ok(runnable) => Some(Arc::new(runnable)),
            Err(reason) => {
                tracing::warn!(reason, "compiled code cannot be loaded and is made again");
                None
            }
        }
    }

    /// Everything that compiled code depends on: the code, the rules that admitted and instrumented it, the host functions
    /// it is bound to, this program, wasmtime's version, its settings and the features of the processor.
    fn artifact_name(&self, compiler: &Compiler, key: &Key) -> [u8; 32] {
        let rules = format!("{:?}", Rules::of(key.version));
        hash(
            "noema compiled code",
            &[
                env!("CARGO_PKG_VERSION").as_bytes(),
                &*instrument::FINGERPRINT,
                rules.as_bytes(),
                &key.version.number().to_le_bytes(),
                &key.extensions,
                &key.code_hash,
                self.kind.to_string().as_bytes(),
                &compiler.compatibility,
            ],
        )
    }

    fn try_compile(&self, compiler: &Compiler, admitted: &Admitted) -> Result<Compiled, String> {
        let work = || match self.kind {
            EngineKind::CraneliftFails => Err(VmError::Engine("told to fail".into())),
            EngineKind::CraneliftPanics => panic!("told to panic"),
            _ => Compiled::new(&compiler.engine, &compiler.linker, admitted),
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(compiled) => compiled.map_err(|error| error.to_string()),
            Err(panic) => Err(format!("the compiler panicked: {}", crate::error::panic_text(panic.as_ref()))),
        }
    }
}

impl Compiler {
    fn new(config: &Config, concurrent: u32, extensions: &Extensions) -> Result<Compiler, VmError> {
        let engine = Engine::new(config).map_err(|error| {
            VmError::Engine(format!(
                "cannot set up the engine: {error:#} (it reserves about {} GiB of address space, not memory: \
                 is there a limit such as `ulimit -v`?)",
                u64::from(slots(concurrent)) * 4
            ))
        })?;
        let mut linker = Linker::new(&engine);
        bind::bind(&mut linker, extensions).map_err(|error| VmError::Engine(format!("{error:#}")))?;
        let mut compatibility = Bytes(Vec::new());
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        Ok(Compiler { engine, linker, compatibility: compatibility.0 })
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
    config.target("pulley64").map_err(|error| VmError::Engine(format!("no Pulley: {error:#}")))?;
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
