//! How long blocks take that are written to be kept: events, return data, inputs, entries and chunks, beside the gas of each.
//!
//!     cargo run --release -p noema-chain --example kept_speed -- [DIRECTORY]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use noema_chain::{
    Action, Chain, ChainConfig, Genesis, KeyPair, ReceiptStatus, SignedTransaction, StoreKind, Transaction,
};
use noema_model::graph::{Edge, EdgeId, Graph, Node};
use noema_model::manifest::{Manifest, Port};
use noema_model::ops::Relu;
use noema_model::{container, merkle};
use noema_tensor::DType;
use noema_vm::{Address, code_hash};

type Failure = Box<dyn std::error::Error>;

const MIB: usize = 1 << 20;

/// Does what `body` says so many times.
fn contract(body: &str, times: u32) -> String {
    format!(
        r#"(module
            (import "event" "emit" (func $emit (param i32 i32 i32 i32) (result i64)))
            (import "context" "output_write" (func $output (param i32 i32) (result i64)))
            (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
            (memory (export "memory") 17 17)
            (func (export "call") (local $i i32)
                (loop $again
                    (i32.store (i32.const 0) (local.get $i))
                    (drop {body})
                    (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {times}))))))"#
    )
}

/// A chain, and who sends.
struct Speed {
    chain: Chain,
    key: KeyPair,
    nonce: u64,
}

impl Speed {
    fn transaction(&self, action: Action) -> Transaction {
        let (chain_id, gas_limit) = ("speed".to_owned(), 20_000_000_000_000);
        Transaction { chain_id, nonce: self.nonce, gas_limit, gas_price: 0, value: 0, action }
    }

    fn sign(&mut self, action: Action) -> SignedTransaction {
        let transaction = self.transaction(action);
        self.nonce += 1;
        self.key.sign(transaction)
    }

    fn block(&mut self, what: &str, actions: Vec<Action>) -> Result<(), Failure> {
        let transactions = actions.into_iter().map(|action| self.sign(action)).collect();
        self.run(what, transactions)
    }

    fn run(&mut self, what: &str, transactions: Vec<SignedTransaction>) -> Result<(), Failure> {
        let count = transactions.len();
        let start = Instant::now();
        let executed = self.chain.execute_block(1_000, transactions)?;
        let took = start.elapsed().as_secs_f64();
        if let Some(failed) = executed.receipts.iter().find(|r| r.receipt.status != ReceiptStatus::Success) {
            return Err(format!("{what}: {:?}", failed.receipt.status).into());
        }
        let gas = executed.block.header.gas_used;
        #[allow(clippy::cast_precision_loss, reason = "measured, not computed with")]
        let ratio = took * 1e12 / gas as f64;
        println!("{what}, {count} messages: {:.1} ms, {ratio:.2} of its gas", took * 1e3);
        Ok(())
    }
}

/// A model of one node, named by a number.
fn model(number: usize, licence: usize) -> Result<Vec<u8>, Failure> {
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[3])],
        nodes: vec![Node { name: "relu".into(), op: Relu {}.into(), inputs: vec![EdgeId(0)] }],
        outputs: vec![EdgeId(1)],
    };
    let edges = graph.edges()?;
    let manifest = Manifest {
        name: number.to_string(),
        licence: "x".repeat(licence),
        inputs: vec![Port::new("x", &edges[0], 0)],
        outputs: vec![Port::new("y", &edges[1], 0)],
        ..Manifest::default()
    };
    Ok(container::encode(&manifest, &graph, &[vec![]])?)
}

