//! The contract that uses every part of the SDK, compiled and run on the VM.

use std::sync::LazyLock;

use noema_abi::Status;
use noema_contract_exercise::{Added, NOT_OWNER, Nested, Surroundings, ZERO};
use noema_sdk::{Address, Hash, code};
use noema_testing::{Done, Failure, TestChain, build};
use noema_vm::Rejection;

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build("contracts/exercise").expect("the contract builds"));

struct World {
    chain: TestChain,
    alice: Address,
    bob: Address,
    contract: Address,
}

fn world() -> World {
    let mut chain = TestChain::new();
    let alice = chain.account("alice", 1_000_000);
    let bob = chain.account("bob", 1_000);
    let contract = chain.deploy(alice, &WASM, &(10u64,)).unwrap().value;
    World { chain, alice, bob, contract }
}

impl World {
    fn count(&mut self) -> u64 {
        self.chain.at(self.contract).view("count", &()).unwrap().value
    }
}

fn abort_code<T: std::fmt::Debug>(result: Result<T, Failure>) -> u32 {
    let failure = result.unwrap_err();
    failure.code().unwrap_or_else(|| panic!("expected an abort: {failure}"))
}

fn status(status: Status) -> u32 {
    code::STATUS + u32::from(status.code())
}

#[test]
fn state_survives_and_events_stand_in_the_receipt() {
    let mut world = world();
    assert_eq!(world.count(), 10);
    let done: Done<u64> = world.chain.at(world.contract).from(world.bob).call("add", &(5u64,)).unwrap();
    assert_eq!(done.value, 15);
    assert_eq!(done.events::<Added>(), [Added { amount: 5, count: 15 }]);
    assert_eq!(done.receipt.events[0].contract.0, world.contract.0);
    assert!(done.receipt.gas.wasm > 0 && done.receipt.gas.state > 0 && done.receipt.gas.tensor == 0);
    assert_eq!(world.count(), 15);
    // Borsh of the state struct under one zero byte.
    let stored = world.chain.stored(world.contract, &[0]).unwrap();
    assert_eq!(stored, borsh::to_vec(&(world.alice, 15u64, 1u32)).unwrap());
}

#[test]
fn an_error_aborts_with_code_and_message_and_undoes_everything() {
    let mut world = world();
    let failure = world.chain.at(world.contract).call::<u64, _>("add", &(0u64,)).unwrap_err();
    match &failure {
        Failure::Abort { code, message, receipt, .. } => {
            assert_eq!((*code, message.as_str()), (ZERO, "nothing to add to 10"));
            assert!(receipt.gas_used() < receipt.gas_limit, "unspent gas is returned");
        }
        other => panic!("{other}"),
    }
    let failure = world.chain.at(world.contract).call::<(), _>("write_and_fail", &()).unwrap_err();
    assert_eq!(failure.code(), Some(99));
    assert!(failure.receipt().unwrap().events.is_empty());
    assert_eq!(world.count(), 10);
    assert_eq!(world.chain.stored(world.contract, b"note"), None);
}

#[test]
fn a_panic_names_its_place() {
    let mut world = world();
    let failure = world.chain.at(world.contract).call::<u64, _>("expect_some", &(None::<u64>,)).unwrap_err();
    let Failure::Abort { code, message, .. } = &failure else { panic!("{failure}") };
    assert_eq!(*code, code::PANIC);
    let line =
        include_str!("../contracts/exercise/src/lib.rs").lines().position(|line| line.contains(".expect(")).unwrap();
    let place = format!("exercise/src/lib.rs:{}: there has to be a value", line + 1);
    assert!(message.ends_with(&place), "{message}");
    let failure = world.chain.at(world.contract).call::<u64, _>("panic_at", &(vec![1u64], 1u32)).unwrap_err();
    let Failure::Abort { message, .. } = &failure else { panic!("{failure}") };
    assert!(message.ends_with(": index out of bounds: the len is 1 but the index is 1"), "{message}");
    assert_eq!(world.chain.at(world.contract).call::<u64, _>("panic_at", &(vec![1u64], 0u32)).unwrap().value, 1);
    // Sums do not wrap.
    assert_eq!(abort_code(world.chain.at(world.contract).call::<u32, _>("overflow", &(u32::MAX, 1u32))), code::PANIC);
    assert_eq!(
        world.chain.at(world.contract).call::<u32, _>("overflow", &(u32::MAX - 1, 1u32)).unwrap().value,
        u32::MAX
    );
}

