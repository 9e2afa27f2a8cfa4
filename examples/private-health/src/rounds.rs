//! One round of training after the other: who takes part, what they submit, what comes of it, and who pays for not finishing.
//!
//! ```text
//!  join: stake, hashes of seeds  ->  submit: masked update  ->  reveal: own seed, seeds of the missing  ->  finish
//!    until all are there, or join_until     submit_until                    reveal_until                     anybody
//! ```

use crate::masks::{self, Masked};
use crate::records::{self, KEYS, Purpose, What};
use crate::{HealthError, Terms, WEIGHTS};
use noema_sdk::{self as noema, prelude::*};

/// A hospital in a round.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub site: Address,
    /// The hash of the seed of its own mask.
    pub own: Hash,
    /// Hashes of the seeds that it shares with others.
    pub pairs: Vec<(Address, Hash)>,
    /// What it submitted.
    pub masked: Option<Masked>,
    /// The seeds that it opened: its own, and those that it shares with the missing.
    pub opened: Option<(Hash, Vec<(Address, Hash)>)>,
}

/// A round that is not finished.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its number.
    pub number: u64,
    /// The ends of its phases, in milliseconds. A phase is over before that when everybody is done.
    pub join_until: u64,
    /// For submissions.
    pub submit_until: u64,
    /// For reveals.
    pub reveal_until: u64,
    /// Who takes part, in the order of addresses.
    pub members: Vec<Member>,
}

/// How a round ended.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The model has learnt something: so many of the validation rows are right now.
    Averaged {
        /// Right before.
        before: u32,
        /// Right after.
        after: u32,
    },
    /// Too few joined, or two of them name different hashes for what they share. Nobody pays.
    Void,
    /// Too few submitted, or somebody did not reveal.
    Abandoned,
    /// The sum is larger than clipped updates can make it.
    OutOfRange,
    /// The model would have become worse.
    Worse {
        /// Right before.
        before: u32,
        /// Right after, had it been taken.
        after: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Join,
    Submit,
    Reveal,
    Over,
}

pub(crate) const SITES: Role = Role::new("sites");
pub(crate) const ROUND: Item<Round> = Item::new("round");

impl Round {
    fn phase(&self, sites: u16, least: u8) -> Phase {
        let now = env::block_time_ms();
        let all = |done: fn(&Member) -> bool| self.members.iter().all(done);
        if now < self.join_until && self.members.len() < usize::from(sites) {
            return Phase::Join;
        }
        if self.members.len() < usize::from(least) || !self.agrees() {
            return Phase::Over;
        }
        if now < self.submit_until && !all(|member| member.masked.is_some()) {
            return Phase::Submit;
        }
        let waiting = self.submitted().any(|member| member.opened.is_none());
        let enough = self.submitted().count() >= usize::from(least);
        if enough && now < self.reveal_until && waiting { Phase::Reveal } else { Phase::Over }
    }

    /// Whether every two of them name the same hash for the seed that they share.
    fn agrees(&self) -> bool {
        let hash =
            |of: &Member, with: &Member| of.pairs.iter().find(|(site, _)| *site == with.site).map(|(_, hash)| *hash);
        let mut pairs =
            self.members.iter().enumerate().flat_map(|(i, a)| self.members[i + 1..].iter().map(move |b| (a, b)));
        pairs.all(|(a, b)| hash(a, b).is_some() && hash(a, b) == hash(b, a))
    }

    fn submitted(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.masked.is_some())
    }

    fn missing(&self) -> Vec<Address> {
        self.members.iter().filter(|member| member.masked.is_none()).map(|member| member.site).collect()
    }

    fn member(&mut self, site: Address) -> Result<&mut Member> {
        self.members.iter_mut().find(|member| member.site == site).ok_or_else(|| HealthError::NotInRound.into())
    }
}

fn current(number: u64) -> Result<Round> {
    let round = ROUND.get()?.filter(|round| round.number == number);
    round.ok_or_else(|| HealthError::OtherRound.into())
}

/// Opens a round with this number, unless one is open.
pub(crate) fn open(terms: &Terms, number: u64) -> Result<()> {
    SITES.only()?;
    ensure!(ROUND.get()?.is_none(), HealthError::RoundOpen);
    let join_until = env::block_time_ms() + terms.phase_ms;
    let (submit_until, reveal_until) = (join_until + terms.phase_ms, join_until + 2 * terms.phase_ms);
    ROUND.set(&Round { number, join_until, submit_until, reveal_until, members: Vec::new() })
}

