//! Real builds with every toolchain of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use noema_build::{BuildError, BuildOptions, BuildRecord, Way, build_contract, toolchains};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

/// A crate of its own that uses the SDK. All of them share one target folder, apart from that of the
/// repository's contracts: there the SDK is a member of the workspace, and cargo would build it anew
/// at every change from one to the other.
fn lone_crate(dir: &Path, source: &str) -> BuildOptions {
    let sdk = repository().join("sdk/contract");
    let manifest = format!(
        "[package]\nname = \"lone\"\nversion = \"1.2.3\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nnoema-sdk = {{ path = {sdk:?} }}\n"
    );
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::copy(repository().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    fs::write(dir.join("src/lib.rs"), source).unwrap();
    let mut options = BuildOptions::new(dir);
    options.target_dir = Some(target_dir().join("noema-build-tests"));
    options
}

/// Where cargo keeps this test: `<target>/release/deps`.
fn target_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf()
}

/// Panics with a message that names its place, so that the wasm holds a path of its own source.
const PANICS: &str = r#"
    #![no_std]
    use noema_sdk::{self as noema, prelude::*};
    #[noema::state]
    pub struct Lone { values: Vec<u64> }
    #[noema::contract]
    impl Lone {
        #[init]
        fn new(values: Vec<u64>) -> Self { Lone { values } }
        #[view]
        fn at(&self, index: u32) -> u64 { self.values[index as usize] }
    }
"#;

#[test]
fn every_toolchain_of_this_machine_builds_a_contract() {
    let source = fs::read_to_string(repository().join("sdk/testing/contracts/empty/src/lib.rs")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut options = lone_crate(dir.path(), &source);
    let ready = toolchains(dir.path()).unwrap();
    assert!(!ready.is_empty(), "run `make setup`");
    for way in [Way::Installed, Way::Source] {
        if !ready.iter().any(|toolchain| toolchain.way == way) {
            continue;
        }
        options.way = Some(way);
        let built = build_contract(&options).unwrap();
        assert_eq!(fs::read(&built.path).unwrap(), built.wasm);
        assert!(built.wasm.starts_with(b"\0asm\x01\0\0\0"));
        assert!(holds(&built.wasm, "noema.schema") && holds(&built.wasm, r#""contract":"Empty""#), "{way:?}");
        let record = BuildRecord::of_wasm(&built.wasm).unwrap();
        assert!(built.toolchain.contains(&record.rustc), "{record:?}, {}", built.toolchain);
        assert_eq!(record.library, if way == Way::Source { "source" } else { "installed" });
        assert!(built.wasm.len() < 2048, "{way:?}: the empty contract has {} bytes", built.wasm.len());
    }
}

#[test]
fn builds_in_two_folders_are_the_same_bytes_and_name_no_folder() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let deeper = folders[1].path().join("some/where/else");
    lone_crate(folders[0].path(), PANICS);
    for way in toolchains(folders[0].path()).unwrap().iter().map(|toolchain| toolchain.way) {
        let wasms = [folders[0].path(), &deeper].map(|dir| {
            let mut options = lone_crate(dir, PANICS);
            options.way = Some(way);
            build_contract(&options).unwrap().wasm
        });
        assert!(wasms[0] == wasms[1], "{way:?}: {} and {} bytes", wasms[0].len(), wasms[1].len());
        assert!(holds(&wasms[0], "src/lib.rs"), "{way:?}: the place of the panic is named");
        let home = std::env::var_os("HOME").unwrap_or_default();
        let local = [repository(), target_dir(), folders[0].path().into(), home.into(), "/usr/".into()];
        for folder in local.iter().filter(|folder| folder.as_os_str().len() > 1) {
            assert!(!holds(&wasms[0], folder.to_str().unwrap()), "{way:?}: the wasm names {}", folder.display());
        }
    }
}

/// The operators of every function.
fn operators(wasm: &[u8]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        if let wasmparser::Payload::CodeSectionEntry(body) = payload.unwrap() {
            let operators = body.get_operators_reader().unwrap().into_iter();
            all.push(
                operators
                    .map(|operator| match operator.unwrap() {
                        wasmparser::Operator::Call { .. } => "call".to_owned(),
                        operator => format!("{operator:?}"),
                    })
                    .collect(),
            );
        }
    }
    // The linker may put functions in another order.
    all.sort();
    all
}

#[test]
fn names_and_places_change_no_code() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = lone_crate(dir.path(), PANICS);
    let bare = build_contract(&options).unwrap();
    options.debug = true;
    let debug = build_contract(&options).unwrap();
    assert!(holds(&debug.wasm, ".debug_line") && !holds(&bare.wasm, ".debug_line"));
    assert_ne!(debug.path, bare.path);
    let (debug, bare) = (operators(&debug.wasm), operators(&bare.wasm));
    assert!(debug == bare && !bare.is_empty(), "the code differs");
}

