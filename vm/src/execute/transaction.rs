//! What all frames of one message share. It is handed down into a nested call and back up.

use borsh::BorshDeserialize;
use noema_abi::limits::MAX_WRITTEN_BYTES;
use noema_host::{GasClass, Stop};
use noema_state::StoreError;

use super::state;
use crate::journal::{Checkpoint, Journal, Scan};
use crate::layout::{self, ContractRecord, ModelRecord};
use crate::receipt::Shortfall;
use crate::rules::Rules;
use crate::{Address, GasUsed, VmError, deposit};

/// Lines of log that are kept at most. They are no part of a receipt.
const MAX_LOG_LINES: usize = 1024;

/// The message so far.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(super) journal: Journal,
    pub(super) gas: GasUsed,
    /// Contracts that are running, outermost first.
    pub(super) running: Vec<Address>,
    /// Bytes of tensors and arenas held now, and the most so far by frames that did not fault.
    pub(super) tensor_bytes: u64,
    pub(super) tensor_peak: u64,
    /// Bytes of keys and values that contracts have written, also what is undone.
    written_bytes: u64,
    pub(super) logs: Vec<String>,
    /// The last call that faulted in the one that goes on, for people.
    pub(super) nested_fault: Option<String>,
}

/// Why value was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransferRefused {
    Insufficient,
    Overflow,
}

/// Takes gas from `left` and writes it into the books.
pub(super) fn charge(left: &mut u64, books: &mut GasUsed, class: GasClass, gas: u64) -> Result<(), Stop> {
    *left = left.checked_sub(gas).ok_or(Stop::OutOfGas)?;
    let account = match class {
        GasClass::Wasm => &mut books.wasm,
        GasClass::Host => &mut books.host,
        GasClass::Tensor => &mut books.tensor,
        GasClass::State => &mut books.state,
        GasClass::Code => &mut books.code,
    };
    *account += gas;
    Ok(())
}

