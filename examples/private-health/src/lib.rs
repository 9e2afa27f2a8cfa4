//! Health records that belong to their patients, and a model that hospitals train without showing anybody what they have.
//!
//! - [`records`]: encrypted to their owner; consent for a reader and a purpose, with an end; a trail of everything.
//! - [`rounds`]: hospitals train the last layer of a model with their own patients. Each submits the difference to the common weights,
//!   clipped, in fixed point and under masks that cancel in the sum ([`masks`]). The contract learns the average and nothing
//!   else, and takes it if the model does not become worse by it on public patients.
//! - [`Health::predict`](HealthClient::predict) runs the model: a public encoder from the chain's store, and the common weights.
#![no_std]
#![forbid(unsafe_code)]

pub mod masks;
pub mod model;
pub mod records;
pub mod rounds;

use masks::Masked;
use model::{Case, Encoder, FEATURES, HIDDEN, Prediction, VALIDATION, WEIGHTS_NOW};
use noema_sdk::{self as noema, prelude::*};
use records::{KEYS, Line, Purpose, Record, Request, SealedKey};
use rounds::{Ending, ROUND, Round, SITES};

/// Weights of the common layer: one for each number of the encoder, and a bias.
pub const WEIGHTS: usize = HIDDEN + 1;

/// Why the contract refuses.
#[noema::error]
pub enum HealthError {
    /// The terms cannot work: fewer than three hospitals, no time, or a clip whose sum does not fit.
    BadTerms,
    /// The encoder is missing, or is none of these measurements.
    UnfitModel,
    /// There is no consent for this, or no longer.
    NoConsent,
    /// There is nothing with this number.
    NotThere,
    /// It was done already.
    Done,
    /// It is too long.
    TooLong,
    /// That time is over.
    Past,
    /// There is no public key to seal anything to.
    NoKey,
    /// A round is open.
    RoundOpen,
    /// This is not the round that is open.
    OtherRound,
    /// Not in this phase of the round.
    WrongPhase,
    /// The hospital has not joined the round.
    NotInRound,
    /// The stake must come with it.
    WrongStake,
    /// These are not the seeds that were promised, or not the ones that are needed.
    OtherSeed,
}

/// What was agreed on when the contract was deployed.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What a hospital puts down for a round, and loses to the others if it does not finish it.
    pub stake: Amount,
    /// How long joining, submitting and revealing take at most, each, in milliseconds.
    pub phase_ms: u64,
    /// Updates that an average has at least: three, or it would show each of two to the other.
    pub least: u8,
    /// Patients whose consent for training a hospital needs at least.
    pub patients: u16,
    /// The largest number of an update, with 16 fraction bits.
    pub clip: u32,
    /// So many more of the validation rows may be wrong after a round.
    pub tolerance: u16,
}

/// The state.
#[noema::state]
pub struct Health {
    terms: Terms,
    encoder: Encoder,
    sites: u16,
    rounds: u64,
}

/// Something happened to somebody's records.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Whose.
    pub owner: Address,
    /// What.
    pub line: Line,
}

/// A round is over.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Which.
    pub round: u64,
    /// How.
    pub ending: Ending,
    /// Who lost the stake.
    pub penalised: Vec<Address>,
}

#[noema::contract(events(Noted, Finished), errors(HealthError))]
impl Health {
    #[init]
    fn new(terms: Terms, encoder: Encoder, sites: Vec<Address>, validation: Vec<Case>) -> Result<Self> {
        for site in &sites {
            SITES.grant(site)?;
        }
        // Counted as kept, where a name that is there twice counts once.
        let sites = u16::try_from(SITES.holders().count()).unwrap_or(u16::MAX);
        let fits = u32::from(sites).checked_mul(terms.clip).is_some_and(|sum| i32::try_from(sum).is_ok());
        let sound = terms.least >= 3 && u16::from(terms.least) <= sites && terms.phase_ms > 0 && terms.clip > 0;
        ensure!(sound && fits && sites <= 32, HealthError::BadTerms);
        ensure!((1..=128).contains(&validation.len()), HealthError::BadTerms);
        model::keep(&encoder, &validation)?;
        WEIGHTS_NOW.set(&[0; WEIGHTS])?;
        Ok(Health { terms, encoder, sites, rounds: 0 })
    }

    // Records.

    /// Names the public key (X25519) to which the caller wants things sealed.
    #[call(payable)]
    fn set_key(key: Hash) -> Result<()> {
        paid(Amount::ZERO, || KEYS.set(&env::caller(), &key))
    }

    /// Adds a record: the owner, or whoever may treat them.
    #[call(payable)]
    fn add_record(owner: Address, ciphertext: Vec<u8>, key: SealedKey) -> Result<u32> {
        paid(Amount::ZERO, || records::add(owner, ciphertext, key))
    }

    /// Lets a reader ask for keys, for a purpose, until a time.
    #[call(payable)]
    fn consent(reader: Address, purpose: Purpose, until_ms: u64) -> Result<()> {
        paid(Amount::ZERO, || records::consent(reader, purpose, until_ms))
    }

