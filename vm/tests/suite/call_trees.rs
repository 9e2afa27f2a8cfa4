//! Random trees of calls on the machine, against a model that knows nothing of journals: maps that are copied before
//! every call and put back after one that fails.

mod model;
mod program;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use noema_vm::{Action, Address, BlockContext, Message, Outcome, ReceiptStatus, Vm, code_hash, deposit, layout};
use proptest::prelude::*;

use self::model::{End, Model};
use self::program::{Frame, frames};
use super::world::{ALICE, block, machine};

/// Contracts. Those below [`REENTRANT`] may be entered while they run.
const CONTRACTS: usize = 4;
const REENTRANT: usize = 2;
/// What the sender has.
const RICH: u128 = u128::MAX / 2;

type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// The machine, a state with the contracts, and what their codes count.
struct World {
    vm: Arc<Vm>,
    state: State,
    addresses: [Address; CONTRACTS],
    code_bytes: [u64; CONTRACTS],
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let text = |exports: &[&str]| {
            let prelude = super::world::PRELUDE.replace("(export \"memory\") 1", "(export \"memory\") 8");
            let keccak = r#"(import "crypto" "keccak256" (func $keccak (param i32 i32 i32) (result i64)))"#;
            let exports: String = exports.iter().map(|name| format!("(export \"{name}\" (func $interpret))")).collect();
            format!("(module {keccak} {prelude} {} {exports})", include_str!("call_trees/interpreter.wat"))
        };
        let codes = [text(&["call", "view", "call_reentrant", "view_reentrant"]), text(&["call", "view"])]
            .map(|text| wat::parse_str(text).unwrap());
        let mut world = World {
            vm: Arc::new(machine()),
            state: State::new(),
            addresses: [ALICE; CONTRACTS],
            code_bytes: [0; CONTRACTS],
        };
        for index in 0..CONTRACTS {
            let code = &codes[usize::from(index >= REENTRANT)];
            let salt = u64::try_from(index).unwrap();
            let action = Action::Deploy { code: code.clone(), salt, input: vec![] };
            let message = Message { sender: ALICE, value: 0, gas_limit: 1 << 60, action };
            let outcome = world.vm.execute(&world.state, &block(), &message).unwrap();
            assert_eq!(outcome.receipt.status, ReceiptStatus::Success, "{:?}", outcome.diagnostic);
            apply(&mut world.state, &outcome);
            world.addresses[index] = Address::of_contract(ALICE, salt, &code_hash(code));
            world.code_bytes[index] = u64::try_from(code.len()).unwrap();
        }
        world
    })
}

fn apply(state: &mut State, outcome: &Outcome) {
    for (key, value) in &outcome.writes {
        match value {
            Some(value) => state.insert(key.clone(), value.clone()),
            None => state.remove(key),
        };
    }
}

/// What the message finds.
#[derive(Clone, Debug)]
struct Start {
    deposit_per_byte: u128,
    /// What each contract has beyond the deposit for what it keeps: negative is less.
    spare: [i64; CONTRACTS],
    entries: [BTreeMap<Vec<u8>, Vec<u8>>; CONTRACTS],
    /// Value of the message.
    value: u64,
    view: bool,
}

fn starts() -> impl Strategy<Value = Start> {
    let entries = || {
        let value = prop::collection::vec(any::<u8>(), 0..4);
        prop::collection::btree_map(prop::sample::select(program::KEYS.to_vec()).prop_map(<[u8]>::to_vec), value, 0..6)
    };
    let spare = || prop::sample::select(vec![0i64, 0, 7, 97, 1_000, 100_000, 100_000, 10_000_000, -1]);
    let all = |spare: [i64; CONTRACTS], entries: [BTreeMap<Vec<u8>, Vec<u8>>; CONTRACTS]| (spare, entries);
    (
        prop::sample::select(vec![0u128, 0, 1, 1, 100]),
        ([spare(), spare(), spare(), spare()], [entries(), entries(), entries(), entries()])
            .prop_map(move |(spare, entries)| all(spare, entries)),
        prop::sample::select(vec![0u64, 0, 5, 5_000]),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(deposit_per_byte, (spare, entries), value, view)| Start {
            deposit_per_byte,
            spare,
            entries,
            value: if view { 0 } else { value },
            view,
        })
}

/// The state of a start, and the model of it.
fn set_up(world: &World, start: &Start) -> (State, Model) {
    let mut state = world.state.clone();
    let mut model = Model::new(world, start);
    for index in 0..CONTRACTS {
        let address = &world.addresses[index];
        let kept = model.kept(index);
        for (name, value) in &start.entries[index] {
            state.insert(layout::storage_key(address, name), value.clone());
        }
        let entries: u64 =
            start.entries[index].iter().map(|(name, value)| deposit::entry_bytes(block().version, name, value)).sum();
        state.extend(layout::encode_count(entries).map(|count| (layout::entries_key(address), count)));
        let needed = i128::try_from(start.deposit_per_byte * u128::from(kept)).unwrap();
        let balance = u128::try_from((needed + i128::from(start.spare[index])).max(0)).unwrap();
        state.extend(layout::encode_balance(balance).map(|balance| (layout::balance_key(address), balance)));
        model.set_balance(index, balance);
    }
    state.extend(layout::encode_balance(RICH).map(|balance| (layout::balance_key(&ALICE), balance)));
    model.begin();
    (state, model)
}

