//! Records: encrypted once with a key of their own, which is sealed to whoever may have it.
//!
//! ChaCha20-Poly1305 under a key from X25519 with a fresh secret for each seal; what the seal is for (whose record, for whom) is
//! authenticated with it, so that a sealed key moved elsewhere does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

use crate::{Bytes32, Secret};

/// Something sealed to a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The public half of the fresh secret.
    pub ephemeral: Bytes32,
    /// The ciphertext, with its tag of 16 bytes.
    pub ciphertext: Vec<u8>,
}

/// Encrypts with a key that is used once.
fn cipher(key: &Bytes32) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&Key::from(*key))
}

/// Each key encrypts one message only, so that the nonce may stay the same.
const NONCE: [u8; 12] = [0; 12];

/// Encrypts a record under a fresh key.
///
/// # Panics
/// For a record of more bytes than the cipher takes (256 GiB).
#[must_use]
pub fn encrypt(key: &Bytes32, record: &[u8], about: &[u8]) -> Vec<u8> {
    let payload = Payload { msg: record, aad: about };
    cipher(key).encrypt(&Nonce::from(NONCE), payload).expect("a record is short")
}

/// Decrypts it; none for another key, other bytes, or another thing that it is about.
#[must_use]
pub fn decrypt(key: &Bytes32, ciphertext: &[u8], about: &[u8]) -> Option<Vec<u8>> {
    cipher(key).decrypt(&Nonce::from(NONCE), Payload { msg: ciphertext, aad: about }).ok()
}

/// Seals a message to a public key. `fresh` is used for this seal only.
#[must_use]
pub fn seal(fresh: &Secret, to: &Bytes32, message: &[u8], about: &[u8]) -> Sealed {
    let ephemeral = fresh.public();
    let key = fresh.shared(to, &[b"seal", &ephemeral, to]);
    Sealed { ephemeral, ciphertext: encrypt(&key, message, about) }
}

/// Opens what was sealed to this key; none for another one, or another thing that it is about.
#[must_use]
pub fn open(secret: &Secret, sealed: &Sealed, about: &[u8]) -> Option<Vec<u8>> {
    let key = secret.shared(&sealed.ephemeral, &[b"seal", &sealed.ephemeral, &secret.public()]);
    decrypt(&key, &sealed.ciphertext, about)
}

#[cfg(test)]
mod tests {
    use super::{open, seal};
    use crate::Secret;

    #[test]
    fn a_seal_opens_for_its_reader_and_its_purpose_only() {
        let [reader, other, fresh] = [1, 2, 3].map(|n| Secret::new([n; 32]));
        let sealed = seal(&fresh, &reader.public(), b"key", b"record 7");
        assert_eq!(open(&reader, &sealed, b"record 7").as_deref(), Some(&b"key"[..]));
        assert_eq!(open(&other, &sealed, b"record 7"), None);
        assert_eq!(open(&reader, &sealed, b"record 8"), None);
        let mut broken = sealed.clone();
        broken.ciphertext[0] ^= 1;
        assert_eq!(open(&reader, &broken, b"record 7"), None);
    }
}
