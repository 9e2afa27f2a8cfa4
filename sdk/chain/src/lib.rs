//! noema-chain
