//! Ways to run the kernels.

use std::sync::Mutex;

use anyhow::anyhow;
use noema_abi::ProtocolVersion;
use wasmtime::{Config, Engine, Global, Instance, Memory, Module, OptLevel, Store, TypedFunc, Val};

use super::finite;
use super::kernels::{RESULT, WHICH};

/// More gas and fuel than any kernel uses.
const PLENTY: i64 = 1 << 60;
/// Units of the logical stack.
const ROOM: i64 = 131_072;

/// What keeps the code in check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Nothing.
    Plain,
    /// Ours.
    Noema,
    /// Ours, every metering block charged and checked for itself.
    PerBlock,
    /// wasmtime's fuel, and its flag that makes every NaN canonical.
    Fuel,
    /// Charges where finite-wasm has them, and the same flag.
    FiniteWasm,
}

impl Scheme {
    /// All but the plain one.
    pub(super) const METERED: [Scheme; 4] = [Scheme::Noema, Scheme::PerBlock, Scheme::Fuel, Scheme::FiniteWasm];

    pub(super) fn name(self) -> &'static str {
        match self {
            Scheme::Plain => "nothing",
            Scheme::Noema => "noema",
            Scheme::PerBlock => "every block for itself",
            Scheme::Fuel => "fuel and NaN flag",
            Scheme::FiniteWasm => "finite-wasm's points and NaN flag",
        }
    }
}

/// The engine of a scheme: all alike but for fuel and the flag.
pub(super) fn engine(scheme: Scheme) -> anyhow::Result<Engine> {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed).generate_address_map(false).wasm_backtrace_max_frames(None);
    let flag = matches!(scheme, Scheme::Fuel | Scheme::FiniteWasm);
    config.consume_fuel(scheme == Scheme::Fuel).cranelift_nan_canonicalization(flag);
    Engine::new(&config).map_err(|error| anyhow!("wasmtime: {error:#}"))
}

/// Bytes of machine code that a module becomes.
pub(super) fn code_bytes(engine: &Engine, wasm: &[u8]) -> anyhow::Result<usize> {
    let module = Module::new(engine, wasm).map_err(|error| anyhow!("wasmtime: {error:#}"))?;
    Ok(module.functions().map(|function| function.len).sum())
}

/// An instance under one scheme.
pub(super) struct Prepared {
    scheme: Scheme,
    running: Mutex<Running>,
}

struct Running {
    store: Store<()>,
    memory: Memory,
    call: Call,
}

enum Call {
    Plain(TypedFunc<(), ()>),
    Metered(TypedFunc<(i64, i64), i64>),
    Counted(TypedFunc<(), ()>, Global),
}

impl Prepared {
    pub(super) fn new(scheme: Scheme, wasm: &[u8]) -> anyhow::Result<Prepared> {
        let version = ProtocolVersion::LATEST;
        let code = match scheme {
            Scheme::Plain | Scheme::Fuel => wasm.to_vec(),
            Scheme::FiniteWasm => finite::instrument(wasm)?,
            Scheme::Noema => noema_vm::admit(version, wasm)?.instrumented,
            Scheme::PerBlock => noema_vm::admit_per_block(version, wasm)?.instrumented,
        };
        let running = Running::new(scheme, &code).map_err(|error| anyhow!("{}: {error:#}", scheme.name()))?;
        Ok(Prepared { scheme, running: Mutex::new(running) })
    }

    pub(super) fn name(&self) -> &'static str {
        self.scheme.name()
    }

    /// Runs a kernel and gives its result.
    pub(super) fn run(&self, kernel: u32) -> anyhow::Result<u64> {
        let mut running = self.running.lock().map_err(|_| anyhow!("a kernel panicked before"))?;
        running.run(self.scheme, kernel).map_err(|error| anyhow!("{}: {error:#}", self.name()))
    }
}

impl Running {
    fn new(scheme: Scheme, code: &[u8]) -> wasmtime::Result<Running> {
        let engine = engine(scheme).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        let module = Module::new(&engine, code)?;
        let mut store = Store::new(&engine, ());
        if scheme == Scheme::Fuel {
            store.set_fuel(PLENTY.unsigned_abs())?;
        }
        let instance = Instance::new(&mut store, &module, &[])?;
        let memory =
            instance.get_memory(&mut store, "memory").ok_or_else(|| wasmtime::Error::msg("no memory is exported"))?;
        let call = match scheme {
            Scheme::Plain | Scheme::Fuel => Call::Plain(instance.get_typed_func(&mut store, "call")?),
            Scheme::FiniteWasm => {
                let counter = instance.get_global(&mut store, finite::GAS);
                let counter = counter.ok_or_else(|| wasmtime::Error::msg("no counter is exported"))?;
                Call::Counted(instance.get_typed_func(&mut store, "call")?, counter)
            }
            Scheme::Noema | Scheme::PerBlock => {
                if let Some(least) = instance.get_global(&mut store, "noema.least_room") {
                    least.set(&mut store, Val::I64(ROOM))?;
                }
                Call::Metered(instance.get_typed_func(&mut store, "call")?)
            }
        };
        Ok(Running { store, memory, call })
    }

    fn run(&mut self, scheme: Scheme, kernel: u32) -> wasmtime::Result<u64> {
        if scheme == Scheme::Fuel {
            self.store.set_fuel(PLENTY.unsigned_abs())?;
        }
        self.memory.write(&mut self.store, WHICH, &kernel.to_le_bytes())?;
        match &self.call {
            Call::Plain(call) => call.call(&mut self.store, ())?,
            Call::Counted(call, counter) => {
                counter.set(&mut self.store, Val::I64(PLENTY))?;
                call.call(&mut self.store, ())?;
                if counter.get(&mut self.store).i64() == Some(PLENTY) {
                    return Err(wasmtime::Error::msg("it was not metered"));
                }
            }
            Call::Metered(call) => {
                let left = call.call(&mut self.store, (PLENTY, ROOM))?;
                if left < 0 || left == PLENTY {
                    return Err(wasmtime::Error::msg("it was not metered"));
                }
            }
        }
        let mut result = [0; 8];
        self.memory.read(&self.store, RESULT, &mut result)?;
        Ok(u64::from_le_bytes(result))
    }
}
