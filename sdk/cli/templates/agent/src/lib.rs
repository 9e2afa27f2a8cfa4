//! An agent with a wallet: a policy network looks at what its operator has observed and decides which of a few services to pay,
//! or none, out of the contract's own money.
//!
//! Its owner says how much one payment and all payments of a day may be, and can stop it at any time. Whatever the network says,
//! and whoever feeds it, no more than that leaves the wallet, and only to the services that the owner has named.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// Numbers of an observation.
pub const FEATURES: usize = 4;
/// What the network can choose: to wait, or one of two services.
pub const ACTIONS: usize = 3;
/// A day, in milliseconds.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

type Policy = StaticModel<([[i32; FEATURES]; 1],), ([[i32; ACTIONS]; 1], [i32; 1])>;

/// Why the agent does not act.
#[noema::error]
pub enum AgentError {
    /// The network wants to spend more than its owner allows for a day.
    OverBudget,
    /// The wallet does not have what the service costs.
    TooLittleMoney,
    /// A price is above what one payment may be.
    TooDear,
}

/// A service that the agent may pay.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Who is paid.
    pub payee: Address,
    /// How much at a time.
    pub price: Amount,
}

/// What the owner allows.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most of one payment.
    pub payment: Amount,
    /// Most of all payments of a day.
    pub day: Amount,
}

/// The agent.
#[noema::state]
pub struct Agent {
    owner: Owner,
    pause: Pause,
    policy: Hash,
    services: [Service; ACTIONS - 1],
    limits: Limits,
    /// The day of the last payment, counted from 1970, and what was spent in it.
    day: u64,
    spent: Amount,
}

/// Emitted with every payment.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Who was paid.
    pub payee: Address,
    /// How much.
    pub amount: Amount,
}

const OPERATOR: Role = Role::new("operator");

#[noema::contract(events(Paid), errors(AgentError))]
impl Agent {
    #[init]
    fn new(policy: Hash, services: [Service; ACTIONS - 1], limits: Limits) -> Result<Self> {
        Model::open(&policy)?;
        ensure!(services.iter().all(|service| service.price <= limits.payment), AgentError::TooDear);
        let (owner, pause) = (Owner::caller(), Pause::default());
        Ok(Agent { owner, pause, policy, services, limits, day: 0, spent: Amount::ZERO })
    }

    /// Puts money into the wallet.
    #[call(payable)]
    fn fund() {}

    /// Lets somebody report observations, or no longer. Only the owner.
    #[call]
    fn set_operator(&self, who: Address, operates: bool) -> Result<bool> {
        self.owner.only()?;
        if operates { OPERATOR.grant(&who) } else { OPERATOR.revoke(&who) }
    }

    /// Shows the network an observation and does what it says; who was paid, if anybody. Only an operator.
    #[call]
    fn act(&mut self, observation: [i32; FEATURES]) -> Result<Option<Address>> {
        self.pause.only_running()?;
        OPERATOR.only()?;
        let (_, choice) = Policy::open(&self.policy)?.run(&(StaticTensor::of(&[observation])?,))?;
        let [choice] = choice.read()?;
        // The first action is to wait.
        let service = usize::try_from(choice).ok().and_then(|choice| self.services.get(choice.checked_sub(1)?));
        let Some(Service { payee, price }) = service.cloned() else { return Ok(None) };
        self.spend(price)?;
        call::transfer(&payee, price.0)?;
        event::emit(&Paid { payee, amount: price })?;
        Ok(Some(payee))
    }

    /// Stops the agent, or lets it go on. Only the owner.
    #[call]
    fn set_paused(&mut self, paused: bool) -> Result<()> {
        self.owner.only()?;
        self.pause.set(paused);
        Ok(())
    }

    /// Changes what is allowed. Only the owner.
    #[call]
    fn set_limits(&mut self, limits: Limits) -> Result<()> {
        self.owner.only()?;
        self.limits = limits;
        Ok(())
    }

    /// Takes money out. Only the owner.
    #[call]
    fn withdraw(&self, amount: Amount) -> Result<()> {
        self.owner.only()?;
        Ok(call::transfer(&env::caller(), amount.0)?)
    }

    /// What may still be spent today.
    #[view]
    fn left_today(&self) -> Amount {
        let spent = if self.day == today() { self.spent } else { Amount::ZERO };
        self.limits.day.checked_sub(spent).unwrap_or_default()
    }
}

impl Agent {
    /// Counts a payment, if it is within all limits.
    fn spend(&mut self, price: Amount) -> Result<()> {
        ensure!(price <= self.limits.payment, AgentError::TooDear);
        ensure!(price <= self.left_today(), AgentError::OverBudget);
        ensure!(price.0 <= env::free_balance(), AgentError::TooLittleMoney);
        if self.day != today() {
            (self.day, self.spent) = (today(), Amount::ZERO);
        }
        self.spent += price;
        Ok(())
    }
}

fn today() -> u64 {
    env::block_time_ms() / DAY_MS
}
