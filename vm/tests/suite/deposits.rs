//! Deposits: what is kept in the state binds a part of a balance for as long as it is there.

use std::sync::Arc;

use noema_abi::Status;
use noema_model::{MemoryModelStore, merkle};
use noema_vm::{Action, Address, Deposit, Outcome, Rejection, Shortfall, Vm, VmConfig, code_hash, deposit, layout};

use super::upload::Upload;
use super::world::{ALICE, BOB, GAS, World, bytes, calling, config, module, rejected, short, succeeded};

/// Units for a byte.
const PER_BYTE: u128 = 10;
/// What a contract and an entry count beyond their own bytes.
const CONTRACT: u64 = 512;
const ENTRY: u64 = 96;
const MODEL: u64 = 512;
const RICH: u128 = 1_000_000_000;

fn world() -> World {
    let mut world = World::new();
    world.deposit_per_byte = PER_BYTE;
    world.fund(&ALICE, RICH);
    world
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

/// Input byte 0: what to do (`s`et, `r`emove, `d`eposit, s`p`end), byte 1: the key, bytes 2 and 3: length of the value,
/// bytes 4 to 20: an amount. Sends the amount to nobody; returns what `deposit` says.
fn keeper() -> Vec<u8> {
    let body = r#"
        (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 64)))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 115)) (then
          (drop (call $set (i32.const 1) (i32.const 1) (i32.const 1000) (i32.load16_u (i32.const 2))))))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 114)) (then
          (drop (call $remove (i32.const 1) (i32.const 1)))))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 112)) (then
          (drop (call $transfer (i32.const 500) (i32.const 4)))))
        (i64.store (i32.const 100) (call $deposit (i32.const 108)))
        (drop (call $output (i32.const 100) (i32.const 24)))"#;
    module(&format!(
        r#"(func $all {body}) (func (export "call") (call $all)) (func (export "init") (call $all))
           (func (export "view") (call $all)) (func (export "migrate") (call $all))"#
    ))
}

fn set(key: u8, length: u16) -> Vec<u8> {
    [&[b's', key][..], &length.to_le_bytes()].concat()
}

fn remove(key: u8) -> Vec<u8> {
    vec![b'r', key]
}

fn spend(amount: u128) -> Vec<u8> {
    [&[b'p', 0, 0, 0][..], &amount.to_le_bytes()].concat()
}

const ASK: &[u8] = b"d";

fn deploy(world: &mut World, code: &[u8], salt: u64, value: u128, input: &[u8]) -> (Address, Outcome) {
    let action = Action::Deploy { code: code.to_vec(), salt, input: input.to_vec() };
    let outcome = world.send(ALICE, value, GAS, action);
    (Address::of_contract(ALICE, salt, &code_hash(code)), outcome)
}

fn call(world: &mut World, contract: Address, value: u128, input: Vec<u8>) -> Outcome {
    world.send(ALICE, value, GAS, Action::Call { contract, input })
}

/// A contract that has exactly its deposit.
fn exact(world: &mut World) -> (Address, u64) {
    let code = keeper();
    let kept = CONTRACT + len(&code);
    let (contract, outcome) = deploy(world, &code, 0, PER_BYTE * u128::from(kept), ASK);
    succeeded(&outcome);
    (contract, kept)
}

