//! Compiled code on disk: taken from this node alone, made again whenever anything is wrong with it, and in no receipt.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use noema_vm::{ArtifactCache, EngineKind, Outcome, Vm, VmConfig, VmError, code_hash, layout};

use super::world::{World, calling, config, succeeded};

/// A new machine, with nothing in memory, over this folder.
fn machine(folder: &Path) -> Arc<Vm> {
    Arc::new(Vm::new(VmConfig { artifacts: Some(ArtifactCache::new(folder)), ..config() }).unwrap())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "artifact")).collect()
}

const ANSWER: &str = "(i64.store (i32.const 0) (i64.const 42)) (drop (call $output (i32.const 0) (i32.const 8)))";

struct Case {
    folder: tempfile::TempDir,
    world: World,
    contract: noema_vm::Address,
    code: Vec<u8>,
    expected: Outcome,
}

/// A contract that was deployed and called by a machine that keeps compiled code.
fn deployed() -> Case {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::on(machine(folder.path()));
    let code = calling(ANSWER);
    let contract = world.deploy(&code);
    let expected = world.call(contract, &[]);
    assert_eq!(succeeded(&expected).output, 42u64.to_le_bytes());
    assert_eq!(files(folder.path()).len(), 1);
    Case { folder, world, contract, code, expected }
}

impl Case {
    /// Calls on a new machine over the folder.
    fn again(&mut self) -> Outcome {
        self.world.vm = machine(self.folder.path());
        self.world.call(self.contract, &[])
    }

    /// Whether a new machine can do without the code in the state: only with what is on disk.
    fn is_on_disk(&self) -> bool {
        let mut state = self.world.state.clone();
        state.remove(&layout::code_key(&code_hash(&self.code)));
        let mut world = World::on(machine(self.folder.path()));
        world.state = state;
        match world.try_execute(&noema_vm::Message {
            sender: super::world::ALICE,
            value: 0,
            gas_limit: super::world::GAS,
            action: noema_vm::Action::Call { contract: self.contract, input: vec![] },
        }) {
            Ok(outcome) => {
                assert_eq!(outcome, self.expected);
                true
            }
            Err(VmError::CorruptState { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_node_that_starts_again_need_not_compile() {
    let mut case = deployed();
    assert!(case.is_on_disk());
    assert_eq!(case.again(), case.expected);
    // A second deployment of the same code makes no second file, and the same receipt as without.
    let with = case.world.deploy(&case.code);
    assert_ne!(with, case.contract);
    assert_eq!(files(case.folder.path()).len(), 1);
}

#[test]
fn whatever_is_wrong_with_a_file_ends_in_compilation() {
    let mut case = deployed();
    let path = files(case.folder.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let mut altered: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("only a header", whole[..72].to_vec()),
        ("longer", [whole.as_slice(), &[0]].concat()),
        ("something else", b"#!/bin/sh\necho hello\n".to_vec()),
    ];
    for at in [0, 8, 40, 72, 90, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        altered.push(("one bit", bytes));
    }
    for (what, bytes) in altered {
        fs::write(&path, bytes).unwrap();
        assert!(!case.is_on_disk(), "{what}");
        assert_eq!(case.again(), case.expected, "{what}");
        // And it is there again.
        assert!(case.is_on_disk(), "{what}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(case.again(), case.expected);
    assert!(path.exists());
}

#[test]
fn what_another_node_has_compiled_is_not_executed() {
    let (mut case, other) = (deployed(), deployed());
    let (ours, theirs) = (files(case.folder.path()).remove(0), files(other.folder.path()).remove(0));
    assert_eq!(ours.file_name(), theirs.file_name(), "it is the same code");
    fs::copy(&theirs, &ours).unwrap();
    assert!(!case.is_on_disk());
    assert_eq!(case.again(), case.expected);
}

#[test]
fn other_settings_have_other_files() {
    let mut case = deployed();
    let config = VmConfig {
        artifacts: Some(ArtifactCache::new(case.folder.path())),
        engine: EngineKind::CraneliftUnoptimized,
        ..config()
    };
    case.world.vm = Arc::new(Vm::new(config).unwrap());
    assert_eq!(case.world.call(case.contract, &[]), case.expected);
    assert_eq!(files(case.folder.path()).len(), 2);
}

#[test]
fn a_folder_that_cannot_be_used_is_said_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = VmConfig { artifacts: Some(ArtifactCache::new(file.path())), ..config() };
    let error = Vm::new(config).expect_err("a file is no folder").to_string();
    assert!(error.contains("cannot keep compiled code"), "{error}");
}
