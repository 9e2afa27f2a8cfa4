//! The compiled contract on the VM.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use noema_sdk::borsh::BorshSerialize;
use noema_sdk::{Address, Amount, code};
use noema_testing::{Failure, TestChain, build};
use proptest::prelude::*;
use token::{Approved, Description, TokenError, Transferred};

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

const SUPPLY: Amount = Amount(1_000);

struct World {
    chain: TestChain,
    token: Address,
    people: [Address; 3],
}

fn world() -> World {
    let mut chain = TestChain::new();
    let people = ["alice", "bob", "carol"].map(|name| chain.account(name, 0));
    let token = chain.deploy(people[0], &WASM, &("Gold", "GLD", 6u8, SUPPLY)).unwrap().value;
    World { chain, token, people }
}

impl World {
    fn balance(&mut self, of: Address) -> Amount {
        self.chain.at(self.token).view("balance_of", &(of,)).unwrap().value
    }
    fn call<A: BorshSerialize>(&mut self, from: Address, method: &str, args: &A) -> Result<(), Failure> {
        self.chain.at(self.token).from(from).call::<(), A>(method, args).map(|_| ())
    }
}

fn refused(result: Result<(), Failure>, error: TokenError) {
    assert_eq!(result.unwrap_err().code(), Some(error.code()));
}

#[test]
fn it_is_small() {
    assert!(WASM.len() < 25 * 1024, "the token has {} bytes", WASM.len());
}

#[test]
fn tokens_move_and_say_so() {
    let mut world = world();
    let [alice, bob, _] = world.people;
    let done = world.chain.at(world.token).from(alice).call::<(), _>("transfer", &(bob, Amount(400))).unwrap();
    assert_eq!(done.events::<Transferred>(), [Transferred { from: alice, to: bob, amount: Amount(400) }]);
    assert_eq!((world.balance(alice), world.balance(bob)), (Amount(600), Amount(400)));
    refused(world.call(bob, "transfer", &(alice, Amount(401))), TokenError::InsufficientBalance);
    refused(world.call(bob, "transfer", &(Address([0; 32]), Amount(1))), TokenError::ZeroAddress);
    // To oneself nothing changes, and what one does not have cannot be moved even there.
    world.call(bob, "transfer", &(bob, Amount(400))).unwrap();
    refused(world.call(bob, "transfer", &(bob, Amount(401))), TokenError::InsufficientBalance);
    assert_eq!(world.balance(bob), Amount(400));
    // An emptied balance leaves nothing behind.
    world.call(bob, "transfer", &(alice, Amount(400))).unwrap();
    assert_eq!(world.chain.stored(world.token, &[b"balances\0", &bob.0[..]].concat()), None);
    let described = world.chain.at(world.token).view::<Description, _>("describe", &()).unwrap().value;
    assert_eq!(described, Description { name: "Gold".into(), symbol: "GLD".into(), decimals: 6 });
}

#[test]
fn only_what_is_allowed_is_moved_for_others() {
    let mut world = world();
    let [alice, bob, carol] = world.people;
    refused(world.call(bob, "transfer_from", &(alice, bob, Amount(1))), TokenError::InsufficientAllowance);
    let none = None::<Amount>;
    let done = world.chain.at(world.token).from(alice).call::<(), _>("approve", &(bob, Amount(10), none)).unwrap();
    assert_eq!(done.events::<Approved>(), [Approved { owner: alice, spender: bob, amount: Amount(10) }]);
    world.call(alice, "approve", &(carol, Amount(5), none)).unwrap();
    world.call(bob, "transfer_from", &(alice, carol, Amount(7))).unwrap();
    refused(world.call(bob, "transfer_from", &(alice, carol, Amount(4))), TokenError::InsufficientAllowance);
    refused(world.call(carol, "transfer_from", &(bob, carol, Amount(1))), TokenError::InsufficientAllowance);
    let left = world.chain.at(world.token).view::<Amount, _>("allowance", &(alice, bob)).unwrap();
    assert_eq!(left.value, Amount(3));
    // The owner meant to lower ten to one, and learns that seven are gone.
    refused(world.call(alice, "approve", &(bob, Amount(1), Some(Amount(10)))), TokenError::AllowanceChanged);
    world.call(alice, "approve", &(bob, Amount(1), Some(Amount(3)))).unwrap();
    assert_eq!((world.balance(alice), world.balance(carol)), (Amount(993), Amount(7)));
}

