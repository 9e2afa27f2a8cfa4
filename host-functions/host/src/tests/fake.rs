//! A frame and a guest that remember everything.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use noema_abi::limits::{MAX_EVENTS, MAX_TENSOR_BYTES};
use noema_abi::{HostFunction, ProtocolVersion, Status};
use noema_model::Model;
use noema_tensor::{Kernels, Level};

use crate::{CallInfo, CallKind, GasClass, Guest, HostContext, Stop, TensorTable};

pub(super) const SELF: [u8; 32] = [0x5e; 32];
pub(super) const CALLER: [u8; 32] = [0xca; 32];
pub(super) const OTHER: [u8; 32] = [0x07; 32];
pub(super) const CODE_LEN: u64 = 12_345;
/// What the contract keeps, and the deposit for it.
pub(super) const KEPT: u64 = 4_321;
pub(super) const DEPOSIT: u128 = 0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00;

/// What a row can change, other than gas and guest memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    pub(super) output: Vec<u8>,
    pub(super) storage: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) transient: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) extension: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    pub(super) events: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) transfers: Vec<([u8; 32], u128)>,
    pub(super) calls: Vec<([u8; 32], u128, u64, Vec<u8>)>,
    pub(super) logs: Vec<Vec<u8>>,
    pub(super) last_output: Vec<u8>,
    pub(super) reserved: u64,
}

pub(super) struct Frame {
    pub(super) gas: u64,
    pub(super) charges: Vec<(GasClass, u64)>,
    /// The charge, counted from 0, that fails whatever is left.
    pub(super) fail_at: Option<usize>,
    pub(super) info: CallInfo,
    pub(super) effects: Effects,
    pub(super) balances: BTreeMap<[u8; 32], u128>,
    pub(super) tensors: TensorTable,
    pub(super) models: BTreeMap<[u8; 32], Arc<Model>>,
    pub(super) scanned: Vec<u32>,
    pub(super) call_answer: Result<Vec<u8>, Status>,
    pub(super) traced: Vec<(u16, i64)>,
    /// Nothing more can be written.
    pub(super) full: bool,
    kernels: Arc<Kernels>,
}

impl Frame {
    pub(super) fn new() -> Frame {
        static KERNELS: OnceLock<Arc<Kernels>> = OnceLock::new();
        let kernels = KERNELS.get_or_init(|| Arc::new(Kernels::new(Level::Portable, 1).unwrap()));
        Frame {
            gas: u64::MAX,
            charges: Vec::new(),
            fail_at: None,
            info: CallInfo {
                caller: CALLER,
                self_address: SELF,
                value: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
                input: Arc::from(&b"the input of the call"[..]),
                height: 77,
                time_ms: 1_700_000_000_123,
                chain_id: Arc::from("noema-test"),
                kind: CallKind::Call,
                read_only: false,
            },
            effects: Effects::default(),
            balances: BTreeMap::from([(OTHER, 9_000)]),
            tensors: TensorTable::new(),
            models: BTreeMap::new(),
            scanned: Vec::new(),
            call_answer: Ok(b"what the other answered".to_vec()),
            traced: Vec::new(),
            full: false,
            kernels: Arc::clone(kernels),
        }
    }

    pub(super) fn charged(&self) -> u64 {
        self.charges.iter().map(|(_, gas)| gas).sum()
    }
}

