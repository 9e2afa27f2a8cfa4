//! Records that only their owner can read, who may ask for their keys, and who has.
//!
//! ```text
//!  add_record(ciphertext, key sealed to the owner)
//!       consent(reader, purpose, until) --> request(record, purpose) --> release(key sealed to the reader)
//!            by the owner                      by the reader                by the owner's device
//!              |                                  |                            |
//!              +------------- each is a line of the audit trail ---------------+
//! ```
//!
//! A key is sealed to a reader only after the request stands in the trail: nobody reads first and is seen later. The contract
//! never holds a key that it could open; what is sealed how is agreed between owners and readers (`client/src/sealed.rs`).

use crate::HealthError;
use noema_sdk::{self as noema, prelude::*};

/// Bytes of a ciphertext.
pub const LONGEST_RECORD: usize = 4096;

/// What a record may be used for.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whoever treats the patient: may also add records.
    Treatment,
    /// Studies.
    Research,
    /// Training the common model, inside the hospital.
    Training,
}

/// The key of a record, sealed to somebody.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// The public half of the secret that was used for this seal only.
    pub ephemeral: Hash,
    /// The key of 32 bytes under ChaCha20-Poly1305, with its tag.
    pub ciphertext: [u8; 48],
}

/// A record.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who added it.
    pub by: Address,
    /// Encrypted with a key of its own.
    pub ciphertext: Vec<u8>,
    /// That key, sealed to the owner.
    pub key: SealedKey,
}

/// A reader's request for the key of a record.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which of the owner's records.
    pub record: u32,
    /// Who asks.
    pub reader: Address,
    /// What for.
    pub purpose: Purpose,
    /// The key, sealed to the reader, once the owner has released it.
    pub key: Option<SealedKey>,
}

/// A line of an owner's audit trail.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The time of the block, in milliseconds.
    pub time_ms: u64,
    /// Who did it.
    pub who: Address,
    /// What.
    pub what: What,
}

/// What is noted.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A record was added.
    Added {
        /// Its number.
        record: u32,
    },
    /// Consent was given, or given anew.
    Consented {
        /// To whom.
        reader: Address,
        /// What for.
        purpose: Purpose,
        /// Until when.
        until_ms: u64,
    },
    /// Consent was taken back.
    Revoked {
        /// From whom.
        reader: Address,
        /// What for.
        purpose: Purpose,
    },
    /// A key was asked for.
    Requested {
        /// The request.
        request: u32,
    },
    /// A key was released.
    Released {
        /// The request.
        request: u32,
    },
    /// A hospital counts the patient among those it trains with.
    Trained {
        /// In this round.
        round: u64,
    },
}

/// Public keys of X25519.
pub(crate) const KEYS: Map<Address, Hash> = Map::new("keys");
/// By owner, then number.
const RECORDS: Map<(Address, u32), Record> = Map::new("records");
const REQUESTS: Map<(Address, u32), Request> = Map::new("requests");
const TRAIL: Map<(Address, u32), Line> = Map::new("trail");
/// How many records, requests and lines an owner has.
const COUNTS: Map<(Address, u8), u32> = Map::new("counts");
/// Owner, reader, purpose: until when.
const CONSENTS: Map<((Address, Address), u8), u64> = Map::new("consents");

const OF_RECORDS: u8 = 0;
const OF_REQUESTS: u8 = 1;
const OF_LINES: u8 = 2;

/// The next number of its kind.
fn next(owner: Address, kind: u8) -> Result<u32> {
    let number = COUNTS.get(&(owner, kind))?.unwrap_or(0);
    COUNTS.set(&(owner, kind), &(number + 1))?;
    Ok(number)
}

pub(crate) fn note(owner: Address, what: What) -> Result<()> {
    let line = Line { time_ms: env::block_time_ms(), who: env::caller(), what };
    TRAIL.set(&(owner, next(owner, OF_LINES)?), &line)?;
    event::emit(&crate::Noted { owner, line })
}

pub(crate) fn has_consent(owner: Address, reader: Address, purpose: Purpose) -> Result<bool> {
    let until = CONSENTS.get(&((owner, reader), purpose as u8))?;
    Ok(until.is_some_and(|until| env::block_time_ms() < until))
}

pub(crate) fn add(owner: Address, ciphertext: Vec<u8>, key: SealedKey) -> Result<u32> {
    let by = env::caller();
    ensure!(by == owner || has_consent(owner, by, Purpose::Treatment)?, HealthError::NoConsent);
    ensure!(ciphertext.len() <= LONGEST_RECORD, HealthError::TooLong);
    let record = next(owner, OF_RECORDS)?;
    RECORDS.set(&(owner, record), &Record { by, ciphertext, key })?;
    note(owner, What::Added { record })?;
    Ok(record)
}

pub(crate) fn consent(reader: Address, purpose: Purpose, until_ms: u64) -> Result<()> {
    let owner = env::caller();
    ensure!(until_ms > env::block_time_ms(), HealthError::Past);
    CONSENTS.set(&((owner, reader), purpose as u8), &until_ms)?;
    note(owner, What::Consented { reader, purpose, until_ms })
}

pub(crate) fn revoke(reader: Address, purpose: Purpose) -> Result<()> {
    let owner = env::caller();
    ensure!(CONSENTS.remove(&((owner, reader), purpose as u8))?, HealthError::NoConsent);
    note(owner, What::Revoked { reader, purpose })
}

pub(crate) fn request(owner: Address, record: u32, purpose: Purpose) -> Result<u32> {
    let reader = env::caller();
    ensure!(has_consent(owner, reader, purpose)?, HealthError::NoConsent);
    ensure!(RECORDS.contains(&(owner, record))?, HealthError::NotThere);
    ensure!(KEYS.contains(&reader)?, HealthError::NoKey);
    let request = next(owner, OF_REQUESTS)?;
    REQUESTS.set(&(owner, request), &Request { record, reader, purpose, key: None })?;
    note(owner, What::Requested { request })?;
    Ok(request)
}

pub(crate) fn release(request: u32, key: SealedKey) -> Result<()> {
    let owner = env::caller();
    let mut asked = REQUESTS.get(&(owner, request))?.ok_or(HealthError::NotThere)?;
    ensure!(asked.key.is_none(), HealthError::Done);
    // It may have been revoked, or have run out, since it was asked for.
    ensure!(has_consent(owner, asked.reader, asked.purpose)?, HealthError::NoConsent);
    asked.key = Some(key);
    REQUESTS.set(&(owner, request), &asked)?;
    note(owner, What::Released { request })
}

pub(crate) fn record(owner: Address, record: u32) -> Result<Option<Record>> {
    RECORDS.get(&(owner, record))
}

pub(crate) fn asked(owner: Address, request: u32) -> Result<Option<Request>> {
    REQUESTS.get(&(owner, request))
}

pub(crate) fn trail(owner: Address) -> Result<Vec<Line>> {
    TRAIL.under(&owner).map(|entry| entry.map(|(_, line)| line)).collect()
}
