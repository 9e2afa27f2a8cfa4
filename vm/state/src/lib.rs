//! noema-state
