//! noema-import
