//! The frame behind a pointer: an extension is one table of functions for every engine and every frame.

use std::sync::Arc;

use noema_abi::{HostFunction, ProtocolVersion, Status};
use noema_model::Model;
use noema_tensor::Kernels;

use crate::{CallInfo, GasClass, Guest, HostContext, Stop, TensorTable};

/// The caller of an extension's function.
pub(super) struct Erased<'c> {
    memory: &'c mut [u8],
    context: Context<'c>,
}

impl<'c> Erased<'c> {
    pub(super) fn new(memory: &'c mut [u8], context: &'c mut dyn HostContext) -> Erased<'c> {
        Erased { memory, context: Context(context) }
    }
}

impl<'c> Guest for Erased<'c> {
    type Context = Context<'c>;
    fn split(&mut self) -> (&mut [u8], &mut Context<'c>) {
        (self.memory, &mut self.context)
    }
}

/// Passes everything on.
pub(super) struct Context<'c>(&'c mut dyn HostContext);

impl HostContext for Context<'_> {
    fn charge(&mut self, class: GasClass, gas: u64) -> Result<(), Stop> {
        self.0.charge(class, gas)
    }
    fn gas_left(&self) -> u64 {
        self.0.gas_left()
    }
    fn version(&self) -> ProtocolVersion {
        self.0.version()
    }
    fn call_info(&self) -> &CallInfo {
        self.0.call_info()
    }
    fn set_output(&mut self, data: Vec<u8>) {
        self.0.set_output(data);
    }
    fn balance(&mut self, address: &[u8; 32]) -> Result<u128, Stop> {
        self.0.balance(address)
    }
    fn transfer(&mut self, to: &[u8; 32], value: u128) -> Result<Result<(), Status>, Stop> {
        self.0.transfer(to, value)
    }
    fn storage_get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        self.0.storage_get(key)
    }
    fn storage_len(&mut self, key: &[u8]) -> Result<Option<u64>, Stop> {
        self.0.storage_len(key)
    }
    fn storage_set(&mut self, key: &[u8], value: &[u8], before: Option<u64>) -> Result<Result<(), Status>, Stop> {
        self.0.storage_set(key, value, before)
    }
    fn deposit(&mut self) -> Result<(u64, u128), Stop> {
        self.0.deposit()
    }
    fn transient_get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.transient_get(key)
    }
    fn transient_set(&mut self, key: &[u8], value: &[u8]) -> Result<Result<(), Status>, Stop> {
        self.0.transient_set(key, value)
    }
    fn transient_remove(&mut self, key: &[u8]) -> Result<bool, Stop> {
        self.0.transient_remove(key)
    }
    fn storage_remove(&mut self, key: &[u8], before: u64) -> Result<(), Stop> {
        self.0.storage_remove(key, before)
    }
    fn storage_scan(&mut self, prefix: &[u8], start: &[u8], limit: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Stop> {
        self.0.storage_scan(prefix, start, limit)
    }
    fn emit(&mut self, topic: &[u8], data: &[u8]) -> Result<Result<(), Status>, Stop> {
        self.0.emit(topic, data)
    }
    fn log(&mut self, message: &[u8]) {
        self.0.log(message);
    }
    fn contract_code_len(&mut self, target: &[u8; 32]) -> Result<Option<u64>, Stop> {
        self.0.contract_code_len(target)
    }
    fn call_contract(
        &mut self,
        target: &[u8; 32],
        value: u128,
        gas: u64,
        input: &[u8],
    ) -> Result<Result<(), Status>, Stop> {
        self.0.call_contract(target, value, gas, input)
    }
    fn last_output(&self) -> &[u8] {
        self.0.last_output()
    }
    fn tensors(&mut self) -> &mut TensorTable {
        self.0.tensors()
    }
    fn kernels(&self) -> &Kernels {
        self.0.kernels()
    }
    fn reserve_memory(&mut self, bytes: u64) -> Result<(), Status> {
        self.0.reserve_memory(bytes)
    }
    fn release_memory(&mut self, bytes: u64) {
        self.0.release_memory(bytes);
    }
    fn model_open(&mut self, id: &[u8; 32]) -> Result<Option<Arc<Model>>, Stop> {
        self.0.model_open(id)
    }
    fn extension_get(&mut self, group: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        self.0.extension_get(group, key)
    }
    fn extension_set(&mut self, group: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Stop> {
        self.0.extension_set(group, key, value)
    }
    fn trace(&mut self, row: &'static HostFunction, result: i64) {
        self.0.trace(row, result);
    }
}
