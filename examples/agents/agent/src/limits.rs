//! What may leave the wallet.

use noema_sdk::{self as noema, prelude::*};

use crate::AgentError;

/// How many payments the wallet remembers. As many may be made in a period.
pub const PAYMENTS: usize = 32;
/// Stands for all who tick, together.
pub const KEEPERS: Address = Address([0; 32]);

/// What the owner allows.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a period is, in milliseconds. It slides: the limits hold for every stretch of time of this length, not only from midnight to midnight.
    pub period_ms: u64,
    /// Most of all payments of a period.
    pub period: Amount,
    /// Most of all payments of a period to one seller; and most of all rewards.
    pub counterparty: Amount,
    /// What has to be left in the wallet, beside the deposit for what the contract keeps.
    pub keep: Amount,
    /// What a forecast is worth at most.
    pub worth: Amount,
    /// What whoever ticks gets where something was bought.
    pub reward: Amount,
}

/// A payment.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// When.
    pub time_ms: u64,
    /// To whom.
    pub payee: Address,
    /// How much.
    pub amount: Amount,
}

/// The limits, and the last payments. A sum that starts again from nothing at some moment would let twice the limit pass around that moment; a list of
/// payments does not.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// What the owner allows.
    pub limits: Limits,
    /// The last payments, oldest first.
    pub payments: [Payment; PAYMENTS],
}

