//! `control.*`

use std::convert::Infallible;

use noema_abi::limits::{MAX_ABORT_BYTES, MAX_LOG_BYTES};

use crate::outcome::Reply;
use crate::{HostContext, Stop};

pub(crate) fn abort<C: HostContext>(_: &mut C, code: u32, message: &[u8]) -> Reply<Infallible> {
    Err(Stop::Abort { code, message: cut(message, MAX_ABORT_BYTES).to_vec() }.into())
}

pub(crate) fn log<C: HostContext>(context: &mut C, message: &[u8]) -> Reply<()> {
    context.log(cut(message, MAX_LOG_BYTES));
    Ok(())
}

fn cut(message: &[u8], limit: usize) -> &[u8] {
    message.get(..limit).unwrap_or(message)
}