#[test]
fn wrong_input_is_refused_before_the_method_runs() {
    let mut world = world();
    let contract = world.contract;
    let mut raw = |input: &[u8]| abort_code(world.chain.at(contract).call_raw(input.to_vec()));
    let call = |method: &str, args: &[u8]| [&borsh::to_vec(method).unwrap(), args].concat();
    assert_eq!(raw(&[]), code::BAD_INPUT);
    assert_eq!(raw(&[255; 4]), code::BAD_INPUT);
    assert_eq!(raw(&call("subtract", &[])), code::UNKNOWN_METHOD);
    assert_eq!(raw(&call("ad", &[0; 8])), code::UNKNOWN_METHOD);
    assert_eq!(raw(&call("add", &[1; 7])), code::BAD_INPUT);
    assert_eq!(raw(&call("add", &[1; 9])), code::BAD_INPUT);
    assert_eq!(raw(&call("new", &[1; 8])), code::UNKNOWN_METHOD);
    // A list that claims four thousand million numbers.
    assert_eq!(raw(&call("panic_at", &[255, 255, 255, 255, 1])), code::BAD_INPUT);
    let failure = world.chain.at(contract).call_raw(call("add", &[1; 7])).unwrap_err();
    assert!(failure.to_string().contains("argument `amount` does not decode"), "{failure}");
    // A call is not reachable as a view; a view is reachable as a call.
    assert_eq!(abort_code(world.chain.at(contract).view::<u64, _>("add", &(1u64,))), code::UNKNOWN_METHOD);
    assert_eq!(world.chain.at(contract).call::<u64, _>("count", &()).unwrap().value, 10);
}

#[test]
fn surroundings_are_those_of_the_call() {
    let mut world = world();
    world.chain.next_block(5_000);
    let done: Done<Surroundings> = world
        .chain
        .at(world.contract)
        .from(world.bob)
        .value(300)
        .gas(77_000_000_000)
        .call("surroundings", &())
        .unwrap();
    let (height, time_ms) = (world.chain.height(), world.chain.time_ms());
    let seen = done.value;
    assert_eq!((seen.caller, seen.self_address), (world.bob, world.contract));
    assert_eq!((seen.value, seen.balance), (300, 300));
    assert_eq!((seen.height, seen.time_ms, seen.chain_id.as_str()), (height, time_ms, "noema-testing"));
    assert_eq!(height, 2);
    assert!(seen.gas.1 < seen.gas.0 && seen.gas.0 < 77_000_000_000, "{:?}", seen.gas);
}

#[test]
fn value_moves_only_where_it_is_accepted() {
    let mut world = world();
    let (contract, alice, bob) = (world.contract, world.alice, world.bob);
    let refused = world.chain.at(contract).from(bob).value(1).call::<u64, _>("add", &(1u64,));
    assert_eq!(abort_code(refused), code::NOT_PAYABLE);
    let rejected =
        world.chain.at(contract).from(bob).value(1_001).call::<Surroundings, _>("surroundings", &()).unwrap_err();
    assert!(matches!(rejected, Failure::Rejected { reason: Rejection::InsufficientBalance, .. }), "{rejected}");
    let rich = world.chain.deploy_with_value(alice, &WASM, 500, &(0u64,)).unwrap().value;
    assert_eq!((world.chain.balance(alice), world.chain.balance(rich)), (999_500, 500));
    world.chain.at(rich).call::<(), _>("pay", &(bob, 200u128)).unwrap();
    assert_eq!((world.chain.balance(bob), world.chain.balance(rich)), (1_200, 300));
    let refused = world.chain.at(rich).call::<(), _>("pay", &(bob, 301u128));
    assert_eq!(abort_code(refused), status(Status::InsufficientBalance));
}

