//! A bounty for accuracy: whoever sends the model that is right most often on a test set that nobody has seen gets the most.
//!
//! ```text
//!  enter (a seal)  |  unseal (the model)  |  reveal (the test set)  |  score, chunk by chunk  |  pay
//!   submit_until       models_until           test_until                score_until
//! ```
//!
//! The sponsor commits to the test set, chunk by chunk, before anybody enters, and shows it only when every model is known:
//! neither can be fitted to the other. A public validation set is committed to as well, so that everybody is measured on the same
//! rows. A model that does much better on the public rows than on the hidden ones has learnt them by heart, and is not ranked.
//!
//! A submission is sealed with its sender's address before any model is on the chain: a copy of a model that is seen there has no
//! seal. Of two seals of one model the earlier one counts.
//!
//! Every score is computed by this contract. Anybody may call for anybody's: the sponsor cannot leave somebody out. The ranking
//! is kept as scores come in, so that paying costs the same however many have entered.
//!
//! Once a model has been unsealed, the sponsor gets nothing back: what nobody wins, and all of it where the test set is not shown,
//! goes to an heir that was named in the beginning. There is nothing to gain from hiding a test set, or from one that no model can pass.
#![no_std]
#![forbid(unsafe_code)]

mod score;
mod terms;

use noema_sdk::{self as noema, prelude::*};

pub use score::Part;
pub use terms::{Chunk, Terms};

/// Why the bounty refuses.
#[noema::error]
pub enum BountyError {
    /// the terms cannot be met: times out of order, no chunks or too many, shares above the whole
    BadTerms,
    /// the time for this is over
    TooLate,
    /// the time for this has not come
    TooEarly,
    /// there is a submission of this account already, or none
    Submission,
    /// the seal is of something else
    WrongSeal,
    /// somebody else has sealed this model before
    Copied,
    /// scoring the model costs more gas than the terms allow
    TooDear,
    /// the chunk is not the one that was committed to
    WrongChunk,
    /// the chunk has been shown, or scored, already
    Again,
    /// the test set has not been shown
    Hidden,
    /// the node cannot score here and now: the model is gone, or there is too little gas or memory
    CannotScore,
    /// the bounty has been paid
    Paid,
}

/// Whoever wants to win.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// How many entered before.
    pub order: u32,
    /// What was sealed.
    pub seal: Hash,
    /// The model; none before it is unsealed.
    pub model: Option<Hash>,
    /// What it has been scored on so far.
    pub scores: score::Scores,
}

/// A place in the ranking. One that nobody has yet is the zero address's.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose.
    pub submitter: Address,
    /// Hidden rows that the model got right.
    pub right: u32,
    /// How many entered before: of equals the earlier is first.
    pub order: u32,
}

/// A model is known.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// Whose.
    pub submitter: Address,
    /// Which.
    pub model: Hash,
}

/// A submission has been scored on everything.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// Whose.
    pub submitter: Address,
    /// What was counted.
    pub scores: score::Scores,
    /// Whether it may be ranked: right often enough, and no worse on the hidden rows than the terms allow.
    pub ranked: bool,
}

/// Somebody was paid.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Won {
    /// Who.
    pub to: Address,
    /// How much.
    pub amount: Amount,
    /// The place, from 1; 0 for what nobody won.
    pub place: u32,
}

/// The bounty. Its length never changes, so that nobody has to pay for it.
#[noema::state]
pub struct Bounty {
    sponsor: Address,
    terms: Terms,
    pot: Amount,
    entered: u32,
    unsealed: u32,
    /// A bit for each chunk of the test set that has been shown.
    shown: u64,
    podium: Vec<Place>,
    paid: bool,
}

const SUBMISSIONS: Map<Address, Submission> = Map::new("submissions");
/// Who submits which model.
const MODELS: Map<Hash, Address> = Map::new("models");
const NOBODY: Address = Address([0; 32]);

