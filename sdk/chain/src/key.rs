//! Keys of accounts.

use std::fmt;

use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use noema_vm::Address;

use crate::hash::hash;
use crate::{SignedTransaction, Transaction};

/// An Ed25519 key that can sign.
///
/// ```
/// use noema_chain::KeyPair;
/// let key = KeyPair::from_seed([7; 32]);
/// assert_eq!(key.address(), noema_chain::address_of(&key.public_key()));
/// assert!(!format!("{key:?}").contains("0707"), "the secret is not shown");
/// ```
#[derive(Clone)]
pub struct KeyPair {
    signing: SigningKey,
}

impl KeyPair {
    /// The key of these 32 secret bytes (RFC 8032's private key). Whoever has them can sign.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> KeyPair {
        KeyPair { signing: SigningKey::from(seed) }
    }

    /// The secret bytes.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.signing.to_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        VerificationKey::from(&self.signing).into()
    }

    /// The address of the account that this key controls.
    #[must_use]
    pub fn address(&self) -> Address {
        address_of(&self.public_key())
    }

    /// Signs a transaction.
    #[must_use]
    pub fn sign(&self, transaction: Transaction) -> SignedTransaction {
        let signature = self.signing.sign(&transaction.signing_hash()).to_bytes();
        SignedTransaction { transaction, public_key: self.public_key(), signature }
    }

    /// Signs bytes for a contract that verifies them (`crypto.ed25519_verify`): the key of a device, or of somebody who lets others send what
    /// they have signed. Take a key that owns no account: bytes that somebody else has chosen may be the hash of a transaction.
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

/// Shows the public key only.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.address()).finish()
    }
}

/// The address of the account of a public key.
#[must_use]
pub fn address_of(public_key: &[u8; 32]) -> Address {
    Address(hash("noema account address", &[public_key]))
}

/// Whether the signature is valid by the rules of ZIP-215, under which all implementations agree on every input.
pub(crate) fn verifies(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerificationKey::try_from(*public_key).is_ok_and(|key| key.verify(&Signature::from(*signature), message).is_ok())
}

#[cfg(test)]
mod tests {
    use super::KeyPair;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn bytes_are_signed_as_the_standard_says() {
        let pair = |at: usize, text: &str| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        let bytes = |text: &str| -> Vec<u8> { (0..text.len()).step_by(2).map(|at| pair(at, text)).collect() };
        let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = KeyPair::from_seed(seed.try_into().unwrap());
        assert_eq!(key.public_key()[..], bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
        assert_eq!(
            key.sign_bytes(&[0x72])[..],
            bytes(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            )
        );
    }
}