#[test]
fn logs_reach_the_node_alone() {
    let mut world = world();
    let done: Done<()> = world.chain.at(world.contract).call("log_twice", &("a\nb",)).unwrap();
    assert_eq!(done.logs, ["fixed", "text \"a\\nb\""]);
    assert!(done.receipt.events.is_empty() && done.receipt.output.is_empty());
}

#[test]
fn items_and_maps() {
    let mut world = world();
    let (contract, alice, bob) = (world.contract, world.alice, world.bob);
    let mut note =
        |note: Option<&str>| -> Option<String> { world.chain.at(contract).call("note", &(note,)).unwrap().value };
    assert_eq!(note(None), None);
    assert_eq!(note(Some("first")), None);
    assert_eq!(note(Some("second")).as_deref(), Some("first"));
    assert_eq!(note(None).as_deref(), Some("second"));
    assert_eq!(note(None), None);

    let mut score = |player: Address, level: i32, points: u64| -> Option<u64> {
        world.chain.at(contract).call("score", &(player, level, points)).unwrap().value
    };
    for (player, level) in [(bob, 3), (alice, 300), (alice, -1), (bob, -300), (alice, 3)] {
        assert_eq!(score(player, level, 7), None);
    }
    assert_eq!(score(bob, 3, 0), Some(7));
    let mut scores = |from: Option<(Address, i32)>, limit: u32| -> Vec<((Address, i32), u64)> {
        world.chain.at(contract).view("scores", &(from, limit)).unwrap().value
    };
    // "alice" is before "bob", and negative levels come first.
    let all = [((alice, -1), 7), ((alice, 3), 7), ((alice, 300), 7), ((bob, -300), 7)];
    assert_eq!(scores(None, 100), all);
    assert_eq!(scores(None, 2), all[..2]);
    assert_eq!(scores(Some((alice, 4)), 100), all[2..]);
    assert_eq!(scores(Some((bob, 0)), 100), []);
    assert_eq!(scores(None, 0), []);
}

#[test]
fn scans_go_through_pages_and_large_values() {
    let mut world = world();
    let contract = world.contract;
    // More entries than one scan returns, more bytes than one page holds, and single ones above a page.
    let sizes: Vec<u32> = (0..600).map(|i| if i % 150 == 149 { 20_000 } else { i % 50 }).collect();
    world.chain.at(contract).call::<(), _>("put_blobs", &(sizes.clone(),)).unwrap();
    let expected: Vec<(u32, u32)> = (0..).zip(sizes.iter().copied()).collect();
    let all: Vec<(u32, u32)> = world.chain.at(contract).view("blob_sizes", &(10_000u32,)).unwrap().value;
    assert!(all == expected, "{} entries", all.len());
    let some: Vec<(u32, u32)> = world.chain.at(contract).view("blob_sizes", &(333u32,)).unwrap().value;
    assert_eq!(some, expected[..333]);
    // The same through another contract: a reply longer than the SDK's first guess.
    let other = world.chain.deploy(world.alice, &WASM, &(0u64,)).unwrap().value;
    let asked: Vec<(u32, u32)> = world.chain.at(other).view("ask_blob_sizes", &(contract,)).unwrap().value;
    assert!(asked == expected, "{} entries", asked.len());
}

#[test]
fn raw_storage_and_its_limits() {
    let mut world = world();
    let contract = world.contract;
    let mut raw = |key: usize, value: usize| {
        let args = (vec![7u8; key], vec![9u8; value]);
        world.chain.at(contract).call::<(bool, Option<Vec<u8>>, bool, bool), _>("raw_storage", &args)
    };
    for (key, value) in [(0, 0), (1, 511), (1, 512), (1, 513), (256, 128 * 1024)] {
        let (before, read, removed, again) = raw(key, value).unwrap().value;
        assert_eq!((before, read.map(|read| read.len()), removed, again), (false, Some(value), true, false));
    }
    assert_eq!(abort_code(raw(257, 1)), status(Status::LimitExceeded));
    assert_eq!(abort_code(raw(1, 128 * 1024 + 1)), status(Status::LimitExceeded));
}

