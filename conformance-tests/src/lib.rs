//! noema-conformance
