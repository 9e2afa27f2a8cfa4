//! What must hold for any bytes at all: one function for each way that bytes come in.
//!
//! Each takes bytes and panics where something does not hold that should. The tests in `tests/` call
//! them with seeds from the repository, mutated thousands of times with a fixed generator, so that a
//! regression shows in the ordinary suite; a coverage-guided fuzzer can call the same functions.
//!
//! | function | bytes are | holds |
//! |---|---|---|
//! | [`module`] | a WebAssembly module | admission answers; what it admits runs to the same receipt on two machines |
//! | [`opcode`] | an opcode and its arguments | every kernel level answers as the reference |
//! | [`container`] | a model | what decodes encodes to the same bytes |
//! | [`onnx`] | an ONNX file | the importer answers |
//! | [`transaction`] | a signed transaction | what decodes encodes to the same bytes |
#![forbid(unsafe_code)]

mod container;
mod cursor;
mod module;
mod mutate;
mod opcode;
mod text;

pub use container::container;
pub use module::module;
pub use mutate::Mutator;
pub use opcode::opcode;
pub use text::{onnx, transaction};