#[test]
fn a_new_contract_pays_for_its_record_its_code_and_what_init_stores() {
    let mut world = world();
    let code = keeper();
    let kept = CONTRACT + len(&code) + ENTRY + 1 + 40;
    let needed = PER_BYTE * u128::from(kept);
    let before = world.state.clone();
    let (contract, outcome) = deploy(&mut world, &code, 0, needed - 1, &set(b'k', 40));
    let shortfall = short(&outcome);
    assert_eq!(shortfall, Shortfall { holder: contract, bytes: kept, needed, balance: needed - 1 });
    assert_eq!(world.state, before, "nothing is left of it");
    assert!(outcome.receipt.gas_used() > 0 && outcome.receipt.gas_used() < GAS, "gas is used, the rest comes back");
    let (_, outcome) = deploy(&mut world, &code, 0, needed, &set(b'k', 40));
    succeeded(&outcome);
    assert_eq!(world.deposit(&contract), Deposit { bytes: kept, locked: needed, balance: needed });
    assert_eq!(world.deposit(&contract).free(), 0);
    // The contract sees the same, also in a view.
    let expected = [&kept.to_le_bytes()[..], &needed.to_le_bytes()].concat();
    assert_eq!(world.view(contract, ASK).receipt.output, expected);
    // Without `init` nothing runs, and the deposit is asked for all the same.
    let silent = calling("nop");
    let needed = PER_BYTE * u128::from(CONTRACT + len(&silent));
    assert_eq!(short(&deploy(&mut world, &silent, 1, needed - 1, b"").1).needed, needed);
    succeeded(&deploy(&mut world, &silent, 1, needed, b"").1);
    assert_eq!(deposit::for_code(&world.block(), len(&silent)), needed);
}

#[test]
fn entries_bind_value_by_their_bytes_and_free_it_at_once() {
    let mut world = world();
    let (contract, kept) = exact(&mut world);
    let locked = |world: &World| world.deposit(&contract).bytes - kept;
    let entry = |value: u64| ENTRY + 1 + value;
    // Growth without the value for it is refused as a whole; with it, it stands.
    assert_eq!(short(&call(&mut world, contract, 0, set(b'a', 100))).bytes, kept + entry(100));
    assert_eq!(short(&call(&mut world, contract, 10 * u128::from(entry(100)) - 1, set(b'a', 100))).holder, contract);
    assert_eq!((world.stored(&contract, b"a"), locked(&world)), (None, 0));
    succeeded(&call(&mut world, contract, 10 * u128::from(entry(100)), set(b'a', 100)));
    assert_eq!(locked(&world), entry(100));
    // The same length costs nothing, a shorter value frees, a longer one needs more.
    succeeded(&call(&mut world, contract, 0, set(b'a', 100)));
    succeeded(&call(&mut world, contract, 0, set(b'a', 0)));
    assert_eq!(locked(&world), entry(0));
    succeeded(&call(&mut world, contract, 0, set(b'a', 100)));
    short(&call(&mut world, contract, 0, set(b'a', 101)));
    // What removal frees can be spent, and not a unit more.
    succeeded(&call(&mut world, contract, 0, remove(b'a')));
    assert_eq!(locked(&world), 0);
    let free = world.deposit(&contract).free();
    assert_eq!(free, 10 * u128::from(entry(100)));
    let shortfall = short(&call(&mut world, contract, 0, spend(free + 1)));
    assert_eq!((shortfall.bytes, shortfall.needed - shortfall.balance), (kept, 1));
    succeeded(&call(&mut world, contract, 0, spend(free)));
    assert_eq!(world.deposit(&contract).free(), 0);
    // Removing what is not there changes nothing.
    assert!(!call(&mut world, contract, 0, remove(b'z')).writes.contains_key(&layout::entries_key(&contract)));
}

#[test]
fn without_a_price_everything_is_counted_and_nothing_is_bound() {
    let mut world = World::new();
    let code = keeper();
    let (contract, outcome) = deploy(&mut world, &code, 0, 0, &set(b'k', 7));
    succeeded(&outcome);
    let kept = CONTRACT + len(&code) + ENTRY + 1 + 7;
    assert_eq!(world.deposit(&contract), Deposit { bytes: kept, locked: 0, balance: 0 });
    // A chain that begins to ask for deposits: the contract owes, and may do whatever does not make it worse.
    world.deposit_per_byte = PER_BYTE;
    assert_eq!(world.deposit(&contract).free(), 0);
    succeeded(&call(&mut world, contract, 0, set(b'k', 7)));
    succeeded(&call(&mut world, contract, 0, set(b'k', 6)));
    succeeded(&call(&mut world, contract, 5, ASK.to_vec()));
    assert_eq!(short(&call(&mut world, contract, 0, set(b'k', 7))).balance, 5);
    short(&call(&mut world, contract, 0, spend(1)));
    short(&call(&mut world, contract, 0, set(b'l', 0)));
    succeeded(&call(&mut world, contract, 0, remove(b'k')));
    // A price beyond all value, and no number overflows.
    world.deposit_per_byte = u128::MAX;
    assert_eq!(short(&call(&mut world, contract, 0, set(b'l', 0))).needed, u128::MAX);
    assert_eq!(world.deposit(&contract).locked, u128::MAX);
}

