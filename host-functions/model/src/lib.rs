//! noema-model
