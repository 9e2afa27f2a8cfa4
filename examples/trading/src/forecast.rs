//! What a block may know: prices at the ends of earlier blocks, and what a network makes of them.
//!
//! The price of a block is noted when somebody first comes in a later one. Whatever happens inside a block, however large, is seen by
//! the next block only, and then only where it was left at the end: there and back again within one block leaves nothing.

use crate::TradingError;
use crate::pool::{MILLION, Pair};
use noema_sdk::{self as noema, prelude::*};

/// Blocks that the network looks back.
pub const WINDOW: usize = 16;
/// Bits behind the point of a return.
pub const FRACTION_BITS: u32 = 16;
/// No single block counts as more: an eighth, base 2.
pub const LARGEST_RETURN: i32 = 1 << 13;
/// What a fee can be, in millionths.
pub const FEES: core::ops::RangeInclusive<u32> = 100..=50_000;
/// What a share can be, in millionths.
pub const SHARES: core::ops::RangeInclusive<u32> = 50_000..=MILLION;

/// 16 returns; the forecast, and the largest of its numbers (which the importer adds, and nobody needs).
type Network = StaticModel<([[i32; WINDOW]; 1],), ([[i32; 1]; 1], [i32; 1])>;

/// How fee and range are found.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Always these.
    Constant {
        /// The fee, in millionths.
        fee: u32,
        /// The share, in millionths.
        share: u32,
    },
    /// Straight lines of the forecast.
    Forecast {
        /// The network.
        model: Hash,
        /// Bits behind the point of what it says: the mean absolute return of the next blocks, in thousandths.
        output_bits: u8,
        /// The fee for a forecast of nothing, in millionths,
        fee: u32,
        /// and so much more for each thousandth.
        fee_slope: u32,
        /// The share for a forecast of nothing, in millionths,
        share: u32,
        /// and so much more for each thousandth.
        share_slope: u32,
    },
}

/// What was seen of earlier blocks.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The last block in which somebody came.
    pub height: u64,
    /// The logarithm (base 2, 16 bits behind the point) of the price at the end of the last block that was noted.
    pub log_price: i32,
    /// The absolute differences from block to block, newest last.
    pub returns: [i32; WINDOW],
}

impl Seen {
    pub(crate) fn new(height: u64, price: &Pair) -> Seen {
        Seen { height, log_price: log_price(price), returns: [0; WINDOW] }
    }

    /// Notes the price at which the block before was left; whether this is the first time in this block.
    pub(crate) fn observe(&mut self, height: u64, price: &Pair) -> bool {
        if height <= self.height {
            return false;
        }
        let now = log_price(price);
        self.push((now - self.log_price).abs().min(LARGEST_RETURN));
        // Nobody came in the blocks between, and the price stood still.
        for _ in 1..(height - self.height).min(1 + WINDOW as u64) {
            self.push(0);
        }
        (self.height, self.log_price) = (height, now);
        true
    }

    fn push(&mut self, newest: i32) {
        self.returns.copy_within(1.., 0);
        self.returns[WINDOW - 1] = newest;
    }
}

impl Policy {
    /// Fee and share for a block.
    pub(crate) fn decide(&self, seen: &Seen) -> Result<(u32, u32)> {
        match *self {
            Policy::Constant { fee, share } => Ok((fee, share)),
            Policy::Forecast { model, output_bits, fee, fee_slope, share, share_slope } => {
                // Whoever holds the model can take it away. The pool stays open then, dear and wide.
                let Ok(forecast) = forecast(&model, seen) else { return Ok((*FEES.end(), *SHARES.end())) };
                let line = |base: u32, slope: u32| {
                    let more = (u64::from(slope) * u64::from(forecast)) >> output_bits;
                    u32::try_from(more + u64::from(base)).unwrap_or(u32::MAX)
                };
                let (fee, share) = (line(fee, fee_slope), line(share, share_slope));
                Ok((fee.clamp(*FEES.start(), *FEES.end()), share.clamp(*SHARES.start(), *SHARES.end())))
            }
        }
    }

    /// Whether it can be followed.
    pub(crate) fn check(&self, seen: &Seen) -> Result<()> {
        match *self {
            Policy::Constant { fee, share } => {
                ensure!(FEES.contains(&fee) && SHARES.contains(&share), TradingError::BadPolicy);
            }
            Policy::Forecast { model, output_bits, .. } => {
                ensure!(output_bits <= 31, TradingError::BadPolicy);
                ensure!(forecast(&model, seen).is_ok(), TradingError::UnfitModel);
            }
        }
        Ok(())
    }
}

fn forecast(model: &Hash, seen: &Seen) -> Result<u32, Status> {
    let network = Network::open(model)?;
    let ([[forecast]], _) =
        network.run(&(StaticTensor::of(&[seen.returns])?,)).and_then(|(f, c)| Ok((f.read()?, c)))?;
    Ok(u32::try_from(forecast).unwrap_or(0))
}

/// The logarithm of native units for a token.
fn log_price(pair: &Pair) -> i32 {
    log2(pair.native) - log2(pair.token)
}

/// `log2(n)`, rounded down, of at least 1.
fn log2(n: u128) -> i32 {
    math::log2(n.max(1), FRACTION_BITS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_RETURN, Seen, WINDOW, log2};
    use crate::pool::Pair;

    #[test]
    fn logarithms_are_those_of_real_numbers() {
        for n in [1u128, 2, 3, 1_000, 123_456_789, 1 << 77, u128::MAX / 3] {
            let off = (n as f64).log2() * 65_536.0 - f64::from(log2(n));
            assert!((-0.1..2.5).contains(&off), "{n}: {off}");
        }
    }

    #[test]
    fn a_block_is_seen_by_later_ones_once() {
        let price = |native| Pair { token: 1_000_000, native };
        let mut seen = Seen::new(7, &price(2_000_000));
        assert!(!seen.observe(7, &price(9_000_000)));
        assert_eq!(seen, Seen::new(7, &price(2_000_000)));
        assert!(seen.observe(8, &price(2_020_000)));
        let step = seen.returns[WINDOW - 1];
        assert!((935..945).contains(&step), "log2(1.01) * 65,536 = 940.8: {step}");
        // Two blocks without anybody: the price of block 8 was seen at its end, and stood.
        assert!(seen.observe(11, &price(2_000_000)));
        assert_eq!(seen.returns[WINDOW - 4..], [step, step, 0, 0]);
        assert!(seen.observe(12, &price(200_000_000)));
        assert_eq!(seen.returns[WINDOW - 1], LARGEST_RETURN);
        assert!(seen.observe(1_000_000, &price(200_000_000)));
        assert_eq!(seen.returns, [0; WINDOW]);
    }
}
