//! What is the same on every engine about a call of a host function, and about the end of a run.

use noema_host::{Extension, Guest, Stop};

use super::{Limiter, float_state};
use crate::execute::{Frame, observe};

/// What the store of an instance holds: the frame, and what one engine needs besides.
pub(super) struct Hosted<A> {
    pub(super) frame: Frame,
    pub(super) limiter: Limiter,
    /// Where the instance keeps its accounts and its memory, once there is one.
    pub(super) accounts: Option<A>,
}

impl<A> Hosted<A> {
    pub(super) fn new(frame: Frame) -> Hosted<A> {
        let limiter = Limiter::new(&frame.rules().machine);
        Hosted { frame, limiter, accounts: None }
    }
}

/// The caller of a host function, as an engine shows it.
pub(super) trait Caller: Guest<Context = Frame> {
    /// The frame alone.
    fn frame(&mut self) -> &mut Frame;
}

/// A host call that does not return to the guest. Why is kept in the frame: errors of engines carry text only.
#[derive(Debug, thiserror::Error)]
#[error("the host call does not return")]
pub(crate) struct Stopped;

/// Runs one host function: a settlement point, so the frame takes the balance over before, and the guest gets it back
/// after, behind the result (see `instrument`).
pub(super) fn host_call<C: Caller>(
    caller: &mut C,
    gas: i64,
    room: Option<i64>,
    row: (&'static str, &'static str),
    function: impl FnOnce(&mut C) -> Result<i64, Stop>,
) -> Result<(i64, i64), Stopped> {
    let frame = caller.frame();
    if let Err(stop) = frame.settle(gas) {
        frame.stop(stop);
        return Err(Stopped);
    }
    if let Some(room) = room {
        frame.set_room(room);
    }
    observe::host_call_begins(row, frame.gas());
    let result = function(caller);
    // Extensions and stores are foreign code.
    float_state::reset();
    let frame = caller.frame();
    observe::host_call_ends(row, frame.gas(), &result);
    match result {
        Ok(result) => Ok((result, frame.balance())),
        Err(stop) => {
            frame.stop(stop);
            Err(Stopped)
        }
    }
}

/// Runs a row of an extension, with its arguments as the engine has them. It calls no contracts.
pub(super) fn extension_call<C: Caller>(
    caller: &mut C,
    gas: i64,
    extension: &Extension,
    index: usize,
    row: (&'static str, &'static str),
    arguments: &[i64],
) -> Result<(i64, i64), Stopped> {
    host_call(caller, gas, None, row, |guest| {
        let (memory, frame) = guest.split();
        extension.call(index, memory, frame, arguments)
    })
}

/// What a run leaves.
pub(crate) struct Ran {
    /// The balance that the entry point returned.
    pub(crate) result: Result<i64, Halted>,
    /// The least that the room on the stack has been, if there was an instance.
    pub(crate) least_room: Option<i64>,
    /// What an `unreachable` stands for.
    pub(crate) fault: i32,
}

/// Why an entry point did not return, in the words of no engine.
#[derive(Debug)]
pub(crate) enum Halted {
    /// A host call did not return. Why is kept in the frame.
    HostCall,
    /// An `unreachable`, of the contract or of the accounting.
    Unreachable,
    /// Another trap that WebAssembly defines: the same on every engine. The words are for people.
    Trap(String),
    /// The native stack, or what an interpreter has instead, ended before the logical one.
    NativeStack,
    /// This machine could not provide what the limits allow.
    Memory(String),
    /// Anything else is the fault of the engine.
    Engine(String),
}
