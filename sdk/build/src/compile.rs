//! Running cargo.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::error::BuildError;
use crate::metadata::{Package, command};
use crate::record::BuildRecord;
use crate::toolchain::{Toolchain, Way};
use crate::{BuiltContract, TARGET};

/// The profile of contracts, whatever the crate's workspace says: small, because code is paid for by
/// the byte when it is deployed, and with overflow checks, because a sum that wraps is a lost fortune.
/// Level `z` makes the screening contract 2 % smaller than `s` and lets it use 60 % more gas; level 2
/// makes it 30 % larger and saves another third.
const PROFILE: [&str; 7] = [
    r#"opt-level="s""#,
    r#"lto="fat""#,
    r#"panic="abort""#,
    "codegen-units=1",
    // Also where it is taken out at the end: what is deployed and what is looked at are compiled alike, and linked apart.
    "debug=2",
    "overflow-checks=true",
    "incremental=false",
];

/// Whether names and DWARF are taken out.
const BARE: &str = r#"strip="symbols""#;
const WITH_PLACES: &str = r#"strip="none""#;

/// The shadow stack of a contract. Rust's megabyte would be sixteen pages of every call.
const STACK_BYTES: u32 = 128 * 1024;

/// A line of `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

pub(crate) fn compile(
    package: &Package,
    toolchain: &Toolchain,
    target_dir: &Path,
    debug: bool,
) -> Result<BuiltContract, BuildError> {
    let mut cargo = command(&toolchain.cargo, &package.dir);
    cargo.args(["rustc", "--lib", "--crate-type", "cdylib", "--release", "--target", TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics", "--color", "never"]);
    cargo.arg("--manifest-path").arg(&package.manifest);
    cargo.arg("--target-dir").arg(target_dir);
    for setting in PROFILE.iter().chain([if debug { &WITH_PLACES } else { &BARE }]) {
        cargo.arg("--config").arg(format!("profile.release.{setting}"));
    }
    if let Some(rustc) = &toolchain.rustc {
        cargo.env("RUSTC", rustc);
    }
    if toolchain.way == Way::Source {
        // A stable compiler builds its own library only when told that it may.
        cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core,alloc");
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(package, toolchain, target_dir).join("\x1f"));
    // For the contract's own crate alone.
    let most = u64::from(package.memory_pages) * 65_536;
    // Numbers in code that the linker fills in have five bytes; without DWARF, which knows places by their offset, it can write
    // them shorter: the same operators in a tenth less bytes.
    let short = if debug { "" } else { " --compress-relocations" };
    let link = format!("-Clink-args=-z stack-size={STACK_BYTES} --max-memory={most}{short}");
    cargo.arg("--").args(["--cfg", "noema_contract"]).arg(link);
    cargo.args(remaps(vec![(package.workspace_root.clone(), ".".into())]));
    let done = cargo.stdin(Stdio::null()).output().map_err(BuildError::io("running cargo"))?;
    let output = String::from_utf8_lossy(&done.stderr).into_owned();
    let failed = |output: String| BuildError::Compile {
        package: package.name.clone(),
        toolchain: toolchain.name.clone(),
        hint: hint(&output),
        output,
    };
    if !done.status.success() {
        return Err(failed(output));
    }
    tracing::debug!("{output}");
    let path = artifact(&done.stdout, package).ok_or_else(|| failed("cargo made no .wasm file".into()))?;
    let mut wasm = fs::read(&path).map_err(BuildError::io(format!("reading {}", path.display())))?;
    BuildRecord::of(toolchain).append(&mut wasm);
    let path = keep(&target_dir.join("contracts"), &package.name, debug, &wasm)?;
    Ok(BuiltContract { wasm, path, toolchain: toolchain.name.clone(), package: package.name.clone() })
}

/// Writes the contract beside what cargo made. Other threads and processes may be doing the same, or reading it: each
/// writes a file of its own and puts it in place whole.
fn keep(dir: &Path, name: &str, debug: bool, wasm: &[u8]) -> Result<PathBuf, BuildError> {
    let path = dir.join(format!("{name}{}.wasm", if debug { ".debug" } else { "" }));
    let failed = || BuildError::io(format!("writing {}", path.display()));
    fs::create_dir_all(dir).map_err(failed())?;
    let mut unfinished = tempfile::Builder::new();
    #[cfg(unix)]
    unfinished.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644)); // as cargo leaves what it makes
    let mut unfinished = unfinished.prefix(name).tempfile_in(dir).map_err(failed())?;
    unfinished.write_all(wasm).map_err(failed())?;
    unfinished.persist(&path).map_err(|error| failed()(error.error))?;
    Ok(path)
}

/// Flags for every crate of the build. No local path reaches the wasm: downloaded packages become
/// `registry/name-version`, those beside the workspace `name-version`, the library what official
/// builds call it; members of the workspace are spelled relative to it in the first place. The flags
/// say nothing of the workspace itself, so that contracts of one machine share their dependencies.
fn flags(package: &Package, toolchain: &Toolchain, target_dir: &Path) -> Vec<String> {
    let mut rules: Vec<(PathBuf, String)> = vec![(target_dir.to_path_buf(), "target".into())];
    rules.extend(toolchain.library.iter().map(|dir| (dir.clone(), format!("/rustc/{}", toolchain.commit))));
    rules.extend(package.sources.iter().cloned());
    let mut flags = remaps(rules);
    if let Some(linker) = &toolchain.linker {
        flags.push(format!("-Clinker={}", linker.display()));
        flags.push("-Clinker-flavor=wasm-ld".into());
    }
    flags
}

/// The compiler takes the last rule that matches, so longer ones come later.
fn remaps(mut rules: Vec<(PathBuf, String)>) -> Vec<String> {
    rules.sort_by(|a, b| a.0.as_os_str().len().cmp(&b.0.as_os_str().len()).then_with(|| a.cmp(b)));
    rules.dedup();
    rules.into_iter().map(|(dir, name)| format!("--remap-path-prefix={}={name}", dir.display())).collect()
}

/// The wasm file among what cargo says it made.
fn artifact(messages: &[u8], package: &Package) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n');
    let mut made = messages.filter_map(|line| serde_json::from_slice::<Message>(line).ok()).filter(|message| {
        message.reason == "compiler-artifact" && message.manifest_path.as_ref() == Some(&package.manifest)
    });
    made.find_map(|message| {
        message.filenames.into_iter().find(|path| path.extension().is_some_and(|end| end == "wasm"))
    })
}

/// What an author probably forgot.
fn hint(output: &str) -> Option<&'static str> {
    let twice = output.contains("duplicate lang item") && output.contains("panic_impl");
    if twice || output.contains("can't find crate for `std`") {
        return Some(
            "a contract has no standard library: begin src/lib.rs with `#![no_std]`, and take dependencies without \
             their `std` feature",
        );
    }
    if output.contains("memory too small") || output.contains("memory too large") {
        return Some("its stack and its data need more memory: say so with `memory-pages` in [package.metadata.noema]");
    }
    if output.contains("failed to download") || output.contains("failed to get") {
        return Some("cargo could not download a dependency: is there a network?");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_write_one_contract_leave_it_whole() {
        let dir = tempfile::tempdir().unwrap();
        let wasm = vec![7; 20_000];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let path = keep(dir.path(), "token", false, &wasm).unwrap();
                        assert_eq!(fs::read(path).unwrap(), wasm);
                    }
                });
            }
        });
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["token.wasm"]);
    }
}