/// Takes part, with the consent of so many patients.
pub(crate) fn join(
    terms: &Terms,
    sites: u16,
    number: u64,
    own: Hash,
    pairs: Vec<(Address, Hash)>,
    patients: &[Address],
) -> Result<()> {
    SITES.only()?;
    let (site, mut round) = (env::caller(), current(number)?);
    ensure!(round.phase(sites, terms.least) == Phase::Join, HealthError::WrongPhase);
    ensure!(KEYS.contains(&site)?, HealthError::NoKey);
    let place = round.members.partition_point(|member| member.site < site);
    ensure!(round.members.get(place).is_none_or(|member| member.site != site), HealthError::Done);
    ensure!(pairs.len() < usize::from(sites), HealthError::TooLong);
    // In rising order, so that nobody is counted twice.
    ensure!(
        patients.is_sorted_by(|a, b| a < b) && patients.len() >= usize::from(terms.patients),
        HealthError::NoConsent
    );
    for patient in patients {
        ensure!(records::has_consent(*patient, site, Purpose::Training)?, HealthError::NoConsent);
        records::note(*patient, What::Trained { round: number })?;
    }
    round.members.insert(place, Member { site, own, pairs, masked: None, opened: None });
    ROUND.set(&round)
}

pub(crate) fn submit(terms: &Terms, sites: u16, number: u64, masked: Masked) -> Result<()> {
    let mut round = current(number)?;
    ensure!(round.phase(sites, terms.least) == Phase::Submit, HealthError::WrongPhase);
    let member = round.member(env::caller())?;
    ensure!(member.masked.is_none(), HealthError::Done);
    member.masked = Some(masked);
    ROUND.set(&round)
}

pub(crate) fn reveal(terms: &Terms, sites: u16, number: u64, own: Hash, mut pairs: Vec<(Address, Hash)>) -> Result<()> {
    let mut round = current(number)?;
    ensure!(round.phase(sites, terms.least) == Phase::Reveal, HealthError::WrongPhase);
    let missing = round.missing();
    let member = round.member(env::caller())?;
    ensure!(member.masked.is_some() && member.opened.is_none(), HealthError::Done);
    pairs.sort_by_key(|(site, _)| *site);
    let promised = |(site, seed): &(Address, Hash)| member.pairs.contains(&(*site, crypto::sha256(&seed.0)));
    // No seed more than needed is taken: one shared with who has submitted would uncover an update.
    let needed = pairs.iter().map(|(site, _)| *site).eq(missing);
    ensure!(needed && crypto::sha256(&own.0) == member.own && pairs.iter().all(promised), HealthError::OtherSeed);
    member.opened = Some((own, pairs));
    ROUND.set(&round)
}

/// What a finished round comes to: the sum of the updates and their number, or why there is none; and who did all they should.
pub(crate) struct Outcome {
    pub(crate) sum: core::result::Result<([i32; WEIGHTS], u32), Ending>,
    /// Whether each member gets the stake back.
    pub(crate) members: Vec<(Address, bool)>,
}

pub(crate) fn finish(terms: &Terms, sites: u16, number: u64) -> Result<Outcome> {
    let round = current(number)?;
    ensure!(round.phase(sites, terms.least) == Phase::Over, HealthError::WrongPhase);
    ROUND.remove()?;
    let count = round.submitted().count();
    let opened = round.submitted().all(|member| member.opened.is_some());
    let sum = if round.members.len() < usize::from(terms.least) || !round.agrees() {
        Err(Ending::Void)
    } else if count < usize::from(terms.least) || !opened {
        Err(Ending::Abandoned)
    } else {
        unmask(&round, terms.clip)
    };
    // Where too few submitted there was nothing to reveal.
    let could_reveal = count >= usize::from(terms.least);
    let dutiful = |member: &Member| match sum {
        Err(Ending::Void) => true,
        _ => member.masked.is_some() && (member.opened.is_some() || !could_reveal),
    };
    let mut members: Vec<(Address, bool)> = round.members.iter().map(|m| (m.site, dutiful(m))).collect();
    // Where nobody did anything there is nobody to pay.
    if members.iter().all(|(_, dutiful)| !dutiful) {
        members.iter_mut().for_each(|(_, dutiful)| *dutiful = true);
    }
    Ok(Outcome { sum, members })
}

fn unmask(round: &Round, clip: u32) -> core::result::Result<([i32; WEIGHTS], u32), Ending> {
    let mut sum = [0; WEIGHTS];
    let mut count = 0;
    for member in &round.members {
        if let (Some(masked), Some((own, pairs))) = (&member.masked, &member.opened) {
            count += 1;
            masks::add(&mut sum, masked);
            masks::remove_own(&mut sum, own);
            for (missing, seed) in pairs {
                masks::remove_pair(&mut sum, &member.site, missing, seed);
            }
        }
    }
    masks::inside(&sum, count, clip).map(|sum| (sum, count)).ok_or(Ending::OutOfRange)
}