#[test]
fn contracts_call_each_other() {
    let mut world = world();
    let (alice, inner) = (world.alice, world.contract);
    let outer = world.chain.deploy(alice, &WASM, &(0u64,)).unwrap().value;
    let mut nested = |target: Address, method: &str, amount: u64, gas: Option<u64>| -> Nested {
        world.chain.at(outer).from(alice).call("nested", &(target, method, amount, gas)).unwrap().value
    };
    let plenty = Some(1_000_000_000_000);
    assert_eq!(nested(inner, "add", 5, plenty), Nested::Returned(15));
    assert_eq!(nested(inner, "add", 5, None), Nested::Returned(20));
    let Nested::Aborted { code: ZERO, message } = nested(inner, "add", 0, plenty) else { panic!("an abort") };
    assert_eq!(message, "nothing to add to 20");
    let Nested::Aborted { code: code::UNKNOWN_METHOD, .. } = nested(inner, "subtract", 0, plenty) else {
        panic!("an abort")
    };
    assert_eq!(nested(inner, "add", 5, Some(1_000)), Nested::Status(Status::CallFaulted.code()));
    assert_eq!(nested(alice, "add", 5, plenty), Nested::Status(Status::NotFound.code()));
    // It has methods that may run while it is running, and this is none of them.
    let Nested::Aborted { code: code::NOT_REENTRANT, .. } = nested(outer, "add", 5, plenty) else { panic!("an abort") };
    // It takes the same eight bytes and returns four, where eight are expected.
    assert_eq!(nested(inner, "overflow", 5, plenty), Nested::Other);
    assert_eq!(world.count(), 20);

    // An inner method that accepts no value gives it back with its abort.
    let done: Done<Nested> =
        world.chain.at(outer).from(alice).value(50).call("nested", &(inner, "add", 5u64, plenty)).unwrap();
    assert!(matches!(done.value, Nested::Aborted { code: code::NOT_PAYABLE, .. }), "{done:?}");
    assert_eq!((world.chain.balance(outer), world.chain.balance(inner)), (50, 0));

    for view in [false, true] {
        let at = world.chain.at(outer);
        let asked = if view { at.view::<u64, _>("ask", &(inner,)) } else { at.call::<u64, _>("ask", &(inner,)) };
        assert_eq!(asked.unwrap().value, 20);
    }
    // An abort that nobody handles goes on to the sender, as it is.
    assert_eq!(abort_code(world.chain.at(outer).view::<u64, _>("ask", &(alice,))), status(Status::NotFound));
}

#[test]
fn a_view_changes_nothing() {
    let mut world = world();
    let failure = world.chain.at(world.contract).view::<(), _>("write_in_view", &()).unwrap_err();
    assert!(matches!(&failure, Failure::Fault { .. }), "{failure}");
    // Reached as a call it is one.
    world.chain.at(world.contract).call::<(), _>("write_in_view", &()).unwrap();
    assert!(world.chain.stored(world.contract, b"note").is_some());
}

#[test]
fn only_the_deployer_migrates() {
    let mut world = world();
    let (alice, bob, contract) = (world.alice, world.bob, world.contract);
    let refused = world.chain.migrate(bob, contract, &WASM, &(1u64,)).unwrap_err();
    assert!(matches!(refused, Failure::Rejected { reason: Rejection::NotAdministrator, .. }), "{refused}");
    world.chain.migrate(alice, contract, &WASM, &(77u64,)).unwrap();
    assert_eq!(world.count(), 77);
    assert_eq!(world.chain.at(contract).view::<u32, _>("generation", &()).unwrap().value, 2);
    // The empty contract has no `migrate`, so nothing can become it.
    let empty = build("contracts/empty").unwrap();
    let refused = world.chain.migrate(alice, contract, &empty, &()).unwrap_err();
    assert!(matches!(refused, Failure::Rejected { reason: Rejection::NoEntryPoint, .. }), "{refused}");
    assert_eq!(NOT_OWNER, 2);
}

