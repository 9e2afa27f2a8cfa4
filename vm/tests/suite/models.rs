//! Models come in chunks, one message each, and are there when the state says so.

use std::sync::Arc;

use noema_abi::Status;
use noema_model::graph::{Edge, EdgeId, Graph, Node};
use noema_model::ops::{Argmax, Linear};
use noema_model::parameters::Array;
use noema_model::{Manifest, MemoryModelStore, Port, container};
use noema_tensor::DType;
use noema_vm::{Action, Message, Outcome, Rejection, Vm, VmConfig, VmError, layout};

use super::upload::Upload;
use super::world::{ALICE, BOB, GAS, World, bytes, config, module, rejected, succeeded};

const INPUTS: u32 = 300;
const CLASSES: u32 = 500;

/// A container of three chunks: 300 numbers in, the largest of 500 scores out. Score `c` is `x[0] * w[c]`, plus `c`
/// where it is below 4.
pub(super) fn model() -> Vec<u8> {
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[INPUTS])],
        nodes: vec![
            Node {
                name: "scores".into(),
                op: Linear { outputs: CLASSES, accumulator: DType::I32 }.into(),
                inputs: vec![EdgeId(0)],
            },
            Node { name: "class".into(), op: Argmax {}.into(), inputs: vec![EdgeId(1)] },
        ],
        outputs: vec![EdgeId(2)],
    };
    let edges = graph.edges().unwrap();
    let manifest = Manifest {
        name: "test".into(),
        licence: "CC0-1.0".into(),
        version: "1".into(),
        inputs: vec![Port::new("x", &edges[0], 0)],
        outputs: vec![Port::new("class", &edges[2], 0)],
        labels: vec![],
        accuracy: String::new(),
    };
    let mut weights = Vec::new();
    for class in 0..CLASSES {
        weights.push(i8::try_from(class % 100).unwrap());
        weights.extend(vec![0i8; usize::try_from(INPUTS - 1).unwrap()]);
    }
    let bias = (0..i32::try_from(CLASSES).unwrap()).map(|class| if class < 4 { class } else { 0 }).collect();
    container::encode(&manifest, &graph, &[vec![Array::I8(weights), Array::I32(bias)], vec![]]).unwrap()
}

fn send(world: &mut World, action: Action) -> Outcome {
    world.send(ALICE, 0, GAS, action)
}

/// Opens the model and runs it on one row whose first number is 3 and whose others are 0; returns the status, and the class.
pub(super) fn classifier(id: &[u8; 32]) -> Vec<u8> {
    module(&format!(
        r#"(data (i32.const 0) "{}") (data (i32.const 32) "\01\00\00\00\2c\01\00\00") (data (i32.const 64) "\03")
           (global $model (mut i64) (i64.const 0))
           (func $done (param i64) (i64.store (i32.const 1000) (local.get 0)) (drop (call $output (i32.const 1000) (i32.const 12))))
           (func (export "call")
             (global.set $model (call $open (i32.const 0)))
             (if (i64.lt_s (global.get $model) (i64.const 0)) (then (call $done (global.get $model)) return))
             (i32.store (i32.const 500) (i32.wrap_i64
               (call $tensor (i32.const 0) (i32.const 32) (i32.const 8) (i32.const 64) (i32.const 300))))
             (i64.store (i32.const 1000)
               (call $run (i32.wrap_i64 (global.get $model)) (i32.const 500) (i32.const 4) (i32.const 504) (i32.const 4)))
             (drop (call $tensor_read (i32.load (i32.const 504)) (i32.const 1008) (i32.const 4)))
             (drop (call $output (i32.const 1000) (i32.const 12))))"#,
        bytes(id)
    ))
}

#[test]
fn a_model_is_uploaded_and_run() {
    let mut world = World::new();
    let upload = Upload::new(model());
    let contract = world.deploy(&classifier(&upload.id));
    assert_eq!(upload.chunks(), 3);
    for action in upload.all() {
        let outcome = world.call(contract, &[]);
        assert_eq!(succeeded(&outcome).output[..8], Status::NotFound.to_return().to_le_bytes(), "not yet");
        succeeded(&send(&mut world, action));
    }
    let outcome = world.call(contract, &[]);
    let receipt = succeeded(&outcome);
    assert_eq!(receipt.output, [1i64.to_le_bytes().to_vec(), 99i32.to_le_bytes().to_vec()].concat());
    assert!(receipt.gas.tensor > 0 && receipt.tensor_bytes >= 300);
    assert!(outcome.reads.contains(&layout::model_key(&upload.id)));
}

