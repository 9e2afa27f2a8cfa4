//! Runs the real program in a directory of its own.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use noema_chain::StoreKind;
use noema_cli::{arguments::KernelArgs, demo::DemoOptions};
use noema_tensor::Level;
use serde_json::Value;

/// A directory with a chain in `chain`, and the program in it.
pub(crate) struct Workplace {
    directory: tempfile::TempDir,
}

/// What one run of the program gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workplace {
    pub(crate) fn new() -> Workplace {
        Workplace { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn chain(&self) -> PathBuf {
        self.path("chain")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file in the temporary directory");
        path
    }

    /// The program, with this directory's chain.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_noema"));
        self.prepare(&mut command);
        command.arg("--chain").arg(self.chain());
        command
    }

    /// Any program, in this directory and with nothing of the caller's settings.
    pub(crate) fn prepare(&self, command: &mut Command) {
        for name in ["NOEMA_CHAIN", "NOEMA_STORE", "NOEMA_KEY", "NOEMA_LEVEL", "NOEMA_THREADS", "NOEMA_LOG"] {
            command.env_remove(name);
        }
        command.current_dir(self.directory.path()).stdin(Stdio::null());
    }

    /// Runs the program with words for people.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Run {
        Run::from(self.command().args(arguments).output().expect("the program starts"))
    }

    /// Runs the program with `--json`, which must end with this exit status and print exactly one object.
    pub(crate) fn json<S: AsRef<std::ffi::OsStr>>(&self, exit: i32, arguments: &[S]) -> Value {
        let run = Run::from(self.command().arg("--json").args(arguments).output().expect("the program starts"));
        assert_eq!(run.exit, Some(exit), "{run:#?}");
        run.object()
    }

    /// Creates the chain with fixed times.
    pub(crate) fn init(&self) -> Value {
        self.json(0, &["init", "--time-ms", "1000"])
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Run {
    /// The one JSON object on standard output.
    pub(crate) fn object(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        assert!(value.is_object(), "{value}");
        value
    }
}

/// The text under a JSON pointer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} in {value:#}"))
}

/// The number under a JSON pointer.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {pointer} in {value:#}"))
}

/// That an error says and hints what it should, in JSON.
pub(crate) fn assert_error(error: &Value, code: &str, words: &[&str]) {
    assert_eq!(text(error, "/error/code"), code, "{error:#}");
    let all = format!("{} | {}", text(error, "/error/message"), error["error"]["hint"].as_str().unwrap_or_default());
    for word in words {
        assert!(all.contains(word), "`{word}` is not in: {all}");
    }
}

/// A contract with a method `put(text)` that keeps a text and a view `get()`, with its interface.
pub(crate) fn notes_contract() -> Vec<u8> {
    wat::parse_str(include_str!("../fixtures/notes.wat")).expect("the fixture assembles")
}

/// A demo in this directory, or a temporary one, replayed once with kernels that did not compute it.
pub(crate) fn demo_options(dir: Option<PathBuf>) -> DemoOptions {
    DemoOptions {
        dir,
        store: StoreKind::Redb,
        examples: Some(repository().join("examples")),
        block_size: 10,
        kernels: KernelArgs::default(),
        compiler: None,
        levels: vec![Level::Portable],
        threads: vec![1],
    }
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
