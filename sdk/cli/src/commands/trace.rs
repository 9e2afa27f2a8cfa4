//! `noema trace`: one call, host call by host call.

use std::io::{self, Write};

use clap::Args;
use noema_abi::Status;
use noema_chain::Notes;
use noema_vm::{FrameEnd, FrameStart, HostCallEnd, Observer};
use serde::Serialize;

use crate::arguments::KernelArgs;
use crate::dry_run::DryRunArgs;
use crate::output::Report;
use crate::receipts::{ResultReport, amount};
use crate::{CliError, Context};

/// Arguments of `noema trace`.
#[derive(Args, Debug)]
pub struct TraceArgs {
    #[command(flatten)]
    call: DryRunArgs,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// What happened in a call.
#[derive(Serialize, Debug)]
pub struct TraceReport {
    steps: Vec<Step>,
    result: ResultReport,
}

/// One thing that happened.
#[derive(Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// In how many calls of contracts it is.
    depth: usize,
    /// `group.name` of a host function, `code` between two of them, `enter` and `leave` of a contract.
    what: String,
    /// Gas that it took; of a call of another contract without what that one took.
    gas: u64,
    /// How it ended, or which contract it is.
    detail: String,
}

/// Takes steps down.
#[derive(Default)]
struct Tracer {
    steps: Vec<Step>,
    frames: Vec<Frame>,
}

struct Frame {
    /// Gas left when it was last told.
    last: u64,
    /// Host functions that have begun: their step, and gas that contracts have taken meanwhile.
    open: Vec<(usize, u64)>,
    limit: u64,
}

impl Tracer {
    fn step(&mut self, what: &str, gas: u64, detail: String) -> usize {
        self.steps.push(Step { depth: self.frames.len(), what: what.to_owned(), gas, detail });
        self.steps.len() - 1
    }

    /// What the code of the running contract has taken since it was last told.
    fn code(&mut self, now: u64) {
        let Some(frame) = self.frames.last_mut() else { return };
        let gas = frame.last.saturating_sub(now);
        frame.last = now;
        if gas > 0 {
            self.step("code", gas, String::new());
        }
    }
}

impl Observer for Tracer {
    fn begin(&mut self) {
        *self = Tracer::default();
    }

    fn enter(&mut self, frame: &FrameStart<'_>) {
        let value = if frame.value > 0 { format!(" with {} units", frame.value) } else { String::new() };
        let detail = format!("{} `{}`{value}, {} gas", frame.contract, frame.export, amount(frame.gas));
        self.step("enter", 0, detail);
        self.frames.push(Frame { last: frame.gas, open: Vec::new(), limit: frame.gas });
    }

    fn leave(&mut self, gas_left: u64, end: &FrameEnd<'_>) {
        let detail = match end {
            FrameEnd::Success(output) => format!("returned {} bytes", output.len()),
            FrameEnd::Abort { code, message } => format!("aborted with {code}: {}", String::from_utf8_lossy(message)),
            FrameEnd::Fault(why) => format!("fault: {why}"),
            FrameEnd::InsufficientDeposit => "its deposit is missing".to_owned(),
            other => format!("{other:?}"),
        };
        self.code(gas_left);
        let taken = self.frames.pop().map_or(0, |frame| frame.limit.saturating_sub(gas_left));
        self.step("leave", 0, format!("{detail}, {} gas in all", amount(taken)));
        if let Some((_, inside)) = self.frames.last_mut().and_then(|frame| frame.open.last_mut()) {
            *inside += taken;
        }
    }

    fn host_call_begins(&mut self, group: &'static str, name: &'static str, gas_left: u64) {
        self.code(gas_left);
        let step = self.step(&format!("{group}.{name}"), 0, String::new());
        if let Some(frame) = self.frames.last_mut() {
            frame.open.push((step, 0));
        }
    }

    fn host_call_ends(&mut self, _: &'static str, _: &'static str, gas_left: u64, end: &HostCallEnd<'_>) {
        let Some(frame) = self.frames.last_mut() else { return };
        let Some((step, inside)) = frame.open.pop() else { return };
        let gas = frame.last.saturating_sub(gas_left).saturating_sub(inside);
        frame.last = gas_left;
        if let Some(step) = self.steps.get_mut(step) {
            step.gas = gas;
            step.detail = match end {
                HostCallEnd::Returned(result) => match Status::from_return(*result) {
                    Ok(result) => result.to_string(),
                    Err(status) => status.to_string(),
                },
                HostCallEnd::Stopped(stop) => stop.to_string(),
                other => format!("{other:?}"),
            };
        }
    }
}

impl Report for TraceReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for Step { depth, what, gas, detail } in &self.steps {
            let gas = if *gas > 0 { amount(*gas) } else { String::new() };
            writeln!(out, "{gas:>20}  {:indent$}{what:<22} {detail}", "", indent = 2 * depth)?;
        }
        writeln!(
            out,
            "{:>20}  of {} in all; before the contract: the message, and loading its code",
            amount(self.traced()),
            amount(self.result.gas.used)
        )?;
        writeln!(out, "status        {}", self.result.verdict())
    }
}

impl TraceReport {
    fn traced(&self) -> u64 {
        self.steps.iter().map(|step| step.gas).sum()
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened, has no such contract, or the arguments do not fit the method.
pub fn run(context: &Context, arguments: TraceArgs) -> Result<TraceReport, CliError> {
    let mut tracer = Tracer::default();
    let (_, watched) = arguments.call.run(context, &arguments.kernels, false, &mut tracer)?;
    let notes = Notes { logs: watched.outcome.logs, diagnostic: watched.outcome.diagnostic };
    let interface = watched.interface.as_ref().map(|interface| (interface, &*watched.method));
    Ok(TraceReport { steps: tracer.steps, result: ResultReport::new(&watched.outcome.receipt, &notes, interface) })
}
