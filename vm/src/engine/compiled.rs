//! A module compiled by wasmtime.

use noema_host::CallKind;
use wasmtime::{Engine, Extern, Global, InstancePre, Linker, Module, ModuleExport, Store, Trap, Val};

use super::bind::{Accounts, Native};
use super::host_call::{Halted, Hosted, Ran, Stopped};
use super::limiter::GrowthFailed;
use crate::execute::Frame;
use crate::instrument::{FAULT, LEAST_ROOM};
use crate::{Admitted, VmError};

/// Machine code with its imports resolved, and where its exports are.
pub(crate) struct Compiled {
    pre: InstancePre<Native>,
    pub(super) fault: ModuleExport,
    pub(super) least_room: ModuleExport,
    pub(super) memory: ModuleExport,
    /// By [`CallKind`].
    entry_points: [Option<ModuleExport>; CallKind::ALL.len()],
    /// Bytes that it takes in the cache.
    pub(super) bytes: u64,
}

impl Compiled {
    pub(super) fn new(engine: &Engine, linker: &Linker<Native>, admitted: &Admitted) -> Result<Compiled, VmError> {
        // Admission has accepted this module, so a compiler that does not is this node's problem.
        let failed = |error: wasmtime::Error| VmError::Engine(format!("admitted code does not compile: {error:#}"));
        let module = Module::new(engine, &admitted.instrumented).map_err(failed)?;
        Compiled::of(&module, linker)
    }

    /// Loads machine code: what [`Compiled::serialize`] gave and [`super::Artifacts::get`] gave back, or what
    /// [`super::CompilerProcess::compile`] answered. Nothing else may be given: it is executed.
    #[allow(unsafe_code, reason = "machine code is loaded")]
    pub(super) fn load(engine: &Engine, linker: &Linker<Native>, code: &[u8]) -> Result<Compiled, VmError> {
        // SAFETY: from the disk comes only what this node has written, by a key that no one else has, and under a name that
        // a compiler with other settings does not have. From a compiler process comes what a program that this node's owner has
        // chosen for it, started by this node, answered through a pipe that no one else has, made with the settings of this
        // engine. Both are in memory: what was checked is what is loaded.
        let module = unsafe { Module::deserialize(engine, code) };
        let module = module.map_err(|error| VmError::Engine(format!("compiled code does not load: {error:#}")))?;
        Compiled::of(&module, linker)
    }

    /// The machine code, for [`Compiled::load`].
    pub(super) fn serialize(&self) -> Option<Vec<u8>> {
        self.pre.module().serialize().ok()
    }

    fn of(module: &Module, linker: &Linker<Native>) -> Result<Compiled, VmError> {
        let failed = |error: wasmtime::Error| VmError::Engine(format!("admitted code cannot be bound: {error:#}"));
        let pre = linker.instantiate_pre(module).map_err(failed)?;
        let export = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| VmError::Engine(format!("compiled code has no export `{name}`")))
        };
        let image = module.image_range();
        let code_bytes = image.end.addr().saturating_sub(image.start.addr());
        Ok(Compiled {
            fault: export(FAULT)?,
            least_room: export(LEAST_ROOM)?,
            memory: export("memory")?,
            entry_points: CallKind::ALL.map(|kind| module.get_export_index(kind.export())),
            bytes: u64::try_from(code_bytes).unwrap_or(u64::MAX),
            pre,
        })
    }

    /// The export for a kind of call, if the module has it.
    pub(super) fn entry_point(&self, kind: CallKind) -> Option<&ModuleExport> {
        let index = CallKind::ALL.iter().position(|known| *known == kind)?;
        self.entry_points.get(index)?.as_ref()
    }

    /// Hands the frame to a new store, makes an instance, calls the entry point, and takes the frame back.
    pub(super) fn run(&self, frame: Frame, kind: CallKind) -> (Frame, Ran) {
        let (gas, room) = (frame.balance(), frame.room());
        let mut store = Store::new(self.pre.module().engine(), Hosted::new(frame));
        store.limiter(|native| native.limiter.begin());
        let result = self.enter(&mut store, kind, gas, room);
        let accounts = store.data().accounts;
        let least_room = accounts.map(|accounts| read(accounts.least_room, &mut store));
        let fault = accounts.map_or(0, |accounts| read(accounts.fault, &mut store));
        let result = result.map_err(|error| halted(&error));
        let ran = Ran { result, least_room, fault: i32::try_from(fault).unwrap_or(0) };
        (store.into_data().frame, ran)
    }

    fn enter(&self, store: &mut Store<Native>, kind: CallKind, gas: i64, room: i64) -> wasmtime::Result<i64> {
        let instance = self.pre.instantiate(&mut *store)?;
        let accounts = Accounts::of(self, &instance, store)?;
        accounts.least_room.set(&mut *store, Val::I64(room))?;
        store.data_mut().accounts = Some(accounts);
        let function = self
            .entry_point(kind)
            .and_then(|export| instance.get_module_export(&mut *store, export))
            .and_then(Extern::into_func)
            .ok_or_else(|| wasmtime::Error::msg("there is no such entry point"))?;
        function.typed::<(i64, i64), i64>(&*store)?.call(&mut *store, (gas, room))
    }
}

/// Reads a global of the accounting.
fn read(global: Global, store: &mut Store<Native>) -> i64 {
    match global.get(store) {
        Val::I64(value) => value,
        Val::I32(value) => value.into(),
        other => unreachable!("an account is {other:?}"),
    }
}

fn halted(error: &wasmtime::Error) -> Halted {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Halted::NativeStack,
        Some(Trap::UnreachableCodeReached) => Halted::Unreachable,
        Some(trap) if is_verdict(*trap) => Halted::Trap(trap.to_string()),
        _ if error.is::<Stopped>() => Halted::HostCall,
        _ if error.is::<GrowthFailed>() => Halted::Memory(format!("{error:#}")),
        _ => Halted::Engine(format!("{error:#}")),
    }
}

/// Traps that WebAssembly defines: the same on every engine.
fn is_verdict(trap: Trap) -> bool {
    matches!(
        trap,
        Trap::MemoryOutOfBounds
            | Trap::TableOutOfBounds
            | Trap::IndirectCallToNull
            | Trap::BadSignature
            | Trap::IntegerOverflow
            | Trap::IntegerDivisionByZero
            | Trap::BadConversionToInteger
    )
}
