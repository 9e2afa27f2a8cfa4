//! The machine: what it executes, and what it can say without executing anything.

use std::ffi::c_char;
use std::sync::Arc;

use ::noema_vm::{Action, Address, BlockContext, Deposit, Message, Outcome, Vm};
use noema_abi::ProtocolVersion;
use noema_model::ModelStore;

use crate::config::{self, noema_config};
use crate::guard::{Failure, guard, noema_result};
use crate::outcome::noema_outcome;
use crate::state::{Callbacks, noema_state};
use crate::types::{Place, given, noema_address, noema_block, noema_deposit, noema_hash, noema_slice, noema_u128};

/// A virtual machine. It holds no state of the chain. Several threads may use it at a time.
pub struct noema_vm {
    vm: Vm,
    models: Arc<dyn ModelStore>,
}

/// Sets a virtual machine up. `config` may be null, for the defaults. It takes some milliseconds: one is enough.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses; `vm` is null or has room for a pointer; `error` is
/// null or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_new(
    config: *const noema_config,
    vm: *mut *mut noema_vm,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        guard(error, || {
            let place = Place::given(vm, "vm")?;
            let config = config::of(config)?;
            let models = Arc::clone(&config.models);
            let made = Vm::new(config)?;
            place.put(Box::into_raw(Box::new(noema_vm { vm: made, models })));
            Ok(())
        })
    }
}

/// Gives a virtual machine back.
///
/// # Safety
/// `vm` is null, or came from `noema_vm_new`, has not been given back, and no thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_free(vm: *mut noema_vm) {
    if !vm.is_null() {
        // SAFETY: made by `Box::into_raw` in `noema_vm_new`, and given back once: the caller's promise.
        drop(unsafe { Box::from_raw(vm) });
    }
}

/// A hash of the rules of a protocol version in this machine, functions that were added included: what nodes of one
/// chain must have in common.
///
/// # Safety
/// `vm` is null or a live machine; `hash` is null or has room for one; `error` is null or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_rules_hash(
    vm: *const noema_vm,
    version: u32,
    hash: *mut noema_hash,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        guard(error, || {
            let (vm, place) = (given(vm, "vm")?, Place::given(hash, "hash")?);
            place.put(noema_hash { bytes: vm.vm.rules_hash(known_version(version)?) });
            Ok(())
        })
    }
}

/// Checks a WebAssembly module as deploying it would, and says in `error` which rule it breaks.
///
/// # Safety
/// `vm` is null or a live machine; `code` is readable; `error` is null or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_admit(
    vm: *const noema_vm,
    version: u32,
    code: noema_slice,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        guard(error, || {
            let vm = given(vm, "vm")?;
            let admitted = vm.vm.admit(known_version(version)?, code.bytes("code")?);
            admitted.map(|_| ()).map_err(|error| Failure::invalid(error.to_string()))
        })
    }
}

/// The address of the contract that a deployment of `code` by `deployer` with this salt makes.
///
/// # Safety
/// `code` is readable; `address` is null or has room for one; `error` is null or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_contract_address(
    deployer: noema_address,
    salt: u64,
    code: noema_slice,
    address: *mut noema_address,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        guard(error, || {
            let place = Place::given(address, "address")?;
            let code_hash = ::noema_vm::code_hash(code.bytes("code")?);
            place.put(noema_address { bytes: Address::of_contract(Address(deployer.bytes), salt, &code_hash).0 });
            Ok(())
        })
    }
}

/// Deploys a contract: admits `code`, and runs its `init` with `input`, if it has one.
///
/// # Safety
/// `vm` is null or a live machine; `state` and `block` are null or point to one, whose functions may be called and whose
/// bytes are readable; `code` and `input` are readable; `outcome` is null or has room for a pointer; `error` is null or
/// has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_deploy(
    vm: *const noema_vm,
    state: *const noema_state,
    block: *const noema_block,
    sender: noema_address,
    value: noema_u128,
    gas_limit: u64,
    code: noema_slice,
    salt: u64,
    input: noema_slice,
    outcome: *mut *mut noema_outcome,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        execute(vm, state, block, outcome, error, |vm, state, block| {
            let (code, input) = (code.bytes("code")?.to_vec(), input.bytes("input")?.to_vec());
            let action = Action::Deploy { code, salt, input };
            let message = Message { sender: Address(sender.bytes), value: value.into(), gas_limit, action };
            Ok(vm.execute(state, block, &message)?)
        })
    }
}

