//! `context.*`: the call.

use std::borrow::Cow;

use noema_abi::Status;
use noema_abi::limits::MAX_OUTPUT_BYTES;

use crate::HostContext;
use crate::argument::Out;
use crate::outcome::Reply;

pub(crate) fn input_len<C: HostContext>(context: &mut C) -> Reply<u64> {
    Ok(length(&context.call_info().input))
}

pub(crate) fn input_read<'c, C: HostContext>(context: &'c mut C, offset: u32, buffer: &mut Out<'c>) -> Reply<u64> {
    let context: &'c C = context;
    Ok(buffer.set(from_offset(&context.call_info().input, offset)?))
}

pub(crate) fn output_write<C: HostContext>(context: &mut C, data: &[u8]) -> Reply<()> {
    if data.len() > MAX_OUTPUT_BYTES {
        return Err(Status::LimitExceeded.into());
    }
    context.set_output(data.to_vec());
    Ok(())
}

pub(crate) fn caller<C: HostContext>(context: &mut C, address: &mut [u8; 32]) -> Reply<()> {
    *address = context.call_info().caller;
    Ok(())
}

pub(crate) fn self_address<C: HostContext>(context: &mut C, address: &mut [u8; 32]) -> Reply<()> {
    *address = context.call_info().self_address;
    Ok(())
}

pub(crate) fn value<C: HostContext>(context: &mut C, amount: &mut [u8; 16]) -> Reply<()> {
    *amount = context.call_info().value.to_le_bytes();
    Ok(())
}

pub(crate) fn block_height<C: HostContext>(context: &mut C) -> Reply<u64> {
    Ok(context.call_info().height)
}

pub(crate) fn block_time<C: HostContext>(context: &mut C) -> Reply<u64> {
    Ok(context.call_info().time_ms)
}

pub(crate) fn chain_id<'c, C: HostContext>(context: &'c mut C, buffer: &mut Out<'c>) -> Reply<u64> {
    let context: &'c C = context;
    Ok(buffer.set(Cow::Borrowed(context.call_info().chain_id.as_bytes())))
}

pub(crate) fn gas_left<C: HostContext>(context: &mut C) -> Reply<u64> {
    Ok(context.gas_left())
}

pub(crate) fn balance<C: HostContext>(context: &mut C, address: &[u8; 32], amount: &mut [u8; 16]) -> Reply<()> {
    *amount = context.balance(address)?.to_le_bytes();
    Ok(())
}

pub(crate) fn deposit<C: HostContext>(context: &mut C, amount: &mut [u8; 16]) -> Reply<u64> {
    let (bytes, deposit) = context.deposit()?;
    *amount = deposit.to_le_bytes();
    Ok(bytes)
}

/// What there is from `offset` on; nothing, exactly at the end.
pub(super) fn from_offset(data: &[u8], offset: u32) -> Result<&[u8], Status> {
    usize::try_from(offset).ok().and_then(|offset| data.get(offset..)).ok_or(Status::IndexOutOfRange)
}

pub(super) fn length(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