fn execute(world: &World, state: &State, start: &Start, frame: &Frame) -> Outcome {
    let block = BlockContext { deposit_per_byte: start.deposit_per_byte, ..block() };
    let input = frame.input(&world.addresses);
    if start.view {
        return world.vm.view(state, &block, world.addresses[0], &input, program::GAS[0]).unwrap();
    }
    let action = Action::Call { contract: world.addresses[0], input };
    let message = Message { sender: ALICE, value: u128::from(start.value), gas_limit: program::GAS[0], action };
    world.vm.execute(state, &block, &message).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Storage, transient storage, balances, events, return data, statuses, deposits and the write set are those of the
    /// model, and everything else in the state stays as it is.
    #[test]
    fn random_call_trees_do_what_the_model_says(start in starts(), frame in frames()) {
        let world = world();
        let (state, mut model) = set_up(world, &start);
        let end = model.message(&start, &frame);
        let outcome = execute(world, &state, &start, &frame);
        let receipt = &outcome.receipt;
        let expected = match &end {
            End::Success(output) => {
                prop_assert_eq!(&receipt.output, output);
                ReceiptStatus::Success
            }
            End::Abort(code, message) => ReceiptStatus::Abort { code: *code, message: message.clone() },
            End::Fault => ReceiptStatus::Fault,
            End::Short(shortfall) => ReceiptStatus::InsufficientDeposit(*shortfall),
        };
        prop_assert_eq!(&receipt.status, &expected, "{:?}", outcome.diagnostic);
        prop_assert_eq!(&outcome.writes, &model.writes(world));
        prop_assert_eq!(&receipt.events, &model.events);
        prop_assert_eq!(receipt.tensor_bytes, model.tensor_peak);
        if !model.faulted {
            prop_assert_eq!(receipt.gas.forfeited, 0);
        }
        let mut after = state;
        apply(&mut after, &outcome);
        for index in 0..CONTRACTS {
            let prefix = layout::storage_key(&world.addresses[index], b"");
            let stored: BTreeMap<Vec<u8>, Vec<u8>> = after
                .range(prefix.clone()..)
                .take_while(|(key, _)| key.starts_with(&prefix))
                .map(|(key, value)| (key[prefix.len()..].to_vec(), value.clone()))
                .collect();
            prop_assert_eq!(&stored, model.entries(index));
            let block = BlockContext { deposit_per_byte: start.deposit_per_byte, ..block() };
            let found = deposit::Deposit::of(&after, &block, &world.addresses[index]).unwrap();
            prop_assert_eq!((found.bytes, found.balance), (model.kept(index), model.balance(index)));
            // Nobody ends below the deposit who began above it.
            prop_assert!(start.spare[index] < 0 || found.balance >= found.locked);
        }
    }

    /// What a message says that it has read is all that its result depends on: on a state that has nothing else, the
    /// result is the same.
    #[test]
    fn the_read_set_is_all_that_a_call_tree_depends_on(start in starts(), frame in frames()) {
        let world = world();
        let (state, _) = set_up(world, &start);
        let outcome = execute(world, &state, &start, &frame);
        let scanned = |key: &[u8]| {
            outcome.scans.iter().any(|(prefix, from)| key.starts_with(prefix) && key >= from.as_slice())
        };
        // Code is found by its hash and is the same wherever it is.
        let needed = |key: &Vec<u8>| outcome.reads.contains(key) || scanned(key) || key.starts_with(b"c");
        let less: State = state.into_iter().filter(|(key, _)| needed(key)).collect();
        prop_assert_eq!(execute(world, &less, &start, &frame), outcome);
    }
}

/// That the random trees are worth running: every way of ending a call, and every step, comes up often.
#[test]
fn random_call_trees_take_every_turn() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut seen, mut steps) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..600 {
        let start = starts().new_tree(&mut runner).unwrap().current();
        let frame = frames().new_tree(&mut runner).unwrap().current();
        let (_, mut model) = set_up(world(), &start);
        model.message(&start, &frame);
        for (name, count) in model.seen {
            *seen.entry(name).or_insert(0) += count;
        }
        frame.count(&mut steps);
    }
    let names = [
        "success",
        "abort",
        "fault",
        "short",
        "reentrant",
        "re-entered",
        "inner short",
        "inner fault",
        "inner abort",
        "deep",
        "insufficient balance",
        "tiny gas",
        "fault in view",
        "undone write",
        "undone transient",
    ];
    for name in names {
        assert!(seen.get(name).is_some_and(|count| *count >= 10), "{name}: {seen:?}");
    }
    assert_eq!(steps.len(), 18, "{steps:?}");
    assert!(steps.values().all(|count| *count > 50), "{steps:?}");
}
