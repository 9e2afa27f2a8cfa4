//! The process that compiles: what it takes from a node, and what becomes of contracts when it does not do its work.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use noema_vm::{ArtifactCache, CompilerProcess, EngineKind, Outcome, Vm, VmConfig, VmError};

use super::world::{World, calling, config, succeeded};

/// The program that is built with the crate.
pub(crate) fn process() -> CompilerProcess {
    CompilerProcess::program(env!("CARGO_BIN_EXE_noema-compiler"))
}

/// Machines that keep what was compiled, which shows that it was.
pub(crate) struct Kept {
    folder: tempfile::TempDir,
    process: CompilerProcess,
}

impl Kept {
    pub(crate) fn new(process: CompilerProcess) -> Kept {
        Kept { folder: tempfile::tempdir().unwrap(), process }
    }

    pub(crate) fn machine(&self) -> Arc<Vm> {
        Arc::new(self.try_machine().unwrap())
    }

    fn try_machine(&self) -> Result<Vm, VmError> {
        Vm::new(VmConfig {
            artifacts: Some(ArtifactCache::new(self.folder.path())),
            compiler_process: Some(self.process.clone()),
            ..config()
        })
    }

    /// How many modules were compiled, not interpreted.
    pub(crate) fn compiled(&self) -> usize {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "artifact")).count()
    }
}

fn contract() -> Vec<u8> {
    calling("(i64.store (i32.const 0) (i64.const 42)) (drop (call $output (i32.const 0) (i32.const 8)))")
}

fn expected() -> Outcome {
    World::new().run(&contract())
}

#[test]
fn a_process_compiles_as_the_node_would() {
    let kept = Kept::new(process());
    assert_eq!(World::on(kept.machine()).run(&contract()), expected());
    assert_eq!(kept.compiled(), 1);
    // Not again by the next machine, and by every kind of engine that compiles.
    assert_eq!(World::on(kept.machine()).run(&contract()), expected());
    assert_eq!(kept.compiled(), 1);
    for engine in [EngineKind::CraneliftUnoptimized, EngineKind::Pulley, EngineKind::Wasmi] {
        let vm = Vm::new(VmConfig { engine, compiler_process: Some(process()), ..config() }).unwrap();
        assert_eq!(World::on(Arc::new(vm)).run(&contract()), expected(), "{engine}");
    }
}

#[test]
fn what_is_no_compiler_is_refused_at_once() {
    for (program, argument) in [("/does/not/exist", ""), ("/bin/true", ""), ("/bin/cat", "-"), ("/bin/echo", "hello")] {
        let mut process = CompilerProcess::program(program);
        process.arguments = vec![argument.into()];
        let error = Kept::new(process).try_machine().expect_err(program);
        assert!(matches!(&error, VmError::Engine(why) if why.contains(program)), "{error}");
    }
    // A process that never answers, too.
    let sleeping = CompilerProcess {
        program: "/bin/sleep".into(),
        arguments: vec!["60".into()],
        seconds: 1,
        memory_bytes: 1 << 30,
    };
    let error = Kept::new(sleeping).try_machine().expect_err("it sleeps");
    assert!(error.to_string().contains("more than 1 s"), "{error}");
}

/// A program that compiles, until a file is there; then it does this instead.
fn turning(folder: &Path, instead: &str) -> (CompilerProcess, PathBuf) {
    let (script, turned) = (folder.join("compiler.sh"), folder.join("turned"));
    let compiler = process();
    let text = format!(
        "if [ -e '{}' ]; then {instead}; else exec '{}' \"$@\"; fi\n",
        turned.display(),
        compiler.program.display()
    );
    fs::write(&script, text).unwrap();
    let arguments = [script.into_os_string()].into_iter().chain(compiler.arguments).collect();
    (CompilerProcess { program: "/bin/sh".into(), arguments, seconds: 2, memory_bytes: 256 << 20 }, turned)
}

#[test]
fn a_process_that_fails_costs_no_receipt() {
    for instead in [
        "exec sleep 60",
        "exit 0",
        "exit 1",
        "kill -9 $$",
        "cat > /dev/null; echo hello",
        "printf 'noemaCR1\\001no'",
        "yes",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (process, turned) = turning(folder.path(), instead);
        let kept = Kept::new(process);
        let machine = kept.machine();
        fs::write(turned, "").unwrap();
        let outcome = World::on(machine).run(&contract());
        succeeded(&outcome);
        assert_eq!(outcome, expected(), "{instead}");
        assert_eq!(kept.compiled(), 0, "{instead}");
    }
}

#[test]
fn the_compiler_is_for_nodes_only() {
    let output = std::process::Command::new(process().program).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("started by a node"));
    // Another version, or nothing at all: an answer that is no machine code.
    let output = std::process::Command::new(process().program)
        .args(process().arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.stdout.starts_with(b"noemaCR1\x01"), "{:?}", output.stdout);
}
