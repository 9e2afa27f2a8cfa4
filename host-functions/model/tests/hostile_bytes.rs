//! Containers that claim to be huge must be refused without using memory for what they claim. One test in its own
//! process, so that nothing else moves the high-water mark.

use std::path::Path;

use noema_model::{
    Manifest, Model, ModelError, Port,
    bounds::Certificate,
    container,
    graph::{Edge, EdgeId, Graph, MAX_SEQUENCE, Node, sequence},
    ops::{AddRows, Conv2d, Embedding, Linear, MaxPool, Op, Relu, Reshape, Transpose, Window},
};
use noema_tensor::DType;

/// The most memory that this process has used so far, in bytes.
#[cfg(target_os = "linux")]
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn hostile(input: Edge, op: impl Into<Op>, nodes: usize) -> Vec<u8> {
    let op = op.into();
    let node = |_| Node { name: String::new(), op: op.clone(), inputs: vec![EdgeId(0)] };
    let graph = Graph { inputs: vec![input.clone()], nodes: (0..nodes).map(node).collect(), outputs: vec![EdgeId(0)] };
    let manifest = Manifest {
        inputs: vec![Port::new("x", &input, 0)],
        outputs: vec![Port::new("y", &input, 0)],
        ..Manifest::default()
    };
    container::write(&manifest, &graph, &Certificate { edges: vec![] }, &[]).unwrap()
}

/// The models of the conformance vectors.
fn real() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance-tests/vectors/models");
    let mut found = vec![];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("refused") || name.ends_with(".json") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        if !name.ends_with(".hex") {
            found.push(bytes);
            continue;
        }
        let digits: Vec<u8> = bytes.into_iter().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        found.push(digits.chunks(2).map(byte).collect());
    }
    found
}

#[test]
#[cfg(target_os = "linux")]
fn claims_are_not_believed() {
    let before = high_water();
    let linear = |outputs| Linear { outputs, accumulator: DType::I32 };
    let window = |size, pad| Window { pads: [pad; 4], ..Window::new(size, size) };
    let conv = |size, pad| Conv2d {
        outputs: 1 << 20,
        window: window(size, pad),
        groups: 1,
        pad_value: 0,
        accumulator: DType::I64,
    };
    let whole_row = Edge::new(DType::I8, &[1 << 28]);
    let mut containers = vec![
        // 2^40 elements from three integers, and more.
        hostile(Edge::new(DType::I8, &[1 << 14, 1 << 13, 1 << 13]), Relu {}, 1),
        hostile(Edge::new(DType::I64, &[u32::MAX; 7]), Relu {}, 1),
        // 2^54 bytes of weights behind shapes that are allowed one by one, once and often.
        hostile(whole_row.clone(), linear(1 << 26), 1),
        hostile(whole_row.clone(), linear(1 << 26), 4096),
        // As many and as large edges as there may be, with nothing behind them.
        hostile(whole_row.clone(), Relu {}, 4096),
        // Tables and constants of 2^52 bytes and more.
        hostile(Edge::new(DType::I32, &[4]), Embedding { rows: u32::MAX, columns: 1 << 20, dtype: DType::I16 }, 4096),
        hostile(Edge::new(DType::I8, &[1 << 14, 1 << 14]), AddRows { rows: u32::MAX }, 4096),
        // Windows larger than any image, with pads that make room for them, and weights for all of it.
        hostile(Edge::new(DType::I8, &[4, 4, 4]), conv(u32::MAX, u32::MAX), 4096),
        hostile(Edge::new(DType::I8, &[4, 4, 4]), conv(1 << 16, 1 << 15), 4096),
        hostile(Edge::new(DType::I8, &[4, 4, 4]), MaxPool { window: window(u32::MAX, u32::MAX) }, 4096),
        // Sequences of many lengths with large rows.
        hostile(Edge::new(DType::I8, &[sequence(MAX_SEQUENCE), 4096]), Relu {}, 4096),
        hostile(Edge::new(DType::I8, &[sequence(MAX_SEQUENCE); 7]), Relu {}, 1),
        // Lists as long as a header takes.
        hostile(Edge::new(DType::I8, &[4]), Reshape { dims: vec![0; 200_000] }, 1),
        hostile(Edge::new(DType::I8, &[4]), Transpose { axes: vec![0; 200_000] }, 1),
        // More nodes than there may be.
        hostile(Edge::new(DType::I8, &[1]), Relu {}, 70_000),
    ];
    // Every count and length in a small header replaced by the largest number.
    let small = hostile(Edge::new(DType::I8, &[4]), Relu {}, 1);
    for at in 16..small.len() - 4 {
        let mut bytes = small.clone();
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        containers.push(bytes);
    }
    for bytes in &containers {
        let error = Model::from_bytes(bytes.clone()).unwrap_err();
        // What is not refused for its size is refused for its certificate, which is empty.
        assert!(!error.to_string().is_empty());
    }
    assert!(matches!(Model::from_bytes(containers[3].clone()), Err(ModelError::Limit { .. })));
    // The same in the headers of real models, with numbers that are allowed here and there.
    let (mut refused, mut loaded) = (0, 0);
    for bytes in real() {
        let header_end = 16 + usize::try_from(u32::from_le_bytes(bytes[12..16].try_into().unwrap())).unwrap();
        let step = if bytes.len() > 100_000 { 7 } else { 1 };
        for at in (12..header_end - 4).step_by(step) {
            for number in [u32::MAX, 1 << 31 | 1 << 16, 1 << 28, 1 << 20] {
                let mut bytes = bytes.clone();
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
                match Model::from_bytes(bytes) {
                    Err(_) => refused += 1,
                    Ok(_) => loaded += 1,
                }
            }
        }
    }
    // Epsilons, names that are shown, and the like.
    assert!(refused > 1000 && loaded > 0, "{refused} refused, {loaded} loaded");
    let used = high_water() - before;
    assert!(used < 48 << 20, "{used} bytes");
}