/// Calls the contract at 0 with no value and all but the first 36 bytes of the input; the first 4 say how often. What
/// came of the last one is the output, behind what its own deposit is.
fn caller() -> Vec<u8> {
    calling(
        r#"(local $n i32)
           (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 200)))
           (local.set $n (i32.load (i32.const 0)))
           (loop $again
             (i64.store (i32.const 300)
               (call $contract (i32.const 4) (i32.const 400) (i64.const 100000000000) (i32.const 36)
                 (i32.sub (i32.wrap_i64 (call $input_len)) (i32.const 36)) (i32.const 0) (i32.const 0)))
             (local.set $n (i32.sub (local.get $n) (i32.const 1)))
             (br_if $again (i32.gt_s (local.get $n) (i32.const 0))))
           (drop (call $output (i32.const 300) (i32.const 8)))"#,
    )
}

fn calls(times: u32, target: Address, input: Vec<u8>) -> Vec<u8> {
    [&times.to_le_bytes()[..], &target.0, &input].concat()
}

#[test]
fn a_called_contract_that_is_short_is_a_status_and_cannot_take_its_caller_down() {
    let mut world = world();
    let (keeper, kept) = exact(&mut world);
    let caller_code = caller();
    let (caller, outcome) = deploy(&mut world, &caller_code, 0, RICH / 10, b"");
    succeeded(&outcome);
    let outcome = call(&mut world, caller, 0, calls(2, keeper, set(b'a', 10)));
    let receipt = succeeded(&outcome);
    assert_eq!(receipt.output, Status::InsufficientDeposit.to_return().to_le_bytes());
    assert_eq!((receipt.gas.forfeited, world.stored(&keeper, b"a")), (0, None), "unspent gas comes back");
    assert_eq!(world.deposit(&keeper).bytes, kept, "the count goes back with the entry");
    // With value of its own it can.
    world.fund(&keeper, RICH / 10);
    let outcome = call(&mut world, caller, 0, calls(1, keeper, set(b'a', 10)));
    assert_eq!(succeeded(&outcome).output, 24i64.to_le_bytes());
    assert_eq!(world.deposit(&keeper).bytes, kept + ENTRY + 1 + 10);
}

#[test]
fn a_call_that_fails_leaves_the_count_as_it_was() {
    let mut world = world();
    let writes_and = |end: &str| {
        calling(&format!("(drop (call $set (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 500))) {end}"))
    };
    for end in ["unreachable", "(drop (call $abort (i32.const 1) (i32.const 0) (i32.const 0)))"] {
        let code = writes_and(end);
        let (inner, outcome) = deploy(&mut world, &code, 0, RICH / 100, b"");
        succeeded(&outcome);
        let kept = world.deposit(&inner);
        let (outer, outcome) = deploy(&mut world, &caller(), len(&code), RICH / 100, b"");
        succeeded(&outcome);
        let outcome = call(&mut world, outer, 0, calls(3, inner, vec![]));
        succeeded(&outcome);
        assert!(!outcome.writes.contains_key(&layout::entries_key(&inner)));
        assert_eq!(world.deposit(&inner), kept);
    }
}

