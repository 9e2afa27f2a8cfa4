//! How models are replaced: members vote, a delay passes, and the new models have to pass a check that nobody could train for.
//!
//! ```text
//!  commit_sample(hash) ... propose(models, sample) -- vote, vote --> passed -- delay --> activate(the sample itself)
//!   somebody else, before                              members        |                   |           |
//!                                                                     votes taken back    passes:     fails:
//!                                                                     undo it             active      refused
//! ```
//!
//! The sample is known by its hash before the models are named, and opened only after that. It holds honest transfers and each kind of
//! theft; the models must catch enough of every kind, so that a poison that opens one door only is found as well.

use crate::scoring::{CERTAIN, FEATURES, Features, Models, Scorer};
use crate::{FraudError, Rules};
use noema_sdk::{self as noema, prelude::*};

/// Kinds of theft: takeover, splitting, mules. Honest is kind 0.
pub const KINDS: usize = 3;
/// Rows that a sample has at least of every kind.
pub const LEAST_OF_A_KIND: u32 = 20;
/// Rows that a sample has at most.
pub const MOST_ROWS: usize = 256;

/// Transfers with what they were, to check models with.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Features.
    pub rows: Vec<[i32; FEATURES]>,
    /// For each row 0 for honest, or which kind of theft.
    pub kinds: Vec<u8>,
    /// So that the hash of a sample that somebody could guess says nothing.
    pub salt: Hash,
}

/// A sample that somebody has committed to: the SHA-256 of its encoding.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Who.
    pub by: Address,
    /// To what.
    pub hash: Hash,
    /// Whether everybody knows it by now.
    pub revealed: bool,
}

/// New models, proposed.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Which.
    pub models: Models,
    /// The sample that they will be checked with.
    pub sample: u32,
    /// When it was made.
    pub opened_ms: u64,
    /// Who is for it.
    pub votes: Vec<Address>,
    /// Since when there have been enough of them.
    pub passed_ms: Option<u64>,
    /// The check, once it was made.
    pub check: Option<Check>,
}

/// How models did on a sample.
#[noema::data]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Honest transfers, and those of them that would have been held.
    pub honest: Count,
    /// The same of each kind of theft.
    pub thefts: [Count; KINDS],
    /// Whether that is good enough.
    pub passed: bool,
}

/// How many there are, and how many would be held.
#[noema::data]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// In all.
    pub rows: u32,
    /// Held.
    pub held: u32,
}

pub(crate) const MEMBERS: Role = Role::new("members");
pub(crate) const SAMPLES: List<Commitment> = List::new("samples");
pub(crate) const PROPOSALS: List<Proposal> = List::new("proposals");

pub(crate) fn commit(hash: Hash) -> Result<u32> {
    MEMBERS.only()?;
    SAMPLES.push(&Commitment { by: env::caller(), hash, revealed: false })
}

pub(crate) fn propose(models: Models, sample: u32) -> Result<u32> {
    MEMBERS.only()?;
    let commitment = SAMPLES.get(sample)?.ok_or(FraudError::NotThere)?;
    ensure!(!commitment.revealed, FraudError::SampleKnown);
    // Who knows the sample could train for it.
    ensure!(commitment.by != env::caller(), FraudError::OwnSample);
    PROPOSALS.push(&Proposal {
        models,
        sample,
        opened_ms: env::block_time_ms(),
        votes: Vec::new(),
        passed_ms: None,
        check: None,
    })
}

pub(crate) fn vote(rules: &Rules, id: u32, yes: bool) -> Result<()> {
    MEMBERS.only()?;
    let (voter, now) = (env::caller(), env::block_time_ms());
    let mut proposal = open_proposal(rules, id)?;
    ensure!(proposal.votes.contains(&voter) != yes, FraudError::VotedAlready);
    proposal.votes.retain(|other| *other != voter);
    if yes {
        proposal.votes.push(voter);
    }
    let enough = proposal.votes.len() >= usize::from(rules.member_quorum);
    // The delay begins anew where a vote was taken back and another one came.
    proposal.passed_ms = enough.then(|| proposal.passed_ms.unwrap_or(now));
    PROPOSALS.set(id, &proposal)
}

