//! Whatever anybody does, in whatever order: no token is made but by the issuer, and none is lost.

use std::collections::BTreeMap;

use fraud_screening::holds::End;
use fraud_screening::{Outcome, Rules};
use noema_sdk::Amount;
use proptest::prelude::*;

use crate::world::{DAY_MS, HOUR_MS, RULES, World};

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

#[derive(Clone, Debug)]
enum Step {
    Issue { to: usize, amount: u128 },
    Transfer { from: usize, to: usize, amount: u128 },
    Cancel { from: usize, id: u64 },
    Appeal { by: usize, from: usize, id: u64 },
    Review { by: usize, from: usize, id: u64, release: bool },
    Sweep { from: usize },
    Wait { hours: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let amount = || prop_oneof![4 => 0u128..400_000, 1 => Just(u128::MAX)];
    prop_oneof![
        2 => (0usize..4, 0u128..500_000).prop_map(|(to, amount)| Step::Issue { to, amount }),
        6 => (0usize..4, 0usize..4, amount()).prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
        1 => (0usize..4, 0u64..4).prop_map(|(from, id)| Step::Cancel { from, id }),
        2 => (0usize..4, 0usize..4, 0u64..4).prop_map(|(by, from, id)| Step::Appeal { by, from, id }),
        4 => (0usize..3, 0usize..4, 0u64..4, any::<bool>()).prop_map(|(by, from, id, release)| Step::Review {
            by,
            from,
            id,
            release
        }),
        1 => (0usize..4).prop_map(|from| Step::Sweep { from }),
        2 => (1u64..40).prop_map(|hours| Step::Wait { hours }),
    ]
}

/// Books as a person would keep them. Whether a transfer is held is the models' business; everything after that is here.
#[derive(Default)]
struct Books {
    balances: [u128; 4],
    holds: BTreeMap<u64, Held>,
}

struct Held {
    from: usize,
    to: usize,
    amount: u128,
    until: u64,
    appealed: bool,
    /// Who is against, and who for letting it through.
    votes: [Vec<usize>; 2],
}

impl Books {
    fn expire(&mut self, now: u64) {
        let over: Vec<u64> = self.holds.iter().filter(|(_, hold)| hold.until <= now).map(|(id, _)| *id).collect();
        for id in over {
            let Held { from, amount, .. } = self.holds.remove(&id).unwrap();
            self.balances[from] += amount;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_conserved(steps in prop::collection::vec(step(), 1..40)) {
        // A low threshold, so that much is held.
        let mut world = World::new(Rules { hold_from: 1 << 10, hold_ms: DAY_MS, ..RULES });
        let mut books = Books::default();
        let mut issued = 0;
        for step in &steps {
            books.expire(world.chain.time_ms());
            match *step {
                Step::Issue { to, amount } => {
                    world.issue(PEOPLE[to], amount);
                    books.balances[to] += amount;
                    issued += amount;
                }
                Step::Transfer { from, to, amount } => {
                    let allowed = from != to && amount > 0 && amount <= books.balances[from];
                    let done = world.try_pay(PEOPLE[from], PEOPLE[to], amount).map(|done| done.value);
                    prop_assert_eq!(done.is_ok(), allowed, "{:?}: {:?}", step, done);
                    match done {
                        Ok(Outcome::Settled) => {
                            books.balances[from] -= amount;
                            books.balances[to] += amount;
                        }
                        Ok(Outcome::Held(id)) => {
                            books.balances[from] -= amount;
                            let until = world.chain.time_ms() + DAY_MS;
                            let votes = Default::default();
                            books.holds.insert(id, Held { from, to, amount, until, appealed: false, votes });
                        }
                        Err(_) => {}
                    }
                }
                Step::Cancel { from, id } => {
                    // A hold that is over and not swept yet can still be taken back: it is the sender's either way.
                    let done = world.call::<()>(PEOPLE[from], "cancel", &(id,));
                    if let Some(amount) = books.holds.get(&id).filter(|hold| hold.from == from).map(|hold| hold.amount) {
                        prop_assert!(done.is_ok());
                        books.holds.remove(&id);
                        books.balances[from] += amount;
                    }
                }
                Step::Appeal { by, from, id } => {
                    let sender = world.who(PEOPLE[from]);
                    let done = world.call::<()>(PEOPLE[by], "appeal", &(sender, id, "please"));
                    let hold = books.holds.get_mut(&id).filter(|hold| hold.from == from && !hold.appealed);
                    let hold = hold.filter(|hold| by == hold.from || by == hold.to);
                    prop_assert_eq!(done.is_ok(), hold.is_some(), "{:?}: {:?}", step, done);
                    if let Some(hold) = hold {
                        hold.appealed = true;
                    }
                }
                Step::Review { by, from, id, release } => {
                    let sender = world.who(PEOPLE[from]);
                    let done = world.call::<Option<End>>(["rita", "rob", "ron"][by], "review", &(sender, id, release));
                    let hold = books.holds.get_mut(&id).filter(|hold| hold.from == from && hold.appealed);
                    let hold = hold.filter(|hold| !hold.votes.iter().flatten().any(|other| *other == by));
                    prop_assert_eq!(done.is_ok(), hold.is_some(), "{:?}: {:?}", step, done);
                    if let Some(hold) = hold {
                        hold.votes[usize::from(release)].push(by);
                        if hold.votes[usize::from(release)].len() == 2 {
                            let Held { from, to, amount, .. } = books.holds.remove(&id).unwrap();
                            books.balances[if release { to } else { from }] += amount;
                        }
                    }
                }
                Step::Sweep { from } => {
                    let sender = world.who(PEOPLE[from]);
                    world.call::<()>("passer-by", "sweep", &(sender,)).unwrap();
                }
                Step::Wait { hours } => world.chain.advance(hours, hours * HOUR_MS),
            }
            books.expire(world.chain.time_ms());
            for (name, balance) in PEOPLE.into_iter().zip(books.balances) {
                prop_assert_eq!(world.balance(name), balance, "{} after {:?}", name, step);
            }
            let held: u128 = PEOPLE.iter().flat_map(|name| world.holds(name)).map(|(_, hold)| hold.amount.0).sum();
            prop_assert_eq!(books.balances.iter().sum::<u128>() + held, issued);
            prop_assert_eq!(world.view::<Amount>("total_supply", &()).0, issued);
        }
    }
}
