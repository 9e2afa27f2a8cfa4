//! The interpreter wasmi: for nodes that make no machine code, for modules that the compiler cannot take, and for
//! comparison.

use std::sync::Arc;

use noema_abi::{HostFunction, WasmType};
use noema_host::{CallKind, Extension, Extensions, Guest};
use wasmi::errors::{ErrorKind, InstantiationError, MemoryError, TableError};
use wasmi::{
    CompilationMode, Config, Engine, Error, FuncType, Global, Instance, Linker, Memory, Module, Store, TrapCode, Val,
    ValType,
};

use super::host_call::{self, Halted, Hosted, Ran, Stopped, extension_call, host_call};
use super::{EngineKind, known_answer};
use crate::execute::{Frame, observe};
use crate::instrument::places::{self, Mark};
use crate::instrument::{FAULT, LEAST_ROOM};
use crate::rules::Machine;
use crate::{Admitted, VmError};

/// Slots of 16 bytes on the interpreter's stack for each unit of the logical one. A function keeps its constants in its
/// frame, which no logical unit stands for, so it may need many; they are memory only where they are used.
const SLOTS_PER_UNIT: u64 = 512;

/// What a store of wasmi holds.
type Interpreting = Hosted<Accounts>;

/// Where an instance keeps its accounts, and its memory.
#[derive(Clone, Copy, Debug)]
struct Accounts {
    least_room: Global,
    fault: Global,
    memory: Memory,
}

/// wasmi, set up, with every host function bound.
pub(super) struct Interpreter {
    engine: Engine,
    linker: Arc<Linker<Interpreting>>,
    /// What it answered to the known-answer test.
    answer: Result<i64, String>,
}

/// A module translated for the interpreter.
pub(crate) struct Interpreted {
    module: Module,
    linker: Arc<Linker<Interpreting>>,
    /// Bytes that it takes in the cache, about.
    pub(super) bytes: u64,
}

impl wasmi::errors::HostError for Stopped {}

impl Interpreter {
    pub(super) fn new(machine: &Machine, extensions: &Extensions) -> Result<Interpreter, VmError> {
        let failed = |error: Error| VmError::Engine(format!("cannot set up the interpreter: {error}"));
        let engine = Engine::new(&config(machine));
        let mut linker = Linker::new(&engine);
        bind(&mut linker, extensions).map_err(failed)?;
        let answer = known_answer::ask(|| answer(&engine));
        Ok(Interpreter { engine, linker: Arc::new(linker), answer })
    }

    /// Whether it computes as it should. A node that compiles needs it for what its compiler cannot take only.
    pub(super) fn passes(&self) -> Result<(), VmError> {
        known_answer::check(EngineKind::Wasmi, &self.answer)
    }

    pub(super) fn translate(&self, admitted: &Admitted) -> Result<Interpreted, VmError> {
        self.passes()?;
        let module = Module::new(&self.engine, &admitted.instrumented)
            .map_err(|error| VmError::Engine(format!("admitted code cannot be interpreted: {error}")))?;
        // Instructions of the interpreter take a few times as many bytes as those of WebAssembly.
        let bytes = u64::try_from(admitted.instrumented.len()).unwrap_or(u64::MAX).saturating_mul(4);
        Ok(Interpreted { module, linker: Arc::clone(&self.linker), bytes })
    }
}

fn answer(engine: &Engine) -> Result<i64, Error> {
    let module = Module::new(engine, known_answer::module())?;
    let mut store = Store::new(engine, ());
    let instance = Linker::<()>::new(engine).instantiate_and_start(&mut store, &module)?;
    instance.get_typed_func::<(), i64>(&store, known_answer::QUESTION)?.call(&mut store, ())
}

pub(crate) fn config(machine: &Machine) -> Config {
    let mut config = Config::default();
    config
        // A module that cannot be translated must say so before it runs.
        .compilation_mode(CompilationMode::Eager)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_simd(true)
        .consume_fuel(false)
        .ignore_custom_sections(true)
        // A stack is as large as the call before left it.
        .set_max_cached_stacks(0)
        // Every frame takes units, so there are never more frames than units.
        .set_max_recursion_depth(usize::try_from(machine.stack_units).expect("limited"))
        .set_max_stack_height(usize::try_from(machine.stack_units * SLOTS_PER_UNIT).expect("limited"));
    config
}

