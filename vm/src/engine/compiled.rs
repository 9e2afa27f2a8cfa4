//! A module that is ready to run.

use noema_host::CallKind;
use wasmtime::{Engine, InstancePre, Linker, Module, ModuleExport};

use crate::execute::Frame;
use crate::instrument::{FAULT, LEAST_ROOM};
use crate::{Admitted, VmError};

/// Machine code with its imports resolved, and where its exports are.
pub(crate) struct Compiled {
    pub(crate) pre: InstancePre<Frame>,
    /// Gas of a new instance.
    pub(crate) instantiate_gas: u64,
    /// Gas of compiling it.
    pub(crate) compile_gas: u64,
    pub(crate) fault: ModuleExport,
    pub(crate) least_room: ModuleExport,
    pub(crate) memory: ModuleExport,
    init: Option<ModuleExport>,
    call: Option<ModuleExport>,
    view: Option<ModuleExport>,
    migrate: Option<ModuleExport>,
    /// Bytes that it takes in the cache.
    pub(crate) bytes: u64,
}

/// An entry point of a compiled module.
pub(crate) type EntryPoint = ModuleExport;

impl Compiled {
    pub(crate) fn new(engine: &Engine, linker: &Linker<Frame>, admitted: Admitted) -> Result<Compiled, VmError> {
        // Admission has accepted this module, so a compiler that does not is this node's problem.
        let failed = |error: wasmtime::Error| VmError::Engine(format!("admitted code does not compile: {error:#}"));
        let module = Module::new(engine, &admitted.instrumented).map_err(failed)?;
        let pre = linker.instantiate_pre(&module).map_err(failed)?;
        let export = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| VmError::Engine(format!("compiled code has no export `{name}`")))
        };
        let image = module.image_range();
        let code_bytes = image.end.addr().saturating_sub(image.start.addr());
        Ok(Compiled {
            instantiate_gas: admitted.instantiate_gas,
            compile_gas: admitted.compile_gas,
            fault: export(FAULT)?,
            least_room: export(LEAST_ROOM)?,
            memory: export("memory")?,
            init: module.get_export_index("init"),
            call: module.get_export_index("call"),
            view: module.get_export_index("view"),
            migrate: module.get_export_index("migrate"),
            bytes: u64::try_from(code_bytes).unwrap_or(u64::MAX),
            pre,
        })
    }

    /// The export for a kind of call, if the module has it.
    pub(crate) fn entry_point(&self, kind: CallKind) -> Option<&EntryPoint> {
        match kind {
            CallKind::Init => self.init.as_ref(),
            CallKind::Call => self.call.as_ref(),
            CallKind::View => self.view.as_ref(),
            CallKind::Migrate => self.migrate.as_ref(),
        }
    }
}
