//! noema-fuzz