#[noema::contract(events(Unsealed, Scored, Won), errors(BountyError))]
impl Bounty {
    #[init]
    fn new(terms: Terms) -> Result<Self> {
        ensure!(terms.make_sense(env::block_time_ms()), BountyError::BadTerms);
        let nobody = Place { submitter: NOBODY, right: 0, order: u32::MAX };
        let podium = vec![nobody; terms.shares.len()];
        let sponsor = env::caller();
        Ok(Bounty { sponsor, terms, pot: Amount::ZERO, entered: 0, unsealed: 0, shown: 0, podium, paid: false })
    }

    /// Adds the value to the pot. Anybody may; where nobody takes part, the pot is the sponsor's.
    #[call(payable)]
    fn fund(&mut self) -> Result<()> {
        ensure!(env::block_time_ms() <= self.terms.submit_until, BountyError::TooLate);
        self.pot += Amount(env::value());
        Ok(())
    }

    /// Enters with a sealed model. Takes the deposit for the entry, which [`Bounty::leave`] gives back.
    #[call(payable)]
    fn enter(&mut self, seal: Hash) -> Result<()> {
        ensure!(env::block_time_ms() <= self.terms.submit_until, BountyError::TooLate);
        let submitter = env::caller();
        ensure!(!SUBMISSIONS.contains(&submitter)?, BountyError::Submission);
        let purse = Purse::open();
        let submission = Submission { order: self.entered, seal, model: None, scores: score::Scores::default() };
        SUBMISSIONS.set(&submitter, &submission)?;
        self.entered += 1;
        purse.close(Amount::ZERO)
    }

    /// Says which model it was. The chain must have it by then, and no sooner than the last seal is in.
    #[call(payable)]
    fn unseal(&mut self, model: Hash, salt: Hash) -> Result<()> {
        self.terms.between(self.terms.submit_until, self.terms.models_until)?;
        let submitter = env::caller();
        let mut submission = the_submission(&submitter)?;
        ensure!(submission.model.is_none(), BountyError::Again);
        ensure!(seal_of(submitter, model, salt) == submission.seal, BountyError::WrongSeal);
        ensure!(Model::open(&model)?.cost(self.terms.chunk_rows)? <= self.terms.max_gas, BountyError::TooDear);
        let purse = Purse::open();
        match MODELS.get(&model)? {
            None => self.unsealed += 1,
            Some(other) => {
                let mut copy = the_submission(&other)?;
                ensure!(submission.order < copy.order, BountyError::Copied);
                copy.model = None;
                SUBMISSIONS.set(&other, &copy)?;
            }
        }
        MODELS.set(&model, &submitter)?;
        submission.model = Some(model);
        SUBMISSIONS.set(&submitter, &submission)?;
        event::emit(&Unsealed { submitter, model })?;
        purse.close(Amount::ZERO)
    }

    /// Shows a chunk of the test set. Usually the sponsor does; anybody who knows it may.
    #[call]
    fn reveal(&mut self, index: u32, chunk: Chunk) -> Result<()> {
        self.terms.between(self.terms.models_until, self.terms.test_until)?;
        ensure!(self.terms.has(Part::Test, index, &chunk), BountyError::WrongChunk);
        ensure!(self.shown >> index & 1 == 0, BountyError::Again);
        self.shown |= 1 << index;
        Ok(())
    }

    /// Runs a submitted model on a chunk, and counts what it gets right. Anybody may call it.
    #[call]
    fn score(&mut self, submitter: Address, part: Part, index: u32, chunk: Chunk) -> Result<u32> {
        let from = if part == Part::Test { self.terms.test_until } else { self.terms.models_until };
        self.terms.between(from, self.terms.score_until)?;
        ensure!(part == Part::Validation || self.is_shown(), BountyError::Hidden);
        ensure!(self.terms.has(part, index, &chunk), BountyError::WrongChunk);
        let mut submission = the_submission(&submitter)?;
        let model = submission.model.ok_or(BountyError::Submission)?;
        ensure!(!submission.scores.counted(part, index), BountyError::Again);
        let right = score::right(&model, &self.terms, &chunk)?;
        submission.scores.count(part, index, right, chunk.labels.len());
        SUBMISSIONS.set(&submitter, &submission)?;
        if submission.scores.complete(&self.terms) {
            self.rank(submitter, &submission)?;
        }
        Ok(right)
    }

