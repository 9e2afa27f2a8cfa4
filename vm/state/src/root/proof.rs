//! Proofs against a state root. Checking one needs no store.

use jmt::RootHash;
use jmt::proof::SparseMerkleProof;

use super::{TreeHasher, path};

/// A proof does not show what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The bytes are not a proof.
    #[error("not a proof: {detail}")]
    Malformed {
        /// What is wrong with them.
        detail: String,
    },
    /// It is a proof, but not of this.
    #[error("the proof does not show this: {detail}")]
    Refused {
        /// What does not fit.
        detail: String,
    },
}

/// A proof that the state with a given root has a value under a key, or that it has none: the nodes beside the path
/// from the root to the key, at most 256 of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof(SparseMerkleProof<TreeHasher>);

impl Proof {
    pub(super) fn new(proof: SparseMerkleProof<TreeHasher>) -> Proof {
        Proof(proof)
    }

    /// Checks that the state with this root has `value` under `key`; `None`: that it has nothing there.
    ///
    /// # Errors
    /// `Refused`: it shows something else, or nothing.
    pub fn verify(&self, root: &[u8; 32], key: &[u8], value: Option<&[u8]>) -> Result<(), ProofError> {
        self.0
            .verify(RootHash(*root), path(key), value)
            .map_err(|error| ProofError::Refused { detail: format!("{error:#}") })
    }

    /// The canonical bytes.
    ///
    /// # Panics
    /// Never: writing to memory does not fail.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(&self.0).expect("writing to memory does not fail")
    }

    /// Reads the canonical bytes; nothing may follow them.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Proof, ProofError> {
        borsh::from_slice(bytes).map(Proof).map_err(|error| ProofError::Malformed { detail: error.to_string() })
    }
}
