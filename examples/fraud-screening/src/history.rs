//! What is remembered of an account, and the features of a transfer that follow from it.
//!
//! Nothing here is told by who sends: amounts and times are those of the ledger. `model/ledger.py` computes the same in Python, and a
//! test compares every number. All features have [`FRACTION_BITS`] bits behind the point.

use crate::scoring::{FEATURES, Features};
use noema_sdk::{self as noema, prelude::*};

/// Bits behind the point of a feature.
pub const FRACTION_BITS: u32 = 8;
const HOUR_MS: u64 = 3_600_000;
/// A count above this is this.
const COUNT_LIMIT: u32 = 1_000;

/// What is remembered of one account.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// When it first got something, in milliseconds.
    pub since_ms: u64,
    /// When it last tried to send.
    pub last_ms: u64,
    /// What it has paid: transfers that were held do not count before they are released.
    pub paid_sum: Amount,
    /// In how many transfers.
    pub paid_count: u64,
    /// The hours of the last day in which something happened, oldest first: at most 25.
    pub hours: Vec<Hour>,
}

/// What an account did in one hour of the clock.
#[noema::data]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Which, since 1970.
    pub hour: u64,
    /// Transfers that it tried. A held or cancelled one counts: who is held and tries again in smaller pieces has tried.
    pub count: u32,
    /// Those of them to somebody it had never paid.
    pub fresh: u32,
    /// What it tried to send.
    pub sent: Amount,
    /// What it got.
    pub received: Amount,
}

/// A transfer that is about to happen, seen from the ledger.
pub(crate) struct Attempt {
    pub(crate) now_ms: u64,
    pub(crate) amount: Amount,
    /// What the sender has, the amount included.
    pub(crate) balance: Amount,
    /// What the sender has paid the recipient so far. Not how often: a first cent makes nobody trusted.
    pub(crate) paid_before: Amount,
    /// When the recipient first got something, if ever.
    pub(crate) recipient_since_ms: Option<u64>,
}

impl Account {
    /// One that gets something for the first time.
    pub(crate) fn new(now_ms: u64) -> Account {
        Account { since_ms: now_ms, last_ms: now_ms, paid_sum: Amount::ZERO, paid_count: 0, hours: Vec::new() }
    }

    pub(crate) fn receive(&mut self, now_ms: u64, amount: Amount) {
        self.hour(now_ms).received += amount;
    }

    pub(crate) fn settle(&mut self, amount: Amount) {
        self.paid_sum += amount;
        self.paid_count += 1;
    }

    /// Notes the attempt and returns its features.
    pub(crate) fn attempt(&mut self, attempt: &Attempt) -> Features {
        let &Attempt { now_ms, amount, balance, paid_before, recipient_since_ms } = attempt;
        let hour = self.hour(now_ms);
        hour.count += 1;
        hour.fresh += u32::from(paid_before.is_zero());
        hour.sent += amount;
        let (last_hour, last_day) = (self.window(now_ms, 1), self.window(now_ms, 24));
        let usual = self.paid_sum.0.checked_div(u128::from(self.paid_count)).unwrap_or(0);
        let minutes = |since: u64| u128::from((now_ms - since) / 60_000);
        let features: [i32; FEATURES] = [
            log2(amount.0),
            share(amount.0, balance.0),
            log2(last_hour.sent.0),
            count(last_hour.count),
            log2(last_day.sent.0),
            count(last_day.count),
            count(last_day.fresh),
            log2(paid_before.0),
            log2(minutes(self.since_ms)),
            log2(last_day.received.0),
            log2(recipient_since_ms.map_or(0, minutes)),
            log2(usual),
            log2(u128::from((now_ms - self.last_ms) / 1_000)),
        ];
        self.last_ms = now_ms;
        features
    }

    /// The current hour; those of more than a day ago are forgotten.
    fn hour(&mut self, now_ms: u64) -> &mut Hour {
        let now = now_ms / HOUR_MS;
        self.hours.retain(|hour| hour.hour + 24 >= now);
        if self.hours.last().is_none_or(|last| last.hour < now) {
            self.hours.push(Hour { hour: now, ..Hour::default() });
        }
        self.hours.last_mut().expect("it was just added")
    }

    /// The sums of this hour and so many before it. A window of whole hours begins up to an hour early, never late: nobody
    /// gets out of it by waiting for the clock to strike.
    fn window(&self, now_ms: u64, hours: u64) -> Hour {
        let first = (now_ms / HOUR_MS).saturating_sub(hours);
        let inside = self.hours.iter().filter(|hour| hour.hour >= first);
        inside.fold(Hour::default(), |sum, hour| Hour {
            hour: first,
            count: sum.count + hour.count,
            fresh: sum.fresh + hour.fresh,
            sent: sum.sent + hour.sent,
            received: sum.received + hour.received,
        })
    }
}

fn count(n: u32) -> i32 {
    (n.min(COUNT_LIMIT) << FRACTION_BITS).cast_signed()
}

/// Part of a whole, from 0 to 1. The whole is at least the part.
fn share(part: u128, whole: u128) -> i32 {
    let share = math::mul_div(part, 1 << FRACTION_BITS, whole, math::Rounding::Down);
    share.and_then(|share| i32::try_from(share).ok()).unwrap_or(0)
}

/// `log2(1 + n)`, rounded down.
fn log2(n: u128) -> i32 {
    math::log2(n.saturating_add(1), FRACTION_BITS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Account, Attempt, HOUR_MS, log2};
    use noema_sdk::Amount;

    #[test]
    fn logarithms_are_those_of_real_numbers_rounded_down() {
        assert_eq!([0, 1, 3, 7].map(log2), [0, 256, 512, 768]);
        for n in (0..127).map(|bit| (1u128 << bit) + 12_345).chain([5, 99, 1_000_000, u128::MAX - 1]) {
            let real = (n as f64 + 1.0).log2() * 256.0;
            let off = real - f64::from(log2(n));
            assert!((-0.001..1.001).contains(&off), "{n}: {real} {}", log2(n));
        }
        assert_eq!(log2(u128::MAX), 127 * 256 + 255);
    }

    fn attempt(account: &mut Account, now_ms: u64, amount: u128) -> [i32; 13] {
        let (amount, balance) = (Amount(amount), Amount(1_000_000));
        account.attempt(&Attempt { now_ms, amount, balance, paid_before: Amount::ZERO, recipient_since_ms: None })
    }

    #[test]
    fn a_window_reaches_over_the_stroke_of_the_hour() {
        let mut account = Account::new(0);
        let before = attempt(&mut account, HOUR_MS - 1, 1_000);
        let after = attempt(&mut account, HOUR_MS, 1_000);
        assert_eq!((before[3], after[3]), (256, 512));
        assert!(after[2] > before[2]);
        // Two hours later the hour is forgotten, the day is not.
        let later = attempt(&mut account, 3 * HOUR_MS, 1_000);
        assert_eq!((later[3], later[5], later[6]), (256, 768, 768));
        let next_day = attempt(&mut account, 50 * HOUR_MS, 1_000);
        assert_eq!((next_day[5], account.hours.len()), (256, 1));
    }
}