#[test]
fn only_the_owner_mints_and_stops() {
    let mut world = world();
    let [alice, bob, _] = world.people;
    for (method, refusal) in [
        ("mint", world.call(bob, "mint", &(bob, Amount(1)))),
        ("set_paused", world.call(bob, "set_paused", &(true,))),
        ("offer_ownership", world.call(bob, "offer_ownership", &(bob,))),
        ("accept_ownership", world.call(bob, "accept_ownership", &())),
    ] {
        assert_eq!(refusal.unwrap_err().code(), Some(code::NOT_OWNER), "{method}");
    }
    refused(world.call(alice, "mint", &(bob, Amount(u128::MAX))), TokenError::SupplyOverflow);
    world.call(alice, "mint", &(bob, Amount(50))).unwrap();
    world.call(alice, "set_paused", &(true,)).unwrap();
    assert_eq!(world.call(bob, "transfer", &(alice, Amount(1))).unwrap_err().code(), Some(code::PAUSED));
    world.call(bob, "burn", &(Amount(50),)).unwrap();
    refused(world.call(bob, "burn", &(Amount(1),)), TokenError::InsufficientBalance);
    world.call(alice, "offer_ownership", &(bob,)).unwrap();
    world.call(bob, "accept_ownership", &()).unwrap();
    assert_eq!(world.call(alice, "set_paused", &(false,)).unwrap_err().code(), Some(code::NOT_OWNER));
    world.call(bob, "set_paused", &(false,)).unwrap();
    assert_eq!(world.chain.at(world.token).view::<Amount, _>("total_supply", &()).unwrap().value, SUPPLY);
}

/// What somebody does.
#[derive(Clone, Debug)]
enum Step {
    Transfer { from: usize, to: usize, amount: u128 },
    Approve { owner: usize, spender: usize, amount: u128 },
    TransferFrom { spender: usize, owner: usize, to: usize, amount: u128 },
    Mint { to: usize, amount: u128 },
    Burn { from: usize, amount: u128 },
}

fn step() -> impl Strategy<Value = Step> {
    let amount = || prop_oneof![0u128..700, Just(u128::MAX)];
    prop_oneof![
        (0usize..3, 0usize..3, amount()).prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
        (0usize..3, 0usize..3, amount()).prop_map(|(owner, spender, amount)| Step::Approve { owner, spender, amount }),
        (0usize..3, 0usize..3, 0usize..3, amount()).prop_map(|(spender, owner, to, amount)| Step::TransferFrom {
            spender,
            owner,
            to,
            amount
        }),
        (0usize..3, amount()).prop_map(|(to, amount)| Step::Mint { to, amount }),
        (0usize..3, amount()).prop_map(|(from, amount)| Step::Burn { from, amount }),
    ]
}

/// The token as a person would keep its books.
#[derive(Clone, Debug, Default)]
struct Books {
    balances: [u128; 3],
    allowances: BTreeMap<(usize, usize), u128>,
}

impl Books {
    /// Whether the step is allowed, and what it does then.
    fn take(&mut self, step: &Step) -> bool {
        let mut next = self.clone();
        let moved = |books: &mut Books, from: usize, to: usize, amount: u128| {
            books.balances[from] = books.balances[from].checked_sub(amount)?;
            books.balances[to] += amount;
            Some(())
        };
        let done = match *step {
            Step::Transfer { from, to, amount } => moved(&mut next, from, to, amount),
            Step::Approve { owner, spender, amount } => {
                next.allowances.insert((owner, spender), amount);
                Some(())
            }
            Step::TransferFrom { spender, owner, to, amount } => {
                let allowed = next.allowances.get(&(owner, spender)).copied().unwrap_or(0);
                allowed.checked_sub(amount).and_then(|rest| {
                    next.allowances.insert((owner, spender), rest);
                    moved(&mut next, owner, to, amount)
                })
            }
            Step::Mint { to, amount } => {
                let supply: u128 = next.balances.iter().sum();
                supply.checked_add(amount).map(|_| next.balances[to] += amount)
            }
            Step::Burn { from, amount } => {
                next.balances[from].checked_sub(amount).map(|rest| next.balances[from] = rest)
            }
        };
        if done.is_some() {
            *self = next;
        }
        done.is_some()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever anybody does, in whatever order, the contract allows what the books allow, and its balances are theirs.
    #[test]
    fn it_keeps_the_same_books(steps in prop::collection::vec(step(), 1..24)) {
        let mut world = world();
        let people = world.people;
        let mut books = Books { balances: [SUPPLY.0, 0, 0], ..Books::default() };
        for step in &steps {
            let done = match *step {
                Step::Transfer { from, to, amount } => world.call(people[from], "transfer", &(people[to], amount)),
                Step::Approve { owner, spender, amount } => {
                    world.call(people[owner], "approve", &(people[spender], amount, None::<u128>))
                }
                Step::TransferFrom { spender, owner, to, amount } => {
                    world.call(people[spender], "transfer_from", &(people[owner], people[to], amount))
                }
                Step::Mint { to, amount } => world.call(people[0], "mint", &(people[to], amount)),
                Step::Burn { from, amount } => world.call(people[from], "burn", &(amount,)),
            };
            prop_assert_eq!(done.is_ok(), books.take(step), "{:?}: {:?}", step, done);
            for (person, balance) in people.into_iter().zip(books.balances) {
                prop_assert_eq!(world.balance(person).0, balance);
            }
            let supply = world.chain.at(world.token).view::<u128, _>("total_supply", &()).unwrap().value;
            prop_assert_eq!(supply, books.balances.iter().sum::<u128>());
        }
    }
}
