//! The test suite of stores.
