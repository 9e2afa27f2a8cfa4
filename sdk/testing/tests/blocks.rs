//! Collections, building blocks and clients of the SDK, compiled and run on the VM.

use std::sync::LazyLock;

use noema_abi::Status;
use noema_contract_blocks::Price;
use noema_sdk::{Address, Amount, code};
use noema_testing::{Failure, TestChain, build, linear_classifier};

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build("contracts/blocks").expect("the contract builds"));

struct World {
    chain: TestChain,
    alice: Address,
    bob: Address,
    contract: Address,
}

fn world() -> World {
    let mut chain = TestChain::new();
    let (alice, bob) = (chain.account("alice", 1_000), chain.account("bob", 0));
    let contract = chain.deploy(alice, &WASM, &()).unwrap().value;
    World { chain, alice, bob, contract }
}

impl World {
    fn call<R: borsh::BorshDeserialize>(&mut self, method: &str, args: &impl borsh::BorshSerialize) -> R {
        self.call_as(self.alice, method, args).unwrap()
    }
    fn call_as<R: borsh::BorshDeserialize>(
        &mut self,
        from: Address,
        method: &str,
        args: &impl borsh::BorshSerialize,
    ) -> Result<R, Failure> {
        self.chain.at(self.contract).from(from).call(method, args).map(|done| done.value)
    }
    fn view<R: borsh::BorshDeserialize>(&mut self, method: &str, args: &impl borsh::BorshSerialize) -> R {
        self.chain.at(self.contract).view(method, args).unwrap().value
    }
    fn code(&mut self, from: Address, method: &str, args: &impl borsh::BorshSerialize) -> Option<u32> {
        self.chain
            .at(self.contract)
            .from(from)
            .call_raw([borsh::to_vec(method).unwrap(), borsh::to_vec(args).unwrap()].concat())
            .unwrap_err()
            .code()
    }
}

fn status(status: Status) -> Option<u32> {
    Some(code::STATUS + u32::from(status.code()))
}

#[test]
fn sets_hold_each_once_and_in_order() {
    let mut world = world();
    for (group, name, new) in [(2, "b", true), (1, "z", true), (1, "a", true), (1, "a", false), (1, "", true)] {
        assert_eq!(world.call::<bool>("join", &(group as u8, name)), new, "{group} {name}");
    }
    let owned = |list: &[(u8, &str)]| list.iter().map(|(g, n)| (*g, (*n).to_owned())).collect::<Vec<_>>();
    let all: Vec<(u8, String)> = world.view("members", &(None::<u8>,));
    assert_eq!(all, owned(&[(1, ""), (1, "a"), (1, "z"), (2, "b")]));
    // A scan under one prefix of the key.
    let group: Vec<(u8, String)> = world.view("members", &(Some(1u8),));
    assert_eq!(group, owned(&[(1, ""), (1, "a"), (1, "z")]));
    let none: Vec<(u8, String)> = world.view("members", &(Some(3u8),));
    assert!(none.is_empty());
    let from: Vec<(u8, String)> = world.view("members_from", &(1u8, "b", 2u32));
    assert_eq!(from, owned(&[(1, "z"), (2, "b")]));
    assert!(world.call::<bool>("leave", &(1u8, "a")) && !world.call::<bool>("leave", &(1u8, "a")));
    assert_eq!(world.view::<Vec<(u8, String)>>("members", &(Some(1u8),)).len(), 2);
}

