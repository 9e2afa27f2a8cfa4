//! Compilation in a process of its own, which can be stopped: a compiler that takes too long, wants too much memory or
//! crashes costs this node one process, and the module is interpreted.
//!
//! ```text
//! node                                    compiler (`serve`)
//!   request, in a file      --stdin-->      limits set, read, compiled by the same settings
//!   reply, or killed        <-stdout--      machine code, or why not
//! ```
//!
//! The request is a file and no pipe, so that nobody waits for a process that does not read, and nobody is sent a
//! signal by one that has ended.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long a compiler may take, and which one runs, are this node's own: no receipt depends on it"
)]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};

use super::compiler::compile_only;
use super::{EngineKind, HOST_STACK};
use crate::error::panic_text;

/// Begins requests, and replies; a new form of them is a new number.
const REQUEST: [u8; 8] = *b"noemaCQ1";
const REPLY: [u8; 8] = *b"noemaCR1";
/// The first argument of a program that is to compile: [`serve_compiler`] looks for it.
const ARGUMENT: &str = "--noema-compiler";

/// Which process compiles contracts, and what it may take. Whether a contract runs, and what a receipt says, does not depend
/// on it: what is not compiled in time is interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProcess {
    /// The program. It must be of this version of Noema.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Seconds on the clock for one module, and seconds of processor time.
    pub seconds: u32,
    /// Bytes of memory for one module, the compiler's stack not counted.
    pub memory_bytes: u64,
}

impl CompilerProcess {
    /// A program that begins with [`serve_compiler`], for 20 seconds and 2 GiB: the `noema-compiler` that is built with this
    /// crate. Where it is none, [`crate::Vm::new`] fails.
    #[must_use]
    pub fn program(program: impl Into<PathBuf>) -> CompilerProcess {
        CompilerProcess {
            program: program.into(),
            arguments: vec![ARGUMENT.into()],
            seconds: 20,
            memory_bytes: 2 << 30,
        }
    }

    /// Machine code of an instrumented module, for an engine with these settings.
    pub(super) fn compile(&self, kind: EngineKind, compatibility: &[u8], code: &[u8]) -> Result<Vec<u8>, String> {
        let request = Request {
            magic: REQUEST,
            engine: kind.to_string(),
            compatibility: compatibility.to_vec(),
            seconds: self.seconds,
            memory_bytes: self.memory_bytes,
            code: code.to_vec(),
        };
        let failed = |error: io::Error| format!("cannot run {}: {error}", self.program.display());
        let mut child = Killed(
            Command::new(&self.program)
                .args(&self.arguments)
                .stdin(Stdio::from(request.to_file().map_err(failed)?))
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .map_err(failed)?,
        );
        let Some(output) = child.0.stdout.take() else { return Err("it has no output".into()) };
        // No more than the machine code of anything that is admitted.
        let mut output = output.take(self.memory_bytes);
        let (send, reply) = mpsc::sync_channel(1);
        // Nobody waits for this thread: if the process has handed its output to another, that one ends it.
        std::thread::Builder::new()
            .name("noema compiler".into())
            .spawn(move || {
                let mut bytes = Vec::new();
                let read = output.read_to_end(&mut bytes).map(|_| bytes);
                let _ = send.send(read);
            })
            .map_err(failed)?;
        match reply.recv_timeout(Duration::from_secs(self.seconds.into())) {
            Ok(Ok(reply)) => read_reply(reply).map_err(|reason| match (reason, child.0.wait()) {
                (Some(reason), _) => reason,
                (None, Ok(status)) => format!("the compiler gave no answer and ended with {status}"),
                (None, Err(error)) => format!("the compiler gave no answer: {error}"),
            }),
            Ok(Err(error)) => Err(format!("the compiler's answer cannot be read: {error}")),
            Err(_) => Err(format!("the compiler took more than {} s", self.seconds)),
        }
    }
}

/// A process that ends with its owner, whatever it does.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a compiler is asked.
#[derive(BorshSerialize, BorshDeserialize)]
struct Request {
    magic: [u8; 8],
    engine: String,
    /// What the node's wasmtime says of its settings: a program with others cannot make code for it.
    compatibility: Vec<u8>,
    seconds: u32,
    memory_bytes: u64,
    code: Vec<u8>,
}

impl Request {
    fn to_file(&self) -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        file.write_all(&borsh::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }
}

/// The machine code; or why there is none, as far as the reply says so.
fn read_reply(mut reply: Vec<u8>) -> Result<Vec<u8>, Option<String>> {
    match reply.split_at_checked(REPLY.len() + 1).map(|(head, rest)| (head.split_at(REPLY.len()), rest)) {
        Some(((magic, [0]), _)) if magic == REPLY => {
            reply.drain(..=REPLY.len());
            Ok(reply)
        }
        Some(((magic, [1]), reason)) if magic == REPLY => Err(Some(String::from_utf8_lossy(reason).into_owned())),
        _ => Err(None),
    }
}

