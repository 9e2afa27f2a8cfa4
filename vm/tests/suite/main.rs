//! The virtual machine from outside: contracts as WebAssembly text, messages in, receipts out.

mod accounts;
mod adversarial;
mod artifacts;
mod bombs;
mod call_trees;
mod calls;
mod code;
mod compiler;
mod deposits;
mod engines;
mod extensions;
mod floats;
mod golden;
mod hostile;
mod largest;
mod machine;
mod models;
mod observer;
mod reentrancy;
mod specification;
mod stack;
mod storage;
mod transient;
mod upload;
mod world;
