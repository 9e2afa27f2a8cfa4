//! Masks that cancel in the sum, modulo 2^32.
//!
//! Of each pair of hospitals one adds a mask and the other subtracts it; each adds a mask of its own besides. What one
//! submits looks like random numbers to everybody who does not know all of these.

use crate::{Bytes32, Secret, hash};
use sha2::{Digest, Sha256};

/// What a hospital knows about one round.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// Of its own mask.
    pub own: Bytes32,
    /// Of the mask that it shares with each other hospital, by address.
    pub pairs: Vec<(Bytes32, Bytes32)>,
}

impl Seeds {
    /// The seeds of a round: `others` are addresses and public keys. Each round has its own, so that nothing is learnt from two.
    #[must_use]
    pub fn of_round(secret: &Secret, contract: &Bytes32, round: u64, others: &[(Bytes32, Bytes32)]) -> Seeds {
        let round = round.to_le_bytes();
        let pair = |(address, key): &(Bytes32, Bytes32)| (*address, secret.shared(key, &[b"pair", contract, &round]));
        Seeds { own: secret.own(&[b"own", contract, &round]), pairs: others.iter().map(pair).collect() }
    }

    /// What it says when it joins: the SHA-256 of each seed.
    #[must_use]
    pub fn commitments(&self) -> (Bytes32, Vec<(Bytes32, Bytes32)>) {
        let pairs = self.pairs.iter().map(|(address, seed)| (*address, commitment(seed))).collect();
        (commitment(&self.own), pairs)
    }

    /// The seeds of these hospitals, to open when they have not submitted.
    #[must_use]
    pub fn with(&self, missing: &[Bytes32]) -> Vec<(Bytes32, Bytes32)> {
        self.pairs.iter().filter(|(address, _)| missing.contains(address)).copied().collect()
    }

    /// The update of the hospital at `me` under its masks; `group` are all who have joined.
    #[must_use]
    pub fn mask(&self, me: &Bytes32, group: &[Bytes32], update: &[i32]) -> Vec<u32> {
        let mut masked: Vec<u32> = update.iter().map(|x| x.cast_unsigned()).collect();
        add(&mut masked, &expand(&self.own, update.len()), false);
        for (other, seed) in self.pairs.iter().filter(|(other, _)| group.contains(other)) {
            add(&mut masked, &expand(seed, update.len()), me > other);
        }
        masked
    }
}

fn commitment(seed: &Bytes32) -> Bytes32 {
    Sha256::digest(seed).into()
}

/// A mask of so many numbers: SHA-256 of the seed and a counter byte, eight numbers at a time, little-endian.
#[must_use]
pub fn expand(seed: &Bytes32, len: usize) -> Vec<u32> {
    let block = |counter: u8| Sha256::digest([&seed[..], &[counter]].concat());
    let words = (0..=u8::MAX).map(block).flat_map(|block| <[u8; 32]>::from(block).as_chunks().0.to_vec());
    words.map(u32::from_le_bytes).take(len).collect()
}

/// Adds the mask, or subtracts it.
pub fn add(sum: &mut [u32], mask: &[u32], subtract: bool) {
    for (sum, mask) in sum.iter_mut().zip(mask) {
        *sum = if subtract { sum.wrapping_sub(*mask) } else { sum.wrapping_add(*mask) };
    }
}

/// A name for a test or a demo: the hash of its bytes.
#[must_use]
pub fn named(name: &str) -> Bytes32 {
    hash(&[name.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::{Seeds, add, expand, named};
    use crate::{Bytes32, Secret};
    use proptest::prelude::*;

    const CONTRACT: Bytes32 = [9; 32];

    fn seeds(round: u64) -> (Vec<Bytes32>, Vec<Seeds>) {
        let names: Vec<Bytes32> = ["a", "b", "c", "d"].map(named).to_vec();
        let secrets: Vec<Secret> = names.iter().map(|name| Secret::new(*name)).collect();
        let of = |me: usize| {
            let others: Vec<_> = (0..4).filter(|i| *i != me).map(|i| (names[i], secrets[i].public())).collect();
            Seeds::of_round(&secrets[me], &CONTRACT, round, &others)
        };
        (names.clone(), (0..4).map(of).collect())
    }

    proptest! {
        #[test]
        fn masks_of_pairs_cancel(updates in prop::collection::vec(prop::collection::vec(any::<i32>(), 17), 4)) {
            let (names, seeds) = seeds(3);
            let mut sum = vec![0u32; 17];
            for me in 0..4 {
                let masked = seeds[me].mask(&names[me], &names, &updates[me]);
                prop_assert!(masked.iter().zip(&updates[me]).filter(|(m, x)| **m == x.cast_unsigned()).count() < 2);
                add(&mut sum, &masked, false);
                add(&mut sum, &expand(&seeds[me].own, 17), true);
            }
            let exact: Vec<u32> = (0..17).map(|i| updates.iter().fold(0, |sum: u32, u| sum.wrapping_add(u[i].cast_unsigned()))).collect();
            prop_assert_eq!(sum, exact);
        }
    }

    #[test]
    fn both_of_a_pair_know_the_same_seed_of_each_round_and_no_other() {
        let ((names, first), (_, second)) = (seeds(1), seeds(2));
        let seed = |seeds: &[Seeds], me: usize, other: usize| seeds[me].with(&[names[other]])[0].1;
        assert_eq!(seed(&first, 0, 1), seed(&first, 1, 0));
        assert_ne!(seed(&first, 0, 1), seed(&second, 0, 1));
        assert_ne!(seed(&first, 0, 1), seed(&first, 0, 2));
        assert_ne!(first[0].own, second[0].own);
    }
}
