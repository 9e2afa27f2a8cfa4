//! A contract that does what its input says: any host call, with any arguments.
//!
//! Its input is an image of its memory. The first two words of the image say where a script begins and ends: instructions
//! of one byte for the host function and nine for each of its WebAssembly arguments (a literal, or the result of an earlier
//! call). Results are kept in a ring, and folded into a digest together with a buffer that calls write to; the digest
//! is what the contract returns.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use noema_abi::{HostFunction, ProtocolVersion, ROWS, WasmType};
use noema_model::{MemoryModelStore, merkle};
use noema_tensor::{Kernels, Level};
use noema_vm::{
    Action, Address, BlockContext, Message, Outcome, ReceiptStatus, Vm, VmConfig, code_hash, deposit, layout,
};

/// Contracts with this code, at [`contract_address`].
pub(crate) const CONTRACTS: usize = 5;
/// What each of them owns.
pub(crate) const BALANCE: u128 = 1000;
/// Gas of a message.
pub(crate) const GAS: u64 = 20_000_000_000_000;

/// Where an image has the address of a contract.
pub(crate) fn address_at(index: usize) -> u32 {
    0x20 + 32 * u32::try_from(index).expect("few contracts")
}
/// Where an image has the id of the model.
pub(crate) const MODEL_AT: u32 = 0xc0;
/// Where an image has zeros: 32 bytes.
pub(crate) const ZERO_AT: u32 = 0xe0;
/// Where what the caller puts into an image begins.
const DATA_AT: u32 = 0x100;
/// The buffer that is part of the digest.
pub(crate) const BUFFER_AT: u32 = 0x3_0000;
/// Its length.
pub(crate) const BUFFER: usize = 128;
/// Results of earlier calls.
const RING_AT: u32 = 0x3_1000;
/// How many.
const RING: u32 = 32;
/// The memory of the contract, in bytes.
pub(crate) const MEMORY: u32 = 0x4_0000;

const SENDER: Address = Address([7; 32]);

/// The host functions that instructions name, by number.
pub(crate) fn functions() -> &'static [HostFunction] {
    static FUNCTIONS: OnceLock<Vec<HostFunction>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| ROWS.iter().filter(|row| row.allowed_in(ProtocolVersion::LATEST)).copied().collect())
}

/// The number of a function.
pub(crate) fn number(group: &str, name: &str) -> usize {
    functions().iter().position(|row| row.group == group && row.name == name).expect("a row of the table")
}

/// The number that traps.
pub(crate) fn trap() -> usize {
    functions().len()
}

/// An argument of an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument {
    Literal(i64),
    /// The result of a call, by its number.
    Result(usize),
}

impl From<u32> for Argument {
    fn from(number: u32) -> Argument {
        Argument::Literal(i64::from(number))
    }
}

/// An input under construction.
pub(crate) struct Image {
    data: Vec<u8>,
    script: Vec<u8>,
    calls: usize,
}

impl Image {
    pub(crate) fn new() -> Image {
        let mut data = vec![0; 0x20];
        (0..CONTRACTS).for_each(|index| data.extend(contract_address(index).0));
        data.extend(model_id());
        data.resize(usize::try_from(DATA_AT).expect("small"), 0);
        Image { data, script: Vec::new(), calls: 0 }
    }

    /// Adds data: where it is.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> u32 {
        let at = u32::try_from(self.data.len()).expect("an image is small");
        self.data.extend(bytes);
        at
    }

    /// Adds an instruction; the number of its result.
    pub(crate) fn call(&mut self, function: usize, arguments: &[Argument]) -> usize {
        self.script.push(u8::try_from(function).expect("fewer than 256 functions"));
        for argument in arguments {
            let (tag, value) = match argument {
                Argument::Literal(value) => (0, *value),
                Argument::Result(number) => (1, i64::try_from(*number).expect("few calls")),
            };
            self.script.push(tag);
            self.script.extend(value.to_le_bytes());
        }
        self.calls += 1;
        self.calls - 1
    }

    /// The whole input.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let start = self.put(&[]);
        let script = std::mem::take(&mut self.script);
        self.put(&script);
        let end = self.put(&[]);
        assert!(end < BUFFER_AT, "the image of {end} bytes reaches into the buffer");
        self.data[..4].copy_from_slice(&start.to_le_bytes());
        self.data[4..8].copy_from_slice(&end.to_le_bytes());
        self.data
    }
}

/// The digest that a contract returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) u64);

