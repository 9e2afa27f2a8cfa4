//! What all frames of one message share. It is handed down into a nested call and back up.

use borsh::BorshDeserialize;
use noema_host::{GasClass, Stop};
use noema_state::StoreError;

use super::state;
use crate::journal::{Checkpoint, Journal, Scan};
use crate::layout::{self, ContractRecord, ModelRecord};
use crate::rules::Rules;
use crate::{Address, GasUsed, VmError};

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
    pub(super) logs: Vec<String>,
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
        match self.get(key)? {
            None => Ok(None),
            Some(bytes) => match borsh::from_slice(&bytes) {
                Ok(record) => Ok(Some(record)),
                Err(_) => Err(VmError::CorruptState { what: what() }),
            },
        }
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
