//! Transactions: what an account signs.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_vm::{Action, Address};

use crate::hash::hash;
use crate::key::{address_of, verifies};

/// Most bytes of a signed transaction in canonical form.
pub const MAX_TRANSACTION_BYTES: usize = 4 * 1024 * 1024;

/// What an account wants to do.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// The chain it is meant for; no other chain takes it.
    pub chain_id: String,
    /// How many transactions of the account were included before this one: nothing is executed twice or out of order.
    pub nonce: u64,
    /// Most gas it may use, in picoseconds of the reference machine.
    pub gas_limit: u64,
    /// Native units paid for one unit of gas.
    pub gas_price: u64,
    /// Native value that goes with it.
    pub value: u128,
    /// What to do.
    pub action: Action,
}

impl Transaction {
    /// What is signed: the domain-separated Keccak-256 of the canonical bytes (borsh).
    #[must_use]
    pub fn signing_hash(&self) -> [u8; 32] {
        hash("noema transaction", &[&bytes(self)])
    }

    /// The most that its gas can cost.
    #[must_use]
    pub fn largest_fee(&self) -> u128 {
        u128::from(self.gas_limit) * u128::from(self.gas_price)
    }
}

/// A transaction with the signature of its sender.
///
/// ```
/// use noema_chain::{Action, KeyPair, SignedTransaction, Transaction};
///
/// let key = KeyPair::from_seed([1; 32]);
/// let transaction = key.sign(Transaction {
///     chain_id: "local".into(), nonce: 0, gas_limit: 1_000_000_000, gas_price: 0, value: 5,
///     action: Action::Transfer { to: KeyPair::from_seed([2; 32]).address() },
/// });
/// transaction.verify()?;
/// let bytes = transaction.to_bytes();
/// assert_eq!(SignedTransaction::from_bytes(&bytes)?, transaction);
/// assert!(SignedTransaction::from_bytes(&[bytes, vec![0]].concat()).is_err(), "nothing may follow");
/// # Ok::<(), noema_chain::TransactionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedTransaction {
    /// What is signed.
    pub transaction: Transaction,
    /// Ed25519 public key of the sender.
    pub public_key: [u8; 32],
    /// Ed25519 signature (ZIP-215 rules) of [`Transaction::signing_hash`].
    pub signature: [u8; 64],
}

impl SignedTransaction {
    /// The account that signed it.
    #[must_use]
    pub fn sender(&self) -> Address {
        address_of(&self.public_key)
    }

    /// The domain-separated Keccak-256 of the canonical bytes: its name.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash("noema signed transaction", &[&self.to_bytes()])
    }

    /// The canonical bytes (borsh).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        bytes(self)
    }

    /// Reads the canonical bytes. There is exactly one form of each transaction.
    ///
    /// # Errors
    /// `TooLarge`, `Malformed`.
    pub fn from_bytes(bytes: &[u8]) -> Result<SignedTransaction, TransactionError> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::TooLarge { bytes: bytes.len() });
        }
        borsh::from_slice(bytes).map_err(|error| TransactionError::Malformed { detail: error.to_string() })
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// `Signature`.
    pub fn verify(&self) -> Result<(), TransactionError> {
        if verifies(&self.public_key, &self.transaction.signing_hash(), &self.signature) {
            Ok(())
        } else {
            Err(TransactionError::Signature { sender: self.sender() })
        }
    }
}

/// Why a transaction cannot be included in a block. It has no effect then: no nonce, no fee.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// The bytes are no transaction.
    #[error("not a transaction: {detail}")]
    Malformed {
        /// What is wrong with them.
        detail: String,
    },
    /// It is too large.
    #[error("the transaction has {bytes} bytes, {MAX_TRANSACTION_BYTES} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is meant for another chain.
    #[error("the transaction is for chain `{got}`, this is `{expected}`")]
    ChainId {
        /// This chain.
        expected: String,
        /// The transaction's.
        got: String,
    },
    /// The signature does not belong to the transaction and the key.
    #[error("the signature of account {sender} is not valid")]
    Signature {
        /// The account of the public key in the transaction.
        sender: Address,
    },
    /// Not the next nonce of the account.
    #[error("the next nonce of account {sender} is {expected}, the transaction has {got}")]
    Nonce {
        /// The account.
        sender: Address,
        /// Its next nonce.
        expected: u64,
        /// The transaction's.
        got: u64,
    },
    /// The account cannot pay the gas limit and the value.
    #[error(
        "account {sender} has {available}, the transaction may need {needed} (gas limit times gas price, and value)"
    )]
    Balance {
        /// The account.
        sender: Address,
        /// What the transaction may need, or the largest number if that is more.
        needed: u128,
        /// What the account has.
        available: u128,
    },
    /// Less than every transaction uses.
    #[error("the transaction asks for {gas_limit} gas, and every one uses at least {least}")]
    TooLittleGas {
        /// The transaction's limit.
        gas_limit: u64,
        /// [`crate::TRANSACTION_GAS`].
        least: u64,
    },
    /// No room for this gas limit in the block.
    #[error("the transaction asks for {gas_limit} gas, the block has {left} left of {block_limit}")]
    BlockGas {
        /// The transaction's limit.
        gas_limit: u64,
        /// What earlier transactions of the block left.
        left: u64,
        /// Limit of a block.
        block_limit: u64,
    },
}

/// Canonical bytes of a value.
pub(crate) fn bytes(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory cannot fail")
}

#[cfg(test)]
mod tests;
