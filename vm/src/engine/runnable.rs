//! A module that is ready to run, on one engine or another.

use noema_host::CallKind;

use super::compiled::Compiled;
use super::host_call::Ran;
use super::interpreter::Interpreted;
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

impl Runnable {
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
