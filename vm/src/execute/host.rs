//! What host functions ask of the running frame.

use noema_abi::limits::{MAX_CALL_DEPTH, MAX_EVENTS, MAX_INPUT_BYTES, MAX_TENSOR_BYTES, MAX_TRANSIENT_BYTES};
use noema_abi::{ProtocolVersion, Status};
use noema_host::{CallInfo, CallKind, Fault, GasClass, HostContext, Stop, TensorTable};
use noema_model::{Extent, Model, ModelId};
use noema_tensor::Kernels;
use std::sync::Arc;

use super::frame::{self, End, Frame, Task};
use super::observe;
use super::transaction::TransferRefused;
use crate::journal::Scan;
use crate::{Address, Event, VmError, deposit, layout};

/// Work of one removed entry that a scan passes over, in the unit of the row `storage.scan`: as for one that it finds.
const REMOVED_ENTRY_GAS: u64 = 256 * 5_000;

impl Frame {
    fn own_address(&self) -> Address {
        Address(self.info.self_address)
    }

    /// The shim refuses changes in views before it comes here; this is the second lock on the same door.
    fn check_writable(&self, group: &'static str, name: &'static str) -> Result<(), Stop> {
        if self.info.read_only { Err(Fault::WriteInView { group, name }.into()) } else { Ok(()) }
    }

    fn nested(&mut self, target: Address, value: u128, gas: u64, input: &[u8]) -> Result<Result<(), Status>, Stop> {
        let depth = u32::try_from(self.tx.running.len()).unwrap_or(u32::MAX);
        if depth >= MAX_CALL_DEPTH {
            return Ok(Err(Status::CallDepth));
        }
        let again = self.tx.running.contains(&target);
        let call_units = i64::try_from(self.rules.machine.call_units).expect("limited");
        let room = self.room - call_units;
        if room < 0 {
            return Ok(Err(Status::CallDepth));
        }
        let record = self.tx.contract(&target);
        let Some(record) = self.paid(record)? else {
            return Ok(Err(Status::NotFound));
        };
        let kind = match (self.info.read_only, again) {
            (false, false) => CallKind::Call,
            (false, true) => CallKind::CallReentrant,
            (true, false) => CallKind::View,
            (true, true) => CallKind::ViewReentrant,
        };
        let module = self.core.load(self.version, &record.code_hash, &self.tx.journal);
        let module = module.map_err(|error| self.fail(error))?;
        if !module.exports(kind) {
            // Whoever is running already may only be entered where its code says so.
            return Ok(Err(if again { Status::Reentrant } else { Status::NotFound }));
        }
        // The value goes back with everything else if the call fails: its checkpoint lies before this.
        let own = self.own_address();
        let point = self.tx.journal.checkpoint();
        let moved = self.tx.transfer(&own, &target, value);
        match self.paid(moved)? {
            Ok(()) => {}
            Err(TransferRefused::Insufficient) => return Ok(Err(Status::InsufficientBalance)),
            Err(TransferRefused::Overflow) => return Ok(Err(Status::Overflow)),
        }
        let cap = gas.min(self.left - self.left / 64);
        let task = Task {
            version: self.version,
            deposit_per_byte: self.deposit_per_byte,
            info: CallInfo {
                caller: own.0,
                self_address: target.0,
                value,
                input: input.into(),
                kind,
                ..self.info.clone()
            },
            module,
            gas: cap,
            room,
        };
        let core = Arc::clone(&self.core);
        let ran = frame::run(&core, std::mem::take(&mut self.tx), task);
        let (tx, ended) = ran.map_err(|error| self.fail(error))?;
        self.tx = tx;
        self.left -= cap - ended.left;
        self.least_room = self.least_room.min(ended.least_room);
        match ended.end {
            End::Success { output } => {
                self.last_output = output;
                Ok(Ok(()))
            }
            End::Abort { code, message } => {
                self.tx.journal.rollback(point);
                self.last_output = [&code.to_le_bytes(), message.as_slice()].concat();
                Ok(Err(Status::CallAborted))
            }
            End::Fault { diagnostic } => {
                self.tx.nested_fault = Some(format!("a call of {target} faulted: {diagnostic}"));
                self.tx.journal.rollback(point);
                self.last_output = Vec::new();
                Ok(Err(Status::CallFaulted))
            }
            End::Short(_) => {
                self.tx.journal.rollback(point);
                self.last_output = Vec::new();
                Ok(Err(Status::InsufficientDeposit))
            }
        }
    }
}