impl Digest {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    fn fold(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(Digest::FACTOR).rotate_left(23);
    }

    /// Adds the result of a call and what is in the buffer after it.
    pub(crate) fn add(&mut self, result: i64, buffer: &[u8; BUFFER]) {
        self.fold(result.cast_unsigned());
        buffer.as_chunks().0.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
    }
}

/// The module, as text.
fn text() -> String {
    let functions = functions();
    let mut text = "(module".to_owned();
    for (index, row) in functions.iter().enumerate() {
        let params: String = row.wasm_params().map(|kind| format!(" {}", kind.name())).collect();
        let (group, name) = (row.group, row.name);
        write!(text, "(import \"{group}\" \"{name}\" (func $f{index} (param{params}) (result i64)))").expect("memory");
    }
    let factor = Digest::FACTOR.cast_signed();
    let words = BUFFER / 8;
    let ring_mask = (RING - 1) * 8;
    write!(
        text,
        r#"(memory (export "memory") {pages} {pages})
        (global $at (mut i32) (i32.const 0)) (global $ring (mut i32) (i32.const 0)) (global $digest (mut i64) (i64.const 0))
        (func $argument (result i64) (local $value i64)
          (local.set $value (i64.load offset=1 (global.get $at)))
          (if (i32.load8_u (global.get $at)) (then
            (local.set $value (i64.load offset={RING_AT}
              (i32.and (i32.shl (i32.wrap_i64 (local.get $value)) (i32.const 3)) (i32.const {ring_mask}))))))
          (global.set $at (i32.add (global.get $at) (i32.const 9)))
          (local.get $value))
        (func $fold (param $word i64)
          (global.set $digest (i64.rotl
            (i64.mul (i64.xor (global.get $digest) (local.get $word)) (i64.const {factor})) (i64.const 23))))
        (func $keep (param $result i64) (local $word i32)
          (i64.store offset={RING_AT} (global.get $ring) (local.get $result))
          (global.set $ring (i32.and (i32.add (global.get $ring) (i32.const 8)) (i32.const {ring_mask})))
          (call $fold (local.get $result))
          (loop $next
            (call $fold (i64.load offset={BUFFER_AT} (i32.shl (local.get $word) (i32.const 3))))
            (local.set $word (i32.add (local.get $word) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $word) (i32.const {words})))))
        (func $run (local $end i32) (local $function i32)
          (drop (call $f{read} (i32.const 0) (i32.const 0) (i32.const {BUFFER_AT})))
          (global.set $at (i32.load (i32.const 0)))
          (local.set $end (i32.load (i32.const 4)))
          (block $done (loop $next
            (br_if $done (i32.ge_u (global.get $at) (local.get $end)))
            (local.set $function (i32.load8_u (global.get $at)))
            (global.set $at (i32.add (global.get $at) (i32.const 1)))
            (block $trap"#,
        pages = MEMORY / 65_536,
        read = number("context", "input_read"),
    )
    .expect("memory");
    (0..functions.len()).rev().for_each(|index| write!(text, "(block $b{index} ").expect("memory"));
    text.push_str("(br_table");
    (0..functions.len()).for_each(|index| write!(text, " $b{index}").expect("memory"));
    text.push_str(" $trap (local.get $function))");
    for (index, row) in functions.iter().enumerate() {
        let arguments: String = row
            .wasm_params()
            .map(|kind| match kind {
                WasmType::I32 => "(i32.wrap_i64 (call $argument))",
                WasmType::I64 => "(call $argument)",
            })
            .collect();
        write!(text, ") (call $keep (call $f{index} {arguments})) (br $next)").expect("memory");
    }
    let output = number("context", "output_write");
    write!(
        text,
        ") unreachable))
          (i64.store (i32.const 0) (global.get $digest))
          (drop (call $f{output} (i32.const 0) (i32.const 8))))
        (func (export \"call\") (call $run)) (func (export \"view\") (call $run)))"
    )
    .expect("memory");
    text
}

fn code() -> &'static [u8] {
    static CODE: OnceLock<Vec<u8>> = OnceLock::new();
    CODE.get_or_init(|| wat::parse_str(text()).expect("the contract is a module"))
}

/// The address of a contract.
pub(crate) fn contract_address(index: usize) -> Address {
    Address::of_contract(SENDER, u64::try_from(index).expect("few contracts"), &code_hash(code()))
}

fn container() -> &'static [u8] {
    static CONTAINER: OnceLock<Vec<u8>> = OnceLock::new();
    CONTAINER.get_or_init(crate::seeds::screening)
}

fn model_id() -> [u8; 32] {
    static ID: OnceLock<[u8; 32]> = OnceLock::new();
    *ID.get_or_init(|| merkle::root(container()).0)
}

/// The state of a chain.
pub(crate) type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// A machine and a state with the contracts and the model.
pub(crate) struct World {
    vm: Vm,
    /// As every message finds it: outcomes are not committed.
    pub(crate) state: State,
}

impl World {
    /// Two that could differ: their own caches, another kernel level.
    pub(crate) fn two() -> &'static [World; 2] {
        static WORLDS: OnceLock<[World; 2]> = OnceLock::new();
        WORLDS.get_or_init(|| {
            let worlds = [Level::Portable, Level::best()].map(World::new);
            assert_eq!(worlds[0].state, worlds[1].state);
            worlds
        })
    }

    fn new(level: Level) -> World {
        let kernels = Arc::new(Kernels::new(level, 1).expect("it is available"));
        let config = VmConfig::new(kernels, Arc::new(MemoryModelStore::new()));
        let vm = Vm::new(VmConfig { concurrent_messages: 1, ..config }).expect("a machine can be set up here");
        let mut world = World { vm, state: State::new() };
        let salts = 0..u64::try_from(CONTRACTS).expect("few contracts");
        let mut actions: Vec<Action> =
            salts.map(|salt| Action::Deploy { code: code().to_vec(), salt, input: vec![] }).collect();
        let total_len = u64::try_from(container().len()).expect("small");
        actions.push(Action::BeginModel { total_len, top: merkle::MerkleTree::new(container()).top() });
        for (index, chunk) in (0..).zip(container().chunks(merkle::CHUNK_BYTES)) {
            let proof = merkle::proof(container(), u64::from(index)).expect("a chunk of it");
            actions.push(Action::ModelChunk { id: model_id(), index, bytes: chunk.to_vec(), proof });
        }
        actions.push(Action::FinishModel { id: model_id() });
        for action in actions {
            let outcome = world.send(action);
            assert_eq!(outcome.receipt.status, ReceiptStatus::Success, "{:?}", outcome.diagnostic);
            apply(&mut world.state, outcome.writes);
        }
        for index in 0..CONTRACTS {
            let key = layout::balance_key(&contract_address(index));
            world.state.insert(key, layout::encode_balance(BALANCE).expect("not zero"));
            let mut bytes = 0;
            for (name, value) in base_entries(index) {
                bytes += deposit::entry_bytes(ProtocolVersion::LATEST, &name, &value);
                world.state.insert(layout::storage_key(&contract_address(index), &name), value);
            }
            let key = layout::entries_key(&contract_address(index));
            world.state.extend(layout::encode_count(bytes).map(|bytes| (key, bytes)));
        }
        world
    }

    fn send(&self, action: Action) -> Outcome {
        let gas_limit = if matches!(action, Action::Call { .. }) { GAS } else { u64::MAX };
        let message = Message { sender: SENDER, value: 0, gas_limit, action };
        self.vm.execute(&self.state, &block(), &message).expect("no message is a fault of the node")
    }

    /// Calls the first contract.
    pub(crate) fn call(&self, input: &[u8]) -> Outcome {
        self.send(Action::Call { contract: contract_address(0), input: input.to_vec() })
    }

    /// The same as a view.
    pub(crate) fn view(&self, input: &[u8]) -> Outcome {
        self.vm.view(&self.state, &block(), contract_address(0), input, GAS).expect("no view is a fault of the node")
    }
}

fn block() -> BlockContext {
    BlockContext {
        chain_id: "fuzz".into(),
        height: 9,
        time_ms: 1,
        version: ProtocolVersion::LATEST,
        deposit_per_byte: 0,
    }
}

/// What a contract has stored before the message.
pub(crate) fn base_entries(index: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let names: &[&[u8]] = &[b"", b"\0", b"a", b"ab", b"a\xff", b"\xff"];
    let number = u8::try_from(index).expect("few contracts");
    names.iter().skip(index).map(|name| (name.to_vec(), [name, &[number][..]].concat())).collect()
}

/// Applies what a message wrote.
pub(crate) fn apply(state: &mut State, writes: noema_vm::WriteSet) {
    for (key, value) in writes {
        match value {
            Some(value) => state.insert(key, value),
            None => state.remove(&key),
        };
    }
}
