//! A market for inference: customers pay for what a model says about an input, providers compute it off chain and answer for
//! it with a stake, and whoever doubts an answer has the chain compute it.
//!
//! ```text
//!  post (price) --> commit (stake) .. reveal --> the window --> settle: price and stake to the provider
//!      |              one block later    |
//!      |                                 +--> challenge (bond): the VM runs the model
//!      |                                          the same answer: bond to the provider, who is paid at once
//!      |                                          another one:     stake to challenger and customer, price back
//!      +--> refund, after the deadline, where nobody has answered
//! ```
//!
//! An inference has one right answer, bit for bit, so that a challenge needs no jury: the contract is the judge. It costs the
//! price of one run, and only where somebody doubts.
//!
//! The first answer that is revealed is the one that is paid. It must have been committed to, with its provider's address in the
//! seal, in an earlier block: whoever reads an answer in a pending transaction is too late to commit to it. A commitment reserves
//! nothing, so that nobody can keep others from answering.
//!
//! Nobody's absence locks money: `settle` and `refund` are for everybody, and a commitment that came to nothing is withdrawn
//! whenever its provider likes. Whoever makes the contract keep something pays the deposit for it ([`Purse`]).
#![no_std]
#![forbid(unsafe_code)]

mod judge;

use noema_sdk::{self as noema, prelude::*};

/// Why the market refuses.
#[noema::error]
pub enum MarketError {
    /// there is no such job
    NoJob,
    /// one run of the model costs more gas than a challenge may
    TooDear,
    /// the deadline is over, or not in the future
    TooLate,
    /// the time for this has not come
    TooEarly,
    /// the job has been answered
    Answered,
    /// nobody has answered the job
    NotAnswered,
    /// there is a commitment already, or none
    Commitment,
    /// the commitment is to something else
    WrongSeal,
    /// the window for challenges is over
    Final,
    /// the node cannot judge here and now: the model is gone, or there is too little gas or memory
    CannotJudge,
    /// stake and bond must be more than nothing
    BadTerms,
}

/// What the market asks for.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What a provider puts behind an answer.
    pub stake: Amount,
    /// What a challenger puts behind a doubt.
    pub bond: Amount,
    /// How long an answer can be challenged, in milliseconds.
    pub window_ms: u64,
    /// Most gas that a run may cost: less than a transaction has.
    pub max_gas: u64,
}

/// Something to be computed.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Who pays.
    pub customer: Address,
    /// Which model.
    pub model: Hash,
    /// Which of its outputs is asked for: one of 32-bit integers.
    pub output: u32,
    /// One row for it, in its fixed point.
    pub input: Vec<i32>,
    /// What an answer is worth.
    pub price: Amount,
    /// Until when it has to be revealed, in milliseconds since 1970.
    pub deadline_ms: u64,
}

/// An answer that somebody stands for.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who.
    pub provider: Address,
    /// What the model is said to say.
    pub values: Vec<i32>,
    /// Until when it can be challenged.
    pub final_ms: u64,
}

/// What a judgement found.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is what the model says.
    True,
    /// It is not.
    Lie,
}

/// A promise to reveal an answer.
#[noema::data]
struct Commitment {
    seal: Hash,
    height: u64,
}

/// A job was posted.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its number.
    pub job: u64,
    /// What an answer is worth.
    pub price: Amount,
}

/// An answer was judged, or nobody has doubted it in time.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The job.
    pub job: u64,
    /// Who answered.
    pub provider: Address,
    /// The judgement; none where nobody asked for one.
    pub verdict: Option<Verdict>,
    /// What the model really says, where the chain had to compute it and could.
    pub truth: Option<Vec<i32>>,
}

/// The market.
#[noema::state]
pub struct Market {
    terms: Terms,
    next: u64,
}

const JOBS: Map<u64, Job> = Map::new("jobs");
const ANSWERS: Map<u64, Answer> = Map::new("answers");
const COMMITMENTS: Map<(u64, Address), Commitment> = Map::new("commitments");

#[noema::contract(events(Posted, Closed), errors(MarketError))]
impl Market {
    #[init]
    fn new(terms: Terms) -> Result<Self> {
        ensure!(!terms.stake.is_zero() && !terms.bond.is_zero(), MarketError::BadTerms);
        Ok(Market { terms, next: 0 })
    }

    /// Posts a job and pays its price into escrow; returns its number. What is sent beyond price and deposit comes back.
    #[call(payable)]
    fn post(&mut self, model: Hash, output: u32, input: Vec<i32>, price: Amount, deadline_ms: u64) -> Result<u64> {
        ensure!(deadline_ms > env::block_time_ms(), MarketError::TooLate);
        // What cannot be judged must not be sold.
        ensure!(Model::open(&model)?.cost(1)? <= self.terms.max_gas, MarketError::TooDear);
        let purse = Purse::open();
        let (job, customer) = (self.next, env::caller());
        self.next += 1;
        JOBS.set(&job, &Job { customer, model, output, input, price, deadline_ms })?;
        event::emit(&Posted { job, price })?;
        purse.close(price)?;
        Ok(job)
    }

    /// Promises an answer, sealed, with the stake behind it.
    #[call(payable)]
    fn commit(&self, job: u64, seal: Hash) -> Result<()> {
        let provider = env::caller();
        ensure!(env::block_time_ms() <= the_job(job)?.deadline_ms, MarketError::TooLate);
        ensure!(!ANSWERS.contains(&job)?, MarketError::Answered);
        ensure!(!COMMITMENTS.contains(&(job, provider))?, MarketError::Commitment);
        let purse = Purse::open();
        COMMITMENTS.set(&(job, provider), &Commitment { seal, height: env::block_height() })?;
        purse.close(self.terms.stake)
    }