impl Interpreted {
    /// Whether the module has the entry point for a kind of call.
    pub(super) fn exports(&self, kind: CallKind) -> bool {
        self.module.get_export(kind.export()).is_some()
    }

    /// Hands the frame to a new store, makes an instance, calls the entry point, and takes the frame back.
    pub(super) fn run(&self, frame: Frame, kind: CallKind) -> (Frame, Ran) {
        let (gas, room) = (frame.balance(), frame.room());
        let mut store = Store::new(self.module.engine(), Interpreting::new(frame));
        store.limiter(|interpreting| &mut interpreting.limiter);
        let result = self.enter(&mut store, kind, gas, room);
        let accounts = store.data().accounts;
        let read = |global: Global| match global.get(&store) {
            Val::I64(value) => value,
            Val::I32(value) => value.into(),
            other => unreachable!("an account is {other:?}"),
        };
        let least_room = accounts.map(|accounts| read(accounts.least_room));
        let fault = accounts.map_or(0, |accounts| read(accounts.fault));
        let Hosted { frame, limiter, .. } = store.into_data();
        // wasmi lets the guest see -1 where this machine could not do what was allowed.
        let result = match limiter.into_failure() {
            Some(failure) => Err(Halted::Memory(failure.to_string())),
            None => result.map_err(|error| halted(&error)),
        };
        (frame, Ran { result, least_room, fault: i32::try_from(fault).unwrap_or(0) })
    }

    fn enter(&self, store: &mut Store<Interpreting>, kind: CallKind, gas: i64, room: i64) -> Result<i64, Error> {
        let instance = self.linker.instantiate_and_start(&mut *store, &self.module)?;
        let accounts = Accounts::of(&instance, store)?;
        accounts.least_room.set(&mut *store, Val::I64(room))?;
        store.data_mut().accounts = Some(accounts);
        instance.get_typed_func::<(i64, i64), i64>(&*store, kind.export())?.call(&mut *store, (gas, room))
    }
}

impl Accounts {
    fn of(instance: &Instance, store: &Store<Interpreting>) -> Result<Accounts, Error> {
        let found = (
            instance.get_global(store, LEAST_ROOM),
            instance.get_global(store, FAULT),
            instance.get_memory(store, "memory"),
        );
        match found {
            (Some(least_room), Some(fault), Some(memory)) => Ok(Accounts { least_room, fault, memory }),
            _ => Err(Error::new("an instance lacks its accounts or its memory")),
        }
    }
}

fn halted(error: &Error) -> Halted {
    if error.downcast_ref::<Stopped>().is_some() {
        return Halted::HostCall;
    }
    match error.kind() {
        ErrorKind::TrapCode(TrapCode::StackOverflow) => Halted::NativeStack,
        ErrorKind::TrapCode(TrapCode::UnreachableCodeReached) => Halted::Unreachable,
        ErrorKind::TrapCode(trap) if is_verdict(*trap) => Halted::Trap(trap.to_string()),
        // What wasmi reports otherwise: active segments that do not fit, and table operators out of bounds.
        ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. })
        | ErrorKind::Memory(MemoryError::OutOfBoundsAccess)
        | ErrorKind::Table(
            TableError::InitOutOfBounds
            | TableError::CopyOutOfBounds
            | TableError::FillOutOfBounds
            | TableError::SetOutOfBounds,
        ) => Halted::Trap(error.to_string()),
        ErrorKind::Instantiation(
            InstantiationError::FailedToInstantiateMemory(_) | InstantiationError::FailedToInstantiateTable(_),
        ) => Halted::Memory(error.to_string()),
        _ => Halted::Engine(error.to_string()),
    }
}

/// Traps that WebAssembly defines: the same on every engine.
fn is_verdict(trap: TrapCode) -> bool {
    matches!(
        trap,
        TrapCode::MemoryOutOfBounds
            | TrapCode::TableOutOfBounds
            | TrapCode::IndirectCallToNull
            | TrapCode::IntegerDivisionByZero
            | TrapCode::IntegerOverflow
            | TrapCode::BadConversionToInteger
            | TrapCode::BadSignature
    )
}

/// The caller of a host function.
struct GuestCaller<'c> {
    caller: wasmi::Caller<'c, Interpreting>,
    memory: Memory,
}