impl Transaction {
    pub(super) fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        state::with(|view| self.journal.get(view, key))
    }

    pub(super) fn len(&mut self, key: &[u8]) -> Result<Option<u64>, StoreError> {
        state::with(|view| self.journal.len(view, key))
    }

    /// The gas for the accesses to the state since this was last asked.
    pub(super) fn due(&mut self, rules: &Rules) -> u64 {
        let due = self.journal.take_due();
        let reads = rules.prices.state_read.saturating_mul(due.reads);
        reads.saturating_add(rules.prices.state_write.saturating_mul(due.writes))
    }

    /// Counts an entry that is about to be written; `false` where it would be too much for one message.
    pub(super) fn may_write(&mut self, key: &[u8], value: &[u8]) -> bool {
        let bytes = u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX);
        let sum = self.written_bytes.saturating_add(bytes);
        if sum > MAX_WRITTEN_BYTES {
            return false;
        }
        self.written_bytes = sum;
        true
    }

    /// Writes or removes an entry of a contract, and keeps the count of its bytes. `before` is the length of the value
    /// that was there.
    pub(super) fn set_entry(
        &mut self,
        rules: &Rules,
        contract: &Address,
        name: &[u8],
        before: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> Result<(), VmError> {
        let whole = |len: u64| deposit::entry(rules, u64::try_from(name.len()).unwrap_or(u64::MAX), len);
        let after = value.as_deref().map(|value| u64::try_from(value.len()).unwrap_or(u64::MAX));
        let (taken, added) = (before.map_or(0, whole), after.map_or(0, whole));
        if taken != added {
            let key = layout::entries_key(contract);
            let sum = self.count(&key)?.checked_sub(taken).and_then(|rest| rest.checked_add(added));
            let sum = sum.ok_or_else(|| VmError::CorruptState { what: format!("the size of contract {contract}") })?;
            self.journal.set(key, layout::encode_count(sum));
        }
        self.journal.set(layout::storage_key(contract, name), value);
        Ok(())
    }

    /// Bytes that a contract keeps; none where there is no contract.
    pub(super) fn kept(&mut self, rules: &Rules, contract: &Address) -> Result<u64, VmError> {
        let Some(record) = self.contract(contract)? else { return Ok(0) };
        Ok(deposit::kept_bytes(rules, &record, self.count(&layout::entries_key(contract))?))
    }

    /// What a contract lacks of the deposit for what it keeps, if it keeps more or has less than when the message began.
    /// (One that had too little before may do anything that does not make it worse.)
    pub(super) fn shortfall(
        &mut self,
        rules: &Rules,
        per_byte: u128,
        contract: &Address,
    ) -> Result<Option<Shortfall>, VmError> {
        if per_byte == 0 || !(self.grew(rules, contract)? || self.spent(contract)?) {
            return Ok(None);
        }
        let bytes = self.kept(rules, contract)?;
        Ok(deposit::shortfall(per_byte, bytes, *contract, self.balance(contract)?))
    }

    /// Whether a contract keeps more than when the message began.
    fn grew(&mut self, rules: &Rules, contract: &Address) -> Result<bool, VmError> {
        let (record_key, entries_key) = (layout::contract_key(contract), layout::entries_key(contract));
        if self.journal.written(&record_key).is_none() && self.journal.written(&entries_key).is_none() {
            return Ok(false);
        }
        let before = match state::with(|view| self.journal.get_base(view, &record_key))? {
            None => 0,
            Some(record) => {
                let record = decode(record, || format!("the record of contract {contract}"))?;
                let entries = state::with(|view| self.journal.get_base(view, &entries_key))?;
                deposit::kept_bytes(rules, &record, decode_count(entries, &entries_key)?)
            }
        };
        Ok(self.kept(rules, contract)? > before)
    }

    /// Whether a contract has less than when the message began.
    fn spent(&mut self, contract: &Address) -> Result<bool, VmError> {
        let key = layout::balance_key(contract);
        if self.journal.written(&key).is_none() {
            return Ok(false);
        }
        let before = state::with(|view| self.journal.get_base(view, &key))?;
        let before = layout::decode_balance(before)
            .ok_or_else(|| VmError::CorruptState { what: format!("the balance of {contract}") })?;
        Ok(self.balance(contract)? < before)
    }

    /// A count that the state keeps.
    pub(super) fn count(&mut self, key: &[u8]) -> Result<u64, VmError> {
        let bytes = self.get(key)?;
        decode_count(bytes.as_deref(), key)
    }

    pub(super) fn scan(
        &mut self,
        prefix: &[u8],
        start: &[u8],
        limit: usize,
        max_removed: u64,
    ) -> Result<Scan, StoreError> {
        state::with(|view| self.journal.scan(view, prefix, start, limit, max_removed))
    }

    pub(super) fn balance(&mut self, address: &Address) -> Result<u128, VmError> {
        let bytes = self.get(&layout::balance_key(address))?;
        layout::decode_balance(bytes.as_deref())
            .ok_or_else(|| VmError::CorruptState { what: format!("the balance of {address}") })
    }

    /// Moves value. Nothing is written where it is refused, zero, or goes to its owner.
    pub(super) fn transfer(
        &mut self,
        from: &Address,
        to: &Address,
        value: u128,
    ) -> Result<Result<(), TransferRefused>, VmError> {
        if value == 0 {
            return Ok(Ok(()));
        }
        let Some(rest) = self.balance(from)?.checked_sub(value) else {
            return Ok(Err(TransferRefused::Insufficient));
        };
        if from == to {
            return Ok(Ok(()));
        }
        let Some(sum) = self.balance(to)?.checked_add(value) else {
            return Ok(Err(TransferRefused::Overflow));
        };
        self.journal.set(layout::balance_key(from), layout::encode_balance(rest));
        self.journal.set(layout::balance_key(to), layout::encode_balance(sum));
        Ok(Ok(()))
    }

    pub(super) fn contract(&mut self, address: &Address) -> Result<Option<ContractRecord>, VmError> {
        self.record(&layout::contract_key(address), || format!("the record of contract {address}"))
    }

    pub(super) fn model(&mut self, id: &[u8; 32]) -> Result<Option<ModelRecord>, VmError> {
        self.record(&layout::model_key(id), || format!("the record of model {}", Address(*id)))
    }

    fn record<R: BorshDeserialize>(&mut self, key: &[u8], what: impl Fn() -> String) -> Result<Option<R>, VmError> {
        self.get(key)?.map(|bytes| decode(&bytes, what)).transpose()
    }

    pub(super) fn log(&mut self, message: &[u8]) {
        if self.logs.len() < MAX_LOG_LINES {
            self.logs.push(String::from_utf8_lossy(message).into_owned());
        }
    }

    /// Begins a frame: what to go back to if it fails.
    pub(super) fn enter(&mut self, contract: Address) -> Entered {
        self.running.push(contract);
        let entered = Entered {
            point: self.journal.checkpoint(),
            tensor_bytes: self.tensor_bytes,
            tensor_peak: self.tensor_peak,
        };
        self.tensor_peak = self.tensor_bytes;
        entered
    }

    /// Ends a frame. Its tensors are gone; its effects too, unless it succeeded; and what it held counts only if it
    /// did not fault, because a faster scheme may notice a fault later.
    pub(super) fn leave(&mut self, entered: Entered, succeeded: bool, faulted: bool) {
        self.running.pop();
        if !succeeded {
            self.journal.rollback(entered.point);
        }
        self.tensor_bytes = entered.tensor_bytes;
        self.tensor_peak = if faulted { entered.tensor_peak } else { self.tensor_peak.max(entered.tensor_peak) };
    }
}

fn decode<R: BorshDeserialize>(bytes: &[u8], what: impl Fn() -> String) -> Result<R, VmError> {
    borsh::from_slice(bytes).map_err(|_| VmError::CorruptState { what: what() })
}

fn decode_count(bytes: Option<&[u8]>, key: &[u8]) -> Result<u64, VmError> {
    layout::decode_count(bytes).ok_or_else(|| VmError::CorruptState { what: format!("the count under {key:02x?}") })
}

/// What [`Transaction::enter`] found.
#[derive(Debug)]
pub(super) struct Entered {
    point: Checkpoint,
    tensor_bytes: u64,
    tensor_peak: u64,
}

/// What loading code of this length costs, beyond what calling it costs.
pub(super) fn load_gas(rules: &Rules, code_len: u64) -> u64 {
    rules.prices.load.saturating_add(rules.prices.load_byte.saturating_mul(code_len))
}
