//! Sizes that a contract meets. Guest and host must agree on them; a host function that would pass
//! one returns `Status::LimitExceeded` (or the fault its documentation names).

/// Largest tensor rank.
pub const MAX_RANK: usize = 8;
/// Largest storage key, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
/// Largest storage value, in bytes.
pub const MAX_VALUE_BYTES: usize = 128 * 1024;
/// Largest input of a call, in bytes.
pub const MAX_INPUT_BYTES: usize = 1024 * 1024;
/// Largest return data of a call, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// Largest topic of an event, in bytes.
pub const MAX_TOPIC_BYTES: usize = 64;
/// Largest data of an event, in bytes.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;
/// Most events of one transaction.
pub const MAX_EVENTS: usize = 1024;
/// Largest message of an abort, in bytes; a longer one is cut.
pub const MAX_ABORT_BYTES: usize = 1024;
/// Largest line of a log, in bytes; a longer one is cut. Logs never reach consensus.
pub const MAX_LOG_BYTES: usize = 4096;
/// Deepest nesting of contract calls: the first call has depth 1.
pub const MAX_CALL_DEPTH: u32 = 10;
/// Most live tensors of one frame.
pub const MAX_TENSORS: usize = 4096;
/// Most models that one frame may have open.
pub const MAX_OPEN_MODELS: usize = 64;
/// Bytes of tensors and model arenas that one transaction may hold at a time.
pub const MAX_TENSOR_BYTES: u64 = 256 * 1024 * 1024;
/// Entries that one storage scan returns at most.
pub const MAX_SCAN_ENTRIES: u32 = 256;
