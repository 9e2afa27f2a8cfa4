//! The arithmetic of the pool: what a trade gives, and what a block begins with. Plain integers, nothing of a chain.
//!
//! Trades move on `X * Y = constant` of *virtual* reserves. The *real* ones are what the pool has; where they are a part `share` of
//! the virtual ones, liquidity is `1 / share` times as deep as the same money otherwise would be, and ends where a real side
//! is used up: at a price `1 / (1 - share)^2` times higher or lower. With a share of one it is the plain constant product.
//!
//! Every rounding is against who trades.

use noema_sdk as noema;
use noema_sdk::math::{Rounding, mul_div};

/// A fee or a share of one.
pub const MILLION: u32 = 1_000_000;
/// The depth grows by at most one part in so many from block to block. It may shrink at once.
pub const SLOWEST_GROWTH: u128 = 64;

/// Which side goes in.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Tokens.
    Token,
    /// Native units.
    Native,
}

/// Tokens and native units.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Tokens.
    pub token: u128,
    /// Native units.
    pub native: u128,
}

impl Pair {
    fn get(&self, side: Side) -> u128 {
        match side {
            Side::Token => self.token,
            Side::Native => self.native,
        }
    }

    fn get_mut(&mut self, side: Side) -> &mut u128 {
        match side {
            Side::Token => &mut self.token,
            Side::Native => &mut self.native,
        }
    }

    fn map(&self, f: impl Fn(u128) -> Option<u128>) -> Option<Pair> {
        Some(Pair { token: f(self.token)?, native: f(self.native)? })
    }
}

/// The reserves, and what a trade costs.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What belongs to the providers. What somebody sends without being asked is not part of it.
    pub real: Pair,
    /// What the price is made of.
    pub virtual_: Pair,
    /// Of what comes in, in millionths.
    pub fee: u32,
    /// Which part of the virtual reserves the real ones are meant to be, in millionths.
    pub share: u32,
}

impl Side {
    /// The side that goes out.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Token => Side::Native,
            Side::Native => Side::Token,
        }
    }
}

impl Pool {
    /// A pool with these reserves, at the price that they make.
    #[must_use]
    pub fn new(real: Pair, fee: u32, share: u32) -> Option<Pool> {
        let virtual_ = real.map(|real| mul_div(real, MILLION.into(), share.into(), Rounding::Down))?;
        Some(Pool { real, virtual_, fee, share })
    }

    /// Trades `amount` of one side for what this returns of the other; none where that is nothing, or more than there is.
    #[must_use]
    pub fn swap(&mut self, side: Side, amount: u128) -> Option<u128> {
        let effective = mul_div(amount, (MILLION - self.fee).into(), MILLION.into(), Rounding::Down)?;
        let (before, against) = (self.virtual_.get(side), self.virtual_.get(side.other()));
        let after = before.checked_add(effective)?;
        let out = mul_div(against, effective, after, Rounding::Down)?;
        if out == 0 || out >= self.real.get(side.other()) {
            return None;
        }
        *self.virtual_.get_mut(side) = after;
        *self.virtual_.get_mut(side.other()) -= out;
        *self.real.get_mut(side) = self.real.get(side).checked_add(amount)?;
        *self.real.get_mut(side.other()) -= out;
        Some(out)
    }

    /// Sets fee and share for a block. The price stays as it is; both virtual reserves are scaled by one ratio, to the largest of
    /// which the real ones are still the share, and no faster upwards than [`SLOWEST_GROWTH`]: who moves the price at the end
    /// of a block finds it hardly deeper at the beginning of the next, where they would move it back.
    #[must_use]
    pub fn set(&mut self, fee: u32, share: u32) -> Option<()> {
        let wanted = self.real.map(|real| mul_div(real, MILLION.into(), share.into(), Rounding::Down))?;
        let grown = self.virtual_.map(|now| now.checked_add(now / SLOWEST_GROWTH))?;
        // The ratio is that of the side that allows less: a / b, compared by cross products in the form of quotients.
        let by = |side: Side| {
            let (now, other) = (self.virtual_.get(side), self.virtual_.get(side.other()));
            let target = wanted.get(side).min(grown.get(side));
            let moved = mul_div(other, target, now, Rounding::Down)?;
            Some((target, moved))
        };
        let (token, native_with_it) = by(Side::Token)?;
        let (native, token_with_it) = by(Side::Native)?;
        let next = if native_with_it <= native {
            Pair { token, native: native_with_it }
        } else {
            Pair { token: token_with_it, native }
        };
        if next.token > 0 && next.native > 0 {
            self.virtual_ = next;
        }
        (self.fee, self.share) = (fee, share);
        Some(())
    }