#[test]
fn maps_are_gone_through_page_by_page() {
    let mut world = world();
    // More than the largest page, and a name that all others begin with.
    let notes: Vec<(String, u32)> = (0..300).map(|n| (format!("note {n:03}"), n)).collect();
    world.call::<()>("note", &(&notes,));
    world.call::<()>("note", &(vec![("note".to_owned(), 1000u32), ("other".to_owned(), 1001)],));
    let all: Vec<(String, u32)> = world.view("notes", &("note ", 1000u32));
    assert_eq!(all, notes);
    assert_eq!(world.view::<Vec<(String, u32)>>("notes", &("note 1", 1000u32)), notes[100..200]);
    assert_eq!(world.view::<Vec<(String, u32)>>("notes", &("", 1000u32)).len(), 302);
    assert_eq!(world.view::<Vec<(String, u32)>>("notes", &("", 5u32)).len(), 5);
    assert!(world.view::<Vec<(String, u32)>>("notes", &("x", 5u32)).is_empty());
    // The first entries cost what the first entries cost.
    let gas = |world: &mut World, limit: u32| {
        world.chain.at(world.contract).view::<Vec<(String, u32)>, _>("notes", &("", limit)).unwrap().receipt.gas.state
    };
    assert!(gas(&mut world, 300) > 20 * gas(&mut world, 2));
    // Every entry is seen once although every second one is removed on the way.
    assert_eq!(world.call::<u32>("thin_out", &()), 302);
    assert_eq!(world.view::<Vec<(String, u32)>>("notes", &("", 1000u32)).len(), 151);
}

#[test]
fn lists_grow_and_shrink_at_their_end() {
    let mut world = world();
    let list = |world: &mut World| world.view::<Vec<String>>("list", &());
    assert!(list(&mut world).is_empty());
    assert_eq!(world.call::<Option<String>>("pop", &()), None);
    assert_eq!(world.call::<u32>("push", &(["a", "b", "c", "d"].as_slice(),)), 4);
    assert_eq!(list(&mut world), ["a", "b", "c", "d"]);
    assert_eq!(world.call::<Option<String>>("swap_remove", &(1u32,)).as_deref(), Some("b"));
    assert_eq!(list(&mut world), ["a", "d", "c"]);
    assert_eq!(world.call::<Option<String>>("swap_remove", &(2u32,)).as_deref(), Some("c"));
    assert_eq!(world.call::<Option<String>>("swap_remove", &(2u32,)), None);
    world.call::<()>("replace", &(0u32, "A"));
    assert_eq!(world.code(world.alice, "replace", &(2u32, "x")), status(Status::IndexOutOfRange));
    assert_eq!(list(&mut world), ["A", "d"]);
    assert_eq!(world.call::<Option<String>>("pop", &()).as_deref(), Some("d"));
    assert_eq!(world.call::<Option<String>>("pop", &()).as_deref(), Some("A"));
    assert!(list(&mut world).is_empty());
    // Nothing is kept for an empty list.
    assert_eq!(world.chain.stored(world.contract, b"list\0"), None);
    // A list longer than a page of a scan.
    let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    world.call::<u32>("push", &(&many,));
    assert_eq!(list(&mut world), many);
}

#[test]
fn balances_add_up() {
    let mut world = world();
    let (alice, bob) = (world.alice, world.bob);
    assert_eq!(world.call::<Amount>("credit", &(alice, Amount(10))), Amount(10));
    world.call::<()>("give", &(bob, Amount(4)));
    assert_eq!(world.code(bob, "give", &(alice, Amount(5))), Some(code::INSUFFICIENT_BALANCE));
    let balances: Vec<(Address, Amount)> = world.view("balances", &());
    assert_eq!(balances, [(alice, Amount(6)), (bob, Amount(4))]);
    assert_eq!(world.code(alice, "credit", &(bob, Amount(u128::MAX))), Some(code::OVERFLOW));
    world.call::<()>("give", &(bob, Amount(6)));
    assert_eq!(world.view::<Vec<(Address, Amount)>>("balances", &()), [(bob, Amount(10))]);
}

#[test]
fn fixed_point_numbers_do_not_wrap() {
    let mut world = world();
    let price = |text: &str| text.parse::<Price>().unwrap();
    assert_eq!(world.view::<Price>("product", &(price("1.5"), price("-2.25"))), price("-3.375"));
    assert_eq!(world.view::<Option<u128>>("fee", &(price("0.25"), 10u128)), Some(3));
    assert_eq!(world.view::<Option<u128>>("fee", &(price("-0.25"), 10u128)), None);
    let failure = world.chain.at(world.contract).view::<Price, _>("product", &(Price::MAX, Price::MAX)).unwrap_err();
    assert_eq!(failure.code(), Some(code::PANIC));
    // The place is that of the contract's own line.
    assert!(failure.to_string().contains("blocks/src/lib.rs:"), "{failure}");
}

