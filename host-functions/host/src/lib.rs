//! noema-host
