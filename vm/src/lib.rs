//! noema-vm
