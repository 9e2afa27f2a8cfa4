//! A frame: one contract running in one instance of its own.

use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_host::{CallInfo, GasClass, Stop, TensorTable};
use wasmtime::{Store, Trap, Val};

use super::Core;
use super::transaction::{Transaction, charge};
use crate::engine::{Accounts, Compiled, EntryPoint, GrowthFailed, Limiter, Stopped, read_account};
use crate::instrument::{FAULT_GAS, FAULT_STACK};
use crate::rules::Rules;
use crate::{Address, VmError};

/// What host functions of the running instance work on.
pub(crate) struct Frame {
    pub(super) core: Arc<Core>,
    pub(super) rules: &'static Rules,
    pub(super) version: ProtocolVersion,
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
    accounts: Option<Accounts>,
    /// What an `unreachable` stood for.
    fault: i64,
    limiter: Limiter,
    stop: Option<Stop>,
    /// This node's own fault, where a host function met one.
    failure: Option<VmError>,
}

/// What to run.
pub(super) struct Task {
    pub(super) version: ProtocolVersion,
    pub(super) info: CallInfo,
    pub(super) module: Arc<Compiled>,
    pub(super) entry_point: EntryPoint,
    pub(super) gas: u64,
    pub(super) room: i64,
}

/// How a frame ended.
#[derive(Debug)]
pub(super) enum End {
    Success { output: Vec<u8> },
    Abort { code: u32, message: Vec<u8> },
    Fault { diagnostic: String },
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
    let rules = Rules::of(task.version);
    let mut frame = Frame {
        core: Arc::clone(core),
        rules,
        version: task.version,
        tx,
        info: task.info,
        left: task.gas,
        room: task.room,
        least_room: task.room,
        output: Vec::new(),
        last_output: Vec::new(),
        tensors: TensorTable::default(),
        accounts: None,
        fault: 0,
        limiter: Limiter::new(&rules.machine),
        stop: None,
        failure: None,
    };
    let end = match frame.take(GasClass::Code, task.module.instantiate_gas) {
        Ok(()) => {
            let (ended, result) = instantiate_and_call(core, frame, &task.module, task.entry_point);
            frame = ended;
            frame.end(result)?
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
    tx.leave(entered, matches!(end, End::Success { .. }), faulted);
    Ok((tx, Ended { end, left, least_room }))
}

/// Hands the frame to a store, runs, and takes it back with the accounts settled.
fn instantiate_and_call(
    core: &Core,
    frame: Frame,
    module: &Compiled,
    entry_point: EntryPoint,
) -> (Frame, wasmtime::Result<()>) {
    let gas = frame.balance();
    let room = frame.room;
    let mut store = Store::new(core.machinery.engine(), frame);
    store.limiter(|frame| frame.limiter.begin());
    let result = (|| {
        let instance = module.pre.instantiate(&mut store)?;
        let accounts = Accounts::of(module, &instance, &mut store)?;
        accounts.least_room.set(&mut store, Val::I64(room))?;
        store.data_mut().accounts = Some(accounts);
        let function = instance
            .get_module_export(&mut store, &entry_point)
            .and_then(wasmtime::Extern::into_func)
            .ok_or_else(|| wasmtime::Error::msg("the entry point is no function"))?;
        function.typed::<(i64, i64), i64>(&store)?.call(&mut store, (gas, room))
    })();
    let fault = store.data().accounts.map(|accounts| {
        let least_room = read_account(accounts.least_room, &mut store);
        let fault = read_account(accounts.fault, &mut store);
        let frame = store.data_mut();
        frame.least_room = frame.least_room.min(least_room);
        fault
    });
    let mut frame = store.into_data();
    frame.fault = fault.unwrap_or(0);
    // The entry point has returned: a settlement point.
    let result = result.and_then(|gas| {
        frame.settle(gas).map_err(|stop| {
            frame.stop = Some(stop);
            Stopped.into()
        })
    });
    (frame, result)
}

impl Frame {
    /// Takes gas.
    pub(super) fn take(&mut self, class: GasClass, gas: u64) -> Result<(), Stop> {
        charge(&mut self.left, &mut self.tx.gas, class, gas)
    }

    /// The accounts of the instance, once there is one.
    pub(crate) fn accounts(&self) -> Option<Accounts> {
        self.accounts
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
    fn end(&mut self, result: wasmtime::Result<()>) -> Result<End, VmError> {
        let Err(error) = result else {
            return Ok(End::Success { output: std::mem::take(&mut self.output) });
        };
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let trap = error.downcast_ref::<Trap>().copied();
        match (self.stop.take(), trap) {
            (_, Some(Trap::StackOverflow)) => Err(VmError::NativeStack { depth: self.depth() }),
            (Some(Stop::Abort { code, message }), _) => Ok(End::Abort { code, message }),
            (Some(Stop::Node(reason)), _) => Err(VmError::Host(reason)),
            (Some(stop), _) => Ok(End::Fault { diagnostic: stop.to_string() }),
            (None, Some(trap)) if is_verdict(trap) => {
                let diagnostic = match (trap, i32::try_from(self.fault)) {
                    (Trap::UnreachableCodeReached, Ok(FAULT_GAS)) => Stop::OutOfGas.to_string(),
                    (Trap::UnreachableCodeReached, Ok(FAULT_STACK)) => "out of stack".to_owned(),
                    _ => trap.to_string(),
                };
                Ok(End::Fault { diagnostic })
            }
            (None, _) if error.is::<GrowthFailed>() => Err(VmError::Memory(format!("{error:#}"))),
            (None, _) => Err(VmError::Engine(format!("{error:#}"))),
        }
    }

    fn depth(&self) -> u64 {
        let room = u64::try_from(self.room).unwrap_or(0);
        self.rules.machine.stack_units.saturating_sub(room)
    }
}

/// Traps that WebAssembly defines: the same on every engine.
fn is_verdict(trap: Trap) -> bool {
    matches!(
        trap,
        Trap::UnreachableCodeReached
            | Trap::MemoryOutOfBounds
            | Trap::TableOutOfBounds
            | Trap::IndirectCallToNull
            | Trap::BadSignature
            | Trap::IntegerOverflow
            | Trap::IntegerDivisionByZero
            | Trap::BadConversionToInteger
    )
}
