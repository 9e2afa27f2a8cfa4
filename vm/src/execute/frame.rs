//! A frame: one contract running in one instance of its own.

use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_host::{CallInfo, GasClass, Stop, TensorTable};

use super::transaction::{Transaction, charge};
use super::{Core, observe};
use crate::engine::{Halted, Ran, Runnable};
use crate::instrument::{FAULT_GAS, FAULT_STACK};
use crate::rules::Rules;
use crate::{Address, Shortfall, VmError};

/// What host functions of the running instance work on.
pub(crate) struct Frame {
    pub(super) core: Arc<Core>,
    pub(super) rules: &'static Rules,
    pub(super) version: ProtocolVersion,
    pub(super) deposit_per_byte: u128,
    pub(super) tx: Transaction,
    pub(super) info: CallInfo,
    /// Gas left at the last settlement point.
    pub(super) left: u64,
    /// Room on the logical stack at the last host call that may nest.
    pub(super) room: i64,
    /// The least room that a nested call left.
    pub(super) least_room: i64,
    pub(super) output: Vec<u8>,
    pub(super) last_output: Vec<u8>,
    pub(super) tensors: TensorTable,
    stop: Option<Stop>,
    /// This node's own fault, where a host function met one.
    failure: Option<VmError>,
}

/// What to run.
pub(super) struct Task {
    pub(super) version: ProtocolVersion,
    pub(super) deposit_per_byte: u128,
    pub(super) info: CallInfo,
    pub(super) module: Arc<Runnable>,
    pub(super) gas: u64,
    pub(super) room: i64,
}

/// How a frame ended.
#[derive(Debug)]
pub(super) enum End {
    Success {
        output: Vec<u8>,
    },
    Abort {
        code: u32,
        message: Vec<u8>,
    },
    Fault {
        diagnostic: String,
    },
    /// It would have kept more than its balance is a deposit for.
    Short(Shortfall),
}

/// A frame that ended.
pub(super) struct Ended {
    pub(super) end: End,
    /// Gas that it leaves.
    pub(super) left: u64,
    /// The least room on the logical stack while it ran; that of its beginning, if it faulted.
    pub(super) least_room: i64,
}

/// Runs one entry point in a new instance, from taking a checkpoint to giving the transaction back. The value that comes
/// with the call has been moved before; whoever moved it takes it back if the frame fails.
pub(super) fn run(core: &Arc<Core>, mut tx: Transaction, task: Task) -> Result<(Transaction, Ended), VmError> {
    let entered = tx.enter(Address(task.info.self_address));
    observe::enter(&task.info, task.gas);
    let rules = Rules::of(task.version);
    let mut frame = Frame {
        core: Arc::clone(core),
        rules,
        version: task.version,
        deposit_per_byte: task.deposit_per_byte,
        tx,
        info: task.info,
        left: task.gas,
        room: task.room,
        least_room: task.room,
        output: Vec::new(),
        last_output: Vec::new(),
        tensors: TensorTable::default(),
        stop: None,
        failure: None,
    };
    let end = match frame.take(GasClass::Code, task.module.instantiate_gas) {
        Ok(()) => {
            let kind = frame.info.kind;
            let (ended, ran) = task.module.run(frame, kind);
            frame = ended;
            match frame.end(ran)? {
                End::Success { output } => frame.shortfall()?.map_or(End::Success { output }, End::Short),
                end => end,
            }
        }
        Err(stop) => End::Fault { diagnostic: format!("instance: {stop}") },
    };
    let faulted = matches!(end, End::Fault { .. });
    if faulted {
        frame.tx.gas.forfeited += frame.left;
        frame.left = 0;
        frame.least_room = task.room;
    }
    let Frame { mut tx, left, least_room, .. } = frame;
    // What the check of the deposit has read is not charged: nothing is left that could pay in every case.
    tx.due(rules);
    observe::leave(left, &end);
    tx.leave(entered, matches!(end, End::Success { .. }), faulted);
    Ok((tx, Ended { end, left, least_room }))
}

impl Frame {
    /// What the contract lacks of its deposit.
    fn shortfall(&mut self) -> Result<Option<Shortfall>, VmError> {
        if self.info.read_only {
            return Ok(None);
        }
        self.tx.shortfall(self.rules, self.deposit_per_byte, &Address(self.info.self_address))
    }

