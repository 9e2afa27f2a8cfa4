//! Sizes that a contract meets. Guest and host must agree on them; a host function that would pass
//! one returns `Status::LimitExceeded` (or the fault its documentation names).

macro_rules! limits {
    ($( $(#[doc = $doc:literal])* $name:ident: $type:ty = $value:expr; )*) => {
        $( $(#[doc = $doc])* pub const $name: $type = $value; )*

        /// Every limit: its name, its value and what it limits.
        pub const ALL: &[(&str, u64, &str)] = &[ $( (
            stringify!($name),
            // No integer type of a limit is wider than 64 bits.
            $name as u64,
            concat!($($doc),*),
        ) ),* ];
    };
}

limits! {
    /// Largest tensor rank.
    MAX_RANK: usize = 8;
    /// Largest storage key, in bytes.
    MAX_KEY_BYTES: usize = 256;
    /// Largest storage value, in bytes.
    MAX_VALUE_BYTES: usize = 128 * 1024;
    /// Keys and values of the transient entries of one contract, in bytes.
    MAX_TRANSIENT_BYTES: u64 = 64 * 1024;
    /// Keys and values that one transaction writes to storage and transient storage, in bytes: everything that was
    /// written counts, also what was written again or undone.
    MAX_WRITTEN_BYTES: u64 = 64 * 1024 * 1024;
    /// Largest input of a call, in bytes.
    MAX_INPUT_BYTES: usize = 1024 * 1024;
    /// Largest return data of a call, in bytes.
    MAX_OUTPUT_BYTES: usize = 1024 * 1024;
    /// Largest topic of an event, in bytes.
    MAX_TOPIC_BYTES: usize = 64;
    /// Largest data of an event, in bytes.
    MAX_EVENT_BYTES: usize = 64 * 1024;
    /// Most events of one transaction.
    MAX_EVENTS: usize = 1024;
    /// Largest message of an abort, in bytes; a longer one is cut.
    MAX_ABORT_BYTES: usize = 1024;
    /// Largest line of a log, in bytes; a longer one is cut. Logs never reach consensus.
    MAX_LOG_BYTES: usize = 4096;
    /// Deepest nesting of contract calls: the first call has depth 1.
    MAX_CALL_DEPTH: u32 = 10;
    /// Most live tensors of one frame.
    MAX_TENSORS: usize = 4096;
    /// Most models that one frame may have open.
    MAX_OPEN_MODELS: usize = 64;
    /// Bytes of tensors and model arenas that one transaction may hold at a time.
    MAX_TENSOR_BYTES: u64 = 256 * 1024 * 1024;
    /// Entries that one storage scan returns at most.
    MAX_SCAN_ENTRIES: u32 = 256;
}
