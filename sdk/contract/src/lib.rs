//! noema-sdk
