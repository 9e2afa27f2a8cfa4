//! A module that is ready to run, on one engine or another.

use noema_host::CallKind;

use wasmtime::{Engine, Linker};

use super::bind::Native;
use super::compiled::Compiled;
use super::host_call::Ran;
use super::interpreter::Interpreted;
use crate::VmError;
use crate::execute::Frame;

/// What is kept of an admitted module, and what runs it.
pub(crate) struct Runnable {
    /// Gas of a new instance.
    pub(crate) instantiate_gas: u64,
    /// Gas of compiling it, however that was done.
    pub(crate) compile_gas: u64,
    pub(super) code: Code,
}

/// One for each engine.
pub(super) enum Code {
    Compiled(Compiled),
    Interpreted(Interpreted),
}

/// Bytes in front of the machine code in an artifact: two prices.
const FACTS: usize = 16;

impl Runnable {
    /// What has to be kept of it on disk, if it is machine code.
    pub(super) fn to_artifact(&self) -> Option<Vec<u8>> {
        let Code::Compiled(compiled) = &self.code else { return None };
        let facts = [self.instantiate_gas.to_le_bytes(), self.compile_gas.to_le_bytes()];
        Some([facts.as_flattened(), &compiled.serialize()?].concat())
    }

    /// The same from the disk. The bytes must be what [`Runnable::to_artifact`] gave.
    pub(super) fn from_artifact(engine: &Engine, linker: &Linker<Native>, artifact: &[u8]) -> Result<Runnable, String> {
        let (facts, code) = artifact.split_at_checked(FACTS).ok_or("it is too short")?;
        let fact = |at: usize| facts[at..at + 8].try_into().map(u64::from_le_bytes).map_err(|_| "it is too short");
        let compiled = Compiled::load(engine, linker, code).map_err(|error| error.to_string())?;
        Ok(Runnable { instantiate_gas: fact(0)?, compile_gas: fact(8)?, code: Code::Compiled(compiled) })
    }

    /// The same for an engine with the same settings; `None` where no engine is needed.
    pub(super) fn load_again(&self, engine: &Engine, linker: &Linker<Native>) -> Option<Result<Runnable, VmError>> {
        let Code::Compiled(compiled) = &self.code else { return None };
        let code = compiled.serialize().ok_or_else(|| VmError::Engine("compiled code cannot be serialised".into()));
        let loaded = code.and_then(|code| Compiled::load(engine, linker, &code));
        Some(loaded.map(|compiled| Runnable { code: Code::Compiled(compiled), ..*self }))
    }

    /// Bytes that it takes in the cache.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.code {
            Code::Compiled(compiled) => compiled.bytes,
            Code::Interpreted(interpreted) => interpreted.bytes,
        }
    }

    /// Whether it has the entry point for a kind of call.
    pub(crate) fn exports(&self, kind: CallKind) -> bool {
        match &self.code {
            Code::Compiled(compiled) => compiled.entry_point(kind).is_some(),
            Code::Interpreted(interpreted) => interpreted.exports(kind),
        }
    }

    /// Runs an entry point in a new instance, with the gas and the room that the frame has.
    pub(crate) fn run(&self, frame: Frame, kind: CallKind) -> (Frame, Ran) {
        match &self.code {
            Code::Compiled(compiled) => compiled.run(frame, kind),
            Code::Interpreted(interpreted) => interpreted.run(frame, kind),
        }
    }
}
