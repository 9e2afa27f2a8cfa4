//! `call.*`: other contracts and accounts.

use std::borrow::Cow;

use super::context::from_offset;
use super::forbid_in_view;
use crate::HostContext;
use crate::argument::Out;
use crate::outcome::Reply;

/// The price depends on the code of the called contract, which is looked up first.
pub(crate) mod contract {
    use std::borrow::Cow;

    use super::super::forbid_in_view;
    use crate::HostContext;
    use crate::argument::Out;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;
    use noema_abi::Status;
    use noema_abi::limits::MAX_INPUT_BYTES;

    /// The value to send.
    pub(crate) type Plan = u128;

    pub(crate) fn plan<C: HostContext>(
        pricing: &mut Pricing<'_, C>,
        target: &[u8; 32],
        value: &[u8; 16],
        _gas: u64,
        input: &[u8],
        _output: &Out<'_>,
    ) -> Reply<Planned<Plan>> {
        let value = u128::from_le_bytes(*value);
        if value > 0 {
            forbid_in_view(pricing.context, "call", "contract")?;
        }
        if input.len() > MAX_INPUT_BYTES {
            return Err(Status::LimitExceeded.into());
        }
        let code = pricing.context.contract_code_len(target)?.ok_or(Status::NotFound)?;
        Ok(Planned::work(code, value))
    }

    pub(crate) fn run<'c, C: HostContext>(
        context: &'c mut C,
        sent: Plan,
        target: &[u8; 32],
        _value: &[u8; 16],
        gas: u64,
        input: &[u8],
        output: &mut Out<'c>,
    ) -> Reply<u64> {
        context.call_contract(target, sent, gas, input)??;
        let context: &'c C = context;
        Ok(output.set(Cow::Borrowed(context.last_output())))
    }
}

pub(crate) fn output_read<'c, C: HostContext>(context: &'c mut C, offset: u32, buffer: &mut Out<'c>) -> Reply<u64> {
    let context: &'c C = context;
    Ok(buffer.set(Cow::Borrowed(from_offset(context.last_output(), offset)?)))
}

pub(crate) fn transfer<C: HostContext>(context: &mut C, target: &[u8; 32], value: &[u8; 16]) -> Reply<()> {
    forbid_in_view(context, "call", "transfer")?;
    Ok(context.transfer(target, u128::from_le_bytes(*value))??)
}
