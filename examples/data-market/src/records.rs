//! What a collection is about, and what the market keeps of data sets and purchases.

use noema_sdk::{self as noema, prelude::*};

/// Longest time of a slot or of handing over: so that no sum of times is out of range, and keeps what is held for ever.
const MAX_MS: u64 = 1 << 40;
/// No time of a collection is later.
const MAX_TIME: u64 = 1 << 60;

/// What a collection is about.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What a buyer may do with the data: an SPDX expression, or a text.
    pub licence: String,
    /// What all of it costs.
    pub price: Amount,
    /// What a contributor puts behind being there to be measured.
    pub bond: Amount,
    /// The encoder: `i32 [n, features]` to `i32 [n, d]`, its first output.
    pub model: Hash,
    /// Measurements of a row.
    pub features: u32,
    /// What the held-out rows hash to.
    pub held_out: Hash,
    /// Rows of a sample.
    pub sample: u32,
    /// Until when data sets are taken, in milliseconds since 1970, ..
    pub register_until: u64,
    /// .. and the held-out rows are shown.
    pub show_until: u64,
    /// Time for measuring one data set.
    pub slot_ms: u64,
    /// Time for handing a key over.
    pub release_ms: u64,
    /// Time for a dispute after that.
    pub dispute_ms: u64,
}

/// A data set.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who contributed it.
    pub seller: Address,
    /// The root of its tree.
    pub root: Hash,
    /// Its rows.
    pub rows: u32,
    /// SHA-256 of the key that opens it.
    pub key_hash: Hash,
    /// Whether its bond is still here: it has not been measured.
    pub bonded: bool,
    /// Held-out rows that are named rightly because of it; nothing, and it is not sold.
    pub worth: u32,
}

/// A purchase that is not settled.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Who pays.
    pub buyer: Address,
    /// What is left of the price.
    pub left: Amount,
    /// Parts that are not settled.
    pub open: u32,
    /// Until when keys are to be handed over.
    pub release_until: u64,
    /// Until when they can be disputed.
    pub dispute_until: u64,
}

/// What a buyer has got of a part.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// SHA-256 of the pad that the contributor has been given.
    pub pad_hash: Hash,
    /// The key, hidden by the pad, once it is released.
    pub sealed_key: Hash,
    /// Whether it is.
    pub released: bool,
}

/// How a part of a purchase ended.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The contributor has been paid.
    Paid,
    /// The key did not come, the buyer has the share back.
    Late,
    /// The key or a row was wrong, the buyer has the share back.
    Cheated,
}

impl Terms {
    pub(crate) fn make_sense(&self, now: u64) -> bool {
        let times = [now, self.register_until, self.show_until, MAX_TIME];
        let spans = [self.slot_ms, self.release_ms, self.dispute_ms];
        times.is_sorted_by(|a, b| a < b)
            && spans.iter().all(|span| *span <= MAX_MS)
            && self.sample > 0
            && self.features > 0
    }
}
