//! Protocol versions.

/// Freezes everything that a receipt depends on: WebAssembly features, limits, instrumentation,
/// prices and the set of host functions. An upgrade is a new version, never an edit of an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProtocolVersion(u32);

impl ProtocolVersion {
    /// The first version.
    pub const V1: ProtocolVersion = ProtocolVersion(1);
    /// The newest version that this build knows.
    pub const LATEST: ProtocolVersion = ProtocolVersion::V1;

    /// The version with this number, if this build knows it.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<ProtocolVersion> {
        if number >= 1 && number <= ProtocolVersion::LATEST.0 { Some(ProtocolVersion(number)) } else { None }
    }

    /// Its number, as written into blocks and receipts.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl core::fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "v{}", self.0)
    }
}
