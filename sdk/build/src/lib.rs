//! noema-build