impl HostContext for Frame {
    fn charge(&mut self, class: GasClass, gas: u64) -> Result<(), Stop> {
        self.take(class, gas)
    }

    fn gas_left(&self) -> u64 {
        self.left
    }

    fn version(&self) -> ProtocolVersion {
        self.version
    }

    fn call_info(&self) -> &CallInfo {
        &self.info
    }

    fn set_output(&mut self, data: Vec<u8>) {
        self.output = data;
    }

    fn balance(&mut self, address: &[u8; 32]) -> Result<u128, Stop> {
        let balance = self.tx.balance(&Address(*address));
        self.paid(balance)
    }

    fn transfer(&mut self, to: &[u8; 32], value: u128) -> Result<Result<(), Status>, Stop> {
        self.check_writable("call", "transfer")?;
        let own = self.own_address();
        let moved = self.tx.transfer(&own, &Address(*to), value);
        Ok(self.paid(moved)?.map_err(|refused| match refused {
            TransferRefused::Insufficient => Status::InsufficientBalance,
            TransferRefused::Overflow => Status::Overflow,
        }))
    }

    fn storage_get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        let key = layout::storage_key(&self.own_address(), key);
        let value = self.tx.get(&key);
        self.paid(value)
    }

    fn storage_len(&mut self, key: &[u8]) -> Result<Option<u64>, Stop> {
        let key = layout::storage_key(&self.own_address(), key);
        let length = self.tx.len(&key);
        self.paid(length)
    }

    fn storage_set(&mut self, key: &[u8], value: &[u8], before: Option<u64>) -> Result<Result<(), Status>, Stop> {
        self.check_writable("storage", "set")?;
        if !self.tx.may_write(key, value) {
            return Ok(Err(Status::LimitExceeded));
        }
        let own = self.own_address();
        let set = self.tx.set_entry(self.rules, &own, key, before, Some(value.to_vec()));
        self.paid(set).map(Ok)
    }

    fn storage_remove(&mut self, key: &[u8], before: u64) -> Result<(), Stop> {
        self.check_writable("storage", "remove")?;
        let own = self.own_address();
        let removed = self.tx.set_entry(self.rules, &own, key, Some(before), None);
        self.paid(removed)
    }

    fn deposit(&mut self) -> Result<(u64, u128), Stop> {
        let bytes = self.tx.kept(self.rules, &self.own_address());
        let bytes = self.paid(bytes)?;
        Ok((bytes, deposit::price(self.deposit_per_byte, bytes)))
    }

    fn transient_get(&self, key: &[u8]) -> Option<&[u8]> {
        self.tx.journal.transient(&self.own_address(), key)
    }

    fn transient_set(&mut self, key: &[u8], value: &[u8]) -> Result<Result<(), Status>, Stop> {
        self.check_writable("transient", "set")?;
        let own = self.own_address();
        let bytes = self.tx.journal.transient_bytes_with(&own, key, value);
        if bytes > MAX_TRANSIENT_BYTES || !self.tx.may_write(key, value) {
            return Ok(Err(Status::LimitExceeded));
        }
        self.tx.journal.set_transient(own, key, Some(value.to_vec()));
        Ok(Ok(()))
    }

    fn transient_remove(&mut self, key: &[u8]) -> Result<bool, Stop> {
        self.check_writable("transient", "remove")?;
        let own = self.own_address();
        let there = self.tx.journal.transient(&own, key).is_some();
        if there {
            self.tx.journal.set_transient(own, key, None);
        }
        Ok(there)
    }

    fn storage_scan(&mut self, prefix: &[u8], start: &[u8], limit: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Stop> {
        let own = self.own_address();
        let prefix = layout::storage_key(&own, prefix);
        let start = layout::storage_key(&own, start);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // Passing over removed entries is paid for, and what cannot be paid for is not done.
        let affordable = self.left / REMOVED_ENTRY_GAS;
        let found = self.tx.scan(&prefix, &start, limit, affordable);
        let found = self.paid(found)?;
        let Scan::Found(entries, removed) = found else {
            return Err(Stop::OutOfGas);
        };
        self.take(GasClass::State, removed * REMOVED_ENTRY_GAS)?;
        let own_prefix = layout::storage_key(&own, &[]).len();
        Ok(entries.into_iter().map(|(key, value)| (key[own_prefix..].to_vec(), value)).collect())
    }

    fn emit(&mut self, topic: &[u8], data: &[u8]) -> Result<Result<(), Status>, Stop> {
        self.check_writable("event", "emit")?;
        if self.tx.journal.event_count() >= MAX_EVENTS {
            return Ok(Err(Status::LimitExceeded));
        }
        let contract = self.own_address();
        self.tx.journal.emit(Event { contract, topic: topic.to_vec(), data: data.to_vec() });
        Ok(Ok(()))
    }

    fn log(&mut self, message: &[u8]) {
        self.tx.log(message);
    }

    fn contract_code_len(&mut self, target: &[u8; 32]) -> Result<Option<u64>, Stop> {
        let record = self.tx.contract(&Address(*target));
        Ok(self.paid(record)?.map(|record| record.code_len))
    }

    fn call_contract(
        &mut self,
        target: &[u8; 32],
        value: u128,
        gas: u64,
        input: &[u8],
    ) -> Result<Result<(), Status>, Stop> {
        self.last_output = Vec::new();
        if value > 0 {
            self.check_writable("call", "contract")?;
        }
        if input.len() > MAX_INPUT_BYTES {
            return Ok(Err(Status::LimitExceeded));
        }
        self.nested(Address(*target), value, gas, input)
    }

    fn last_output(&self) -> &[u8] {
        &self.last_output
    }

    fn tensors(&mut self) -> &mut TensorTable {
        &mut self.tensors
    }

    fn kernels(&self) -> &Kernels {
        &self.core.kernels
    }

    fn reserve_memory(&mut self, bytes: u64) -> Result<(), Status> {
        let sum = self.tx.tensor_bytes.checked_add(bytes).filter(|sum| *sum <= MAX_TENSOR_BYTES);
        self.tx.tensor_bytes = sum.ok_or(Status::LimitExceeded)?;
        self.tx.tensor_peak = self.tx.tensor_peak.max(self.tx.tensor_bytes);
        Ok(())
    }

    fn release_memory(&mut self, bytes: u64) {
        self.tx.tensor_bytes = self.tx.tensor_bytes.checked_sub(bytes).expect("no more is released than was reserved");
    }

    fn extension_get(&mut self, group: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        let value = self.tx.get(&layout::extension_key(group, key));
        self.paid(value)
    }

    fn extension_set(&mut self, group: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Stop> {
        if self.info.read_only {
            // `HostCall` refuses it before, with the name of the row.
            return Err(Stop::Node(format!("{group} would change something in a view")));
        }
        self.tx.journal.set(layout::extension_key(group, key), value.map(<[u8]>::to_vec));
        self.pay_for_state()
    }

    fn trace_model(&mut self, model: &Model, extent: Extent) {
        observe::model(self.version, model, extent);
    }

    fn model_open(&mut self, id: &[u8; 32]) -> Result<Option<Arc<Model>>, Stop> {
        let record = self.tx.model(id);
        let record = self.paid(record)?;
        if !record.is_some_and(|record| record.active) {
            return Ok(None);
        }
        match self.core.models.open(ModelId(*id)) {
            Ok(model) => Ok(Some(model)),
            // The chain has this model, so whatever is wrong here is wrong with this node.
            Err(error) => Err(self.fail(VmError::Model { id: *id, reason: error.to_string() })),
        }
    }
}
