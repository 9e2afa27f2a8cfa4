//! A guest in the middle of things, and one call of every row that succeeds in it.

use std::sync::Arc;

use noema_abi::{HostFunction, Kind};
use noema_model::graph::{Edge, EdgeId, Graph, Node};
use noema_model::ops::{Argmax, Linear};
use noema_model::parameters::Array;
use noema_model::{Manifest, Model, Port, container};
use noema_tensor::{DType, Shape, Tensor};

use super::fake::{Caller, Frame, OTHER};
use super::opcodes::{FIRST_PLACE, opcode};
use crate::{HostContext, Stop, shim};

pub(super) const MEMORY: usize = 0x1_0000;
/// Where the scene has an empty place to write to.
pub(super) const OUT: i64 = 0x8000;

/// One WebAssembly argument list.
pub(super) type Raw = Vec<i64>;

/// A memory with something to read at fixed places, storage, tensors 1 to 7 and model 1.
pub(super) fn scene() -> Caller {
    let mut memory: Vec<u8> = (0..MEMORY).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect();
    for (place, bytes) in [
        (0x100, &b"alpha"[..]),
        (0x110, b"al"),
        (0x120, b"a value to write"),
        (0x140, &OTHER),
        (0x160, &500u128.to_le_bytes()),
        (0x180, &[2, 0, 0, 0, 3, 0, 0, 0]),
        (0x190, &[1, 2, 3, 4, 5, 6]),
        (0x1a0, &[6, 0, 0, 0]),
        (0x1b0, &[0, 0, 0, 0, 1, 0, 0, 0]),
        (0x1c0, &[2, 0, 0, 0, 1, 0, 0, 0]),
        (0x1d0, &1u32.to_le_bytes()),
        (0x200, &model().id().0),
        (0x300, &hex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53")),
        (
            0x320,
            &hex(concat!(
                "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276",
                "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
            )),
        ),
    ] {
        memory[place..place + bytes.len()].copy_from_slice(bytes);
    }
    let mut frame = Frame::new();
    for (key, value) in [("alpha", "first"), ("alpine", "second value"), ("beta", "third")] {
        frame.effects.storage.insert(key.into(), value.into());
    }
    frame.effects.transient.insert("alpha".into(), "passing".into());
    let shape = |dims: &[u32]| Shape::new(dims).unwrap();
    for tensor in [
        Tensor::from_vec(shape(&[2, 3]), vec![1i8, -2, 3, -4, 5, -6]),
        Tensor::from_vec(shape(&[3, 2]), vec![1i8, 0, 0, 1, 1, 1]),
        Tensor::from_vec(shape(&[2, 2]), vec![1_000_000i32, -2_000_000, 3, i32::MAX]),
        Tensor::from_vec(shape(&[]), vec![1i32 << 30]),
        Tensor::from_vec(shape(&[]), vec![40u8]),
        Tensor::from_vec(shape(&[2]), vec![i64::MIN, i64::MAX]),
        Tensor::from_vec(shape(&[0, 4]), Vec::<i16>::new()),
    ] {
        let tensor = tensor.unwrap();
        frame.reserve_memory(tensor.byte_len()).unwrap();
        frame.tensors.insert(tensor).unwrap();
    }
    let model = Arc::new(model());
    frame.models.insert(model.id().0, Arc::clone(&model));
    frame.tensors.insert_model(model.id().0, model).unwrap();
    frame.effects.last_output = b"an earlier answer".to_vec();
    Caller { memory, frame }
}

/// [`scene`], with what the call of an opcode needs.
pub(super) fn scene_of(row: &HostFunction) -> Caller {
    let mut guest = scene();
    if row.group == "op" {
        let needed = opcode(row.name);
        guest.memory[FIRST_PLACE..FIRST_PLACE + needed.memory.len()].copy_from_slice(&needed.memory);
        for tensor in &needed.tensors {
            guest.frame.reserve_memory(tensor.byte_len()).unwrap();
            guest.frame.tensors.insert(tensor.clone()).unwrap();
        }
    }
    guest
}

/// Three numbers in; two scores, and which of them is larger, out.
pub(super) fn model() -> Model {
    let linear = Linear { outputs: 2, accumulator: DType::I32 };
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[3])],
        nodes: vec![
            Node { name: "scores".into(), op: linear.into(), inputs: vec![EdgeId(0)] },
            Node { name: "class".into(), op: Argmax {}.into(), inputs: vec![EdgeId(1)] },
        ],
        outputs: vec![EdgeId(1), EdgeId(2)],
    };
    let edges = graph.edges().unwrap();
    let manifest = Manifest {
        name: "scene".into(),
        licence: "CC0-1.0".into(),
        version: "1".into(),
        inputs: vec![Port::new("x", &edges[0], 0)],
        outputs: vec![Port::new("scores", &edges[1], 0), Port::new("class", &edges[2], 0)],
        labels: Vec::new(),
        accuracy: String::new(),
    };
    let weights = vec![vec![Array::I8(vec![1, 2, 3, -1, 0, 1]), Array::I32(vec![0, 100])], vec![]];
    Model::from_bytes(container::encode(&manifest, &graph, &weights).unwrap()).unwrap()
}

