//! Compiling and running the examples.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the examples.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

pub(crate) fn contract_wasm() -> PathBuf {
    examples().join("embed-c/contract.wasm")
}

/// Where cargo has put the libraries of this crate: they are built with it, beside its tests.
fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.parent().expect("in a folder").to_path_buf()
}

/// The shared and the static library.
pub(crate) fn libraries() -> Vec<PathBuf> {
    let shared = format!("{}noema_capi{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let libraries: Vec<PathBuf> = [shared.as_str(), "libnoema_capi.a"].map(|name| folder().join(name)).into();
    for library in &libraries {
        assert!(library.exists(), "cargo has not built {}", library.display());
    }
    libraries
}

/// A compiled example. Its folder goes with it.
pub(crate) struct Program {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Program {
    /// The C example, linked against one of the libraries.
    pub(crate) fn c(library: &Path, flags: &[&str]) -> Program {
        let folder = tempfile::tempdir().expect("a folder for the program");
        let path = folder.path().join("embed-c");
        let mut command = Command::new("cc");
        command
            .args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
            .arg(env!("CARGO_MANIFEST_DIR"))
            .args(flags)
            .arg(examples().join("embed-c/main.c"))
            .arg(library);
        if library.extension() == Some(OsStr::new("a")) {
            // What the Rust standard library needs of the system.
            command.args(["-lpthread", "-ldl", "-lm", "-lrt", "-lutil", "-lgcc_s"]);
        }
        command.arg("-o").arg(&path);
        let mut compiled = command.output().expect("`cc` is there: linking Rust needs it");
        if !compiled.status.success() && library.extension() == Some(OsStr::new("a")) {
            // Built in one go with the store RocksDB, the archive has C++ in it.
            compiled = command.arg("-lstdc++").output().expect("it was there before");
        }
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Program { path, _folder: folder }
    }

    /// The Go example; `None` where there is no Go.
    pub(crate) fn go() -> Option<Program> {
        Command::new("go").arg("version").output().ok().filter(|version| version.status.success())?;
        let temporary = tempfile::tempdir().expect("a folder for the program");
        let path = temporary.path().join("embed-go");
        let compiled = Command::new("go")
            .args(["build", "-o"])
            .arg(&path)
            .arg(".")
            .current_dir(examples().join("embed-go"))
            .env("CGO_ENABLED", "1")
            .env("CGO_CFLAGS", format!("-I{}", env!("CARGO_MANIFEST_DIR")))
            .env("CGO_LDFLAGS", format!("-L{} -lnoema_capi", folder().display()))
            // Needs no network and no home.
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .env("GOCACHE", temporary.path().join("cache"))
            .output()
            .expect("`go` ran before");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Some(Program { path, _folder: temporary })
    }

    /// What it prints, if all goes well.
    pub(crate) fn run(&self, arguments: &[&OsStr]) -> String {
        let output = self.output(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", output.status);
        String::from_utf8(output.stdout).expect("it prints text")
    }

    pub(crate) fn output(&self, arguments: &[&OsStr]) -> Output {
        let mut command = Command::new(&self.path);
        // cgo checks as much as it can.
        command.args(arguments).env("LD_LIBRARY_PATH", folder()).env("GODEBUG", "cgocheck=2");
        command.output().expect("it was just compiled")
    }
}