impl Wallet {
    /// A wallet that has paid nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Wallet {
        Wallet { limits, payments: [Payment { time_ms: 0, payee: KEEPERS, amount: Amount::ZERO }; PAYMENTS] }
    }

    /// Whether a payment is in the period that ends now. Time that goes backwards makes no payment older.
    fn is_recent(&self, payment: &Payment, now: u64) -> bool {
        let now = now.max(self.payments[PAYMENTS - 1].time_ms);
        !payment.amount.is_zero() && now - payment.time_ms < self.limits.period_ms
    }

    /// What was paid in the period that ends now; to this one, or to all. `None` where the oldest payment of the list is in it: then there may have been more, and nothing
    /// further is paid.
    fn spent(&self, now: u64, payee: Option<&Address>) -> Option<Amount> {
        // Time that went backwards would not make old payments new.
        let now = now.max(self.payments[PAYMENTS - 1].time_ms);
        let recent =
            |payment: &&Payment| !payment.amount.is_zero() && now - payment.time_ms.min(now) < self.limits.period_ms;
        if recent(&&self.payments[0]) {
            return None;
        }
        let counts = |payment: &&Payment| payee.is_none_or(|payee| payment.payee == *payee);
        let sum = self.payments.iter().filter(recent).filter(counts).map(|payment| payment.amount).sum();
        Some(sum)
    }

    fn within(&self, payee: &Address, now: u64, free: Amount) -> Amount {
        let Limits { period, counterparty, keep, .. } = self.limits;
        let (Some(all), Some(one)) = (self.spent(now, None), self.spent(now, Some(payee))) else { return Amount::ZERO };
        let rest = |limit: Amount, spent: Amount| limit.checked_sub(spent).unwrap_or_default();
        rest(period, all).min(rest(counterparty, one)).min(rest(free, keep))
    }

    /// What may be paid to this one now.
    #[must_use]
    pub fn allowance(&self, payee: &Address) -> Amount {
        self.within(payee, env::block_time_ms(), Amount(env::free_balance()))
    }

    /// What a forecast of this seller may cost now, so that the reward for the tick can be paid as well.
    pub(crate) fn price_limit(&self, seller: &Address) -> Amount {
        let (reward, now) = (self.limits.reward, env::block_time_ms());
        // Two payments: the second one has to find the oldest of the list out of the way too.
        if self.is_recent(&self.payments[1], now) || self.allowance(&KEEPERS) < reward {
            return Amount::ZERO;
        }
        let all = self.spent(now, None).and_then(|all| self.limits.period.checked_sub(all));
        let free = Amount(env::free_balance()).checked_sub(self.limits.keep);
        let rest = all.unwrap_or_default().min(free.unwrap_or_default());
        self.allowance(seller).min(rest.checked_sub(reward).unwrap_or_default())
    }

    /// Notes a payment, if it is within all limits.
    pub(crate) fn spend(&mut self, payee: Address, amount: Amount) -> Result<()> {
        ensure!(amount <= self.allowance(&payee), AgentError::OverLimit);
        if !amount.is_zero() {
            self.note(Payment { time_ms: env::block_time_ms(), payee, amount });
        }
        Ok(())
    }

    fn note(&mut self, payment: Payment) {
        let newest = self.payments[PAYMENTS - 1].time_ms;
        self.payments.rotate_left(1);
        self.payments[PAYMENTS - 1] = Payment { time_ms: payment.time_ms.max(newest), ..payment };
    }

    /// Strikes the last payment out: it was undone. The one that fell off the list is older than a period, or it would not have been made.
    pub(crate) fn undo(&mut self) {
        self.payments[PAYMENTS - 1].amount = Amount::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::{KEEPERS, Limits, PAYMENTS, Payment, Wallet};
    use noema_sdk::prelude::Vec;
    use noema_sdk::{Address, Amount};
    use proptest::prelude::*;

    const DAY: u64 = 86_400_000;

    fn wallet() -> Wallet {
        let [period, counterparty, keep, worth, reward] = [100, 60, 5, 50, 1].map(Amount);
        Wallet::new(Limits { period_ms: DAY, period, counterparty, keep, worth, reward })
    }

    fn pay(wallet: &mut Wallet, who: u8, amount: u128, now: u64) -> bool {
        let payee = Address([who; 32]);
        let allowed = Amount(amount) <= wallet.within(&payee, now, Amount(1_000_000));
        if allowed && amount > 0 {
            wallet.note(Payment { time_ms: now, payee, amount: Amount(amount) });
        }
        allowed
    }

    #[test]
    fn neither_midnight_nor_a_clock_that_goes_backwards_resets_a_limit() {
        let mut wallet = wallet();
        let evening = 10 * DAY - 1;
        assert!(pay(&mut wallet, 1, 60, evening) && pay(&mut wallet, 2, 40, evening));
        // A new day, and everything is spent still; until the period has passed, to the millisecond.
        for now in [10 * DAY, 11 * DAY - 2, 0, evening - DAY] {
            assert!(!pay(&mut wallet, 3, 1, now), "{now}");
        }
        assert!(pay(&mut wallet, 1, 60, 11 * DAY - 1));
        assert!(!pay(&mut wallet, 1, 1, 11 * DAY) && pay(&mut wallet, 2, 1, 11 * DAY));
    }

    #[test]
    fn many_small_payments_do_not_push_a_large_one_out_of_the_list() {
        let mut wallet = wallet();
        assert!(pay(&mut wallet, 1, 60, DAY));
        let small = (0..2 * PAYMENTS).filter(|_| pay(&mut wallet, 2, 1, DAY + 1)).count();
        assert_eq!(small, PAYMENTS - 1);
        assert!(!pay(&mut wallet, 1, 1, DAY + 2));
        assert_eq!(wallet.payments[0].amount, Amount(60));
        assert_eq!(wallet.within(&KEEPERS, 2 * DAY, Amount(1_000)), Amount(60));
    }

    proptest! {
        /// Whatever is asked for at whatever times, no stretch of a period has more than the limits.
        #[test]
        fn no_period_has_more_than_the_limits(asked in prop::collection::vec((0u8..3, 0u128..70, 0u64..DAY), 1..60)) {
            let mut wallet = wallet();
            let (mut now, mut paid) = (DAY, Vec::new());
            for (who, amount, later) in asked {
                now += later / 4;
                if pay(&mut wallet, who, amount, now) {
                    paid.push((now, who, amount));
                }
            }
            for (from, ..) in &paid {
                let inside = |who: Option<u8>| -> u128 {
                    let counts = |p: &&(u64, u8, u128)| p.0 >= *from && p.0 - from < DAY && who.is_none_or(|who| who == p.1);
                    paid.iter().filter(counts).map(|p| p.2).sum()
                };
                prop_assert!(inside(None) <= 100 && (0..3).all(|who| inside(Some(who)) <= 60));
            }
        }
    }
}