impl<'c> GuestCaller<'c> {
    fn new(caller: wasmi::Caller<'c, Interpreting>) -> Result<GuestCaller<'c>, Error> {
        match caller.data().accounts {
            Some(accounts) => Ok(GuestCaller { caller, memory: accounts.memory }),
            // Instantiation runs no code of the guest.
            None => Err(Error::new("a host function was called before the entry point")),
        }
    }
}

impl Guest for GuestCaller<'_> {
    type Context = Frame;

    fn split(&mut self) -> (&mut [u8], &mut Frame) {
        let (memory, interpreting) = self.memory.data_and_store_mut(&mut self.caller);
        (memory, &mut interpreting.frame)
    }
}

impl host_call::Caller for GuestCaller<'_> {
    fn frame(&mut self) -> &mut Frame {
        &mut self.caller.data_mut().frame
    }
}

/// Binds every row of the table, and those of the extensions.
fn bind(linker: &mut Linker<Interpreting>, extensions: &Extensions) -> Result<(), Error> {
    macro_rules! bind {
        // These may call contracts, and take the room on the stack as well.
        ({ call $name:ident } ($($param:ident: $ty:ty),*) $raw:tt) => {
            linker.func_wrap(
                "call",
                stringify!($name),
                |caller: wasmi::Caller<'_, Interpreting> $(, $param: $ty)*, gas: i64, room: i64| {
                    let mut guest = GuestCaller::new(caller)?;
                    let call = |guest: &mut GuestCaller<'_>| noema_host::shim::call::$name(guest $(, $param)*);
                    host_call(&mut guest, gas, Some(room), ("call", stringify!($name)), call).map_err(Error::host)
                },
            )?;
        };
        ({ $group:ident $name:ident } ($($param:ident: $ty:ty),*) $raw:tt) => {
            linker.func_wrap(
                stringify!($group),
                stringify!($name),
                |caller: wasmi::Caller<'_, Interpreting> $(, $param: $ty)*, gas: i64| {
                    let mut guest = GuestCaller::new(caller)?;
                    let call = |guest: &mut GuestCaller<'_>| noema_host::shim::$group::$name(guest $(, $param)*);
                    host_call(&mut guest, gas, None, (stringify!($group), stringify!($name)), call).map_err(Error::host)
                },
            )?;
        };
    }
    noema_host::for_each_import!(bind);
    // Only modules that were instrumented for an observer have it.
    linker.func_wrap(places::IMPORT.0, places::IMPORT.1, |mark: i64, gas: i64| {
        if let Some((mark, offset)) = Mark::read(mark) {
            observe::place(mark, offset, gas);
        }
    })?;
    for extension in extensions.iter() {
        for (index, row) in extension.rows().enumerate() {
            bind_extension(linker, extension, index, row)?;
        }
    }
    Ok(())
}

/// Binds one row of an extension, whose type is known at run time only.
fn bind_extension(
    linker: &mut Linker<Interpreting>,
    extension: &Extension,
    index: usize,
    row: &'static HostFunction,
) -> Result<(), Error> {
    let params = row.wasm_params().map(|param| match param {
        WasmType::I32 => ValType::I32,
        WasmType::I64 => ValType::I64,
    });
    let params: Vec<ValType> = params.chain([ValType::I64]).collect();
    let ty = FuncType::new(params, [ValType::I64, ValType::I64]);
    let extension = extension.clone();
    linker.func_new(row.group, row.name, ty, move |caller, arguments, results| {
        let (Some((Val::I64(gas), arguments)), [result, balance]) = (arguments.split_last(), results) else {
            return Err(Error::new("an import has another type than it was bound with"));
        };
        let raw = arguments.iter().map(|argument| match argument {
            Val::I32(number) => Ok(i64::from(*number)),
            Val::I64(number) => Ok(*number),
            other => Err(Error::new(format!("an argument is {other:?}"))),
        });
        let raw = raw.collect::<Result<Vec<i64>, Error>>()?;
        let mut guest = GuestCaller::new(caller)?;
        let (answer, left) =
            extension_call(&mut guest, *gas, &extension, index, (row.group, row.name), &raw).map_err(Error::host)?;
        *result = Val::I64(answer);
        *balance = Val::I64(left);
        Ok(())
    })?;
    Ok(())
}