    /// Adds to all reserves, or takes from them, the part `shares` of `supply`, with the rounding that providers who stay prefer.
    #[must_use]
    pub fn scale(&mut self, shares: u128, supply: u128, add: bool) -> Option<Pair> {
        let rounding = if add { Rounding::Up } else { Rounding::Down };
        let part = self.real.map(|real| mul_div(real, shares, supply, rounding))?;
        let depth = self.virtual_.map(|now| mul_div(now, shares, supply, Rounding::Down))?;
        for side in [Side::Token, Side::Native] {
            let (real, depth) = (part.get(side), depth.get(side));
            let (of_real, of_depth) = (self.real.get(side), self.virtual_.get(side));
            *self.real.get_mut(side) = if add { of_real.checked_add(real)? } else { of_real.checked_sub(real)? };
            *self.virtual_.get_mut(side) =
                if add { of_depth.checked_add(depth)? } else { of_depth.checked_sub(depth)? };
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{MILLION, Pair, Pool, Side};
    use noema_sdk::math::{Rounding, mul_div};
    use proptest::prelude::*;

    fn pool() -> impl Strategy<Value = Pool> {
        let reserves = (1_000u128..1 << 60, 1_000u128..1 << 60, 0u32..50_000, 50_000u32..=MILLION);
        reserves.prop_map(|(token, native, fee, share)| Pool::new(Pair { token, native }, fee, share).unwrap())
    }

    fn side() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Token), Just(Side::Native)]
    }

    proptest! {
        /// The product never falls, the reserves never end, and whoever goes there and back has less.
        #[test]
        fn rounding_never_favours_the_trader(mut pool in pool(), side in side(), amount in 1u128..1 << 59) {
            let before = pool;
            let Some(out) = pool.swap(side, amount) else { return Ok(()) };
            // a * b >= c * d, where the products may not fit: a / c >= d / b.
            let (x, y) = (pool.virtual_.token, pool.virtual_.native);
            prop_assert!(mul_div(x, y, before.virtual_.native, Rounding::Down).unwrap() >= before.virtual_.token);
            prop_assert!(pool.real.token > 0 && pool.real.native > 0);
            if let Some(back) = pool.swap(side.other(), out) {
                prop_assert!(back <= amount, "{} for {}", back, amount);
            }
        }

        /// A large trade in pieces gives no more than at once, without fees, and with them hardly less of a product.
        #[test]
        fn pieces_give_no_more(pool in pool(), side in side(), amount in 1_000u128..1 << 58) {
            let pool = Pool { fee: 0, ..pool };
            let (mut whole, mut pieces) = (pool, pool);
            let Some(at_once) = whole.swap(side, amount) else { return Ok(()) };
            let first = pieces.swap(side, amount / 2).unwrap_or(0);
            let second = pieces.swap(side, amount - amount / 2).unwrap_or(0);
            prop_assert!(first + second <= at_once);
        }

        /// Another fee and range leave the price where it was, to a part in the smaller reserve, and what is real as it was.
        #[test]
        fn a_new_block_does_not_move_the_price(mut pool in pool(), amount in 1u128..1 << 50, share in 50_000u32..=MILLION) {
            let _ = pool.swap(Side::Native, amount);
            let before = pool;
            pool.set(3_000, share).unwrap();
            prop_assert_eq!(pool.real, before.real);
            let there = mul_div(before.virtual_.native, pool.virtual_.token, before.virtual_.token, Rounding::Down).unwrap();
            // Both are rounded to whole units, so that one of tokens is worth so many of native ones.
            let unit = before.virtual_.native / before.virtual_.token + 2;
            prop_assert!(there.abs_diff(pool.virtual_.native) <= unit, "{} {}", there, pool.virtual_.native);
            let limit = before.virtual_.token + before.virtual_.token / 64 + 1;
            prop_assert!(pool.virtual_.token <= limit);
        }

        /// Who adds and takes the same shares has no more than before, and the others have no less.
        #[test]
        fn providing_and_leaving_gains_nothing(mut pool in pool(), shares in 1u128..1 << 40, supply in 1u128..1 << 40) {
            let before = pool;
            let put = pool.scale(shares, supply, true).unwrap();
            let got = pool.scale(shares, supply + shares, false).unwrap();
            prop_assert!(got.token <= put.token && got.native <= put.native);
            prop_assert!(pool.real.token >= before.real.token && pool.real.native >= before.real.native);
        }
    }
}