    /// Takes gas.
    pub(super) fn take(&mut self, class: GasClass, gas: u64) -> Result<(), Stop> {
        charge(&mut self.left, &mut self.tx.gas, class, gas)
    }

    /// Pays for what has been read from the state and written to it.
    pub(super) fn pay_for_state(&mut self) -> Result<(), Stop> {
        let due = self.tx.due(self.rules);
        self.take(GasClass::State, due)
    }

    /// What the state has answered, once it is paid for.
    pub(super) fn paid<T>(&mut self, answer: Result<T, impl Into<VmError>>) -> Result<T, Stop> {
        let value = answer.map_err(|error| self.fail(error))?;
        self.pay_for_state()?;
        Ok(value)
    }

    /// Gas left at the last settlement point.
    pub(crate) fn gas(&self) -> u64 {
        self.left
    }

    /// The numbers of its version.
    pub(crate) fn rules(&self) -> &'static Rules {
        self.rules
    }

    /// Takes over the balance that the instance has kept since the last settlement point. What it has not checked since
    /// is checked here.
    pub(crate) fn settle(&mut self, gas: i64) -> Result<(), Stop> {
        let now = u64::try_from(gas).map_err(|_| Stop::OutOfGas)?;
        self.tx.gas.wasm += self.left.checked_sub(now).expect("operators do not earn gas");
        self.left = now;
        Ok(())
    }

    /// The balance for the instance.
    pub(crate) fn balance(&self) -> i64 {
        i64::try_from(self.left).expect("limits are at most MAX_GAS")
    }

    /// The room on the logical stack for the instance.
    pub(crate) fn room(&self) -> i64 {
        self.room
    }

    /// Takes over the room left on the logical stack.
    pub(crate) fn set_room(&mut self, room: i64) {
        self.room = room;
    }

    /// Keeps why a host call does not return.
    pub(crate) fn stop(&mut self, stop: Stop) {
        self.stop = Some(stop);
    }

    /// Stops because of this node.
    pub(super) fn fail(&mut self, error: impl Into<VmError>) -> Stop {
        let error = error.into();
        let stop = Stop::Node(error.to_string());
        self.failure = Some(error);
        stop
    }

    /// The verdict on what the engine returned.
    fn end(&mut self, ran: Ran) -> Result<End, VmError> {
        self.least_room = self.least_room.min(ran.least_room.unwrap_or(i64::MAX));
        let halted = match ran.result {
            // The entry point has returned: a settlement point.
            Ok(gas) => match self.settle(gas) {
                Ok(()) => return Ok(End::Success { output: std::mem::take(&mut self.output) }),
                Err(stop) => return Ok(End::Fault { diagnostic: stop.to_string() }),
            },
            Err(halted) => halted,
        };
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        match (halted, self.stop.take()) {
            (Halted::NativeStack, _) => Err(VmError::NativeStack { depth: self.depth() }),
            (Halted::Memory(reason), _) => Err(VmError::Memory(reason)),
            (_, Some(Stop::Abort { code, message })) => Ok(End::Abort { code, message }),
            (_, Some(Stop::Node(reason))) => Err(VmError::Host(reason)),
            (_, Some(stop)) => Ok(End::Fault { diagnostic: stop.to_string() }),
            (Halted::Unreachable, None) => {
                let diagnostic = match ran.fault {
                    FAULT_GAS => Stop::OutOfGas.to_string(),
                    FAULT_STACK => "out of stack".to_owned(),
                    _ => "the contract reached `unreachable`".to_owned(),
                };
                Ok(End::Fault { diagnostic })
            }
            (Halted::Trap(diagnostic), None) => Ok(End::Fault { diagnostic }),
            (Halted::HostCall, None) => Err(VmError::Engine("a host call did not return, and did not say why".into())),
            (Halted::Engine(reason), None) => Err(VmError::Engine(reason)),
        }
    }

    fn depth(&self) -> u64 {
        let room = u64::try_from(self.room).unwrap_or(0);
        self.rules.machine.stack_units.saturating_sub(room)
    }
}
