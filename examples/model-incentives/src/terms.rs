//! What a bounty is about, fixed before anybody enters.

use noema_sdk::{self as noema, prelude::*};

use crate::{BountyError, Part};

/// Most chunks of a set, a bit for each.
const MAX_CHUNKS: usize = 64;
/// Most prizes.
const MAX_PRIZES: usize = 8;

/// What a bounty is about.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Features of a row. A model takes `i32 [n, features]`, in the fixed point that the sponsor has announced.
    pub features: u32,
    /// The output of a model that is the class: `i32 [n]`.
    pub class_output: u32,
    /// Most rows of a chunk.
    pub chunk_rows: u32,
    /// Most gas that a model may cost on so many.
    pub max_gas: u64,
    /// Until when seals are taken, in milliseconds since 1970, ..
    pub submit_until: u64,
    /// .. models are unsealed, ..
    pub models_until: u64,
    /// .. the test set is shown, ..
    pub test_until: u64,
    /// .. and scores are computed.
    pub score_until: u64,
    /// Hashes of the chunks that are public from the beginning.
    pub validation: Vec<Hash>,
    /// Hashes of the chunks that are hidden.
    pub test: Vec<Hash>,
    /// Least share of hidden rows that a model has to get right to be ranked, of 1000.
    pub floor: u32,
    /// By how much its share of public rows may be larger than that of hidden ones, of 1000.
    pub gap: u32,
    /// What the places get of the pot, of 1000 in all: the first one first.
    pub shares: Vec<u32>,
    /// Who gets what nobody wins.
    pub heir: Address,
}

/// Some rows with their classes.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The rows, one after the other.
    pub rows: Vec<i32>,
    /// A class for each.
    pub labels: Vec<u8>,
    /// So that nobody can guess a chunk from its hash.
    pub salt: Hash,
}

impl Terms {
    pub(crate) fn make_sense(&self, now: u64) -> bool {
        let times = [now, self.submit_until, self.models_until, self.test_until, self.score_until];
        let chunks = |set: &[Hash]| (1..=MAX_CHUNKS).contains(&set.len());
        times.is_sorted_by(|a, b| a < b)
            && chunks(&self.validation)
            && chunks(&self.test)
            && self.features > 0
            && self.chunk_rows > 0
            && (1..=MAX_PRIZES).contains(&self.shares.len())
            && self.shares.iter().map(|share| u64::from(*share)).sum::<u64>() <= 1000
    }

    /// Now is after the first time, and not after the second.
    pub(crate) fn between(&self, after: u64, until: u64) -> Result<()> {
        let now = env::block_time_ms();
        ensure!(now > after, BountyError::TooEarly);
        ensure!(now <= until, BountyError::TooLate);
        Ok(())
    }

    /// Whether this is the chunk that was committed to, and can be scored. One that cannot is never shown, whatever its hash.
    pub(crate) fn has(&self, part: Part, index: u32, chunk: &Chunk) -> bool {
        let set = if part == Part::Test { &self.test } else { &self.validation };
        let (features, rows) = (self.features as usize, chunk.labels.len());
        rows > 0
            && rows <= self.chunk_rows as usize
            && chunk.rows.len() == rows * features
            && set.get(index as usize) == Some(&chunk.hash(part, index))
    }
}

impl Chunk {
    pub(crate) fn hash(&self, part: Part, index: u32) -> Hash {
        crypto::sha256(&noema::encoding::encode(&(part, index, self.clone())))
    }
}
