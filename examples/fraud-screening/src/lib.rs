//! A token whose transfers are scored before they settle.
//!
//! ```text
//!  transfer(to, amount) -- history of the ledger --> 13 features -- trees, network --> higher probability of fraud
//!                                                                       |
//!         below `hold_from`: settled at once        from it on: held ---+--- cancel: back to the sender
//!                                                                       +--- appeal, reviewers: released or back
//!                                                                       +--- nobody, in time: back by itself
//! ```
//!
//! The sender says where to and how much, nothing else: amounts, times, how much an account has sent in the last hour and
//! day, to how many new recipients, what it usually pays all come from what the contract has seen itself. So features cannot be
//! made up, and many small transfers add up to what the large one would have been.
//!
//! Both models are exact integer arithmetic, so that every node holds the same transfers, and anybody can recompute from the
//! event [`Scored`] why one was held. How models are replaced: [`governance`].
#![no_std]
#![forbid(unsafe_code)]

pub mod governance;
pub mod history;
pub mod holds;
pub mod scoring;

use governance::{Check, Commitment, MEMBERS, PROPOSALS, Proposal, SAMPLES, Sample};
use history::{Account, Attempt};
use holds::{End, HOLDS, Hold, MOST_HOLDS, REVIEWERS};
use noema_sdk::{self as noema, prelude::*};
use scoring::{Features, Models, Scorer, Scores};

/// Why the contract refuses.
#[noema::error]
pub enum FraudError {
    /// The rules cannot work: a quorum out of reach, no time, or a threshold that is no probability.
    BadRules,
    /// A model is missing, is no classifier of these features, or costs too much gas.
    UnfitModel,
    /// An amount of nothing, or a transfer to oneself.
    NoTransfer,
    /// The balance is smaller than what was to be moved.
    InsufficientBalance,
    /// Less gas is left than the models cost.
    TooLittleGas,
    /// Too many transfers of the sender are held.
    TooManyHolds,
    /// There is nothing with this number.
    NotThere,
    /// It is over.
    Over,
    /// Only sender and recipient may appeal.
    NotYours,
    /// There is an appeal.
    AppealedAlready,
    /// The reason of the appeal is too long.
    ReasonTooLong,
    /// Nobody has appealed.
    NoAppeal,
    /// Sender and recipient do not review their own transfer.
    OwnCase,
    /// This vote was given already, or there is none to take back.
    VotedAlready,
    /// The sample has been opened, so that models may have been made for it.
    SampleKnown,
    /// Models are not checked with the sample of who proposes them.
    OwnSample,
    /// There are not enough votes.
    NotPassed,
    /// The delay is not over.
    TooEarly,
    /// This is not the sample that was committed to.
    OtherSample,
    /// The sample has too few rows of a kind, too many rows, or unknown kinds.
    BadSample,
}

/// What was agreed on when the contract was deployed.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// From this probability of fraud on a transfer is held, of 65,536. With 65,537 everything is scored and nothing held.
    pub hold_from: i32,
    /// How long at most, in milliseconds.
    pub hold_ms: u64,
    /// Reviewers that decide an appeal when they agree.
    pub reviewer_quorum: u8,
    /// Members that it takes for new models.
    pub member_quorum: u8,
    /// How long everybody can look at new models before they become active.
    pub delay_ms: u64,
    /// How long a proposal stays open.
    pub proposal_ms: u64,
    /// New models hold at least this many of a thousand thefts of every kind in the sample,
    pub least_caught: u16,
    /// and at most this many of a thousand honest transfers.
    pub most_alarms: u16,
    /// Gas that one of the models may cost for one transfer.
    pub most_gas: u64,
}

/// The state.
#[noema::state]
pub struct Screened {
    issuer: Owner,
    rules: Rules,
    models: Models,
    supply: Amount,
    next_hold: u64,
}

/// What became of a transfer.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The recipient has it.
    Settled,
    /// It is held under this number.
    Held(u64),
}

/// A transfer was scored: everything that it takes to do it again.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// Who sends.
    pub from: Address,
    /// To whom.
    pub to: Address,
    /// How much.
    pub amount: Amount,
    /// What the models saw.
    pub features: Features,
    /// Which models.
    pub models: Models,
    /// What they said.
    pub scores: Scores,
    /// What became of it.
    pub outcome: Outcome,
}

/// A hold is over.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whose transfer it was.
    pub from: Address,
    /// Its number.
    pub id: u64,
    /// How much.
    pub amount: Amount,
    /// How it ended.
    pub end: End,
}