/// Compiles one module and ends the process, if this process was started to do so; otherwise returns at once, with what starts this
/// program in such a way, for 20 seconds and 2 GiB. First thing in `main`, before there is anything to unwind.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use noema_model::MemoryModelStore;
/// # use noema_tensor::{Kernels, Level};
/// use noema_vm::{Vm, VmConfig};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let compiler = noema_vm::serve_compiler();
/// #   let (kernels, models) = (Arc::new(Kernels::new(Level::best(), 1)?), Arc::new(MemoryModelStore::new()));
///     let vm = Vm::new(VmConfig { compiler_process: Some(compiler), ..VmConfig::new(kernels, models) })?;
///     Ok(())
/// }
/// ```
#[must_use]
pub fn serve_compiler() -> CompilerProcess {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        std::process::exit(i32::from(serve().is_err()));
    }
    // On Linux also after the file has been replaced: a node that is being upgraded goes on compiling.
    let linux = PathBuf::from("/proc/self/exe");
    let program = if cfg!(target_os = "linux") { Ok(linux) } else { std::env::current_exe() };
    CompilerProcess::program(program.unwrap_or_default())
}

/// Reads the request, compiles, answers.
fn serve() -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let reply = Request::try_from_slice(&bytes).map_err(|error| error.to_string()).and_then(compile);
    drop(bytes);
    let (status, payload) = match reply {
        Ok(code) => (0, code),
        Err(reason) => (1, reason.into_bytes()),
    };
    let mut output = io::stdout().lock();
    output.write_all(&REPLY)?;
    output.write_all(&[status])?;
    output.write_all(&payload)?;
    output.flush()
}

fn compile(request: Request) -> Result<Vec<u8>, String> {
    if request.magic != REQUEST {
        return Err("the request is of another version".into());
    }
    limit(&request).map_err(|error| format!("the limits cannot be set: {error}"))?;
    let kind: EngineKind = request.engine.parse().map_err(|error| format!("{error}"))?;
    let work = move || {
        let (engine, compatibility) = compile_only(kind)?;
        if compatibility != request.compatibility {
            return Err("the compiler is another program, or has other settings, than the node".into());
        }
        engine.precompile_module(&request.code).map_err(|error| format!("{error:#}"))
    };
    let guarded = || {
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|panic| Err(format!("the compiler panicked: {}", panic_text(panic.as_ref()))))
    };
    // As much stack as it has inside the node.
    let thread = std::thread::Builder::new().stack_size(HOST_STACK).spawn(guarded);
    let thread = thread.map_err(|error| format!("no thread to compile on: {error}"))?;
    thread.join().unwrap_or_else(|panic| Err(panic_text(panic.as_ref()).to_owned()))
}

/// What this process may take from here on: it ends by the system's hand when it takes more.
#[cfg(unix)]
fn limit(request: &Request) -> io::Result<()> {
    use rlimit::Resource;
    // Address space is not memory, but all that some systems can limit. The engine itself maps little here.
    let memory = if cfg!(target_os = "linux") { Resource::DATA } else { Resource::AS };
    let memory_bytes = request.memory_bytes.saturating_add(u64::try_from(HOST_STACK).unwrap_or(u64::MAX));
    for (resource, most) in [(memory, memory_bytes), (Resource::CPU, request.seconds.into()), (Resource::CORE, 0)] {
        let (_, hard) = resource.get()?;
        resource.set(most.min(hard), most.min(hard))?;
    }
    Ok(())
}

/// Time is limited by the node; for memory there is no limit here.
#[cfg(not(unix))]
fn limit(_: &Request) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use noema_abi::ProtocolVersion;
    use noema_host::Extensions;

    use super::*;
    use crate::engine::compiler::Compiler;
    use crate::rules::Rules;

    #[test]
    fn the_compiler_has_the_settings_of_the_node() {
        let machine = &Rules::of(ProtocolVersion::LATEST).machine;
        for kind in [EngineKind::Cranelift, EngineKind::CraneliftUnoptimized, EngineKind::Pulley] {
            let node = Compiler::new(kind, machine, 1, &Extensions::default(), None).unwrap().unwrap();
            assert_eq!(compile_only(kind).unwrap().1, node.compatibility, "{kind}");
        }
        assert!(compile_only(EngineKind::Wasmi).is_err());
    }

    #[test]
    fn replies_are_read() {
        assert_eq!(read_reply([&REPLY[..], &[0, 7, 8]].concat()), Ok(vec![7, 8]));
        assert_eq!(read_reply([&REPLY[..], &[1], b"why"].concat()), Err(Some("why".into())));
        for reply in [vec![], b"hello".to_vec(), REPLY.to_vec(), [&REPLY[..], &[2]].concat()] {
            assert_eq!(read_reply(reply), Err(None));
        }
    }
}