#[test]
fn endless_work_is_a_fault_that_takes_the_gas() {
    let mut world = world();
    for (method, args) in
        [("spin", vec![]), ("recurse", u64::MAX.to_le_bytes().to_vec()), ("allocate", vec![31, 0, 0, 0])]
    {
        let input = [borsh::to_vec(method).unwrap(), args].concat();
        let failure = world.chain.at(world.contract).gas(50_000_000_000).call_raw(input).unwrap_err();
        let receipt = failure.receipt().unwrap();
        match &failure {
            Failure::Fault { .. } => assert_eq!(receipt.gas_used(), receipt.gas_limit, "{method}: {failure}"),
            other => panic!("{method}: {other}"),
        }
    }
    assert_eq!(world.chain.at(world.contract).call::<u64, _>("recurse", &(100u64,)).unwrap().value, 100);
}

#[test]
fn memory_is_handed_out_once() {
    let mut world = world();
    let sum: u64 = world.chain.at(world.contract).call("allocate", &(14u32,)).unwrap().value;
    let expected: u64 = (0..14u64).map(|round| (0..1u64 << round).sum::<u64>()).sum();
    assert_eq!(sum, expected);
    assert_eq!(world.chain.at(world.contract).call::<u32, _>("take", &(1_000_000u32,)).unwrap().value, 1_000_000);
    for bytes in [1 << 27, 1 << 28, 1 << 30] {
        let failure = world.chain.at(world.contract).call::<u32, _>("take", &(bytes,)).unwrap_err();
        assert_eq!(failure.code(), Some(code::PANIC), "{failure}");
    }
}

#[test]
fn hashes_and_signatures() {
    use k256::ecdsa::SigningKey;
    use sha2::Digest;
    use tiny_keccak::Hasher;

    let mut world = world();
    let contract = world.contract;
    let data = b"noema".repeat(50);
    let mut keccak = [0; 32];
    let mut hasher = tiny_keccak::Keccak::v256();
    hasher.update(&data);
    hasher.finalize(&mut keccak);
    let sha: [u8; 32] = sha2::Sha256::digest(&data).into();
    let hashes: (Hash, Hash) = world.chain.at(contract).view("hashes", &(data.clone(),)).unwrap().value;
    assert_eq!(hashes, (Hash(keccak), Hash(sha)));

    let key = ed25519_zebra::SigningKey::from([7; 32]);
    let public: [u8; 32] = ed25519_zebra::VerificationKey::from(&key).into();
    let signature: [u8; 64] = key.sign(&data).into();
    let mut verify = |signature: [u8; 64], message: &[u8]| -> bool {
        world.chain.at(contract).view("verify", &(public, signature, message)).unwrap().value
    };
    assert!(verify(signature, &data));
    assert!(!verify(signature, b"other"));
    assert!(!verify([255; 64], &data));

    let key = SigningKey::from_slice(&[9; 32]).unwrap();
    let (signature, id) = key.sign_prehash_recoverable(&sha);
    let signature: [u8; 64] = signature.to_bytes().into();
    let args = (Hash(sha), signature, u32::from(id.to_byte()));
    let recovered: [u8; 64] = world.chain.at(contract).view("recover", &args).unwrap().value;
    assert_eq!(recovered[..], key.verifying_key().to_sec1_point(false).as_bytes()[1..]);
    let refused = world.chain.at(contract).view::<[u8; 64], _>("recover", &(Hash(sha), [0u8; 64], 0u32));
    assert_eq!(abort_code(refused), status(Status::InvalidSignature));
}

#[test]
fn opcodes_through_the_sdk() {
    let mut world = world();
    let contract = world.contract;
    world.chain.at(contract).view::<(), _>("tensors", &()).unwrap();
    // [3, -2, 1] times a 3 by 2 matrix, plus [1, -100]: [8, -89], so [8, 0] after relu and [4, 0] halved.
    let args = (vec![3i8, -2, 1], vec![2i8, 4, 0, 1, 1, 1], vec![1i32, -100]);
    let done: Done<(Vec<i32>, i32)> = world.chain.at(contract).view("perceptron", &args).unwrap();
    let (probabilities, best) = done.value;
    assert_eq!(best, 0);
    // c is 2^30 / 2^34 = 1/16: e^0 and e^(-4/16), of 2^16.
    let share = 65536.0 / (1.0 + (-0.25f64).exp());
    assert!(probabilities.len() == 2 && (f64::from(probabilities[0]) - share).abs() <= 1.0, "{probabilities:?}");
    assert_eq!(probabilities[0] + probabilities[1], 65536);
    assert!(done.receipt.gas.tensor > 0);
    let misfit = (vec![3i8], vec![2i8, 4, 0], vec![1i32, -100]);
    let refused = world.chain.at(contract).view::<(Vec<i32>, i32), _>("perceptron", &misfit);
    assert_eq!(abort_code(refused), status(Status::ShapeMismatch));
    let missing = world.chain.at(contract).view::<(u64, u64, Vec<Vec<i32>>), _>("model", &(Hash([3; 32]), vec![0i32]));
    assert_eq!(abort_code(missing), status(Status::NotFound));
}

