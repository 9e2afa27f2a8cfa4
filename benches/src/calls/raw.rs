//! wasmtime without us.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use noema_abi::Status;
use wasmtime::{
    Caller, Config, Engine, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module, OptLevel,
    PoolingAllocationConfig, Store,
};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the imports reach.
#[derive(Default)]
struct Host {
    memory: Option<Memory>,
    written: Map,
}

/// A compiled module whose imports are bound.
pub(super) struct Raw {
    engine: Engine,
    linker: Linker<Host>,
    pre: InstancePre<Host>,
}

/// Set up as ours is, with pooled instances, without what makes ours deterministic.
pub(super) fn engine() -> anyhow::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(16)
        .total_core_instances(16)
        .max_memory_size(64 << 20)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(256 << 10);
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    plain(Engine::new(&config))
}

/// Compiles, and nothing else.
pub(super) fn compile(engine: &Engine, code: &[u8]) -> anyhow::Result<Module> {
    plain(Module::new(engine, code))
}

/// Its errors as everyone else's.
fn plain<T>(result: wasmtime::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| anyhow::anyhow!("wasmtime: {error:#}"))
}

impl Raw {
    pub(super) fn new(code: &[u8]) -> anyhow::Result<Raw> {
        let engine = engine()?;
        let mut linker = Linker::<Host>::new(&engine);
        plain(linker.func_wrap("storage", "get", get).map(|_| ()))?;
        plain(linker.func_wrap("storage", "set", set).map(|_| ()))?;
        let pre = plain(linker.instantiate_pre(&compile(&engine, code)?))?;
        Ok(Raw { engine, linker, pre })
    }

    /// Calls `call` in a new store; what it has written.
    pub(super) fn call(&self) -> anyhow::Result<Map> {
        plain(self.run(&self.pre))
    }

    /// Writes the machine code to a file.
    pub(super) fn keep(&self, path: &Path) -> anyhow::Result<()> {
        Ok(fs::write(path, plain(self.pre.module().serialize())?)?)
    }

    /// Calls what is in such a file.
    #[allow(unsafe_code, reason = "machine code is loaded")]
    pub(super) fn call_kept(&self, path: &Path) -> anyhow::Result<Map> {
        // SAFETY: only files of `keep` are given, in a folder that was made for this process.
        let module = plain(unsafe { Module::deserialize_file(&self.engine, path) })?;
        plain(self.linker.instantiate_pre(&module).and_then(|pre| self.run(&pre)))
    }

    fn run(&self, pre: &InstancePre<Host>) -> wasmtime::Result<Map> {
        let mut store = Store::new(&self.engine, Host::default());
        let instance = pre.instantiate(&mut store)?;
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        instance.get_typed_func::<(), ()>(&mut store, "call")?.call(&mut store, ())?;
        Ok(store.into_data().written)
    }
}

fn range(memory: &[u8], pointer: u32, length: u32) -> wasmtime::Result<&[u8]> {
    let (start, length) = (usize::try_from(pointer)?, usize::try_from(length)?);
    start
        .checked_add(length)
        .and_then(|end| memory.get(start..end))
        .ok_or_else(|| wasmtime::Error::msg("a range outside the memory"))
}

fn memory_of(caller: &Caller<'_, Host>) -> wasmtime::Result<Memory> {
    caller.data().memory.ok_or_else(|| wasmtime::Error::msg("no memory"))
}

fn get(mut caller: Caller<'_, Host>, key: u32, key_length: u32, value: u32, capacity: u32) -> wasmtime::Result<i64> {
    let (memory, host) = memory_of(&caller)?.data_and_store_mut(&mut caller);
    let Some(found) = host.written.get(range(memory, key, key_length)?) else {
        return Ok(Status::NotFound.to_return());
    };
    range(memory, value, capacity)?;
    let copied = found.len().min(usize::try_from(capacity)?);
    let start = usize::try_from(value)?;
    memory[start..start + copied].copy_from_slice(&found[..copied]);
    Ok(i64::try_from(found.len())?)
}

fn set(mut caller: Caller<'_, Host>, key: u32, key_length: u32, value: u32, length: u32) -> wasmtime::Result<i64> {
    let (memory, host) = memory_of(&caller)?.data_and_store_mut(&mut caller);
    let entry = (range(memory, key, key_length)?.to_vec(), range(memory, value, length)?.to_vec());
    host.written.insert(entry.0, entry.1);
    Ok(0)
}