fn main() -> Result<(), Failure> {
    let directory = match std::env::args().nth(1) {
        Some(path) => std::path::PathBuf::from(path),
        None => std::env::temp_dir().join(format!("noema-kept-{}", std::process::id())),
    };
    let key = KeyPair::from_seed([1; 32]);
    let others: Vec<KeyPair> = (0..4000_u32)
        .map(|number| KeyPair::from_seed(std::array::from_fn(|at| number.to_le_bytes()[at % 4] ^ 0x55)))
        .collect();
    let holders = std::iter::once(&key).chain(&others);
    let genesis = Genesis {
        balances: holders.map(|key| (key.address(), 1 << 90)).collect(),
        block_gas: 1 << 60,
        deposit_per_byte: 0,
        ..Genesis::new("speed", 1_000)
    };
    for kind in StoreKind::available() {
        println!("{kind}");
        let path = directory.join(kind.file_name());
        let config = ChainConfig { store: Some(kind), ..ChainConfig::default() };
        let mut node =
            Speed { chain: Chain::init(&path, &genesis, &config)?, key: KeyPair::from_seed([1; 32]), nonce: 0 };
        let cases: [(&str, &str, u32, usize); 8] = [
            ("events of 64 KiB", "(call $emit (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 65536))", 1000, 1),
            ("events of 1 KiB", "(call $emit (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 1024))", 1000, 60),
            ("events of 64 bytes", "(call $emit (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 64))", 1000, 200),
            ("events of nothing", "(call $emit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", 1000, 400),
            ("return data of 1 MiB", "(call $output (i32.const 0) (i32.const 1048576))", 1, 60),
            ("return data of 1 KiB", "(call $output (i32.const 0) (i32.const 1024))", 1, 4000),
            ("return data of nothing", "(call $output (i32.const 0) (i32.const 0))", 1, 4000),
            ("entries of 128 KiB", "(call $set (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 131072))", 500, 1),
        ];
        for (salt, (what, body, times, messages)) in (0..).zip(cases) {
            let code = wat::parse_str(contract(body, times))?;
            let address = Address::of_contract(node.key.address(), salt, &code_hash(&code));
            let deploy = node.sign(Action::Deploy { code, salt, input: vec![] });
            let deployed = node.chain.execute_block(1_000, vec![deploy])?;
            if deployed.receipts[0].receipt.status != ReceiptStatus::Success {
                return Err(format!("{:?} {:?}", deployed.receipts[0].receipt.status, deployed.notes).into());
            }
            let call = Action::Call { contract: address, input: vec![] };
            node.block(what, vec![call; messages])?;
            if times == 1 && messages == 60 {
                let call = Action::Call { contract: address, input: vec![7; MIB] };
                node.block("and inputs of 1 MiB", vec![call; messages])?;
            }
        }
        let transfer = Action::Transfer { to: Address([7; 32]) };
        node.block("transfers of nothing", vec![transfer; 4000])?;

        let signed = others.iter().map(|key| {
            let transfer = Action::Transfer { to: Address([7; 32]) };
            key.sign(Transaction { nonce: 0, ..node.transaction(transfer) })
        });
        node.run("transfers of nothing by different senders", signed.collect())?;

        let large = model(0, 1_000_000)?;
        let begin = |bytes: &[u8]| Action::BeginModel {
            total_len: bytes.len() as u64,
            top: merkle::MerkleTree::new(bytes).top(),
        };
        let chunks = |bytes: &[u8]| -> Vec<Action> {
            let id = merkle::root(bytes).0;
            let proofs = (0..).map(|index| merkle::proof(bytes, index).unwrap_or_default());
            (0_u32..)
                .zip(merkle::chunks(bytes))
                .zip(proofs)
                .map(|((index, chunk), proof)| Action::ModelChunk { id, index, bytes: chunk.to_vec(), proof })
                .collect()
        };
        let finish = |bytes: &[u8]| Action::FinishModel { id: merkle::root(bytes).0 };
        node.block("begin a model of 1 MB", vec![begin(&large)])?;
        node.block("its chunks", chunks(&large))?;
        node.block("finishing it", vec![finish(&large)])?;
        let small: Vec<Vec<u8>> = (1..=50).map(|number| model(number, 0)).collect::<Result<_, _>>()?;
        node.block("begin 50 small models", small.iter().map(|bytes| begin(bytes)).collect())?;
        node.block("their chunks", small.iter().flat_map(|bytes| chunks(bytes)).collect())?;
        node.block("finishing them", small.iter().map(|bytes| finish(bytes)).collect())?;
    }
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
