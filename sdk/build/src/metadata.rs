//! What cargo knows about the crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::BuildError;

/// A contract crate.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) workspace_root: PathBuf,
    pub(crate) target_dir: PathBuf,
    /// The oldest minor version of Rust 1 that the crate takes.
    pub(crate) rust_minor: u32,
    /// Pages of 64 KiB that the memory of the contract may have.
    pub(crate) memory_pages: u32,
    /// The folders of packages outside the workspace, with what stands for them in the wasm.
    pub(crate) sources: Vec<(PathBuf, String)>,
    pub(crate) cargo: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    version: String,
    /// Where it was downloaded from; nothing for a folder.
    source: Option<String>,
    manifest_path: PathBuf,
    rust_version: Option<String>,
    targets: Vec<MetadataTarget>,
    /// What the manifest says to other programs.
    metadata: Option<Settings>,
}

#[derive(Default, Deserialize)]
struct Settings {
    noema: Option<NoemaSettings>,
}

/// The table `[package.metadata.noema]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct NoemaSettings {
    memory_pages: Option<u32>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    kind: Vec<String>,
}

/// The folders to search for programs.
pub(crate) fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    dirs.extend(home.map(|home| home.join("bin")));
    dirs
}

pub(crate) fn program(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// Variables that would change what is built.
const INHERITED: [&str; 8] = [
    "CARGO",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MANIFEST_DIR",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
];

/// A command of the build, without what a surrounding cargo or an author's shell would add to it.
pub(crate) fn command(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let inherited =
            ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_PKG_", "CARGO_CFG_", "CARGO_FEATURE_"];
        if inherited.iter().any(|prefix| text.starts_with(prefix)) || INHERITED.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
}

pub(crate) fn read(crate_dir: &Path) -> Result<Package, BuildError> {
    let not_a_crate = |reason: String| BuildError::NotACrate { dir: crate_dir.to_path_buf(), reason };
    let dir = crate_dir.canonicalize().map_err(|error| not_a_crate(error.to_string()))?;
    let manifest = dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(not_a_crate("it holds no Cargo.toml".into()));
    }
    let cargo = program("cargo").ok_or(BuildError::NoCargo)?;
    let mut command = command(&cargo, &dir);
    command.args(["metadata", "--format-version", "1", "--filter-platform", crate::TARGET, "--manifest-path"]);
    command.arg(&manifest);
    // The one setting of the author's shell that this command has to see.
    if let Some(target_dir) = std::env::var_os("CARGO_TARGET_DIR") {
        command.env("CARGO_TARGET_DIR", target_dir);
    }
    let output = command.output().map_err(BuildError::io("running cargo metadata"))?;
    if !output.status.success() {
        return Err(not_a_crate(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| not_a_crate(format!("cargo metadata: {error}")))?;
    let package = metadata
        .packages
        .iter()
        .find(|package| package.manifest_path == manifest)
        .ok_or_else(|| not_a_crate("its Cargo.toml names no package".into()))?;
    let is_library = |kind: &String| matches!(kind.as_str(), "lib" | "rlib" | "cdylib");
    if !package.targets.iter().any(|target| target.kind.iter().any(is_library)) {
        return Err(BuildError::NoLibrary { package: package.name.clone() });
    }
    let rust_minor = package.rust_version.as_deref().and_then(|version| version.split('.').nth(1)?.parse().ok());
    let outside =
        metadata.packages.iter().filter(|package| !package.manifest_path.starts_with(&metadata.workspace_root));
    let sources = outside.filter_map(|package| {
        let dir = package.manifest_path.parent()?;
        match package.source.as_deref() {
            // All of one registry lie in one folder, as `name-version`.
            Some(source) if source.starts_with("registry+") => Some((dir.parent()?.to_path_buf(), "registry".into())),
            _ => Some((dir.to_path_buf(), format!("{}-{}", package.name, package.version))),
        }
    });
    let settings = package.metadata.as_ref().and_then(|settings| settings.noema.as_ref());
    let memory_pages = settings.and_then(|settings| settings.memory_pages).unwrap_or(crate::MEMORY_PAGES);
    Ok(Package {
        name: package.name.clone(),
        memory_pages,
        rust_minor: rust_minor.unwrap_or(0),
        sources: sources.collect(),
        workspace_root: metadata.workspace_root,
        target_dir: metadata.target_directory,
        manifest,
        dir,
        cargo,
    })
}