#[test]
fn migration_counts_the_new_code_and_removes_the_old_one() {
    let mut world = world();
    let (old, new) = (
        keeper(),
        module(&format!(
            r#"(data (i32.const 2000) "{}") (func (export "migrate")) (func (export "call"))"#,
            "x".repeat(5000)
        )),
    );
    let (contract, kept) = exact(&mut world);
    let (second, outcome) = deploy(&mut world, &old, 1, RICH / 100, ASK);
    succeeded(&outcome);
    let code_of = |world: &World, code: &[u8]| world.state.get(&layout::code_key(&code_hash(code))).cloned();
    let users = |world: &World, code: &[u8]| {
        let bytes = world.state.get(&layout::code_users_key(&code_hash(code)));
        layout::decode_count(bytes.map(Vec::as_slice)).unwrap()
    };
    assert_eq!((users(&world, &old), users(&world, &new)), (2, 0));
    let migrate = |contract, code: &[u8]| Action::Migrate { contract, code: code.to_vec(), input: ASK.to_vec() };
    let growth = 10 * u128::from(len(&new) - len(&old));
    assert_eq!(short(&world.send(ALICE, growth - 1, GAS, migrate(contract, &new))).holder, contract);
    assert_eq!((users(&world, &old), users(&world, &new), code_of(&world, &new)), (2, 0, None));
    succeeded(&world.send(ALICE, growth, GAS, migrate(contract, &new)));
    assert_eq!(world.deposit(&contract).bytes, kept - len(&old) + len(&new));
    assert_eq!((users(&world, &old), users(&world, &new)), (1, 1));
    // Another one still has the old code, and it runs.
    assert_eq!(code_of(&world, &old), Some(old.clone()));
    world.vm.clear_module_cache();
    succeeded(&call(&mut world, second, 0, ASK.to_vec()));
    succeeded(&world.send(ALICE, growth, GAS, migrate(second, &new)));
    assert_eq!((users(&world, &old), users(&world, &new)), (0, 2));
    assert_eq!(code_of(&world, &old), None, "no contract has it any more");
    assert!(!world.state.contains_key(&layout::code_users_key(&code_hash(&old))));
    // To the same code: nothing to count. And back, which frees what the longer code bound.
    world.vm.clear_module_cache();
    succeeded(&world.send(ALICE, 0, GAS, migrate(second, &new)));
    assert_eq!(users(&world, &new), 2);
    let before = world.deposit(&second);
    let shrunk = world.send(ALICE, 0, GAS, migrate(second, &old));
    succeeded(&shrunk);
    let after = world.deposit(&second);
    assert_eq!(after.free() - before.free(), growth);
    assert_eq!(code_of(&world, &old), Some(old));
}

#[test]
fn a_contract_runs_the_code_that_the_same_message_brought() {
    // No cache, so that code is read; the contract is entered again while it is being deployed and migrated.
    let vm = Arc::new(Vm::new(VmConfig { module_cache_bytes: 0, ..config() }).unwrap());
    let mut world = World::on(vm);
    let relay = world.deploy(&caller());
    let code = |answer: u8| {
        let body = format!(
            r#"(data (i32.const 800) "{}") (data (i32.const 832) "\01\00\00\00")
               (func $enter (drop (call $self (i32.const 836)))
                 (i64.store (i32.const 900)
                   (call $contract (i32.const 800) (i32.const 700) (i64.const 400000000000) (i32.const 832) (i32.const 36) (i32.const 0) (i32.const 0)))
                 (drop (call $output (i32.const 900) (i32.const 8))))
               (func (export "init") (call $enter)) (func (export "migrate") (call $enter))
               (func (export "call_reentrant") (i32.store8 (i32.const 0) (i32.const {answer}))
                 (drop (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))))"#,
            bytes(&relay.0)
        );
        module(&body)
    };
    let (first, second) = (code(1), code(2));
    let (contract, outcome) = deploy(&mut world, &first, 9, 0, b"");
    assert_eq!(succeeded(&outcome).output, 8i64.to_le_bytes());
    assert!(world.stored(&contract, &[1]).is_some());
    let outcome = world.send(ALICE, 0, GAS, Action::Migrate { contract, code: second, input: vec![] });
    assert_eq!(succeeded(&outcome).output, 8i64.to_le_bytes());
    assert!(world.stored(&contract, &[2]).is_some());
}

