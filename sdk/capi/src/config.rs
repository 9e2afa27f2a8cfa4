//! What a virtual machine is made of.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::sync::Arc;

use noema_host::Extension;
use noema_model::{DirModelStore, MemoryModelStore, ModelStore};
use noema_tensor::{Kernels, Level};
use noema_vm::{ArtifactCache, CompilerProcess, EngineKind, VmConfig};

use crate::function::{CFunction, noema_function};
use crate::guard::{Failure, guard, noema_result};
use crate::row;
use crate::types::{given, given_mut, noema_slice};

/// How to set a virtual machine up. Only the functions that are added change receipts; everything else is this node's
/// own affair.
#[derive(Default)]
pub struct noema_config {
    level: Option<Level>,
    threads: Option<usize>,
    model_directory: Option<PathBuf>,
    module_cache_bytes: Option<u64>,
    concurrent_messages: Option<u32>,
    engine: EngineKind,
    artifacts: Option<ArtifactCache>,
    compiler_process: Option<CompilerProcess>,
    functions: Vec<CFunction>,
}

/// The defaults: the fastest kernels of this machine on one thread, models in memory, 256 MiB of compiled code and none on disk,
/// Cranelift in this process, four messages at a time, no functions.
#[unsafe(no_mangle)]
pub extern "C" fn noema_config_new() -> *mut noema_config {
    Box::into_raw(Box::default())
}

/// Gives a configuration back. Machines made from it do not need it any more.
///
/// # Safety
/// `config` is null, or came from `noema_config_new` and has not been given back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_free(config: *mut noema_config) {
    if !config.is_null() {
        // SAFETY: made by `Box::into_raw` in `noema_config_new`, and given back once: the caller's promise.
        drop(unsafe { Box::from_raw(config) });
    }
}

/// Computes tensors at this level (`portable`, `avx2`, ...), the same bits at any.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses; `level` is readable; `error` is null or has room
/// for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_level(
    config: *mut noema_config,
    level: noema_slice,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        change(config, error, |config| {
            let level = level.text("level")?.parse::<Level>().map_err(|error| Failure::invalid(error.to_string()))?;
            config.level = Some(level);
            Ok(())
        })
    }
}

/// Computes tensors on this many threads, at least one.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_threads(config: *mut noema_config, threads: usize) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe { set(config, |config| config.threads = Some(threads.max(1))) }
}

/// Keeps the bytes of models in this directory, UTF-8, instead of in memory. It is made where it is not there.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses; `path` is readable; `error` is null or has room
/// for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_model_directory(
    config: *mut noema_config,
    path: noema_slice,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        change(config, error, |config| {
            config.model_directory = Some(path.path("path")?);
            Ok(())
        })
    }
}

/// Keeps this much machine code in memory.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_module_cache_bytes(config: *mut noema_config, bytes: u64) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe { set(config, |config| config.module_cache_bytes = Some(bytes)) }
}

/// Executes this many messages at a time, at least one; more wait. Each takes about 40 GiB of address space, and no
/// memory.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_concurrent_messages(
    config: *mut noema_config,
    messages: u32,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe { set(config, |config| config.concurrent_messages = Some(messages.max(1))) }
}

/// Runs contracts on this engine: `cranelift`, `cranelift-unoptimized`, `pulley` or `wasmi`, with the same receipts on any.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses; `engine` is readable; `error` is null or has room
/// for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_engine(
    config: *mut noema_config,
    engine: noema_slice,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        change(config, error, |config| {
            config.engine = engine.text("engine")?.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
            Ok(())
        })
    }
}

/// Keeps compiled code in this directory, UTF-8, up to so many bytes, so that a node that starts again need not compile. It is
/// made where it is not there. Nothing is executed that this node has not compiled itself.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses; `path` is readable; `error` is null or has room
/// for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_compiled_directory(
    config: *mut noema_config,
    path: noema_slice,
    capacity: u64,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        change(config, error, |config| {
            config.artifacts = Some(ArtifactCache { capacity, ..ArtifactCache::new(path.path("path")?) });
            Ok(())
        })
    }
}

