//! `storage.*`: the entries of the running contract.

use noema_abi::Status;
use noema_abi::limits::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// A lookup finds the value before it can be paid for: one value of at most `MAX_VALUE_BYTES`, which
/// the base price covers. Copying it is paid for first.
pub(crate) mod get {
    use super::super::context::length;
    use super::check_key;
    use crate::HostContext;
    use crate::argument::Out;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;
    use noema_abi::Status;

    /// The value found.
    pub(crate) type Plan = Vec<u8>;

    pub(crate) fn plan<C: HostContext>(
        pricing: &mut Pricing<'_, C>,
        key: &[u8],
        _value: &Out<'_>,
    ) -> Reply<Planned<Plan>> {
        check_key(key)?;
        let found = pricing.context.storage_get(key)?.ok_or(Status::NotFound)?;
        Ok(Planned::work(length(&found), found))
    }

    pub(crate) fn run<'c, C: HostContext>(_: &'c mut C, found: Plan, _key: &[u8], value: &mut Out<'c>) -> Reply<u64> {
        Ok(value.set(found))
    }
}

/// The value that was there is looked up for its length: the deposit changes by the difference.
pub(crate) mod set {
    use super::super::forbid_in_view;
    use super::{check_key, check_value};
    use crate::HostContext;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;

    /// The length of the value that was there.
    pub(crate) type Plan = Option<u64>;

    pub(crate) fn plan<C: HostContext>(pricing: &mut Pricing<'_, C>, key: &[u8], value: &[u8]) -> Reply<Planned<Plan>> {
        forbid_in_view(pricing.context, "storage", "set")?;
        check_key(key)?;
        check_value(value)?;
        let before = pricing.context.storage_len(key)?;
        Ok(Planned::work(before.unwrap_or(0), before))
    }

    pub(crate) fn run<C: HostContext>(context: &mut C, before: Plan, key: &[u8], value: &[u8]) -> Reply<()> {
        Ok(context.storage_set(key, value, before)??)
    }
}

pub(crate) mod remove {
    use super::super::forbid_in_view;
    use super::check_key;
    use crate::HostContext;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;

    /// The length of the value that was there.
    pub(crate) type Plan = Option<u64>;

    pub(crate) fn plan<C: HostContext>(pricing: &mut Pricing<'_, C>, key: &[u8]) -> Reply<Planned<Plan>> {
        forbid_in_view(pricing.context, "storage", "remove")?;
        check_key(key)?;
        let before = pricing.context.storage_len(key)?;
        Ok(Planned::work(before.unwrap_or(0), before))
    }

    pub(crate) fn run<C: HostContext>(context: &mut C, before: Plan, key: &[u8]) -> Reply<u64> {
        if let Some(before) = before {
            context.storage_remove(key, before)?;
        }
        Ok(u64::from(before.is_some()))
    }
}

/// Every entry is paid for before the next one is looked at, so that what a contract makes a node
/// read unpaid is one batch; and that is paid for as a copy where an entry does not fit, because a contract could have it read
/// again and again.
pub(crate) mod scan {
    use super::super::context::length;
    use super::check_key;
    use crate::HostContext;
    use crate::argument::Out;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;
    use noema_abi::Status;
    use noema_abi::limits::MAX_SCAN_ENTRIES;

    /// Entries read from the state at a time.
    const BATCH: u32 = 8;
    /// Work of an entry beyond its bytes.
    const ENTRY_WORK: u64 = 256;
    /// Bytes behind an entry that does not fit for one unit of work.
    const UNSEEN_BYTES: u64 = 32;

    /// The entries, encoded.
    pub(crate) type Plan = Vec<u8>;

    pub(crate) fn plan<C: HostContext>(
        pricing: &mut Pricing<'_, C>,
        prefix: &[u8],
        start: &[u8],
        limit: u32,
        entries: &Out<'_>,
    ) -> Reply<Planned<Plan>> {
        check_key(prefix)?;
        check_key(start)?;
        let mut encoded = Vec::new();
        let mut start = start.to_vec();
        let mut left = limit.min(MAX_SCAN_ENTRIES);
        while left > 0 {
            let asked = left.min(BATCH);
            let batch = pricing.context.storage_scan(prefix, &start, asked)?;
            let got = u32::try_from(batch.len()).unwrap_or(u32::MAX);
            let bytes = |(key, value): &(Vec<u8>, Vec<u8>)| length(key).saturating_add(length(value));
            for (at, entry) in batch.iter().enumerate() {
                pricing.charge_work(bytes(entry).saturating_add(ENTRY_WORK))?;
                if !push(&mut encoded, &entry.0, &entry.1, entries.capacity())? {
                    let unseen = batch[at + 1..].iter().map(bytes).fold(0, u64::saturating_add);
                    pricing.charge_work(unseen.div_ceil(UNSEEN_BYTES))?;
                    return if encoded.is_empty() {
                        Err(Status::LimitExceeded.into())
                    } else {
                        Ok(Planned::work(0, encoded))
                    };
                }
            }
            left -= asked;
            match batch.into_iter().next_back() {
                Some((last, _)) if got == asked => {
                    // The smallest key above the last one.
                    start = last;
                    start.push(0);
                }
                _ => break,
            }
        }
        Ok(Planned::work(0, encoded))
    }

    /// Appends an entry if it fits.
    fn push(encoded: &mut Vec<u8>, key: &[u8], value: &[u8], capacity: usize) -> Result<bool, Status> {
        let lengths = [key.len(), value.len()].map(u32::try_from);
        let [Ok(key_length), Ok(value_length)] = lengths else {
            return Err(Status::LimitExceeded);
        };
        let whole = [encoded.len(), 8, key.len(), value.len()].into_iter().try_fold(0usize, usize::checked_add);
        if whole.is_none_or(|whole| whole > capacity) {
            return Ok(false);
        }
        encoded.extend_from_slice(&key_length.to_le_bytes());
        encoded.extend_from_slice(&value_length.to_le_bytes());
        encoded.extend_from_slice(key);
        encoded.extend_from_slice(value);
        Ok(true)
    }

    pub(crate) fn run<'c, C: HostContext>(
        _: &'c mut C,
        encoded: Plan,
        _prefix: &[u8],
        _start: &[u8],
        _limit: u32,
        entries: &mut Out<'c>,
    ) -> Reply<u64> {
        Ok(entries.set(encoded))
    }
}

pub(super) fn check_key(key: &[u8]) -> Result<(), Status> {
    if key.len() > MAX_KEY_BYTES { Err(Status::LimitExceeded) } else { Ok(()) }
}

pub(super) fn check_value(value: &[u8]) -> Result<(), Status> {
    if value.len() > MAX_VALUE_BYTES { Err(Status::LimitExceeded) } else { Ok(()) }
}