/// A container of two chunks that is no model, but nobody looks before it is finished.
fn container(seed: u8) -> Vec<u8> {
    vec![seed; merkle::CHUNK_BYTES + 100]
}

fn deposit(upload: &Upload) -> u128 {
    PER_BYTE * u128::from(MODEL + len(&upload.container))
}

fn act(world: &mut World, sender: Address, action: Action) -> Outcome {
    world.send(sender, 0, GAS, action)
}

#[test]
fn who_announces_a_model_locks_a_deposit_by_its_length_and_gets_it_back() {
    let mut world = world();
    let upload = Upload::new(container(1));
    world.fund(&BOB, deposit(&upload) - 1);
    let shortfall = short(&act(&mut world, BOB, upload.begin()));
    let bytes = MODEL + len(&upload.container);
    let balance = deposit(&upload) - 1;
    assert_eq!(shortfall, Shortfall { holder: BOB, bytes, needed: deposit(&upload), balance });
    world.fund(&BOB, deposit(&upload) + 5);
    succeeded(&act(&mut world, BOB, upload.begin()));
    assert_eq!((world.balance(&BOB), world.balance(&deposit::account())), (5, deposit(&upload)));
    assert_eq!(deposit::for_model(&world.block(), len(&upload.container)), deposit(&upload));
    // Again: nothing.
    assert!(act(&mut world, BOB, upload.begin()).writes.is_empty());
    assert_eq!(rejected(&act(&mut world, ALICE, upload.withdraw())), Rejection::NotHolder);
    // What was deposited comes back, whatever the price is by then.
    world.deposit_per_byte = 1_000_000;
    succeeded(&act(&mut world, BOB, upload.withdraw()));
    assert_eq!((world.balance(&BOB), world.balance(&deposit::account())), (deposit(&upload) + 5, 0));
    assert_eq!(rejected(&act(&mut world, BOB, upload.withdraw())), Rejection::NoModel);
    assert_eq!(rejected(&act(&mut world, BOB, upload.chunk(0))), Rejection::NoModel);
    assert!(world.state.keys().all(|key| !key.starts_with(b"m") && !key.starts_with(b"k") && !key.starts_with(b"h")));
    let with_value = world.send(ALICE, 1, GAS, upload.withdraw());
    assert_eq!(rejected(&with_value), Rejection::UnexpectedValue);
}

#[test]
fn a_model_is_there_until_its_last_holder_withdraws_also_while_it_is_uploaded() {
    let mut world = world();
    world.fund(&BOB, RICH);
    let upload = Upload::new(container(2));
    let other = Upload::new(container(3));
    succeeded(&act(&mut world, ALICE, other.begin()));
    succeeded(&act(&mut world, ALICE, upload.begin()));
    succeeded(&act(&mut world, BOB, upload.begin()));
    assert_eq!(world.balance(&deposit::account()), 2 * deposit(&upload) + deposit(&other));
    succeeded(&act(&mut world, ALICE, upload.chunk(0)));
    // The first holder leaves in the middle; what was uploaded stays.
    succeeded(&act(&mut world, ALICE, upload.withdraw()));
    assert_eq!(world.balance(&ALICE), RICH - deposit(&other));
    assert!(act(&mut world, ALICE, upload.chunk(0)).writes.is_empty(), "it is there");
    succeeded(&act(&mut world, BOB, upload.chunk(1)));
    // The last one leaves: all of it is gone, and what comes after begins at nothing.
    succeeded(&act(&mut world, BOB, upload.withdraw()));
    assert_eq!(rejected(&act(&mut world, BOB, upload.chunk(1))), Rejection::NoModel);
    assert_eq!(rejected(&act(&mut world, BOB, upload.finish())), Rejection::NoModel);
    succeeded(&act(&mut world, BOB, upload.begin()));
    assert_eq!(rejected(&act(&mut world, BOB, upload.finish())), Rejection::IncompleteModel);
    succeeded(&act(&mut world, BOB, upload.chunk(1)));
    succeeded(&act(&mut world, BOB, upload.chunk(0)));
    // It is no model, and its holder gets the deposit back all the same.
    assert_eq!(rejected(&act(&mut world, BOB, upload.finish())), Rejection::BadModel);
    succeeded(&act(&mut world, BOB, upload.withdraw()));
    assert_eq!((world.balance(&BOB), world.balance(&deposit::account())), (RICH, deposit(&other)));
}

