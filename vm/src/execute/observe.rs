//! Somebody who watches a message being executed: traces and profiles are made of this. What is told depends on the message
//! alone; nothing that happens depends on whether anybody is told.

use std::cell::RefCell;

use noema_abi::ProtocolVersion;
use noema_host::{CallInfo, CallKind, Stop};
use noema_model::{Extent, Model};
use scoped_tls_hkt::scoped_thread_local;

use super::frame::End;
use crate::Address;
use crate::instrument::places::Mark;

/// Is told what happens, in its order. Every method does nothing unless it is written.
///
/// A panic in it ends the message as [`crate::VmError::Panic`].
#[allow(unused_variables)]
pub trait Observer {
    /// The message begins; what was told before does not count. (It begins twice where a node's native stack was too small.)
    fn begin(&mut self) {}
    /// A contract begins to run, in the message or in a call of another.
    fn enter(&mut self, frame: &FrameStart<'_>) {}
    /// The contract that began last ends, with so much of its gas left; whoever called it goes on.
    fn leave(&mut self, gas_left: u64, end: &FrameEnd<'_>) {}
    /// The running contract calls a host function.
    fn host_call_begins(&mut self, group: &'static str, name: &'static str, gas_left: u64) {}
    /// The host function has ended. What contracts have done that it has called lies between.
    fn host_call_ends(&mut self, group: &'static str, name: &'static str, gas_left: u64, end: &HostCallEnd<'_>) {}
    /// `model.run` runs a model: its name, and what each of its nodes costs.
    fn model_runs(&mut self, model: &str, nodes: &[(&str, u64)]) {}
    /// The running contract has come to a place in its code. Told by the engine `Observed` alone.
    fn place(&mut self, place: Place, gas_left: u64) {}
}

/// A contract that begins to run.
#[derive(Clone, Debug)]
pub struct FrameStart<'f> {
    /// Which contract.
    pub contract: Address,
    /// Who calls it.
    pub caller: Address,
    /// Through which export.
    pub export: &'static str,
    /// The value that came along.
    pub value: u128,
    /// The input.
    pub input: &'f [u8],
    /// Gas that it may use.
    pub gas: u64,
}

/// How a contract ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameEnd<'f> {
    /// It returned this.
    Success(&'f [u8]),
    /// It stopped itself.
    Abort {
        /// Its code.
        code: u32,
        /// Its message.
        message: &'f [u8],
    },
    /// A trap, out of gas or out of stack, in words.
    Fault(&'f str),
    /// It would have kept more than it has the deposit for.
    InsufficientDeposit,
}

/// How a host function ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostCallEnd<'f> {
    /// It returned this number: a result, or the negated code of a status.
    Returned(i64),
    /// It did not return: an abort, out of gas, a broken rule.
    Stopped(&'f Stop),
}

/// A place in the code of the running contract, in bytes from the start of its module as it was deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A function begins.
    Enter(usize),
    /// A metering block begins: what is charged from here on is for it, until the next place or host call.
    Block(usize),
    /// The function ends; the one that has called it goes on where it was.
    Leave,
}

/// The observer of this thread, which host functions reach like the state.
trait Watch {
    fn with(&self, tell: &mut dyn FnMut(&mut dyn Observer));
}

struct Watched<'o>(RefCell<&'o mut dyn Observer>);

impl Watch for Watched<'_> {
    fn with(&self, tell: &mut dyn FnMut(&mut dyn Observer)) {
        // An observer that executes another message is not told of that one.
        if let Ok(mut observer) = self.0.try_borrow_mut() {
            tell(&mut **observer);
        }
    }
}

scoped_thread_local!(static OBSERVER: for<'a> &'a (dyn Watch + 'a));

/// Runs `work` with somebody watching.
pub(super) fn lend<R>(observer: &mut dyn Observer, work: impl FnOnce() -> R) -> R {
    OBSERVER.set(&Watched(RefCell::new(observer)), work)
}

fn tell(mut what: impl FnMut(&mut dyn Observer)) {
    if OBSERVER.is_set() {
        OBSERVER.with(|watch| watch.with(&mut what));
    }
}

pub(super) fn begin() {
    tell(|observer| observer.begin());
}

pub(super) fn enter(info: &CallInfo, gas: u64) {
    let export = CallKind::export(info.kind);
    let start = FrameStart {
        contract: Address(info.self_address),
        caller: Address(info.caller),
        export,
        value: info.value,
        input: &info.input,
        gas,
    };
    tell(|observer| observer.enter(&start));
}

pub(super) fn leave(gas_left: u64, end: &End) {
    let end = match end {
        End::Success { output } => FrameEnd::Success(output),
        End::Abort { code, message } => FrameEnd::Abort { code: *code, message },
        End::Fault { diagnostic } => FrameEnd::Fault(diagnostic),
        End::Short(_) => FrameEnd::InsufficientDeposit,
    };
    tell(|observer| observer.leave(gas_left, &end));
}

pub(crate) fn host_call_begins((group, name): (&'static str, &'static str), gas_left: u64) {
    tell(|observer| observer.host_call_begins(group, name, gas_left));
}

pub(crate) fn host_call_ends((group, name): (&'static str, &'static str), gas_left: u64, result: &Result<i64, Stop>) {
    let end = match result {
        Ok(returned) => HostCallEnd::Returned(*returned),
        Err(stop) => HostCallEnd::Stopped(stop),
    };
    tell(|observer| observer.host_call_ends(group, name, gas_left, &end));
}

pub(super) fn model(version: ProtocolVersion, model: &Model, extent: Extent) {
    tell(|observer| {
        let nodes = model.cost_by_node(version, extent).unwrap_or_default();
        observer.model_runs(&model.manifest().name, &nodes);
    });
}

pub(crate) fn place(mark: Mark, offset: usize, gas: i64) {
    let place = match mark {
        Mark::Enter => Place::Enter(offset),
        Mark::Block => Place::Block(offset),
        Mark::Leave => Place::Leave,
    };
    // Below zero the frame faults at its next check.
    let gas_left = u64::try_from(gas).unwrap_or(0);
    tell(|observer| observer.place(place, gas_left));
}
