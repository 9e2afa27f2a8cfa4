//! Deposits: what is kept in the state costs a part of a balance for as long as it is there.
//!
//! A contract keeps its record, its code and its entries. When a call of it ends, its balance must be at least
//! [`BlockContext::deposit_per_byte`] times the bytes of all that; what is removed need not be paid for any more, at
//! once. Who announces a model gives the same for every byte of it to the [`account`] of deposits, and gets it back
//! when withdrawing. The rules are in `docs/spec/receipt.md`, the reasons in `docs/decisions/0012-deposits.md`.

use borsh::BorshDeserialize;
use noema_abi::ProtocolVersion;
use noema_state::StateView;

use crate::hash::hash;
use crate::layout::{self, ContractRecord};
use crate::rules::Rules;
use crate::{Address, BlockContext, Shortfall, VmError};

/// What an account or contract has, and how much of it is bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deposit {
    /// Bytes that a contract keeps; 0 for an account.
    pub bytes: u64,
    /// The deposit for them: the balance may not fall below.
    pub locked: u128,
    /// The balance, the locked part included.
    pub balance: u128,
}

impl Deposit {
    /// What can be spent: nothing where the balance is below what is locked.
    #[must_use]
    pub fn free(&self) -> u128 {
        self.balance.saturating_sub(self.locked)
    }

    /// The deposit of an account or contract by the rules of a block.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use noema_vm::{Address, BlockContext, Deposit};
    /// let block = BlockContext {
    ///     chain_id: "test".into(), height: 1, time_ms: 0, version: noema_abi::ProtocolVersion::LATEST, deposit_per_byte: 3,
    /// };
    /// let nobody = Deposit::of(&BTreeMap::new(), &block, &Address([7; 32])).unwrap();
    /// assert_eq!(nobody, Deposit::default());
    /// ```
    ///
    /// # Errors
    /// The state cannot be read, or is damaged.
    pub fn of(state: &dyn StateView, block: &BlockContext, address: &Address) -> Result<Deposit, VmError> {
        let damaged = |what: &str| VmError::CorruptState { what: format!("{what} of {address}") };
        let balance = layout::decode_balance(state.get(&layout::balance_key(address))?.as_deref())
            .ok_or_else(|| damaged("the balance"))?;
        let Some(record) = state.get(&layout::contract_key(address))? else {
            return Ok(Deposit { balance, ..Deposit::default() });
        };
        let record = ContractRecord::try_from_slice(&record).map_err(|_| damaged("the record"))?;
        let entries = layout::decode_count(state.get(&layout::entries_key(address))?.as_deref())
            .ok_or_else(|| damaged("the size"))?;
        let bytes = kept_bytes(Rules::of(block.version), &record, entries);
        Ok(Deposit { bytes, locked: price(block.deposit_per_byte, bytes), balance })
    }
}

/// Where deposits for models are. It is the hash of a text and of no key, so nobody can spend from it.
#[must_use]
pub fn account() -> Address {
    Address(hash("noema deposit account", &[]))
}

/// The deposit for a model of this length, by the rules of a block.
#[must_use]
pub fn for_model(block: &BlockContext, total_len: u64) -> u128 {
    price(block.deposit_per_byte, model_bytes(Rules::of(block.version), total_len))
}

/// The deposit that a new contract with this code needs before it has stored anything, by the rules of a block.
#[must_use]
pub fn for_code(block: &BlockContext, code_len: u64) -> u128 {
    price(block.deposit_per_byte, Rules::of(block.version).kept.contract.saturating_add(code_len))
}

/// What an entry of a contract counts. The sum over all entries of a contract is under its
/// [`layout::entries_key`]: whoever writes entries into a state without this crate writes it as well.
///
/// ```
/// use noema_abi::ProtocolVersion;
/// let bytes = noema_vm::deposit::entry_bytes(ProtocolVersion::V1, b"key", b"value");
/// assert_eq!(bytes, 96 + 3 + 5);
/// ```
#[must_use]
pub fn entry_bytes(version: ProtocolVersion, name: &[u8], value: &[u8]) -> u64 {
    entry(Rules::of(version), length(name), length(value))
}

/// The same by lengths.
pub(crate) fn entry(rules: &Rules, name: u64, value: u64) -> u64 {
    rules.kept.entry.saturating_add(name).saturating_add(value)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// What a model counts.
pub(crate) fn model_bytes(rules: &Rules, total_len: u64) -> u64 {
    rules.kept.model.saturating_add(total_len)
}

/// What a contract counts.
pub(crate) fn kept_bytes(rules: &Rules, record: &ContractRecord, entries: u64) -> u64 {
    rules.kept.contract.saturating_add(record.code_len).saturating_add(entries)
}

/// The deposit for so many bytes; the largest number, where it would pass that.
pub(crate) fn price(per_byte: u128, bytes: u64) -> u128 {
    per_byte.saturating_mul(u128::from(bytes))
}

/// What is missing of a deposit. One that passes the largest number is there for nobody.
pub(crate) fn shortfall(per_byte: u128, bytes: u64, holder: Address, balance: u128) -> Option<Shortfall> {
    let covered = per_byte.checked_mul(u128::from(bytes)).is_some_and(|needed| needed <= balance);
    (!covered).then(|| Shortfall { holder, bytes, needed: price(per_byte, bytes), balance })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_saturate() {
        assert_eq!(price(0, u64::MAX), 0);
        assert_eq!(price(3, 5), 15);
        assert_eq!(price(u128::MAX, 2), u128::MAX);
        assert_eq!(price(u128::MAX >> 64, u64::MAX), u128::from(u64::MAX) * u128::from(u64::MAX));
        let rules = Rules::of(noema_abi::ProtocolVersion::LATEST);
        let record = ContractRecord { administrator: account(), code_hash: [0; 32], code_len: u64::MAX };
        assert_eq!(kept_bytes(rules, &record, u64::MAX), u64::MAX);
        assert_eq!(model_bytes(rules, u64::MAX), u64::MAX);
        assert_eq!(entry(rules, u64::MAX, 1), u64::MAX);
        assert_eq!(shortfall(3, 5, account(), 15), None);
        assert!(shortfall(3, 5, account(), 14).is_some_and(|short| (short.needed, short.balance) == (15, 14)));
        assert!(shortfall(u128::MAX, 2, account(), u128::MAX).is_some(), "nobody has more than there is");
    }

    #[test]
    fn what_is_locked_is_not_free() {
        let deposit = Deposit { bytes: 10, locked: 30, balance: 100 };
        assert_eq!(deposit.free(), 70);
        assert_eq!(Deposit { balance: 29, ..deposit }.free(), 0);
    }
}