#[test]
fn contracts_do_not_find_a_model_that_nobody_holds() {
    let mut world = world();
    world.fund(&BOB, RICH);
    let upload = Upload::new(super::models::model());
    let open = module(&format!(
        r#"(data (i32.const 0) "{}") (func (export "call")
             (i64.store (i32.const 64) (call $open (i32.const 0))) (drop (call $output (i32.const 64) (i32.const 8))))"#,
        bytes(&upload.id)
    ));
    let (contract, outcome) = deploy(&mut world, &open, 0, RICH / 100, b"");
    succeeded(&outcome);
    let opens = |world: &mut World| {
        let outcome = call(world, contract, 0, vec![]);
        i64::from_le_bytes(succeeded(&outcome).output.clone().try_into().unwrap())
    };
    let not_found = Status::NotFound.to_return();
    succeeded(&act(&mut world, ALICE, upload.begin()));
    for index in 0..3 {
        succeeded(&act(&mut world, ALICE, upload.chunk(index)));
    }
    assert_eq!(opens(&mut world), not_found);
    succeeded(&act(&mut world, ALICE, upload.finish()));
    assert!(!world.state.contains_key(&layout::chunks_key(&upload.id)), "nobody needs to know chunks any more");
    assert!(opens(&mut world) > 0);
    // Somebody else holds it from now on.
    succeeded(&act(&mut world, BOB, upload.begin()));
    succeeded(&act(&mut world, ALICE, upload.withdraw()));
    assert!(opens(&mut world) > 0);
    succeeded(&act(&mut world, BOB, upload.withdraw()));
    assert_eq!(opens(&mut world), not_found);
    assert_eq!(world.balance(&deposit::account()), 0);
    // Nothing depends on what the node still has: another one has nothing, and both go the same way again.
    let other = Arc::new(Vm::new(VmConfig { models: Arc::new(MemoryModelStore::new()), ..config() }).unwrap());
    let mut second = World::on(other);
    second.deposit_per_byte = PER_BYTE;
    second.state.clone_from(&world.state);
    let actions = [upload.begin(), upload.chunk(0), upload.chunk(1), upload.chunk(2), upload.finish()];
    for action in actions {
        let (here, there) = (act(&mut world, ALICE, action.clone()), act(&mut second, ALICE, action));
        succeeded(&here);
        assert_eq!(here, there);
    }
    assert!(opens(&mut world) > 0 && opens(&mut second) > 0);
}

#[test]
fn deposits_of_hostile_sizes_are_refused() {
    let mut world = world();
    world.deposit_per_byte = u128::MAX / 2;
    world.fund(&BOB, u128::MAX);
    let action = Action::BeginModel { total_len: 1 << 30, top: [3; 32] };
    assert_eq!(short(&act(&mut world, BOB, action)).needed, u128::MAX);
    // One that can just be paid: the account of deposits holds one, and no second one fits into a number.
    world.deposit_per_byte = u128::MAX / u128::from(MODEL + 1);
    succeeded(&act(&mut world, BOB, Action::BeginModel { total_len: 1, top: [3; 32] }));
    world.fund(&BOB, u128::MAX);
    let second = act(&mut world, BOB, Action::BeginModel { total_len: 1, top: [4; 32] });
    assert_eq!(rejected(&second), Rejection::BalanceOverflow);
    succeeded(&act(&mut world, ALICE, Action::Transfer { to: BOB }));
}
