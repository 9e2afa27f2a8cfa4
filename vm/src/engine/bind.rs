//! Host functions bound to wasmtime: every row of the table, typed, through the shim.

use noema_abi::{HostFunction, WasmType};
use noema_host::{Extension, Extensions, Guest};
use wasmtime::{Extern, FuncType, Global, Instance, Linker, Memory, ModuleExport, Store, Val, ValType};

use super::compiled::Compiled;
use super::host_call::{self, Hosted, extension_call, host_call};
use crate::execute::Frame;

/// What a store of wasmtime holds.
pub(super) type Native = Hosted<Accounts>;

/// Where an instance keeps its accounts, and its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accounts {
    /// The least that the room on the stack has been.
    pub(super) least_room: Global,
    /// What an `unreachable` stands for.
    pub(super) fault: Global,
    pub(super) memory: Memory,
}

/// The caller of a host function.
struct GuestCaller<'c> {
    caller: wasmtime::Caller<'c, Native>,
    memory: Memory,
}

impl<'c> GuestCaller<'c> {
    fn new(caller: wasmtime::Caller<'c, Native>) -> wasmtime::Result<GuestCaller<'c>> {
        match caller.data().accounts {
            Some(accounts) => Ok(GuestCaller { caller, memory: accounts.memory }),
            // Instantiation runs no code of the guest.
            None => Err(wasmtime::Error::msg("a host function was called before the entry point")),
        }
    }
}

impl Guest for GuestCaller<'_> {
    type Context = Frame;

    fn split(&mut self) -> (&mut [u8], &mut Frame) {
        let (memory, native) = self.memory.data_and_store_mut(&mut self.caller);
        (memory, &mut native.frame)
    }
}

impl host_call::Caller for GuestCaller<'_> {
    fn frame(&mut self) -> &mut Frame {
        &mut self.caller.data_mut().frame
    }
}

impl Accounts {
    /// Finds them in an instance.
    pub(super) fn of(module: &Compiled, instance: &Instance, store: &mut Store<Native>) -> wasmtime::Result<Accounts> {
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

/// Binds every row of the table, and those of the extensions.
pub(super) fn bind(linker: &mut Linker<Native>, extensions: &Extensions) -> wasmtime::Result<()> {
    macro_rules! bind {
        // These may call contracts, and take the room on the stack as well.
        ({ call $name:ident } ($($param:ident: $ty:ty),*) $raw:tt) => {
            linker.func_wrap(
                "call",
                stringify!($name),
                |caller: wasmtime::Caller<'_, Native> $(, $param: $ty)*, gas: i64, room: i64| {
                    let mut guest = GuestCaller::new(caller)?;
                    let call = |guest: &mut GuestCaller<'_>| noema_host::shim::call::$name(guest $(, $param)*);
                    wasmtime::Result::<(i64, i64)>::Ok(host_call(&mut guest, gas, Some(room), ("call", stringify!($name)), call)?)
                },
            )?;
        };
        ({ $group:ident $name:ident } ($($param:ident: $ty:ty),*) $raw:tt) => {
            linker.func_wrap(
                stringify!($group),
                stringify!($name),
                |caller: wasmtime::Caller<'_, Native> $(, $param: $ty)*, gas: i64| {
                    let mut guest = GuestCaller::new(caller)?;
                    let call = |guest: &mut GuestCaller<'_>| noema_host::shim::$group::$name(guest $(, $param)*);
                    wasmtime::Result::<(i64, i64)>::Ok(host_call(&mut guest, gas, None, (stringify!($group), stringify!($name)), call)?)
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
    linker: &mut Linker<Native>,
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
        let mut guest = GuestCaller::new(caller)?;
        let (answer, left) = extension_call(&mut guest, *gas, &extension, index, (row.group, row.name), &raw)?;
        *result = Val::I64(answer);
        *balance = Val::I64(left);
        Ok(())
    })?;
    Ok(())
}
