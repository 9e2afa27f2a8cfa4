//! noema-macros