#[test]
fn a_contract_knows_its_deposit_and_ends_with_it_or_not_at_all() {
    let mut world = world();
    world.chain.set_deposit_per_byte(10);
    let refused = world.chain.deploy_with_value(world.alice, &WASM, 1_000, &(1u64,)).unwrap_err();
    let Failure::InsufficientDeposit { shortfall, receipt } = refused else { panic!("{refused}") };
    assert_eq!((shortfall.balance, receipt.gas.forfeited), (1_000, 0));
    // Exactly what it lacked is enough; `init` takes value without being asked.
    let rich = world.chain.account("rich", shortfall.needed + 100_000);
    let done = world.chain.deploy_with_value(rich, &WASM, shortfall.needed, &(1u64,)).unwrap();
    let contract = done.value;
    let deposit =
        |world: &mut World| -> (u64, u128, u128) { world.chain.at(contract).view("deposit", &()).unwrap().value };
    assert_eq!(deposit(&mut world), (shortfall.bytes, shortfall.needed, 0));
    assert_eq!(world.chain.deposit(contract).free(), 0);
    let note = |world: &mut World, text: Option<&str>| {
        let note = text.map(str::to_owned);
        world.chain.at(contract).from(rich).call::<Option<String>, _>("note", &(note,)).map(|done| done.value)
    };
    assert!(matches!(note(&mut world, Some("hello")), Err(Failure::InsufficientDeposit { .. })));
    // A plain transfer adds to it; the entry is 96 bytes, its key, and the text with its length.
    let lend =
        world.chain.at(contract).from(rich).value(10 * (96 + 4 + 9)).call::<Surroundings, _>("surroundings", &());
    assert!(lend.is_ok());
    assert_eq!(note(&mut world, Some("hello")).unwrap(), None);
    assert_eq!(deposit(&mut world), (shortfall.bytes + 96 + 4 + 9, shortfall.needed + 1_090, 0));
    assert_eq!(note(&mut world, None).unwrap(), Some("hello".to_owned()));
    assert_eq!(deposit(&mut world).2, 1_090);
}

#[test]
fn calls_back_are_for_methods_that_are_marked() {
    let mut world = world();
    let through = world.chain.deploy(world.bob, &WASM, &(0u64,)).unwrap().value;
    // A transient value that the call back changes, and that is gone afterwards.
    let lent: Done<Option<u64>> =
        world.chain.at(world.contract).from(world.alice).call("lend", &(through, 8u64)).unwrap();
    assert_eq!(lent.value, Some(4));
    let passing: Done<Option<u64>> = world.chain.at(world.contract).call("passing", &()).unwrap();
    assert_eq!(passing.value, None);

    let around = |world: &mut World, method: &str| {
        let args = (through, method.to_owned());
        world.chain.at(world.contract).from(world.alice).call::<Nested, _>("add_around", &args).map(|done| done.value)
    };
    // Not marked: the call back aborts, and the outer one goes on.
    let Ok(Nested::Aborted { code: refused, .. }) = around(&mut world, "add") else { panic!("it was entered") };
    assert_eq!((refused, world.count()), (code::NOT_REENTRANT, 11));
    // Marked: both would write the state struct, and none of the two is lost silently.
    assert_eq!(abort_code(around(&mut world, "add_again")), code::BAD_STATE);
    assert_eq!(world.count(), 11);
    // From outside it is a method like any other.
    assert_eq!(world.chain.at(world.contract).call::<u64, _>("add_again", &(2u64,)).unwrap().value, 13);
}
