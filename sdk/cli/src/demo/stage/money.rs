//! Native units as people read them.

/// A coin: 10^18 native units. Prices in the stories are in coins, so that deposits (10^12 units a byte) are small change.
pub const COIN: u128 = 1_000_000_000_000_000_000;

/// So many coins in native units.
#[must_use]
pub const fn coins(count: u128) -> u128 {
    count * COIN
}

/// Native units as coins, rounded to the nearest thousandth.
///
/// ```
/// use noema_cli::demo::stage::{COIN, coins, shown};
/// assert_eq!(shown(coins(12) + COIN / 2), "12.500");
/// assert_eq!(shown(COIN / 1000 - 1), "0.001");
/// assert_eq!(shown(499_999_999_999_999), "0.000");
/// ```
#[must_use]
pub fn shown(units: u128) -> String {
    let thousandth = COIN / 1000;
    let count = units / thousandth + u128::from(units % thousandth >= thousandth / 2);
    format!("{}.{:03}", count / 1000, count % 1000)
}

/// A gain or loss in coins, with its sign.
///
/// ```
/// use noema_cli::demo::stage::{COIN, signed};
/// assert_eq!(signed(-(COIN as i128)), "-1.000");
/// assert_eq!(signed(COIN as i128), "+1.000");
/// assert_eq!(signed(-5), "0.000");
/// ```
#[must_use]
pub fn signed(units: i128) -> String {
    let text = shown(units.unsigned_abs());
    match units {
        _ if text.bytes().all(|c| c == b'0' || c == b'.') => text,
        i128::MIN..0 => format!("-{text}"),
        _ => format!("+{text}"),
    }
}
