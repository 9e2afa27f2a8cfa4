//! `transient.*`: entries of the running contract that end with the transaction. They are in memory, so a lookup costs
//! nothing that could not be paid after it; copying is paid before.

use std::borrow::Cow;

use noema_abi::Status;

use super::forbid_in_view;
use super::storage::{check_key, check_value};
use crate::HostContext;
use crate::argument::Out;
use crate::outcome::Reply;

pub(crate) fn get<'c, C: HostContext>(context: &'c mut C, key: &[u8], value: &mut Out<'c>) -> Reply<u64> {
    check_key(key)?;
    let context: &'c C = context;
    let found = context.transient_get(key).ok_or(Status::NotFound)?;
    Ok(value.set(Cow::Borrowed(found)))
}

pub(crate) fn set<C: HostContext>(context: &mut C, key: &[u8], value: &[u8]) -> Reply<()> {
    forbid_in_view(context, "transient", "set")?;
    check_key(key)?;
    check_value(value)?;
    Ok(context.transient_set(key, value)??)
}

pub(crate) fn remove<C: HostContext>(context: &mut C, key: &[u8]) -> Reply<u64> {
    forbid_in_view(context, "transient", "remove")?;
    check_key(key)?;
    Ok(u64::from(context.transient_remove(key)?))
}
