//! Hashes and signatures, computed by the host.

use noema_abi::Status;

use crate::env::must;
use crate::{Hash, sys};

/// Keccak-256, as Ethereum pads it.
#[must_use]
pub fn keccak256(data: &[u8]) -> Hash {
    let mut digest = [0; 32];
    must(sys::crypto::keccak256(data, &mut digest));
    Hash(digest)
}

/// SHA-256.
#[must_use]
pub fn sha256(data: &[u8]) -> Hash {
    let mut digest = [0; 32];
    must(sys::crypto::sha256(data, &mut digest));
    Hash(digest)
}

/// Whether `signature` is a valid Ed25519 signature of `message` under `key`, by the rules of ZIP-215.
#[must_use]
pub fn ed25519_verify(key: &[u8; 32], signature: &[u8; 64], message: &[u8]) -> bool {
    must(sys::crypto::ed25519_verify(key, signature, message)) == 1
}

/// The public key (x and y, big-endian) whose ECDSA signature (r and s, big-endian) of `digest` over
/// secp256k1 this is, with recovery id 0 to 3.
///
/// # Errors
/// `InvalidSignature`.
pub fn secp256k1_recover(digest: &[u8; 32], signature: &[u8; 64], recovery_id: u32) -> Result<[u8; 64], Status> {
    let mut public_key = [0; 64];
    sys::crypto::secp256k1_recover(digest, signature, recovery_id, &mut public_key)?;
    Ok(public_key)
}