#[test]
fn owners_roles_and_pauses_stop_others() {
    let mut world = world();
    let (alice, bob) = (world.alice, world.bob);
    assert_eq!(world.code(bob, "appoint", &(bob, true)), Some(code::NOT_OWNER));
    assert_eq!(world.code(bob, "keep", &()), Some(code::MISSING_ROLE));
    assert!(world.call::<bool>("appoint", &(bob, true)) && !world.call::<bool>("appoint", &(bob, true)));
    assert_eq!(world.call_as::<Vec<Address>>(bob, "keep", &()).unwrap(), [bob]);
    assert!(world.call::<bool>("stop", &(true,)));
    assert_eq!(world.code(bob, "keep", &()), Some(code::PAUSED));
    assert!(!world.call::<bool>("stop", &(false,)));
    assert!(world.call::<bool>("appoint", &(bob, false)));
    assert_eq!(world.code(bob, "keep", &()), Some(code::MISSING_ROLE));

    assert_eq!(world.code(bob, "hand_over", &(Some(bob),)), Some(code::NOT_OWNER));
    assert_eq!(world.code(bob, "take_over", &()), Some(code::NOT_OWNER));
    world.call::<()>("hand_over", &(Some(bob),));
    assert_eq!(world.code(alice, "take_over", &()), Some(code::NOT_OWNER));
    assert_eq!(world.call_as::<Option<Address>>(bob, "take_over", &()).unwrap(), Some(bob));
    assert_eq!(world.code(alice, "stop", &(true,)), Some(code::NOT_OWNER));
    world.call_as::<()>(bob, "hand_over", &(None::<Address>,)).unwrap();
    assert_eq!(world.code(bob, "stop", &(true,)), Some(code::NOT_OWNER));
}

#[test]
fn clients_call_other_contracts() {
    let mut world = world();
    let exercise = build("contracts/exercise").unwrap();
    let other = world.chain.deploy(world.alice, &exercise, &(10u64,)).unwrap().value;
    // Linked with the crate of the other contract, it exports its own entry points and no others.
    let (there, count) = {
        let call = world.chain.at(world.contract).from(world.alice).value(7);
        call.call::<(u64, u64), _>("add_there", &(other, 5u64)).unwrap().value
    };
    assert_eq!((there, count), (15, 15));
    assert_eq!(world.chain.balance(other), 7);
    // What the other aborts with ends this call too.
    assert_eq!(world.code(world.alice, "add_there", &(other, 0u64)), Some(noema_contract_exercise::ZERO));
    assert_eq!(world.call::<u16>("starve", &(other,)), Status::CallFaulted.code());
    let nobody = world.bob;
    assert_eq!(world.code(world.alice, "add_there", &(nobody, 1u64)), status(Status::NotFound));
}

#[test]
fn tensors_and_models_of_constant_shape() {
    let mut world = world();
    let weights = [[1i8, -1], [2, 0], [3, 1]];
    let sums: [i32; 2] = world.view("layer", &([1i8, 2, -3], weights, [10i32, -5]));
    // 1 + 4 - 9 + 10 and -1 - 3 - 5, of which the second is below zero.
    assert_eq!(sums, [6, 0]);
    let model = linear_classifier(&[&[1, 2, 3], &[-1, 0, 1]], &[0, 100]);
    let id = world.chain.add_model(&model).unwrap();
    let (scores, class): ([i32; 2], i32) = world.view("classify", &(id, [10i32, 20, 30]));
    assert_eq!((scores, class), ([140, 120], 0));
    let (scores, class): ([i32; 2], i32) = world.view("classify", &(id, [-10i32, 0, 0]));
    assert_eq!((scores, class), ([-10, 110], 1));
}
