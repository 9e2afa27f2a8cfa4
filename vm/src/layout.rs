//! Where things stand in the state: every key that this crate reads or writes.
//!
//! | key | value |
//! |---|---|
//! | `b` address | balance: `u128`, 16 bytes little-endian; absent where zero |
//! | `n` address | number of transactions an account has sent; belongs to the chain, this crate never touches it |
//! | `r` address | [`ContractRecord`] |
//! | `c` code hash | the WebAssembly module as it was deployed |
//! | `s` address key | what the contract at this address stored under `key` |
//! | `m` model id | [`ModelRecord`] |
//! | `k` model id, chunk number in 4 bytes big-endian | empty: this chunk has been verified |
//! | `x` hash of a name, key | what the extension of this name keeps under `key` |
//!
//! Keys have one letter, then 32 bytes, then the rest, so no key is a prefix of one of another kind.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::Address;
use crate::hash::hash;

fn key(kind: u8, id: &[u8; 32], rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(33 + rest.len());
    key.push(kind);
    key.extend_from_slice(id);
    key.extend_from_slice(rest);
    key
}

/// Balance of an account or contract.
#[must_use]
pub fn balance_key(address: &Address) -> Vec<u8> {
    key(b'b', &address.0, &[])
}

/// Nonce of an account, reserved for the chain.
#[must_use]
pub fn nonce_key(address: &Address) -> Vec<u8> {
    key(b'n', &address.0, &[])
}

/// Record of a contract.
#[must_use]
pub fn contract_key(address: &Address) -> Vec<u8> {
    key(b'r', &address.0, &[])
}

/// Code by its hash.
#[must_use]
pub fn code_key(code_hash: &[u8; 32]) -> Vec<u8> {
    key(b'c', code_hash, &[])
}

/// An entry of a contract's storage, or the prefix of all its entries where `name` is empty.
#[must_use]
pub fn storage_key(contract: &Address, name: &[u8]) -> Vec<u8> {
    key(b's', &contract.0, name)
}

/// Record of a model.
#[must_use]
pub fn model_key(id: &[u8; 32]) -> Vec<u8> {
    key(b'm', id, &[])
}

/// Mark of a verified chunk.
#[must_use]
pub fn chunk_key(id: &[u8; 32], index: u32) -> Vec<u8> {
    key(b'k', id, &index.to_be_bytes())
}

/// What an extension keeps under a key of its own, or the prefix of all of it where `name` is empty.
#[must_use]
pub fn extension_key(extension: &str, name: &[u8]) -> Vec<u8> {
    key(b'x', &hash("noema extension", &[extension.as_bytes()]), name)
}

/// The bytes of a balance; `None` for zero, which is not stored.
#[must_use]
pub fn encode_balance(balance: u128) -> Option<Vec<u8>> {
    (balance != 0).then(|| balance.to_le_bytes().to_vec())
}

/// Reads the bytes under a [`balance_key`]. `None` where they are no balance.
#[must_use]
pub fn decode_balance(bytes: Option<&[u8]>) -> Option<u128> {
    match bytes {
        None => Some(0),
        Some(bytes) => bytes.try_into().ok().map(u128::from_le_bytes).filter(|balance| *balance != 0),
    }
}

/// What the state knows about a contract.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ContractRecord {
    /// Who may migrate it: its deployer.
    pub administrator: Address,
    /// Hash of its code.
    pub code_hash: [u8; 32],
    /// Length of its code, in bytes: what loading it costs is known without reading it.
    pub code_len: u64,
}

/// What the state knows about a model.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ModelRecord {
    /// Length of the container, in bytes.
    pub total_len: u64,
    /// How many different chunks have been verified.
    pub verified: u32,
    /// Whether contracts can open it.
    pub active: bool,
}

impl ContractRecord {
    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to memory cannot fail")
    }
}

impl ModelRecord {
    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to memory cannot fail")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_have_one_form() {
        assert_eq!(encode_balance(0), None);
        assert_eq!(decode_balance(None), Some(0));
        for balance in [1, u128::from(u64::MAX), u128::MAX] {
            assert_eq!(decode_balance(encode_balance(balance).as_deref()), Some(balance));
        }
        assert_eq!(decode_balance(Some(&[0; 16])), None, "a stored zero is not canonical");
        assert_eq!(decode_balance(Some(&[1; 15])), None);
    }

    #[test]
    fn keys_of_different_kinds_differ() {
        let address = Address([7; 32]);
        let keys = [
            balance_key(&address),
            nonce_key(&address),
            contract_key(&address),
            code_key(&address.0),
            storage_key(&address, b"x"),
            model_key(&address.0),
            chunk_key(&address.0, 0),
            extension_key("mychain", b""),
            extension_key("mychain2", b""),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|b| !a.starts_with(b) && !b.starts_with(a)));
        }
        assert!(chunk_key(&[0; 32], 255) < chunk_key(&[0; 32], 256), "chunks sort by number");
    }
}