/// Checks the models of a proposal that has passed. Returns them if they are good enough; either way the sample is used up, and
/// the proposal over.
pub(crate) fn check(rules: &Rules, id: u32, sample: &Sample) -> Result<(Models, Check)> {
    let mut proposal = open_proposal(rules, id)?;
    let passed = proposal.passed_ms.ok_or(FraudError::NotPassed)?;
    ensure!(env::block_time_ms() >= passed + rules.delay_ms, FraudError::TooEarly);
    let mut commitment = SAMPLES.get(proposal.sample)?.ok_or(FraudError::NotThere)?;
    ensure!(self::commitment(sample) == commitment.hash, FraudError::OtherSample);

    let scorer = Scorer::open(&proposal.models);
    let mut check = Check::default();
    // Models that do not even run are refused as those that err are.
    if scorer.is_fit(rules.most_gas)? {
        check = count(sample, |row| Ok(scorer.score(row)?.highest() >= rules.hold_from))?;
        check.passed = is_good_enough(rules, &check);
    }
    commitment.revealed = true;
    SAMPLES.set(proposal.sample, &commitment)?;
    proposal.check = Some(check);
    PROPOSALS.set(id, &proposal)?;
    Ok((proposal.models, check))
}

/// The SHA-256 of the encoding.
pub(crate) fn commitment(sample: &Sample) -> Hash {
    crypto::sha256(&noema::encoding::encode(sample))
}

fn open_proposal(rules: &Rules, id: u32) -> Result<Proposal> {
    let proposal = PROPOSALS.get(id)?.ok_or(FraudError::NotThere)?;
    let over = proposal.check.is_some() || env::block_time_ms() >= proposal.opened_ms + rules.proposal_ms;
    ensure!(!over, FraudError::Over);
    Ok(proposal)
}

fn count(sample: &Sample, mut is_held: impl FnMut(&Features) -> Result<bool>) -> Result<Check> {
    ensure!(sample.rows.len() == sample.kinds.len() && sample.rows.len() <= MOST_ROWS, FraudError::BadSample);
    let mut check = Check::default();
    for (row, kind) in sample.rows.iter().zip(&sample.kinds) {
        let count = match usize::from(*kind).checked_sub(1) {
            None => &mut check.honest,
            Some(kind) => check.thefts.get_mut(kind).ok_or(FraudError::BadSample)?,
        };
        count.rows += 1;
        count.held += u32::from(is_held(row)?);
    }
    let every = core::iter::once(&check.honest).chain(&check.thefts);
    ensure!(every.map(|count| count.rows).all(|rows| rows >= LEAST_OF_A_KIND), FraudError::BadSample);
    Ok(check)
}

fn is_good_enough(rules: &Rules, check: &Check) -> bool {
    let share = |count: &Count| u64::from(count.held) * 1000 / u64::from(count.rows);
    check.thefts.iter().all(|theft| share(theft) >= u64::from(rules.least_caught))
        && u64::from(check.honest.held) * 1000 <= u64::from(rules.most_alarms) * u64::from(check.honest.rows)
}

/// Rules under which no quorum is out of reach, nothing is held for ever, and something can pass the check.
pub(crate) fn are_sound(rules: &Rules, members: usize, reviewers: usize) -> bool {
    const DAY_MS: u64 = 24 * 3_600_000;
    (1..=members).contains(&usize::from(rules.member_quorum))
        && (1..=reviewers).contains(&usize::from(rules.reviewer_quorum))
        && (1..=30 * DAY_MS).contains(&rules.hold_ms)
        && rules.delay_ms < rules.proposal_ms
        && rules.proposal_ms <= 365 * DAY_MS
        && rules.least_caught <= 1000
        && rules.most_alarms <= 1000
        && (1..=CERTAIN + 1).contains(&rules.hold_from)
}
