//! Every entry with its seeds and thousands of mutations of them.

use noema_chain::{KeyPair, Transaction};
use noema_fuzz::Mutator;
use noema_import::{ImportOptions, Table, import_onnx};
use noema_vm::{Action, Address};

/// Cases for each entry: a few seconds.
const CASES: u64 = 3_000;

/// The seeds as they are, then mutated; each case is made from its own number, so that the one named
/// by a failure can be run alone.
fn run(entry: fn(&[u8]), seeds: &[Vec<u8>], cases: u64) {
    seeds.iter().for_each(|seed| entry(seed));
    for case in 0..cases {
        let mut mutator = Mutator::new(case);
        let seed = &seeds[mutator.below(seeds.len())];
        let bytes = mutator.mutate(seed);
        if let Err(panic) = std::panic::catch_unwind(|| entry(&bytes)) {
            eprintln!("case {case}: {} bytes", bytes.len());
            std::panic::resume_unwind(panic);
        }
    }
}

fn screening() -> Vec<u8> {
    include_bytes!("../../examples/screening/model/screening.onnx").to_vec()
}

#[test]
fn modules() {
    let seeds = [
        r#"(module (memory (export "memory") 1) (func (export "call")))"#,
        r#"(module (memory (export "memory") 1) (func (export "call") (loop (br 0))))"#,
        r#"(module
            (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
            (import "context" "output_write" (func $out (param i32 i32) (result i64)))
            (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 0) $f)
            (data (i32.const 8) "bytes")
            (func $f (param i32) (result i32) (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
            (func (export "init") (drop (call $set (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 5))))
            (func (export "call")
                (i32.store (i32.const 0) (call_indirect (param i32) (result i32) (i32.const 20) (i32.const 0)))
                (f64.store (i32.const 16) (f64.div (f64.const 0) (f64.const 0)))
                (memory.fill (i32.const 64) (i32.const 7) (i32.const 99))
                (drop (memory.grow (i32.const 1)))
                (drop (call $out (i32.const 0) (i32.const 64)))))"#,
    ]
    .map(|text| wat::parse_str(text).unwrap());
    run(noema_fuzz::module, &seeds, CASES);
}

#[test]
fn opcodes() {
    let mut mutator = Mutator::new(1);
    let seeds: Vec<Vec<u8>> = (0..64).map(|_| mutator.bytes(600)).collect();
    run(noema_fuzz::opcode, &seeds, 4 * CASES);
}

#[test]
fn containers() {
    let table = Table::read_csv(&include_bytes!("../../examples/screening/model/calibration.csv")[..]).unwrap();
    let options = ImportOptions { calibration: table.rows, ..ImportOptions::new("screening", "CC BY 4.0") };
    let container = import_onnx(&screening(), &options).unwrap().container;
    assert!(noema_model::Model::from_bytes(container.clone()).is_ok(), "the seed is a model");
    run(noema_fuzz::container, &[container], 2 * CASES);
}

#[test]
fn onnx_files() {
    run(noema_fuzz::onnx, &[screening()], CASES);
}

#[test]
fn transactions() {
    let keys = KeyPair::from_seed([3; 32]);
    let actions = [
        Action::Transfer { to: Address([1; 32]) },
        Action::Call { contract: Address([2; 32]), input: vec![1, 2, 3] },
        Action::ModelChunk { id: [4; 32], index: 1, bytes: vec![9; 40], proof: vec![[5; 32]; 2] },
    ];
    let seeds = actions.map(|action| {
        let transaction =
            Transaction { chain_id: "fuzz".into(), nonce: 1, gas_limit: 1000, gas_price: 1, value: 5, action };
        keys.sign(transaction).to_bytes()
    });
    run(noema_fuzz::transaction, &seeds, 4 * CASES);
}