#[test]
fn an_upload_may_be_repeated_resumed_and_out_of_order() {
    let mut world = World::new();
    let upload = Upload::new(model());
    succeeded(&send(&mut world, upload.begin()));
    succeeded(&send(&mut world, upload.chunk(2)));
    assert_eq!(rejected(&send(&mut world, upload.finish())), Rejection::IncompleteModel);
    let first = send(&mut world, upload.chunk(0));
    // Again, by someone else, after announcing it again.
    assert!(succeeded(&send(&mut world, upload.begin())).gas_used() > 0);
    let again = world.send(BOB, 0, GAS, upload.chunk(0));
    assert!(succeeded(&again).gas_used() < first.receipt.gas_used() && again.writes.is_empty());
    assert_eq!(rejected(&send(&mut world, upload.finish())), Rejection::IncompleteModel);
    succeeded(&send(&mut world, upload.chunk(1)));
    let finished = send(&mut world, upload.finish());
    assert!(succeeded(&finished).gas.tensor > 0);
    for action in upload.all() {
        assert!(send(&mut world, action).writes.is_empty(), "it is there");
    }
}

#[test]
fn chunks_that_do_not_belong_are_refused() {
    let mut world = World::new();
    let upload = Upload::new(model());
    assert_eq!(rejected(&send(&mut world, upload.chunk(0))), Rejection::NoModel);
    assert_eq!(rejected(&send(&mut world, upload.finish())), Rejection::NoModel);
    succeeded(&send(&mut world, upload.begin()));
    let Action::ModelChunk { id, index, bytes, proof } = upload.chunk(1) else { panic!("it is a chunk") };
    let mut wrong = Vec::new();
    let mut flipped = bytes.clone();
    flipped[77] ^= 1;
    wrong.push((index, flipped, proof.clone()));
    wrong.push((index, bytes[1..].to_vec(), proof.clone()));
    wrong.push((index, [bytes.as_slice(), &[0]].concat(), proof.clone()));
    wrong.push((index, vec![], proof.clone()));
    for other in [0, 2, 3, 1 << 20, u32::MAX] {
        wrong.push((other, bytes.clone(), proof.clone()));
    }
    wrong.push((index, bytes.clone(), vec![]));
    wrong.push((index, bytes.clone(), proof[1..].to_vec()));
    wrong.push((index, bytes.clone(), [proof.as_slice(), &[[0; 32]]].concat()));
    wrong.push((index, bytes.clone(), vec![[0; 32]; 10_000]));
    let mut bad_hash = proof.clone();
    bad_hash[0][31] ^= 0x80;
    wrong.push((index, bytes.clone(), bad_hash));
    for (index, bytes, proof) in wrong {
        let outcome = send(&mut world, Action::ModelChunk { id, index, bytes, proof });
        assert_eq!(rejected(&outcome), Rejection::BadChunk);
        assert!(outcome.writes.is_empty() && outcome.receipt.gas_used() < GAS);
    }
    succeeded(&send(&mut world, Action::ModelChunk { id, index, bytes, proof }));
}

#[test]
fn a_length_that_is_not_the_models_is_another_model() {
    let mut world = World::new();
    let upload = Upload::new(model());
    let Action::BeginModel { top, .. } = upload.begin() else { panic!("it is an announcement") };
    for total_len in [0, (1 << 30) + 1, 1 << 31, u64::MAX] {
        let action = Action::BeginModel { total_len, top };
        assert_eq!(rejected(&send(&mut world, action)), Rejection::ModelLength);
    }
    // Whoever announces nonsense announces something else, and is in nobody's way.
    succeeded(&world.send(BOB, 0, GAS, Action::BeginModel { total_len: 7, top }));
    assert_eq!(rejected(&send(&mut world, upload.chunk(0))), Rejection::NoModel);
    succeeded(&send(&mut world, upload.begin()));
    succeeded(&send(&mut world, upload.chunk(0)));
    assert_eq!(rejected(&world.send(ALICE, 1, GAS, upload.chunk(1))), Rejection::UnexpectedValue);
}

#[test]
fn bytes_that_are_no_model_are_refused_at_the_end_on_every_node() {
    let mut container = model();
    let last = container.len() - 1;
    container[last / 2] ^= 0x55;
    for bytes in [container, b"certainly no model".to_vec(), vec![0; 70_000]] {
        let upload = Upload::new(bytes);
        let outcomes: Vec<Outcome> = (0..2)
            .map(|_| {
                let mut world = World::new();
                let mut actions = upload.all();
                let finish = actions.pop().unwrap();
                for action in actions {
                    succeeded(&send(&mut world, action));
                }
                send(&mut world, finish)
            })
            .collect();
        assert_eq!(rejected(&outcomes[0]), Rejection::BadModel);
        assert_eq!(outcomes[0], outcomes[1]);
    }
}

#[test]
fn a_node_without_the_bytes_stops() {
    let mut world = World::new();
    let upload = Upload::new(model());
    for action in upload.all() {
        succeeded(&send(&mut world, action));
    }
    let contract = world.deploy(&classifier(&upload.id));
    // The same state on a node that has lost its models.
    let empty = Vm::new(VmConfig { models: Arc::new(MemoryModelStore::new()), ..config() }).unwrap();
    world.vm = Arc::new(empty);
    let message = Message { sender: ALICE, value: 0, gas_limit: GAS, action: Action::Call { contract, input: vec![] } };
    let error = world.try_execute(&message).unwrap_err();
    assert!(matches!(error, VmError::Model { id, .. } if id == upload.id), "{error}");
}
