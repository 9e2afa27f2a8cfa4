//! noema-tensor