    /// Pays the places by their shares, and the rest to the heir. Anybody may call it, once.
    #[call]
    fn pay(&mut self) -> Result<()> {
        ensure!(env::block_time_ms() > self.terms.score_until, BountyError::TooEarly);
        ensure!(!self.paid, BountyError::Paid);
        self.paid = true;
        let mut rest = self.pot;
        for (place, (share, at)) in (1..).zip(self.terms.shares.iter().zip(&self.podium)) {
            if at.submitter != NOBODY {
                let amount = self.pot.share(u128::from(*share), 1000, math::Rounding::Down).unwrap_or_default();
                rest -= amount;
                pay(at.submitter, amount, place)?;
            }
        }
        pay(if self.unsealed == 0 { self.sponsor } else { self.terms.heir }, rest, 0)
    }

    /// Takes back the deposit of a submission: after the bounty has been paid, or before the seals are in.
    #[call]
    fn leave(&mut self) -> Result<()> {
        ensure!(self.paid || env::block_time_ms() <= self.terms.submit_until, BountyError::TooEarly);
        let submitter = env::caller();
        let purse = Purse::open();
        if let Some(model) = the_submission(&submitter)?.model {
            MODELS.remove(&model)?;
        }
        SUBMISSIONS.remove(&submitter)?;
        Ok(call::transfer(&submitter, purse.freed().0)?)
    }

    #[view]
    fn terms(&self) -> Terms {
        self.terms.clone()
    }

    #[view]
    fn pot(&self) -> Amount {
        self.pot
    }

    /// The ranking so far, the best first.
    #[view]
    fn podium(&self) -> Vec<Place> {
        self.podium.iter().copied().filter(|place| place.submitter != NOBODY).collect()
    }

    #[view]
    fn submission(submitter: Address) -> Result<Option<Submission>> {
        SUBMISSIONS.get(&submitter)
    }

    /// What a submitter enters with: a hash of bounty, submitter, model and a salt that nobody can guess.
    #[view]
    fn seal(submitter: Address, model: Hash, salt: Hash) -> Hash {
        seal_of(submitter, model, salt)
    }

    /// What a sponsor commits to for a chunk.
    #[view]
    fn chunk_hash(part: Part, index: u32, chunk: Chunk) -> Hash {
        chunk.hash(part, index)
    }
}

impl Bounty {
    /// Whether the whole test set has been shown: a part would let the sponsor choose.
    fn is_shown(&self) -> bool {
        self.shown.count_ones() as usize == self.terms.test.len()
    }

    /// Gives a submission its place. The podium stays as long as it is: who falls off it is forgotten.
    fn rank(&mut self, submitter: Address, submission: &Submission) -> Result<()> {
        let (scores, order) = (submission.scores, submission.order);
        let ranked = scores.may_be_ranked(&self.terms);
        event::emit(&Scored { submitter, scores, ranked })?;
        if ranked {
            let place = Place { submitter, right: scores.test.right, order };
            let better = |other: &Place| (other.right, place.order) > (place.right, other.order);
            let at = self.podium.iter().take_while(|other| other.submitter != NOBODY && better(other)).count();
            self.podium.insert(at, place);
            self.podium.pop();
        }
        Ok(())
    }
}

fn the_submission(submitter: &Address) -> Result<Submission> {
    Ok(SUBMISSIONS.get(submitter)?.ok_or(BountyError::Submission)?)
}

fn seal_of(submitter: Address, model: Hash, salt: Hash) -> Hash {
    crypto::sha256(&noema::encoding::encode(&(env::self_address(), submitter, model, salt)))
}

fn pay(to: Address, amount: Amount, place: u32) -> Result<()> {
    if amount.is_zero() {
        return Ok(());
    }
    call::transfer(&to, amount.0)?;
    event::emit(&Won { to, amount, place })
}