/// Compiles contracts in a process of its own: the program `noema-compiler` at this path, UTF-8. A module that takes it more than
/// `seconds` or `memory_bytes` is interpreted, with the same receipts.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses; `program` is readable; `error` is null or has room
/// for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_set_compiler(
    config: *mut noema_config,
    program: noema_slice,
    seconds: u32,
    memory_bytes: u64,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        change(config, error, |config| {
            let process = CompilerProcess::program(program.path("program")?);
            config.compiler_process = Some(CompilerProcess { seconds, memory_bytes, ..process });
            Ok(())
        })
    }
}

/// Adds a host function of the chain's own. `row` is its line of the table:
///
/// ```text
/// 0x8001 mychain.shout(text: bytes, loud: out) -> u64 since 1 price(1000000, 1000, 0)
/// ```
///
/// with an id from 0x8000 on, the import module and name, parameters of the kinds u32, i32, u64, i64, bytes, out, in16,
/// in32, in64, out16, out32 and out64, the result u64 or unit, the first protocol version that has it, and its price:
/// for the call, for each byte of `bytes` and `out` arguments, and for each unit of work that the function charges for
/// (noema_call_charge). Rows are part of the rules of the chain: equal on all nodes, as is what the function does.
///
/// `function` runs on every thread that executes messages, at the same time on several, always with `context`, which
/// must stay valid for as long as there are machines made from this configuration.
///
/// # Safety
/// `config` is null or a live configuration that no other thread uses; `row` is readable; `error` is null or has room
/// for a pointer; `function` and `context` are as said above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_config_add_function(
    config: *mut noema_config,
    row: noema_slice,
    function: noema_function,
    context: *mut c_void,
    error: *mut *mut c_char,
) -> noema_result {
    // SAFETY: what this function is promised.
    unsafe {
        change(config, error, |config| {
            let row = row::parse(row.text("row")?).map_err(Failure::invalid)?;
            let function = function.ok_or_else(|| Failure::null("function"))?;
            config.functions.push(CFunction::new(row, function, context));
            Ok(())
        })
    }
}

/// # Safety
/// `config` is null or a live configuration that no other thread uses.
unsafe fn set(config: *mut noema_config, work: impl FnOnce(&mut noema_config)) -> noema_result {
    let work = |config: &mut noema_config| {
        work(config);
        Ok(())
    };
    // SAFETY: the caller's promise; there is no place for a message.
    unsafe { change(config, std::ptr::null_mut(), work) }
}

/// # Safety
/// `config` is null or a live configuration that no other thread uses; `error` is null or has room for a pointer.
unsafe fn change(
    config: *mut noema_config,
    error: *mut *mut c_char,
    work: impl FnOnce(&mut noema_config) -> Result<(), Failure>,
) -> noema_result {
    // SAFETY: the caller's promise.
    unsafe { guard(error, || work(given_mut(config, "config")?)) }
}

/// The configuration in Rust.
///
/// # Safety
/// `config` is null, for the defaults, or a live configuration that no other thread uses.
pub(crate) unsafe fn of(config: *const noema_config) -> Result<VmConfig, Failure> {
    let defaults = noema_config::default();
    // SAFETY: the caller's promise.
    let config = if config.is_null() { &defaults } else { unsafe { given(config, "config") }? };
    let level = config.level.unwrap_or_else(Level::best);
    let kernels = Kernels::new(level, config.threads.unwrap_or(1)).map_err(|error| Failure::node(error.to_string()))?;
    let models: Arc<dyn ModelStore> = match &config.model_directory {
        None => Arc::new(MemoryModelStore::new()),
        Some(path) => Arc::new(DirModelStore::open_dir(path).map_err(|error| Failure::node(error.to_string()))?),
    };
    let mut made = VmConfig::new(Arc::new(kernels), models);
    made.module_cache_bytes = config.module_cache_bytes.unwrap_or(made.module_cache_bytes);
    made.engine = config.engine;
    made.artifacts = config.artifacts.clone();
    made.compiler_process = config.compiler_process.clone();
    made.concurrent_messages = config.concurrent_messages.unwrap_or(made.concurrent_messages);
    let mut groups: Vec<&'static str> = config.functions.iter().map(|function| function.row().group).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let functions = config.functions.iter().filter(|function| function.row().group == group);
        made = made.with_extension(Extension::new(group, functions.map(CFunction::bound)));
    }
    Ok(made)
}
