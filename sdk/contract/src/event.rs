//! Events: what a call tells the world. They stand in the receipt, and vanish if the call fails.

use crate::encoding::{Encode, encode};
use crate::{Result, Type, sys};

/// A type of event. Made by `#[noema::event]`.
pub trait Event: Type + Encode {
    /// Names the type in receipts; at most `limits::MAX_TOPIC_BYTES` long.
    const TOPIC: &'static str;
}

/// Adds an event.
///
/// # Errors
/// `LimitExceeded` for too much data or too many events.
pub fn emit<E: Event>(event: &E) -> Result<()> {
    emit_raw(E::TOPIC.as_bytes(), &encode(event))
}

/// Adds an event of any bytes.
///
/// # Errors
/// `LimitExceeded` for too long a topic, too much data or too many events.
pub fn emit_raw(topic: &[u8], data: &[u8]) -> Result<()> {
    Ok(sys::event::emit(topic, data)?)
}
