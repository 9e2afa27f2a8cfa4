//! Which compiler: rustup's with the target, or a distribution's with the source of the library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use crate::TARGET;
use crate::error::BuildError;
use crate::metadata::{Package, command, program, search_path};

/// How long rustup may take to download the target: this many looks at whether it is done, a tenth
/// of a second apart.
const RUSTUP_LOOKS: u32 = 1800;

/// How a toolchain gets the standard library for contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// It is installed for the target (by rustup or by a package).
    Installed,
    /// It is compiled from its source, as Debian packages it.
    Source,
}

/// A toolchain that can build contracts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Toolchain {
    /// Its version, for people.
    pub name: String,
    /// How it gets the standard library.
    pub way: Way,
    pub(crate) cargo: PathBuf,
    /// Only where cargo would not find it by itself.
    pub(crate) rustc: Option<PathBuf>,
    /// Only where the compiler brings none.
    pub(crate) linker: Option<PathBuf>,
    /// Local folders of the library's source.
    pub(crate) library: Vec<PathBuf>,
    pub(crate) commit: String,
    pub(crate) release: String,
}

/// A compiler on this machine.
struct Compiler {
    rustc: PathBuf,
    sysroot: PathBuf,
    release: String,
    commit: String,
    host: String,
}

impl Compiler {
    fn ask(rustc: &Path, dir: &Path) -> Option<Compiler> {
        let run = |args: &[&str]| {
            let output = command(rustc, dir).args(args).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let version = run(&["-vV"])?;
        let field =
            |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
        Some(Compiler {
            rustc: rustc.to_path_buf(),
            sysroot: PathBuf::from(run(&["--print", "sysroot"])?.trim()),
            release: field("release:"),
            commit: field("commit-hash:"),
            host: field("host:"),
        })
    }

    fn minor(&self) -> u32 {
        self.release.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
    }

    fn has_target(&self) -> bool {
        let dir = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        fs::read_dir(dir)
            .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
    }

    fn source(&self) -> Option<PathBuf> {
        let source = self.sysroot.join("lib/rustlib/src/rust");
        source.join("library/core/src/lib.rs").is_file().then_some(source)
    }

    fn bundled_linker(&self) -> Option<PathBuf> {
        let linker = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        linker.is_file().then_some(linker)
    }

    /// Rustup's compilers are reached through its own programs, which pick the version.
    fn is_rustup(&self) -> bool {
        self.sysroot.join("lib/rustlib/multirust-channel-manifest.toml").is_file()
    }

    /// The cargo that belongs to it.
    fn cargo(&self) -> Option<PathBuf> {
        [self.sysroot.join("bin/cargo"), self.rustc.with_file_name("cargo")].into_iter().find(|cargo| cargo.is_file())
    }
}

/// A toolchain for the package, installing the target with rustup if need be.
pub(crate) fn find(package: &Package, way: Option<Way>) -> Result<Toolchain, BuildError> {
    let mut tried = Vec::new();
    let wanted = |toolchain: &Toolchain| way.is_none_or(|way| toolchain.way == way);
    let found = ready(package, &mut tried);
    if let Some(installed) = found.iter().find(|toolchain| toolchain.way == Way::Installed && wanted(toolchain)) {
        return Ok(installed.clone());
    }
    if way != Some(Way::Source) {
        match rustup_target_add(&package.dir) {
            Ok(()) => {
                let again = ready(package, &mut Vec::new());
                if let Some(installed) = again.into_iter().find(|toolchain| toolchain.way == Way::Installed) {
                    return Ok(installed);
                }
                tried.push("rustup installed the target, but the compiler does not find it".into());
            }
            Err(reason) => tried.push(format!("rustup target add {TARGET}: {reason}")),
        }
    }
    found.into_iter().find(wanted).ok_or(BuildError::NoToolchain { tried })
}

/// The toolchains that need nothing; `tried` collects why others are not among them.
pub(crate) fn ready(package: &Package, tried: &mut Vec<String>) -> Vec<Toolchain> {
    let mut compilers: Vec<Compiler> = Vec::new();
    for rustc in rustc_candidates() {
        match Compiler::ask(&rustc, &package.dir) {
            Some(compiler) if compilers.iter().all(|known| known.sysroot != compiler.sysroot) => {
                compilers.push(compiler)
            }
            Some(_) => {}
            None => tried.push(format!("{} does not run", rustc.display())),
        }
    }
    let (new, old): (Vec<_>, Vec<_>) =
        compilers.into_iter().partition(|compiler| compiler.minor() >= package.rust_minor);
    for compiler in old {
        let (path, release, minor) = (compiler.rustc.display(), &compiler.release, package.rust_minor);
        tried.push(format!("{path} is Rust {release}, the contract needs 1.{minor}"));
    }
    let linker = new.iter().find_map(Compiler::bundled_linker).or_else(system_linker);
    let mut installed = Vec::new();
    let mut source = Vec::new();
    for compiler in &new {
        match toolchain(compiler, &linker, package) {
            Ok(toolchain) if toolchain.way == Way::Installed => installed.push(toolchain),
            Ok(toolchain) => source.push(toolchain),
            Err(reason) => tried.push(format!("{} ({}): {reason}", compiler.rustc.display(), compiler.release)),
        }
    }
    // A compiler that has the library can also build it, given its source.
    for compiler in new.iter().filter(|compiler| compiler.has_target()) {
        source.extend(from_source(compiler, &linker).ok());
    }
    installed.extend(source);
    installed
}

fn toolchain(compiler: &Compiler, linker: &Option<PathBuf>, package: &Package) -> Result<Toolchain, String> {
    if !compiler.has_target() {
        return from_source(compiler, linker);
    }
    let bundled = compiler.bundled_linker().is_some();
    if !bundled && linker.is_none() {
        return Err(format!("no linker for {TARGET}: sudo apt-get install lld"));
    }
    let (cargo, rustc) = if compiler.is_rustup() {
        (package.cargo.clone(), None)
    } else {
        (compiler.cargo().unwrap_or_else(|| package.cargo.clone()), Some(compiler.rustc.clone()))
    };
    Ok(Toolchain {
        name: format!("rustc {}", compiler.release),
        way: Way::Installed,
        cargo,
        rustc,
        linker: if bundled { None } else { linker.clone() },
        library: local_library(compiler),
        commit: compiler.commit.clone(),
        release: compiler.release.clone(),
    })
}

fn from_source(compiler: &Compiler, linker: &Option<PathBuf>) -> Result<Toolchain, String> {
    compiler.source().ok_or_else(|| format!("it has neither {TARGET} nor the source of the standard library"))?;
    Ok(Toolchain {
        name: format!("rustc {} with its library from source", compiler.release),
        way: Way::Source,
        cargo: compiler.cargo().ok_or("no cargo beside it: sudo apt-get install cargo-web")?,
        rustc: Some(compiler.rustc.clone()),
        linker: Some(linker.clone().ok_or_else(|| format!("no linker for {TARGET}: sudo apt-get install lld"))?),
        library: local_library(compiler),
        commit: compiler.commit.clone(),
        release: compiler.release.clone(),
    })
}

/// The folder of the library's source as the compiler may spell it.
fn local_library(compiler: &Compiler) -> Vec<PathBuf> {
    let Some(source) = compiler.source() else { return Vec::new() };
    let real = source.canonicalize().ok().filter(|real| *real != source);
    [Some(source), real].into_iter().flatten().collect()
}

/// Every `rustc`: those on the path first, then where distributions put them.
fn rustc_candidates() -> Vec<PathBuf> {
    let mut dirs = search_path();
    dirs.extend([PathBuf::from("/usr/bin"), PathBuf::from("/usr/local/bin")]);
    dirs.extend(versioned("/usr/lib", "rust-").into_iter().map(|dir| dir.join("bin")));
    let mut found: Vec<PathBuf> = Vec::new();
    for rustc in dirs.into_iter().map(|dir| dir.join("rustc")).filter(|rustc| rustc.is_file()) {
        if !found.contains(&rustc) {
            found.push(rustc);
        }
    }
    found
}

/// A WebAssembly linker that is not part of a Rust toolchain.
fn system_linker() -> Option<PathBuf> {
    program("wasm-ld")
        .or_else(|| search_path().iter().flat_map(|dir| versioned(dir, "wasm-ld-")).find(|path| path.is_file()))
        .or_else(|| {
            versioned("/usr/lib", "llvm-").into_iter().map(|dir| dir.join("bin/wasm-ld")).find(|path| path.is_file())
        })
}

/// The entries of a folder whose name begins with `prefix` and goes on with a version, newest first.
fn versioned(dir: impl AsRef<Path>, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let version = |path: &PathBuf| -> Option<Vec<u32>> {
        path.file_name()?.to_str()?.strip_prefix(prefix)?.split('.').map(|part| part.parse().ok()).collect()
    };
    let mut found: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| version(path).is_some()).collect();
    found.sort_by_key(|path| std::cmp::Reverse(version(path)));
    found
}

fn rustup_target_add(dir: &Path) -> Result<(), String> {
    let rustup = program("rustup").ok_or("there is no rustup")?;
    tracing::info!("rustup target add {TARGET}");
    let mut child = command(&rustup, dir)
        .args(["target", "add", TARGET])
        .env("RUSTUP_MAX_RETRIES", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    for _ in 0..RUSTUP_LOOKS {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) => return Err("failed; is there a network?".into()),
            Ok(None) => sleep(Duration::from_millis(100)),
            Err(error) => return Err(error.to_string()),
        }
    }
    // It may have ended in between; either way it is over now.
    let _ = child.kill();
    let _ = child.wait();
    Err("took longer than three minutes".into())
}

#[cfg(test)]
mod tests {
    use super::versioned;

    #[test]
    fn the_newest_version_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["llvm-9", "llvm-14", "llvm-14.0.6", "llvm-x", "llvm-", "other-20"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let found: Vec<_> =
            versioned(dir.path(), "llvm-").iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(found, ["llvm-14.0.6", "llvm-14", "llvm-9"]);
        assert!(versioned(dir.path().join("missing"), "llvm-").is_empty());
    }
}
