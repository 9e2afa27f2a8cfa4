//! noema-testing