impl HostContext for Frame {
    fn charge(&mut self, class: GasClass, gas: u64) -> Result<(), Stop> {
        if self.fail_at == Some(self.charges.len()) {
            return Err(Stop::OutOfGas);
        }
        self.gas = self.gas.checked_sub(gas).ok_or(Stop::OutOfGas)?;
        self.charges.push((class, gas));
        Ok(())
    }
    fn gas_left(&self) -> u64 {
        self.gas
    }
    fn version(&self) -> ProtocolVersion {
        ProtocolVersion::V1
    }
    fn call_info(&self) -> &CallInfo {
        &self.info
    }
    fn set_output(&mut self, data: Vec<u8>) {
        self.effects.output = data;
    }
    fn balance(&mut self, address: &[u8; 32]) -> Result<u128, Stop> {
        Ok(self.balances.get(address).copied().unwrap_or(0))
    }
    fn transfer(&mut self, to: &[u8; 32], value: u128) -> Result<Result<(), Status>, Stop> {
        if value > 1_000 {
            return Ok(Err(Status::InsufficientBalance));
        }
        self.effects.transfers.push((*to, value));
        Ok(Ok(()))
    }
    fn storage_get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        Ok(self.effects.storage.get(key).cloned())
    }
    fn storage_len(&mut self, key: &[u8]) -> Result<Option<u64>, Stop> {
        Ok(self.effects.storage.get(key).map(|value| u64::try_from(value.len()).unwrap()))
    }
    fn storage_set(&mut self, key: &[u8], value: &[u8], before: Option<u64>) -> Result<Result<(), Status>, Stop> {
        assert_eq!(Ok(before), self.storage_len(key), "what is there is said");
        if self.full {
            return Ok(Err(Status::LimitExceeded));
        }
        self.effects.storage.insert(key.to_vec(), value.to_vec());
        Ok(Ok(()))
    }
    fn deposit(&mut self) -> Result<(u64, u128), Stop> {
        Ok((KEPT, DEPOSIT))
    }
    fn transient_get(&self, key: &[u8]) -> Option<&[u8]> {
        self.effects.transient.get(key).map(Vec::as_slice)
    }
    fn transient_set(&mut self, key: &[u8], value: &[u8]) -> Result<Result<(), Status>, Stop> {
        if self.full {
            return Ok(Err(Status::LimitExceeded));
        }
        self.effects.transient.insert(key.to_vec(), value.to_vec());
        Ok(Ok(()))
    }
    fn transient_remove(&mut self, key: &[u8]) -> Result<bool, Stop> {
        Ok(self.effects.transient.remove(key).is_some())
    }
    fn storage_remove(&mut self, key: &[u8], before: u64) -> Result<(), Stop> {
        assert_eq!(Ok(Some(before)), self.storage_len(key), "what is there is said");
        self.effects.storage.remove(key);
        Ok(())
    }
    fn storage_scan(&mut self, prefix: &[u8], start: &[u8], limit: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Stop> {
        self.scanned.push(limit);
        let entries = self.effects.storage.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_slice() >= start);
        Ok(entries.take(usize::try_from(limit).unwrap()).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
    fn emit(&mut self, topic: &[u8], data: &[u8]) -> Result<Result<(), Status>, Stop> {
        if self.effects.events.len() >= MAX_EVENTS {
            return Ok(Err(Status::LimitExceeded));
        }
        self.effects.events.push((topic.to_vec(), data.to_vec()));
        Ok(Ok(()))
    }
    fn log(&mut self, message: &[u8]) {
        self.effects.logs.push(message.to_vec());
    }
    fn contract_code_len(&mut self, target: &[u8; 32]) -> Result<Option<u64>, Stop> {
        Ok((*target == OTHER).then_some(CODE_LEN))
    }
    fn call_contract(
        &mut self,
        target: &[u8; 32],
        value: u128,
        gas: u64,
        input: &[u8],
    ) -> Result<Result<(), Status>, Stop> {
        self.effects.calls.push((*target, value, gas, input.to_vec()));
        Ok(self.call_answer.clone().map(|answer| self.effects.last_output = answer))
    }
    fn last_output(&self) -> &[u8] {
        &self.effects.last_output
    }
    fn tensors(&mut self) -> &mut TensorTable {
        &mut self.tensors
    }
    fn kernels(&self) -> &Kernels {
        &self.kernels
    }
    fn reserve_memory(&mut self, bytes: u64) -> Result<(), Status> {
        let reserved = self.effects.reserved.checked_add(bytes).filter(|sum| *sum <= MAX_TENSOR_BYTES);
        self.effects.reserved = reserved.ok_or(Status::LimitExceeded)?;
        Ok(())
    }
    fn release_memory(&mut self, bytes: u64) {
        self.effects.reserved = self.effects.reserved.checked_sub(bytes).expect("released more than was reserved");
    }
    fn model_open(&mut self, id: &[u8; 32]) -> Result<Option<Arc<Model>>, Stop> {
        Ok(self.models.get(id).cloned())
    }
    fn extension_get(&mut self, group: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        Ok(self.effects.extension.get(&(group.to_owned(), key.to_vec())).cloned())
    }
    fn extension_set(&mut self, group: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Stop> {
        let key = (group.to_owned(), key.to_vec());
        match value {
            Some(value) => self.effects.extension.insert(key, value.to_vec()),
            None => self.effects.extension.remove(&key),
        };
        Ok(())
    }
    fn trace(&mut self, row: &'static HostFunction, result: i64) {
        self.traced.push((row.id, result));
    }
}

pub(super) struct Caller {
    pub(super) memory: Vec<u8>,
    pub(super) frame: Frame,
}

impl Guest for Caller {
    type Context = Frame;
    fn split(&mut self) -> (&mut [u8], &mut Frame) {
        (&mut self.memory, &mut self.frame)
    }
}
