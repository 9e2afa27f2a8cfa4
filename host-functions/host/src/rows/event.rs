//! `event.*`

use noema_abi::Status;
use noema_abi::limits::{MAX_EVENT_BYTES, MAX_TOPIC_BYTES};

use super::forbid_in_view;
use crate::HostContext;
use crate::outcome::Reply;

pub(crate) fn emit<C: HostContext>(context: &mut C, topic: &[u8], data: &[u8]) -> Reply<()> {
    forbid_in_view(context, "event", "emit")?;
    if topic.len() > MAX_TOPIC_BYTES || data.len() > MAX_EVENT_BYTES {
        return Err(Status::LimitExceeded.into());
    }
    Ok(context.emit(topic, data)??)
}
