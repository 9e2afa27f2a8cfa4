//! The compiled contract on the VM, with a policy of one layer in the place of the real one.

use noema_sdk::{Address, Amount, code};
use noema_template_agent::{AgentError, DAY_MS, Limits, Paid, Service};
use noema_testing::{Failure, TestChain, build, linear_classifier};

/// Waits at 0, pays the first service for the first number and the second for the second.
const POLICY: [&[i8]; 3] = [&[0, 0, 0, 0], &[1, 0, 0, 0], &[0, 1, 0, 0]];
const WAIT: [i32; 4] = [0; 4];
const FIRST: [i32; 4] = [1, 0, 0, 0];
const SECOND: [i32; 4] = [0, 1, 0, 0];

struct World {
    chain: TestChain,
    agent: Address,
    owner: Address,
    operator: Address,
    payees: [Address; 2],
}

fn world() -> World {
    let mut chain = TestChain::new();
    let [owner, operator] = ["owner", "operator"].map(|name| chain.account(name, 1_000));
    let payees = ["first", "second"].map(|name| chain.account(name, 0));
    let policy = chain.add_model(&linear_classifier(&POLICY, &[0, 0, 0])).unwrap();
    let services = [(payees[0], 10), (payees[1], 40)].map(|(payee, price)| Service { payee, price: Amount(price) });
    let limits = Limits { payment: Amount(40), day: Amount(60) };
    let agent = chain.deploy(owner, &build(".").unwrap(), &(policy, services, limits)).unwrap().value;
    chain.at(agent).from(owner).value(100).call::<(), _>("fund", &()).unwrap();
    chain.at(agent).from(owner).call::<bool, _>("set_operator", &(operator, true)).unwrap();
    World { chain, agent, owner, operator, payees }
}

impl World {
    fn act(&mut self, observation: [i32; 4]) -> Result<Option<Address>, Failure> {
        let done = self.chain.at(self.agent).from(self.operator).call::<Option<Address>, _>("act", &(observation,))?;
        let paid: Vec<Paid> = done.events();
        assert_eq!(paid.first().map(|paid| paid.payee), done.value);
        Ok(done.value)
    }
    fn paid(&self) -> [u128; 2] {
        self.payees.map(|payee| self.chain.balance(payee))
    }
}

fn refused(result: Result<Option<Address>, Failure>, code: u32) {
    assert_eq!(result.unwrap_err().code(), Some(code));
}

#[test]
fn it_pays_what_the_policy_says() {
    let mut world = world();
    assert_eq!(world.act(WAIT).unwrap(), None);
    assert_eq!(world.act(FIRST).unwrap(), Some(world.payees[0]));
    assert_eq!(world.act(SECOND).unwrap(), Some(world.payees[1]));
    assert_eq!((world.paid(), world.chain.balance(world.agent)), ([10, 40], 50));
}

#[test]
fn no_policy_spends_more_than_the_owner_allows() {
    let mut world = world();
    world.act(SECOND).unwrap();
    world.act(FIRST).unwrap();
    world.act(FIRST).unwrap();
    // 60 are spent: the budget of this day.
    refused(world.act(FIRST), AgentError::OverBudget.code());
    assert_eq!(world.paid(), [20, 40]);
    world.chain.advance(1, DAY_MS);
    // 40 are left in the wallet.
    world.act(SECOND).unwrap();
    refused(world.act(FIRST), AgentError::TooLittleMoney.code());
    let limits = Limits { payment: Amount(5), day: Amount(60) };
    world.chain.at(world.agent).from(world.owner).call::<(), _>("set_limits", &(limits,)).unwrap();
    refused(world.act(FIRST), AgentError::TooDear.code());
    assert_eq!(world.paid(), [20, 80]);
}

#[test]
fn the_owner_stops_it_and_takes_the_money() {
    let mut world = world();
    let (agent, owner, operator) = (world.agent, world.owner, world.operator);
    for (method, args) in [("set_paused", vec![1u8]), ("withdraw", 1u128.to_le_bytes().to_vec())] {
        let input = [&u32::try_from(method.len()).unwrap().to_le_bytes()[..], method.as_bytes(), &args].concat();
        let stolen = world.chain.at(agent).from(operator).call_raw(input).unwrap_err();
        assert_eq!(stolen.code(), Some(code::NOT_OWNER), "{method}");
    }
    world.chain.at(agent).from(owner).call::<(), _>("set_paused", &(true,)).unwrap();
    refused(world.act(FIRST), code::PAUSED);
    world.chain.at(agent).from(owner).call::<(), _>("set_paused", &(false,)).unwrap();
    world.chain.at(agent).from(owner).call::<bool, _>("set_operator", &(operator, false)).unwrap();
    refused(world.act(FIRST), code::MISSING_ROLE);
    world.chain.at(agent).from(owner).call::<(), _>("withdraw", &(Amount(100),)).unwrap();
    assert_eq!((world.chain.balance(agent), world.paid()), (0, [0, 0]));
}