    /// Reveals the promised answer. The first one counts.
    #[call(payable)]
    fn reveal(&self, job: u64, values: Vec<i32>, salt: Hash) -> Result<()> {
        let (now, provider) = (env::block_time_ms(), env::caller());
        ensure!(now <= the_job(job)?.deadline_ms, MarketError::TooLate);
        ensure!(!ANSWERS.contains(&job)?, MarketError::Answered);
        let promise = COMMITMENTS.get(&(job, provider))?.ok_or(MarketError::Commitment)?;
        // In one block the copy of an answer could still come before it.
        ensure!(env::block_height() > promise.height, MarketError::TooEarly);
        ensure!(seal_of(job, provider, &values, salt) == promise.seal, MarketError::WrongSeal);
        let purse = Purse::open();
        COMMITMENTS.remove(&(job, provider))?;
        ANSWERS.set(&job, &Answer { provider, values, final_ms: now + self.terms.window_ms })?;
        purse.close(Amount::ZERO)
    }

    /// Has the chain compute the job. Of the stake behind a lie the challenger gets half, the customer the rest; the bond
    /// behind a false doubt is the provider's.
    #[call(payable)]
    fn challenge(&self, job: u64) -> Result<Verdict> {
        let Terms { stake, bond, .. } = self.terms;
        let (posted, answer) = (the_job(job)?, the_answer(job)?);
        ensure!(env::block_time_ms() < answer.final_ms, MarketError::Final);
        Purse::open().close(bond)?;
        let truth = judge::run(&posted)?;
        if truth.as_ref() == Some(&answer.values) {
            close(job, &posted, &answer, posted.price + stake + bond, Amount::ZERO)?;
            tell(job, answer.provider, Some(Verdict::True), None)?;
            return Ok(Verdict::True);
        }
        // Half is enough to be worth the gas. More would let a liar who is found out challenge himself and keep it.
        let reward = Amount(stake.0 / 2);
        call::transfer(&env::caller(), (reward + bond).0)?;
        close(job, &posted, &answer, Amount::ZERO, posted.price + (stake - reward))?;
        tell(job, answer.provider, Some(Verdict::Lie), truth)?;
        Ok(Verdict::Lie)
    }

    /// Pays for an answer that nobody has doubted in time. Anybody may call it.
    #[call]
    fn settle(&self, job: u64) -> Result<()> {
        let (posted, answer) = (the_job(job)?, the_answer(job)?);
        ensure!(env::block_time_ms() >= answer.final_ms, MarketError::TooEarly);
        close(job, &posted, &answer, posted.price + self.terms.stake, Amount::ZERO)?;
        tell(job, answer.provider, None, None)
    }

    /// Gives the price of a job that nobody has answered in time back to its customer. Anybody may call it.
    #[call]
    fn refund(&self, job: u64) -> Result<()> {
        let posted = the_job(job)?;
        ensure!(!ANSWERS.contains(&job)?, MarketError::Answered);
        ensure!(env::block_time_ms() > posted.deadline_ms, MarketError::TooEarly);
        let purse = Purse::open();
        JOBS.remove(&job)?;
        Ok(call::transfer(&posted.customer, (posted.price + purse.freed()).0)?)
    }

    /// Takes back the stake behind a promise that was not kept, whatever has become of the job.
    #[call]
    fn withdraw(&self, job: u64) -> Result<()> {
        let provider = env::caller();
        let purse = Purse::open();
        ensure!(COMMITMENTS.remove(&(job, provider))?, MarketError::Commitment);
        Ok(call::transfer(&provider, (self.terms.stake + purse.freed()).0)?)
    }

    #[view]
    fn terms(&self) -> Terms {
        self.terms
    }

    #[view]
    fn job(job: u64) -> Result<Option<Job>> {
        JOBS.get(&job)
    }

    #[view]
    fn answer(job: u64) -> Result<Option<Answer>> {
        ANSWERS.get(&job)
    }

    /// What a provider commits to: a hash of the market, the job, the provider, the answer and a salt that nobody can guess.
    #[view]
    fn seal(job: u64, provider: Address, values: Vec<i32>, salt: Hash) -> Hash {
        seal_of(job, provider, &values, salt)
    }
}

fn the_job(job: u64) -> Result<Job> {
    Ok(JOBS.get(&job)?.ok_or(MarketError::NoJob)?)
}

fn the_answer(job: u64) -> Result<Answer> {
    Ok(ANSWERS.get(&job)?.ok_or(MarketError::NotAnswered)?)
}

/// Market, job and provider are part of it, so that nobody can use somebody else's, or one of another job, as their own.
fn seal_of(job: u64, provider: Address, values: &[i32], salt: Hash) -> Hash {
    crypto::sha256(&noema::encoding::encode(&(env::self_address(), job, provider, values.to_vec(), salt)))
}

/// Forgets a job. Each gets what they are owed, and the deposit that they made.
fn close(job: u64, posted: &Job, answer: &Answer, to_provider: Amount, to_customer: Amount) -> Result<()> {
    let purse = Purse::open();
    JOBS.remove(&job)?;
    let to_customer = to_customer + purse.freed();
    let purse = Purse::open();
    ANSWERS.remove(&job)?;
    call::transfer(&posted.customer, to_customer.0)?;
    Ok(call::transfer(&answer.provider, (to_provider + purse.freed()).0)?)
}

fn tell(job: u64, provider: Address, verdict: Option<Verdict>, truth: Option<Vec<i32>>) -> Result<()> {
    event::emit(&Closed { job, provider, verdict, truth })
}
