//! noema-cli
