//! What happens off the chain in the example `private-health`: sealing and opening records, masks, and training.
//!
//! Secrets are arguments here, so that tests and demos are the same each time. Real ones come from the operating system's
//! source of random numbers.
#![forbid(unsafe_code)]

pub mod masks;
pub mod sealed;
pub mod training;

use sha2::{Digest, Sha256};

/// 32 bytes: keys, seeds, addresses, hashes.
pub type Bytes32 = [u8; 32];

/// A secret key of X25519.
#[derive(Clone)]
pub struct Secret(x25519_dalek::StaticSecret);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(random: Bytes32) -> Secret {
        Secret(random.into())
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> Bytes32 {
        x25519_dalek::PublicKey::from(&self.0).to_bytes()
    }

    /// What only this key and the owner of the other one know, for one use that `purpose` names.
    #[must_use]
    pub fn shared(&self, with: &Bytes32, purpose: &[&[u8]]) -> Bytes32 {
        let shared = self.0.diffie_hellman(&(*with).into());
        let mut parts = vec![&shared.as_bytes()[..]];
        parts.extend(purpose);
        hash(&parts)
    }

    /// What only this key knows, for one use that `purpose` names.
    #[must_use]
    pub fn own(&self, purpose: &[&[u8]]) -> Bytes32 {
        let mut parts = vec![&self.0.as_bytes()[..]];
        parts.extend(purpose);
        hash(&parts)
    }
}

/// SHA-256 of the parts, each behind its length, so that no two lists of parts give the same bytes.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> Bytes32 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