/// Proposed models were checked.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The proposal.
    pub proposal: u32,
    /// How they did. If they passed, they are active from now on.
    pub check: Check,
}

const BALANCES: Balances = Balances::new("balances");
const ACCOUNTS: Map<Address, Account> = Map::new("accounts");
/// What each has paid to each.
const PAID: Map<(Address, Address), Amount> = Map::new("paid");

#[noema::contract(events(Scored, Ended, Checked), errors(FraudError))]
impl Screened {
    #[init]
    fn new(rules: Rules, models: Models, members: Vec<Address>, reviewers: Vec<Address>) -> Result<Self> {
        for member in &members {
            MEMBERS.grant(member)?;
        }
        for reviewer in &reviewers {
            REVIEWERS.grant(reviewer)?;
        }
        // Counted as kept, where a name that is there twice counts once.
        let (members, reviewers) = (MEMBERS.holders().count(), REVIEWERS.holders().count());
        ensure!(governance::are_sound(&rules, members, reviewers), FraudError::BadRules);
        ensure!(Scorer::open(&models).is_fit(rules.most_gas)?, FraudError::UnfitModel);
        Ok(Screened { issuer: Owner::caller(), rules, models, supply: Amount::ZERO, next_hold: 0 })
    }

    /// Makes tokens. Only the issuer.
    #[call]
    fn issue(&mut self, to: Address, amount: Amount) -> Result<()> {
        self.issuer.only()?;
        self.supply += amount;
        credit(to, amount)
    }

    /// Moves tokens of the caller, or holds them. Who makes the ledger longer sends the deposit for it along; what is not needed
    /// comes back.
    #[call(payable)]
    fn transfer(&mut self, to: Address, amount: Amount) -> Result<Outcome> {
        let purse = Purse::open();
        let outcome = self.screen(env::caller(), to, amount)?;
        purse.close(Amount::ZERO)?;
        Ok(outcome)
    }

    /// Takes a held transfer back, and the deposit for it.
    #[call]
    fn cancel(&self, id: u64) -> Result<()> {
        let (purse, sender) = (Purse::open(), env::caller());
        let hold = HOLDS.get(&(sender, id))?.ok_or(FraudError::NotThere)?;
        HOLDS.remove(&(sender, id))?;
        give_back(sender, id, &hold, End::Cancelled)?;
        purse.close(Amount::ZERO)
    }

    /// Says why a held transfer is in order. Sender or recipient.
    #[call(payable)]
    fn appeal(&self, sender: Address, id: u64, reason: String) -> Result<()> {
        let purse = Purse::open();
        holds::appeal(sender, id, reason)?;
        purse.close(Amount::ZERO)
    }

    /// Decides an appeal, with as many reviewers as the rules ask for. Returns how it ended, if it did.
    #[call]
    fn review(&self, sender: Address, id: u64, release: bool) -> Result<Option<End>> {
        let Some((hold, end)) = holds::review(self.rules.reviewer_quorum, sender, id, release)? else {
            return Ok(None);
        };
        if end == End::Released {
            settle(sender, hold.to, hold.amount)?;
            event::emit(&Ended { from: sender, id, amount: hold.amount, end })?;
        } else {
            give_back(sender, id, &hold, end)?;
        }
        Ok(Some(end))
    }

    /// Books what came back by itself. Anybody may, nobody has to: the next transfer of the sender does it as well.
    #[call]
    fn sweep(sender: Address) -> Result<()> {
        sweep_expired(sender)
    }

    /// Commits to a sample by its hash. Only members.
    #[call]
    fn commit_sample(hash: Hash) -> Result<u32> {
        governance::commit(hash)
    }

    /// Proposes models, to be checked with a sample of another member. Only members.
    #[call]
    fn propose(models: Models, sample: u32) -> Result<u32> {
        governance::propose(models, sample)
    }

    /// Votes for a proposal, or takes the vote back. Only members.
    #[call]
    fn vote(&self, proposal: u32, yes: bool) -> Result<()> {
        governance::vote(&self.rules, proposal, yes)
    }

    /// Opens the sample, checks the models with it, and makes them the active ones if they pass. Anybody who knows the sample.
    #[call]
    fn activate(&mut self, proposal: u32, sample: Sample) -> Result<Check> {
        let (models, check) = governance::check(&self.rules, proposal, &sample)?;
        if check.passed {
            self.models = models;
        }
        event::emit(&Checked { proposal, check })?;
        Ok(check)
    }

