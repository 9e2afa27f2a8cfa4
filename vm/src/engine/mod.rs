//! The engines underneath: wasmtime with fixed configurations, and the interpreter wasmi; modules in a cache, host
//! functions bound by the table, and stacks of our own to run on.
//!
//! ```text
//! kind.rs  ->  Machinery  --compile-->  runnable.rs  -+-  compiled.rs     wasmtime, host functions in bind.rs
//!                  |                                  +-  interpreter.rs  wasmi
//!                  +-- compiler.rs, process.rs: who compiles, and what that may take
//! known_answer.rs: what each has to show first
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
mod compiler;
pub(crate) mod float_state;
mod host_call;
mod interpreter;
mod kind;
mod known_answer;
mod limiter;
mod process;
mod processor;
mod runnable;
mod stack;

use std::sync::Arc;

use noema_abi::limits::MAX_CALL_DEPTH;
use noema_host::Extensions;

pub use artifacts::ArtifactCache;
use artifacts::Artifacts;
pub(crate) use cache::{Key, ModuleCache};
use compiler::Compiler;
#[cfg(test)]
pub(crate) use compiler::{config_on_demand, optimized};
pub(crate) use host_call::{Halted, Ran};
use interpreter::Interpreter;
#[cfg(test)]
pub(crate) use interpreter::config as interpreter_config;
pub use kind::{EngineKind, UnknownEngine};
use limiter::Limiter;
pub use process::{CompilerProcess, serve_compiler};
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

/// The engines of a node, set up, with every host function bound: those of the table, and those of the extensions.
pub(crate) struct Machinery {
    kind: EngineKind,
    compiler: Option<Compiler>,
    interpreter: Interpreter,
    /// Compiled code on disk, if the node keeps it.
    artifacts: Option<Artifacts>,
}

impl Machinery {
    /// Sets the engines up for `concurrent` messages at a time.
    pub(crate) fn new(
        kind: EngineKind,
        machine: &Machine,
        concurrent: u32,
        extensions: &Extensions,
        artifacts: Option<&ArtifactCache>,
        process: Option<&CompilerProcess>,
    ) -> Result<Machinery, VmError> {
        let open = |cache: &ArtifactCache| {
            Artifacts::open(cache).map_err(|error| {
                VmError::Engine(format!("cannot keep compiled code in {}: {error}", cache.directory.display()))
            })
        };
        let artifacts = artifacts.map(open).transpose()?;
        let compiler = Compiler::new(kind, machine, concurrent, extensions, process)?;
        let interpreter = Interpreter::new(machine, extensions)?;
        if compiler.is_none() {
            interpreter.passes()?;
        }
        Ok(Machinery { kind, compiler, interpreter, artifacts })
    }

    /// Whether any module is compiled.
    pub(crate) fn compiles(&self) -> bool {
        self.compiler.is_some()
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
            Some(compiler) => match compiler.compile(admitted) {
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

    /// What other machinery of this node has made ready, for this one.
    pub(crate) fn adopt(&self, runnable: Arc<Runnable>) -> Result<Arc<Runnable>, VmError> {
        match &self.compiler {
            Some(compiler) => {
                runnable.load_again(&compiler.engine, &compiler.linker).map_or(Ok(runnable), |own| own.map(Arc::new))
            }
            None => Ok(runnable),
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
}

/// Native stack that WebAssembly code of one instance may use: its share for the whole logical stack. Its end is never
/// a verdict.
fn max_wasm_stack(machine: &Machine) -> usize {
    usize::try_from(machine.stack_units * 8 * NATIVE_PER_LOGICAL).expect("limited")
}

/// Stacks for `concurrent` messages at a time. Each instance may use what one may, counted from where it begins.
pub(crate) fn stacks(machine: &Machine, concurrent: u32, shards: usize) -> Stacks {
    let nested = usize::try_from(MAX_CALL_DEPTH).expect("small");
    Stacks::new(nested * max_wasm_stack(machine) + HOST_STACK, concurrent, shards)
}
