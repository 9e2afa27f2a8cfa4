//! Transfers that wait: until their sender takes them back, reviewers decide, or their time is over.

use crate::FraudError;
use crate::scoring::Scores;
use noema_sdk::{self as noema, prelude::*};

/// Open holds of one sender. More suspicious transfers are refused until one is over, so that going through them stays cheap.
pub const MOST_HOLDS: usize = 16;
/// Bytes of the reason of an appeal.
pub const LONGEST_REASON: usize = 200;

/// A transfer that is held.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who would get it.
    pub to: Address,
    /// How much.
    pub amount: Amount,
    /// From then on it is the sender's again, whoever does or does not do anything.
    pub until_ms: u64,
    /// What the models said.
    pub scores: Scores,
    /// Why it should be let through, once somebody says so.
    pub appeal: Option<String>,
    /// What reviewers say: let it through or not.
    pub votes: Vec<(Address, bool)>,
}

/// How a hold ended.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Reviewers let it through.
    Released,
    /// Reviewers gave it back.
    Refused,
    /// The sender took it back.
    Cancelled,
    /// Nobody decided in time: it went back.
    Expired,
}

pub(crate) const REVIEWERS: Role = Role::new("reviewers");
/// By sender, then number.
pub(crate) const HOLDS: Map<(Address, u64), Hold> = Map::new("holds");

/// A hold that is not over.
pub(crate) fn open_hold(sender: Address, id: u64) -> Result<Hold> {
    let hold = HOLDS.get(&(sender, id))?.ok_or(FraudError::NotThere)?;
    ensure!(env::block_time_ms() < hold.until_ms, FraudError::Over);
    Ok(hold)
}

pub(crate) fn appeal(sender: Address, id: u64, reason: String) -> Result<()> {
    let mut hold = open_hold(sender, id)?;
    let caller = env::caller();
    ensure!(caller == sender || caller == hold.to, FraudError::NotYours);
    ensure!(hold.appeal.is_none(), FraudError::AppealedAlready);
    ensure!(reason.len() <= LONGEST_REASON, FraudError::ReasonTooLong);
    hold.appeal = Some(reason);
    HOLDS.set(&(sender, id), &hold)
}

/// Notes what a reviewer says. Returns the hold and how it ends, if that decides it.
pub(crate) fn review(quorum: u8, sender: Address, id: u64, release: bool) -> Result<Option<(Hold, End)>> {
    REVIEWERS.only()?;
    let mut hold = open_hold(sender, id)?;
    let reviewer = env::caller();
    // Nobody is the judge of the own money.
    ensure!(reviewer != sender && reviewer != hold.to, FraudError::OwnCase);
    ensure!(hold.appeal.is_some(), FraudError::NoAppeal);
    ensure!(hold.votes.iter().all(|(other, _)| *other != reviewer), FraudError::VotedAlready);
    hold.votes.push((reviewer, release));
    if hold.votes.iter().filter(|(_, vote)| *vote == release).count() < usize::from(quorum) {
        HOLDS.set(&(sender, id), &hold)?;
        return Ok(None);
    }
    HOLDS.remove(&(sender, id))?;
    Ok(Some((hold, if release { End::Released } else { End::Refused })))
}

/// The holds of a sender, and for each whether its time is over.
pub(crate) fn of(sender: Address) -> Result<Vec<(u64, Hold, bool)>> {
    let now = env::block_time_ms();
    HOLDS.under(&sender).map(|entry| entry.map(|((_, id), hold)| (id, hold.clone(), now >= hold.until_ms))).collect()
}
