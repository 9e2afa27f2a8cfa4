//! Accounts, and a chain on which they have something.

#![allow(dead_code, reason = "each test uses a part")]

use std::path::Path;

use noema_chain::{
    Action, Address, Chain, ChainConfig, ChainError, Genesis, KeyPair, SignedTransaction, StoreKind, Transaction,
};
use noema_model::graph::{Edge, EdgeId, Graph, Node};
use noema_model::manifest::{Manifest, Port};
use noema_model::ops::{Argmax, Linear};
use noema_model::parameters::Array;
use noema_model::{ModelId, container, merkle};
use noema_state::StateView;
use noema_tensor::{DType, Level};

pub(crate) const CHAIN: &str = "test-chain";
pub(crate) const GAS: u64 = 1_000_000_000_000;
pub(crate) const SUPPLY: u128 = 1 << 100;

pub(crate) fn key(number: u8) -> KeyPair {
    KeyPair::from_seed([number; 32])
}

pub(crate) fn address(number: u8) -> Address {
    key(number).address()
}

/// Accounts 1 and 2 share the supply.
pub(crate) fn genesis() -> Genesis {
    Genesis { balances: [(address(1), SUPPLY / 2), (address(2), SUPPLY / 2)].into(), ..Genesis::new(CHAIN, 1_000) }
}

pub(crate) fn config() -> ChainConfig {
    ChainConfig { level: Level::Portable, ..ChainConfig::default() }
}

/// With this store.
pub(crate) fn config_with(store: StoreKind) -> ChainConfig {
    ChainConfig { store: Some(store), ..config() }
}

pub(crate) fn init(path: &Path) -> Chain {
    Chain::init(path, &genesis(), &config()).unwrap()
}

pub(crate) fn init_with(path: &Path, store: StoreKind) -> Chain {
    Chain::init(path, &genesis(), &config_with(store)).unwrap()
}

pub(crate) fn open(path: &Path) -> Result<Chain, ChainError> {
    Chain::open(path, &config())
}

pub(crate) fn transaction(nonce: u64, action: Action) -> Transaction {
    Transaction { chain_id: CHAIN.to_owned(), nonce, gas_limit: GAS, gas_price: 3, value: 0, action }
}

pub(crate) fn transfer(from: u8, nonce: u64, to: Address, value: u128) -> SignedTransaction {
    key(from).sign(Transaction { value, ..transaction(nonce, Action::Transfer { to }) })
}

/// Everything that anybody has.
pub(crate) fn supply(chain: &Chain) -> u128 {
    let entries = chain.state().unwrap().scan(b"b", b"", usize::MAX).unwrap();
    entries.iter().map(|(_, balance)| u128::from_le_bytes(balance.as_slice().try_into().unwrap())).sum()
}

/// `contract.wat` as a module.
pub(crate) fn code() -> Vec<u8> {
    wat::parse_str(include_str!("contract.wat")).unwrap()
}

/// Where account `deployer` puts the contract with salt 0.
pub(crate) fn contract(deployer: u8) -> Address {
    Address::of_contract(address(deployer), 0, &noema_vm::code_hash(&code()))
}

pub(crate) fn deploy(from: u8, nonce: u64) -> SignedTransaction {
    key(from).sign(transaction(nonce, Action::Deploy { code: code(), salt: 0, input: vec![] }))
}

pub(crate) fn call(from: u8, nonce: u64, contract: Address, input: &[u8]) -> SignedTransaction {
    key(from).sign(transaction(nonce, Action::Call { contract, input: input.to_vec() }))
}

/// A model of one layer: class 1 where `-x0 + x2 + 100` is more than `x0 + 2 x1 + 3 x2`. With a licence of this length
/// its container has more than one chunk.
pub(crate) fn model(licence: usize) -> (ModelId, Vec<u8>) {
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[3])],
        nodes: vec![
            Node {
                name: "scores".into(),
                op: Linear { outputs: 2, accumulator: DType::I32 }.into(),
                inputs: vec![EdgeId(0)],
            },
            Node { name: "class".into(), op: Argmax {}.into(), inputs: vec![EdgeId(1)] },
        ],
        outputs: vec![EdgeId(1), EdgeId(2)],
    };
    let edges = graph.edges().unwrap();
    let manifest = Manifest {
        name: "one layer".into(),
        licence: "x".repeat(licence),
        version: "1".into(),
        inputs: vec![Port::new("x", &edges[0], 0)],
        outputs: vec![Port::new("scores", &edges[1], 0), Port::new("class", &edges[2], 0)],
        labels: vec!["no".into(), "yes".into()],
        accuracy: String::new(),
    };
    let weights = vec![vec![Array::I8(vec![1, 2, 3, -1, 0, 1]), Array::I32(vec![0, 100])], vec![]];
    let bytes = container::encode(&manifest, &graph, &weights).unwrap();
    (merkle::root(&bytes), bytes)
}

/// The transactions that bring a model onto the chain.
pub(crate) fn upload(from: u8, nonce: u64, id: ModelId, bytes: &[u8]) -> Vec<SignedTransaction> {
    let begin = Action::BeginModel { total_len: bytes.len() as u64, top: merkle::MerkleTree::new(bytes).top() };
    let chunks = (0_u32..).zip(merkle::chunks(bytes)).map(|(index, chunk)| Action::ModelChunk {
        id: id.0,
        index,
        bytes: chunk.to_vec(),
        proof: merkle::proof(bytes, u64::from(index)).unwrap(),
    });
    [begin]
        .into_iter()
        .chain(chunks)
        .chain([Action::FinishModel { id: id.0 }])
        .zip(nonce..)
        .map(|(action, nonce)| key(from).sign(transaction(nonce, action)))
        .collect()
}