    /// Takes that back.
    #[call(payable)]
    fn revoke(reader: Address, purpose: Purpose) -> Result<()> {
        paid(Amount::ZERO, || records::revoke(reader, purpose))
    }

    /// Asks for the key of a record.
    #[call(payable)]
    fn request(owner: Address, record: u32, purpose: Purpose) -> Result<u32> {
        paid(Amount::ZERO, || records::request(owner, record, purpose))
    }

    /// Gives it to who asked.
    #[call(payable)]
    fn release(request: u32, key: SealedKey) -> Result<()> {
        paid(Amount::ZERO, || records::release(request, key))
    }

    // Training.

    /// Opens the next round. Any hospital, when none is open.
    #[call(payable)]
    fn open_round(&mut self) -> Result<u64> {
        let number = self.rounds;
        paid(Amount::ZERO, || rounds::open(&self.terms, number))?;
        self.rounds += 1;
        Ok(number)
    }

    /// Takes part in the round, with the stake: hashes of the seed of the own mask and of those shared with the others, and patients who
    /// consent, in rising order.
    #[call(payable)]
    fn join(&self, round: u64, own: Hash, pairs: Vec<(Address, Hash)>, patients: Vec<Address>) -> Result<()> {
        ensure!(env::value() >= self.terms.stake.0, HealthError::WrongStake);
        paid(self.terms.stake, || rounds::join(&self.terms, self.sites, round, own, pairs, &patients))
    }

    /// Submits a masked update.
    #[call(payable)]
    fn submit(&self, round: u64, masked: Masked) -> Result<()> {
        paid(Amount::ZERO, || rounds::submit(&self.terms, self.sites, round, masked))
    }

    /// Opens the seed of the own mask, and those shared with who has joined and not submitted.
    #[call(payable)]
    fn reveal(&self, round: u64, own: Hash, pairs: Vec<(Address, Hash)>) -> Result<()> {
        paid(Amount::ZERO, || rounds::reveal(&self.terms, self.sites, round, own, pairs))
    }

    /// Ends a round that is over: averages, if it can, and gives stakes back, and what the round took as deposit. Anybody may.
    #[call]
    fn finish(&self, round: u64) -> Result<Ending> {
        let purse = Purse::open();
        let outcome = rounds::finish(&self.terms, self.sites, round)?;
        let ending = match outcome.sum {
            Ok((sum, count)) => model::learn(&sum, count, self.terms.tolerance)?,
            Err(ending) => ending,
        };
        let (dutiful, penalised): (Vec<_>, Vec<_>) = outcome.members.into_iter().partition(|(_, dutiful)| *dutiful);
        let penalised: Vec<Address> = penalised.into_iter().map(|(site, _)| site).collect();
        let pot = self.terms.stake.0 * penalised.len() as u128 + purse.freed().0;
        let count = dutiful.len() as u128;
        // Where nobody has joined there is no stake, and nobody to pay.
        for (place, (site, _)) in (0u128..).zip(&dutiful) {
            // The units that do not divide go to the first ones, so that none stays behind.
            let share = pot / count + u128::from(place < pot % count);
            call::transfer(site, self.terms.stake.0 + share)?;
        }
        event::emit(&Finished { round, ending, penalised })?;
        Ok(ending)
    }

    // What can be asked. Views run on the node that is asked, and leave no trace: a row never leaves the own node.

    #[view]
    fn key(owner: Address) -> Result<Option<Hash>> {
        KEYS.get(&owner)
    }

    #[view]
    fn record(owner: Address, record: u32) -> Result<Option<Record>> {
        records::record(owner, record)
    }

    #[view]
    fn requested(owner: Address, request: u32) -> Result<Option<Request>> {
        records::asked(owner, request)
    }

    #[view]
    fn has_consent(owner: Address, reader: Address, purpose: Purpose) -> Result<bool> {
        records::has_consent(owner, reader, purpose)
    }

    #[view]
    fn trail(owner: Address) -> Result<Vec<Line>> {
        records::trail(owner)
    }

    #[view]
    fn round() -> Result<Option<Round>> {
        ROUND.get()
    }

    #[view]
    fn weights() -> Result<[i32; WEIGHTS]> {
        model::weights()
    }

    /// Right of the validation rows, and how many there are.
    #[view]
    fn validated() -> Result<(u32, u32)> {
        let cases = VALIDATION.get()?.unwrap_or_default();
        Ok((model::right(&model::weights()?, &cases), cases.len() as u32))
    }

    /// What the encoder makes of a patient, as the common layer sees it: for the hospital that trains.
    #[view]
    fn encode(&self, row: [i32; FEATURES]) -> Result<[i32; HIDDEN]> {
        self.encoder.encode(&row)
    }

    /// What the model says about a patient.
    #[view]
    fn predict(&self, row: [i32; FEATURES]) -> Result<Prediction> {
        let encoded = self.encoder.encode(&row)?;
        Ok(self.encoder.predict(&model::weights()?, &encoded))
    }
}

/// Does something that costs so much, and lets the caller pay for the entries as well.
fn paid<T>(price: Amount, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let purse = Purse::open();
    let result = action()?;
    purse.close(price)?;
    Ok(result)
}
