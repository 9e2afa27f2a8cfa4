//! A process that is killed while it stores models leaves whole models or none.

#![allow(clippy::disallowed_types, reason = "a test that waits")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use noema_model::{
    DirModelStore, Manifest, ModelId, ModelStore, Port, container,
    graph::{Edge, EdgeId, Graph, Node},
    merkle,
    ops::Linear,
    parameters::Array,
};
use noema_tensor::DType;

const DIR: &str = "NOEMA_TEST_STORE";

/// A container of five chunks.
fn container(number: i32) -> Vec<u8> {
    let linear = Linear { outputs: 1, accumulator: DType::I32 };
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[16_000])],
        nodes: vec![Node { name: "sum".into(), op: Linear { outputs: 16, ..linear }.into(), inputs: vec![EdgeId(0)] }],
        outputs: vec![EdgeId(1)],
    };
    let edges = graph.edges().unwrap();
    let manifest = Manifest {
        name: "kill".into(),
        licence: "CC0-1.0".into(),
        version: "1".into(),
        inputs: vec![Port::new("x", &edges[0], 0)],
        outputs: vec![Port::new("y", &edges[1], 0)],
        labels: vec![],
        accuracy: String::new(),
    };
    let parameters = vec![vec![Array::I8(vec![1; 256_000]), Array::I32(vec![number; 16])]];
    container::encode(&manifest, &graph, &parameters).unwrap()
}

fn stage(store: &DirModelStore, bytes: &[u8]) -> ModelId {
    let id = merkle::root(bytes);
    for (index, chunk) in (0..).zip(merkle::chunks(bytes)) {
        store.stage_chunk(id, index, chunk).unwrap();
    }
    id
}

/// What the killed process does; does nothing where nobody asks for it.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = DirModelStore::open_dir(dir).unwrap();
    for number in 0.. {
        let bytes = container(number);
        let id = stage(&store, &bytes);
        store.assemble(id, bytes.len() as u64).unwrap();
    }
}

fn models(dir: &Path) -> Vec<ModelId> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let ids = names.filter_map(|name| {
        let digits = name.strip_suffix(".model")?.to_owned();
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
        Some(ModelId(std::array::from_fn(byte)))
    });
    ids.collect()
}

#[test]
fn a_model_is_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(30 + 17 * round));
        child.kill().unwrap();
        child.wait().unwrap();

        let store = DirModelStore::open_dir(dir.path()).unwrap();
        for id in models(dir.path()) {
            assert_eq!(store.open(id).unwrap().id(), id);
        }
        // The one that it was at, however much of it is there, and another.
        let stored = models(dir.path());
        let at = (0..).map(container).find(|bytes| !stored.contains(&merkle::root(bytes))).unwrap();
        for next in [at, container(-1 - i32::try_from(round).unwrap())] {
            let id = stage(&store, &next);
            store.assemble(id, next.len() as u64).unwrap();
            store.open(id).unwrap();
        }
    }
    assert!(models(dir.path()).len() > 12, "the killed processes stored something");
}