/// A call of the row that succeeds in [`scene_of`] it. A new row needs one here, but for opcodes.
pub(super) fn good_call(row: &HostFunction) -> Raw {
    match (row.group, row.name) {
        ("context", "input_len" | "block_height" | "block_time" | "gas_left") => vec![],
        ("context", "input_read") => vec![4, OUT, 64],
        ("context", "output_write") => vec![0x120, 16],
        ("context", "caller" | "self_address" | "value") => vec![OUT],
        ("context", "chain_id") => vec![OUT, 32],
        ("context", "balance") => vec![0x140, OUT],
        ("context", "deposit") => vec![OUT],
        ("storage" | "transient", "get") => vec![0x100, 5, OUT, 100],
        ("storage" | "transient", "set") => vec![0x100, 5, 0x120, 16],
        ("storage" | "transient", "remove") => vec![0x100, 5],
        ("storage", "scan") => vec![0x110, 2, 0x110, 2, 10, OUT, 200],
        ("event", "emit") => vec![0x100, 5, 0x120, 16],
        ("call", "contract") => vec![0x140, 0x160, 1 << 40, 0x120, 16, OUT, 64],
        ("call", "output_read") => vec![3, OUT, 64],
        ("call", "transfer") => vec![0x140, 0x160],
        ("crypto", "keccak256" | "sha256") => vec![0x120, 16, OUT],
        ("crypto", "ed25519_verify") => vec![0x140, 0x300, 0x120, 16],
        ("crypto", "secp256k1_recover") => vec![0x300, 0x320, 0, OUT],
        ("control", "abort") => vec![42, 0x120, 16],
        ("control", "log") => vec![0x120, 16],
        ("tensor", "create") => vec![0, 0x180, 8, 0x190, 6],
        ("tensor", "dtype" | "drop") => vec![1],
        ("tensor", "shape" | "read") => vec![1, OUT, 64],
        ("op", name) => opcode(name).raw.clone(),
        ("model", "open") => vec![0x200],
        ("model", "cost") => vec![1, 3],
        ("model", "cost_of") => vec![1, 3, 1],
        ("model", "run") => vec![1, 0x1d0, 4, OUT, 16],
        (group, name) => panic!("{group}.{name} has no call in this scene"),
    }
}

/// Calls a row of the table as an engine without typed bindings does.
pub(super) fn call(guest: &mut Caller, row: &HostFunction, raw: &[i64]) -> Result<i64, Stop> {
    shim::dispatch(guest, row, raw)
}

/// The guest ranges of an argument list: pointer, length, whether it is written, and where in the
/// list the pointer and the length are.
pub(super) struct GuestRange {
    pub(super) pointer: u32,
    pub(super) length: u32,
    pub(super) written: bool,
    pub(super) at: usize,
    pub(super) length_at: Option<usize>,
}

pub(super) fn guest_ranges(row: &HostFunction, raw: &[i64]) -> Vec<GuestRange> {
    let mut at = 0;
    let mut ranges = Vec::new();
    let low = |at: usize| u32::try_from(raw[at] & 0xffff_ffff).unwrap();
    for param in row.params {
        let fixed = |length, written| Some((length, written, None));
        let range = match param.kind {
            Kind::bytes => Some((low(at + 1), false, Some(at + 1))),
            Kind::out => Some((low(at + 1), true, Some(at + 1))),
            Kind::in16 => fixed(16, false),
            Kind::in32 => fixed(32, false),
            Kind::in64 => fixed(64, false),
            Kind::out16 => fixed(16, true),
            Kind::out32 => fixed(32, true),
            Kind::out64 => fixed(64, true),
            _ => None,
        };
        if let Some((length, written, length_at)) = range {
            ranges.push(GuestRange { pointer: low(at), length, written, at, length_at });
        }
        at += param.kind.wasm_types().len();
    }
    ranges
}

pub(super) fn hex(digits: &str) -> Vec<u8> {
    let nibble = |c: u8| char::from(c).to_digit(16).map(|digit| u8::try_from(digit).unwrap()).unwrap();
    digits.as_bytes().chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}