    /// What somebody can spend, with what has come back by itself.
    #[view]
    fn balance_of(owner: Address) -> Result<Amount> {
        let expired = holds::of(owner)?.into_iter().filter(|(.., over)| *over).map(|(_, hold, _)| hold.amount).sum();
        Ok(BALANCES.of(&owner)? + expired)
    }

    /// What is held of somebody, by number.
    #[view]
    fn holds_of(sender: Address) -> Result<Vec<(u64, Hold)>> {
        let held = holds::of(sender)?.into_iter().filter(|(.., over)| !over);
        Ok(held.map(|(id, hold, _)| (id, hold)).collect())
    }

    #[view]
    fn account(owner: Address) -> Result<Option<Account>> {
        ACCOUNTS.get(&owner)
    }

    #[view]
    fn models(&self) -> Models {
        self.models
    }

    #[view]
    fn rules(&self) -> Rules {
        self.rules
    }

    #[view]
    fn total_supply(&self) -> Amount {
        self.supply
    }

    #[view]
    fn proposal(id: u32) -> Result<Option<Proposal>> {
        PROPOSALS.get(id)
    }

    /// What to commit to for a sample. Ask it of your own node: views are no transactions, and nobody else sees them.
    #[view]
    fn commitment(sample: Sample) -> Hash {
        governance::commitment(&sample)
    }

    #[view]
    fn sample(id: u32) -> Result<Option<Commitment>> {
        SAMPLES.get(id)
    }
}

impl Screened {
    fn screen(&mut self, from: Address, to: Address, amount: Amount) -> Result<Outcome> {
        ensure!(from != to && !amount.is_zero(), FraudError::NoTransfer);
        sweep_expired(from)?;
        let balance = BALANCES.of(&from)?;
        ensure!(balance >= amount, FraudError::InsufficientBalance);
        // Who has a balance was paid once, and is known since.
        let mut account = ACCOUNTS.get(&from)?.ok_or(FraudError::NotThere)?;
        let attempt = Attempt {
            now_ms: env::block_time_ms(),
            amount,
            balance,
            paid_before: PAID.get(&(from, to))?.unwrap_or_default(),
            recipient_since_ms: ACCOUNTS.get(&to)?.map(|account| account.since_ms),
        };
        let features = account.attempt(&attempt);
        ACCOUNTS.set(&from, &account)?;

        let scores = Scorer::open(&self.models).score(&features)?;
        BALANCES.debit(&from, amount)?;
        let outcome = if scores.highest() < self.rules.hold_from {
            settle(from, to, amount)?;
            Outcome::Settled
        } else {
            Outcome::Held(self.hold(from, to, amount, scores)?)
        };
        event::emit(&Scored { from, to, amount, features, models: self.models, scores, outcome })?;
        Ok(outcome)
    }

    fn hold(&mut self, from: Address, to: Address, amount: Amount, scores: Scores) -> Result<u64> {
        ensure!(holds::of(from)?.len() < MOST_HOLDS, FraudError::TooManyHolds);
        let (id, until_ms) = (self.next_hold, env::block_time_ms() + self.rules.hold_ms);
        self.next_hold += 1;
        HOLDS.set(&(from, id), &Hold { to, amount, until_ms, scores, appeal: None, votes: Vec::new() })?;
        Ok(id)
    }
}

/// Pays what was taken from the sender before.
fn settle(from: Address, to: Address, amount: Amount) -> Result<()> {
    let mut account = ACCOUNTS.get(&from)?.ok_or(FraudError::NotThere)?;
    account.settle(amount);
    ACCOUNTS.set(&from, &account)?;
    let paid = PAID.get(&(from, to))?.unwrap_or_default();
    PAID.set(&(from, to), &(paid + amount))?;
    credit(to, amount)
}

fn credit(to: Address, amount: Amount) -> Result<()> {
    let now = env::block_time_ms();
    let mut account = ACCOUNTS.get(&to)?.unwrap_or_else(|| Account::new(now));
    account.receive(now, amount);
    ACCOUNTS.set(&to, &account)?;
    BALANCES.credit(&to, amount).map(|_| ())
}

/// What comes back was never paid: it is nothing that the account has received.
fn give_back(sender: Address, id: u64, hold: &Hold, end: End) -> Result<()> {
    BALANCES.credit(&sender, hold.amount)?;
    event::emit(&Ended { from: sender, id, amount: hold.amount, end })
}

fn sweep_expired(sender: Address) -> Result<()> {
    for (id, hold, over) in holds::of(sender)? {
        if over {
            HOLDS.remove(&(sender, id))?;
            give_back(sender, id, &hold, End::Expired)?;
        }
    }
    Ok(())
}
