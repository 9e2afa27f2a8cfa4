//! noema-bench
