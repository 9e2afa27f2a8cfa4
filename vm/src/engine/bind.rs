//! Host functions bound to the engine: every row of the table, typed, through the shim.

use noema_abi::{HostFunction, WasmType};
use noema_host::{Extension, Extensions, Guest, Stop};
use wasmtime::{Caller, Extern, FuncType, Global, Instance, Linker, Memory, ModuleExport, Store, Val, ValType};

use super::Compiled;
use crate::execute::Frame;

/// Where an instance keeps its accounts, and its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accounts {
    /// The least that the room on the stack has been.
    pub(crate) least_room: Global,
    /// What an `unreachable` stands for.
    pub(crate) fault: Global,
    pub(crate) memory: Memory,
}

/// A host call that does not return to the guest. Why is kept in the frame: an error of the engine carries text only.
#[derive(Debug, thiserror::Error)]
#[error("the host call does not return")]
pub(crate) struct Stopped;

/// The caller of a host function.
struct GuestCaller<'c> {
    caller: Caller<'c, Frame>,
    memory: Memory,
}

impl Guest for GuestCaller<'_> {
    type Context = Frame;

    fn split(&mut self) -> (&mut [u8], &mut Frame) {
        self.memory.data_and_store_mut(&mut self.caller)
    }
}

impl Accounts {
    /// Finds them in an instance.
    pub(crate) fn of(module: &Compiled, instance: &Instance, store: &mut Store<Frame>) -> wasmtime::Result<Accounts> {
        let mut global =
            |export: &ModuleExport| instance.get_module_export(&mut *store, export).and_then(Extern::into_global);
        let (least_room, fault) = (global(&module.least_room), global(&module.fault));
        let memory = instance.get_module_export(&mut *store, &module.memory).and_then(Extern::into_memory);
        match (least_room, fault, memory) {
            (Some(least_room), Some(fault), Some(memory)) => Ok(Accounts { least_room, fault, memory }),
            _ => Err(wasmtime::Error::msg("an instance lacks its accounts or its memory")),
        }
    }
}

/// Reads a global of the accounting.
pub(crate) fn read_account(global: Global, store: impl wasmtime::AsContextMut) -> i64 {
    match global.get(store) {
        Val::I64(value) => value,
        Val::I32(value) => value.into(),
        other => unreachable!("an account is {other:?}"),
    }
}

/// Runs one host function: a settlement point, so the frame takes the balance over before, and the guest gets it back
/// after, behind the result (see `instrument`).
fn call(
    caller: Caller<'_, Frame>,
    gas: i64,
    room: Option<i64>,
    function: impl FnOnce(&mut GuestCaller<'_>) -> Result<i64, Stop>,
) -> wasmtime::Result<(i64, i64)> {
    let mut caller = caller;
    let Some(accounts) = caller.data().accounts() else {
        // Instantiation runs no code of the guest.
        return Err(wasmtime::Error::msg("a host function was called before the entry point"));
    };
    if let Err(stop) = caller.data_mut().settle(gas) {
        caller.data_mut().stop(stop);
        return Err(Stopped.into());
    }
    if let Some(room) = room {
        caller.data_mut().set_room(room);
    }
    let mut guest = GuestCaller { caller, memory: accounts.memory };
    let result = function(&mut guest);
    let frame = guest.caller.data_mut();
    match result {
        Ok(result) => Ok((result, frame.balance())),
        Err(stop) => {
            frame.stop(stop);
            Err(Stopped.into())
        }
    }
}

/// Binds every row of the table, and those of the extensions.
pub(super) fn bind(linker: &mut Linker<Frame>, extensions: &Extensions) -> wasmtime::Result<()> {
    macro_rules! bind {
        // These may call contracts, and take the room on the stack as well.
        ({ call $name:ident } ($($param:ident: $ty:ty),*) $raw:tt) => {
            linker.func_wrap(
                "call",
                stringify!($name),
                |caller: Caller<'_, Frame> $(, $param: $ty)*, gas: i64, room: i64| {
                    call(caller, gas, Some(room), |guest| noema_host::shim::call::$name(guest $(, $param)*))
                },
            )?;
        };
        ({ $group:ident $name:ident } ($($param:ident: $ty:ty),*) $raw:tt) => {
            linker.func_wrap(
                stringify!($group),
                stringify!($name),
                |caller: Caller<'_, Frame> $(, $param: $ty)*, gas: i64| {
                    call(caller, gas, None, |guest| noema_host::shim::$group::$name(guest $(, $param)*))
                },
            )?;
        };
    }
    noema_host::for_each_import!(bind);
    for extension in extensions.iter() {
        for (index, row) in extension.rows().enumerate() {
            bind_extension(linker, extension, index, row)?;
        }
    }
    Ok(())
}

/// Binds one row of an extension, whose type is known at run time only.
fn bind_extension(
    linker: &mut Linker<Frame>,
    extension: &Extension,
    index: usize,
    row: &'static HostFunction,
) -> wasmtime::Result<()> {
    let params = row.wasm_params().map(|param| match param {
        WasmType::I32 => ValType::I32,
        WasmType::I64 => ValType::I64,
    });
    let ty = FuncType::new(linker.engine(), params.chain([ValType::I64]), [ValType::I64, ValType::I64]);
    let extension = extension.clone();
    linker.func_new(row.group, row.name, ty, move |caller, arguments, results| {
        let (Some((Val::I64(gas), arguments)), [result, balance]) = (arguments.split_last(), results) else {
            return Err(wasmtime::Error::msg("an import has another type than it was bound with"));
        };
        let raw = arguments.iter().map(|argument| match argument {
            Val::I32(number) => Ok(i64::from(*number)),
            Val::I64(number) => Ok(*number),
            other => Err(wasmtime::Error::msg(format!("an argument is {other:?}"))),
        });
        let raw = raw.collect::<wasmtime::Result<Vec<i64>>>()?;
        let (answer, left) = call(caller, *gas, None, |guest| {
            let (memory, frame) = guest.split();
            extension.call(index, memory, frame, &raw)
        })?;
        *result = Val::I64(answer);
        *balance = Val::I64(left);
        Ok(())
    })?;
    Ok(())
}