/// Runs the `call` of a contract.
///
/// # Safety
/// As for `noema_vm_deploy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_call(
    vm: *const noema_vm,
    state: *const noema_state,
    block: *const noema_block,
    sender: noema_address,
    value: noema_u128,
    gas_limit: u64,
    contract: noema_address,
    input: noema_slice,
    outcome: *mut *mut noema_outcome,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        execute(vm, state, block, outcome, error, |vm, state, block| {
            let action = Action::Call { contract: Address(contract.bytes), input: input.bytes("input")?.to_vec() };
            let message = Message { sender: Address(sender.bytes), value: value.into(), gas_limit, action };
            Ok(vm.execute(state, block, &message)?)
        })
    }
}

/// Runs the `view` of a contract, which changes nothing.
///
/// # Safety
/// As for `noema_vm_deploy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_view(
    vm: *const noema_vm,
    state: *const noema_state,
    block: *const noema_block,
    gas_limit: u64,
    contract: noema_address,
    input: noema_slice,
    outcome: *mut *mut noema_outcome,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        execute(vm, state, block, outcome, error, |vm, state, block| {
            Ok(vm.view(state, block, Address(contract.bytes), input.bytes("input")?, gas_limit)?)
        })
    }
}

/// Executes any message, in canonical bytes (borsh; docs/embedding.md shows all of them): transfers, migrations and
/// models too.
///
/// # Safety
/// As for `noema_vm_deploy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_vm_execute(
    vm: *const noema_vm,
    state: *const noema_state,
    block: *const noema_block,
    message: noema_slice,
    outcome: *mut *mut noema_outcome,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        execute(vm, state, block, outcome, error, |vm, state, block| {
            let message: Message = borsh::from_slice(message.bytes("message")?)
                .map_err(|error| Failure::invalid(format!("message: {error}")))?;
            Ok(vm.execute(state, block, &message)?)
        })
    }
}

/// What an account or contract has, and how much of it is locked as the deposit for what it keeps, by the rules of a
/// block.
///
/// # Safety
/// `state` and `block` are null or point to one, whose functions may be called and whose bytes are readable; `deposit` is
/// null or has room for one; `error` is null or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_deposit_of(
    state: *const noema_state,
    block: *const noema_block,
    address: noema_address,
    deposit: *mut noema_deposit,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        guard(error, || {
            let place = Place::given(deposit, "deposit")?;
            let state = Callbacks::new(given(state, "state")?)?;
            let block = context(given(block, "block")?)?;
            let found = Deposit::of(&state, &block, &Address(address.bytes))?;
            place.put(noema_deposit { bytes: found.bytes, locked: found.locked.into(), balance: found.balance.into() });
            Ok(())
        })
    }
}

/// The block in Rust.
///
/// # Safety
/// The bytes of `block` are readable.
unsafe fn context(block: &noema_block) -> Result<BlockContext, Failure> {
    Ok(BlockContext {
        // SAFETY: the caller's promise.
        chain_id: unsafe { block.chain_id.text("block.chain_id") }?.to_owned(),
        height: block.height,
        time_ms: block.time_ms,
        version: known_version(block.version)?,
        deposit_per_byte: block.deposit_per_byte.into(),
    })
}

/// What all of them have in common.
///
/// # Safety
/// As for `noema_vm_deploy`.
unsafe fn execute(
    vm: *const noema_vm,
    state: *const noema_state,
    block: *const noema_block,
    outcome: *mut *mut noema_outcome,
    error: *mut *mut c_char,
    work: impl FnOnce(&Vm, &Callbacks, &BlockContext) -> Result<Outcome, Failure>,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        guard(error, || {
            let place = Place::given(outcome, "outcome")?;
            let vm = given(vm, "vm")?;
            let state = Callbacks::new(given(state, "state")?)?;
            let block = context(given(block, "block")?)?;
            let done = work(&vm.vm, &state, &block)?;
            // What the outcome relies on lasts before anybody commits it.
            vm.models.sync().map_err(|error| Failure::node(error.to_string()))?;
            place.put(Box::into_raw(Box::new(noema_outcome::new(done))));
            Ok(())
        })
    }
}

fn known_version(number: u32) -> Result<ProtocolVersion, Failure> {
    ProtocolVersion::from_number(number)
        .ok_or_else(|| Failure::invalid(format!("this library does not know protocol version {number}")))
}