/// The most pages that the memory of a module declares.
fn most_pages(wasm: &[u8]) -> u64 {
    /// A number of seven bits a byte, and what is behind it.
    fn number(bytes: &[u8]) -> (u64, &[u8]) {
        let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let value = bytes[..end].iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        (value, &bytes[end..])
    }
    let mut rest = &wasm[8..];
    while let [section, behind @ ..] = rest {
        let (length, content) = number(behind);
        let (content, next) = content.split_at(usize::try_from(length).unwrap());
        if *section == 5 {
            let [1, 1, limits @ ..] = content else { panic!("one memory with a maximum: {content:?}") };
            return number(number(limits).1).0;
        }
        rest = next;
    }
    panic!("there is no memory")
}

#[test]
fn the_manifest_says_how_large_the_memory_may_become() {
    let dir = tempfile::tempdir().unwrap();
    let options = lone_crate(dir.path(), PANICS);
    assert_eq!(most_pages(&build_contract(&options).unwrap().wasm), 16);
    let manifest = dir.path().join("Cargo.toml");
    let with = |line: &str| {
        let text = fs::read_to_string(&manifest).unwrap();
        let text = text.split("[package.metadata.noema]").next().unwrap();
        fs::write(&manifest, format!("{text}[package.metadata.noema]\n{line}\n")).unwrap();
    };
    with("memory-pages = 40");
    assert_eq!(most_pages(&build_contract(&options).unwrap().wasm), 40);
    with("memory-pages = 1");
    let error = build_contract(&options).unwrap_err().to_string();
    assert!(error.contains("memory-pages"), "{error}");
    with("memory-page = 40");
    let error = build_contract(&options).unwrap_err().to_string();
    assert!(error.contains("memory-page"), "{error}");
}

#[test]
fn mistakes_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let error = build_contract(&BuildOptions::new(dir.path().join("missing"))).unwrap_err();
    assert!(matches!(error, BuildError::NotACrate { .. }), "{error}");
    let error = build_contract(&BuildOptions::new(dir.path())).unwrap_err();
    assert!(error.to_string().contains("it holds no Cargo.toml"), "{error}");

    let options = lone_crate(dir.path(), "#![no_std]\nfn broken( {");
    let error = build_contract(&options).unwrap_err();
    assert!(matches!(error, BuildError::Compile { .. }), "{error}");
    assert!(error.to_string().contains("src/lib.rs:2"), "{error}");

    let options = lone_crate(dir.path(), &PANICS.replace("#![no_std]", ""));
    let error = build_contract(&options).unwrap_err();
    assert!(error.to_string().contains("begin src/lib.rs with `#![no_std]`"), "{error}");

    fs::write(dir.path().join("Cargo.toml"), "[package]\nname = \"lone\"\nversion = \"1.2.3\"\n[workspace]\n").unwrap();
    fs::rename(dir.path().join("src/lib.rs"), dir.path().join("src/main.rs")).unwrap();
    let error = build_contract(&options).unwrap_err();
    assert!(matches!(error, BuildError::NoLibrary { .. }), "{error}");
}

#[test]
fn without_a_toolchain_it_says_what_to_install() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = lone_crate(dir.path(), PANICS);
    let manifest = fs::read_to_string(dir.path().join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("edition", "rust-version = \"1.999\"\nedition");
    fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
    options.way = Some(Way::Source);
    let error = build_contract(&options).unwrap_err().to_string();
    for part in ["rustup target add wasm32-unknown-unknown", "apt-get install rustc-web", "the contract needs 1.999"] {
        assert!(error.contains(part), "{error}");
    }
}
