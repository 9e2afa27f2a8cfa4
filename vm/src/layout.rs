//! Where things stand in the state: every key that this crate reads or writes.
//!
//! | key | value |
//! |---|---|
//! | `b` address | balance: `u128`, 16 bytes little-endian; absent where zero |
//! | `n` address | number of transactions an account has sent; belongs to the chain, this crate never touches it |
//! | `r` address | [`ContractRecord`] |
//! | `c` code hash | the WebAssembly module as it was deployed |
//! | `a` code hash | how many contracts have this code: `u64`, 8 bytes little-endian; absent where none |
//! | `s` address key | what the contract at this address stored under `key` |
//! | `u` address | bytes of all entries of a contract: `u64`, 8 bytes little-endian; absent where zero |
//! | `m` model id | [`ModelRecord`] |
//! | `k` model id | [`Chunks`], while the model is not finished |
//! | `h` address model id | deposit for a model that this account holds: `u128`, 16 bytes little-endian |
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

/// How many contracts have a code.
#[must_use]
pub fn code_users_key(code_hash: &[u8; 32]) -> Vec<u8> {
    key(b'a', code_hash, &[])
}

/// Bytes of all entries of a contract.
#[must_use]
pub fn entries_key(contract: &Address) -> Vec<u8> {
    key(b'u', &contract.0, &[])
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

/// Which chunks of a model have been verified.
#[must_use]
pub fn chunks_key(id: &[u8; 32]) -> Vec<u8> {
    key(b'k', id, &[])
}

/// What an account has deposited for a model, or the prefix of all its models where `id` is `None`.
#[must_use]
pub fn hold_key(holder: &Address, id: Option<&[u8; 32]>) -> Vec<u8> {
    key(b'h', &holder.0, id.map_or(&[], |id| id))
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

/// The bytes of a count; `None` for zero, which is not stored.
#[must_use]
pub fn encode_count(count: u64) -> Option<Vec<u8>> {
    (count != 0).then(|| count.to_le_bytes().to_vec())
}

/// Reads the bytes under a [`code_users_key`] or [`entries_key`]. `None` where they are no count.
#[must_use]
pub fn decode_count(bytes: Option<&[u8]>) -> Option<u64> {
    match bytes {
        None => Some(0),
        Some(bytes) => bytes.try_into().ok().map(u64::from_le_bytes).filter(|count| *count != 0),
    }
}

/// Which chunks of a model have been verified: one bit for each, the first in the lowest bit of the first byte.
///
/// ```
/// use noema_vm::layout::Chunks;
/// let mut chunks = Chunks::none(10);
/// chunks.add(9);
/// assert!(chunks.has(9) && !chunks.has(8) && !chunks.are_all());
/// assert_eq!(Chunks::from_bytes(10, chunks.as_bytes()), Some(chunks));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    count: u64,
    bits: Vec<u8>,
}

impl Chunks {
    /// None of `count` chunks.
    #[must_use]
    pub fn none(count: u64) -> Chunks {
        let bytes = usize::try_from(count.div_ceil(8)).expect("lengths of models are limited");
        Chunks { count, bits: vec![0; bytes] }
    }

    /// Reads the bytes under a [`chunks_key`]; `None` where they are not of `count` chunks.
    #[must_use]
    pub fn from_bytes(count: u64, bits: &[u8]) -> Option<Chunks> {
        let chunks = Chunks { count, bits: bits.to_vec() };
        let beyond = (count..count.next_multiple_of(8)).any(|index| chunks.has(index));
        (bits.len() == Chunks::none(count).bits.len() && !beyond).then_some(chunks)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bits
    }

    /// Whether a chunk has been verified.
    #[must_use]
    pub fn has(&self, index: u64) -> bool {
        let byte = usize::try_from(index / 8).ok().and_then(|byte| self.bits.get(byte));
        byte.is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// Notes that a chunk has been verified; nothing beyond the last one.
    pub fn add(&mut self, index: u64) {
        if index < self.count
            && let Some(byte) = usize::try_from(index / 8).ok().and_then(|byte| self.bits.get_mut(byte))
        {
            *byte |= 1 << (index % 8);
        }
    }

    /// Whether all have been verified.
    #[must_use]
    pub fn are_all(&self) -> bool {
        (0..self.count).all(|index| self.has(index))
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
    /// Whether contracts can open it.
    pub active: bool,
    /// How many accounts hold it, each with a deposit: at least one.
    pub holders: u64,
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
            code_users_key(&address.0),
            storage_key(&address, b"x"),
            entries_key(&address),
            model_key(&address.0),
            chunks_key(&address.0),
            hold_key(&address, Some(&[7; 32])),
            extension_key("mychain", b""),
            extension_key("mychain2", b""),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|b| !a.starts_with(b) && !b.starts_with(a)));
        }
        assert!(hold_key(&address, Some(&[1; 32])).starts_with(&hold_key(&address, None)));
    }

    #[test]
    fn counts_have_one_form() {
        assert_eq!(encode_count(0), None);
        assert_eq!(decode_count(None), Some(0));
        for count in [1, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(decode_count(encode_count(count).as_deref()), Some(count));
        }
        assert_eq!(decode_count(Some(&[0; 8])), None, "a stored zero is not canonical");
        assert_eq!(decode_count(Some(&[1; 7])), None);
    }

    #[test]
    fn chunks_have_one_form() {
        for count in [1u64, 7, 8, 9, 16, 17] {
            let mut chunks = Chunks::none(count);
            assert_eq!(Chunks::from_bytes(count, chunks.as_bytes()).as_ref(), Some(&chunks));
            for index in (0..count).rev() {
                assert!(!chunks.has(index) && !chunks.are_all());
                chunks.add(index);
                assert!(chunks.has(index));
            }
            assert!(chunks.are_all());
            let full = chunks.clone();
            chunks.add(count);
            chunks.add(u64::MAX);
            assert_eq!(chunks, full, "there is none beyond the last");
            let bytes = full.as_bytes();
            assert_eq!(Chunks::from_bytes(count, bytes), Some(full.clone()));
            assert_eq!(Chunks::from_bytes(count, &[bytes, &[0]].concat()), None, "longer");
            assert_eq!(Chunks::from_bytes(count, &bytes[1..]), None, "shorter");
            if count % 8 != 0 {
                let mut beyond = bytes.to_vec();
                *beyond.last_mut().unwrap() = 0xff;
                assert_eq!(Chunks::from_bytes(count, &beyond), None, "a chunk that does not exist");
            }
        }
    }
}
