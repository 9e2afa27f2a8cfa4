//! Whole models: an integer-only graph, its weights, the proof that nothing in it overflows, and where a node keeps
//! all that.
//!
//! ```text
//!   container   canonical bytes  <->  Manifest + Graph + Certificate + weights
//!      |                              (merkle: the id of those bytes, proofs for 64 KiB chunks)
//!      v
//!   Model       decoded, certificate checked (bounds), memory laid out (arena)
//!      |  cost, arena_bytes: closed forms of shapes, known before anything runs
//!      v
//!   run         one step for each node (ops/), on slices of one arena, by the kernels of noema-tensor
//!
//!   ModelStore  chunks in, models out: in memory or in a directory
//! ```
//!
//! What a model computes is a function of its bytes and its inputs. Running it whole and running its operators one by
//! one as opcodes of the table gives the same bits, at every kernel level, with any number of threads, in any batch.
//!
//! ```
//! use noema_model::{Model, container, graph::{Edge, EdgeId, Graph, Node}, manifest::{Manifest, Port}};
//! use noema_model::{ops::{Argmax, Linear}, parameters::Array};
//! use noema_tensor::{DType, Kernels, Level, Shape, Tensor};
//!
//! let graph = Graph {
//!     inputs: vec![Edge::new(DType::I8, &[3])],
//!     nodes: vec![
//!         Node {
//!             name: "scores".into(),
//!             op: Linear { outputs: 2, accumulator: DType::I32 }.into(),
//!             inputs: vec![EdgeId(0)],
//!         },
//!         Node { name: "class".into(), op: Argmax {}.into(), inputs: vec![EdgeId(1)] },
//!     ],
//!     outputs: vec![EdgeId(1), EdgeId(2)],
//! };
//! let edges = graph.edges()?;
//! let manifest = Manifest {
//!     name: "example".into(),
//!     licence: "CC0-1.0".into(),
//!     version: "1".into(),
//!     inputs: vec![Port::new("x", &edges[0], 0)],
//!     outputs: vec![Port::new("scores", &edges[1], 0), Port::new("class", &edges[2], 0)],
//!     labels: vec!["no".into(), "yes".into()],
//!     accuracy: String::new(),
//! };
//! let weights = vec![vec![Array::I8(vec![1, 2, 3, -1, 0, 1]), Array::I32(vec![0, 100])], vec![]];
//! let model = Model::from_bytes(container::encode(&manifest, &graph, &weights)?)?;
//!
//! let kernels = Kernels::new(Level::best(), 1)?;
//! let x = Tensor::from_vec(Shape::new(&[1, 3])?, vec![10i8, 20, 30])?;
//! let outputs = model.run(&kernels, &[&x])?;
//! assert_eq!(outputs[0].to_vec::<i32>()?, [140, 120]);
//! assert_eq!(outputs[1].to_vec::<i32>()?, [0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(
    clippy::float_arithmetic,
    clippy::host_endian_bytes,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod arena;
pub mod bounds;
#[cfg(test)]
mod by_opcodes;
pub mod container;
mod error;
pub mod graph;
pub mod manifest;
pub mod merkle;
mod model;
#[cfg(test)]
mod mutated;
pub mod ops;
pub mod parameters;
pub mod prices;
#[cfg(test)]
mod sample;
mod schedule;
mod store;

pub use error::ModelError;
pub use manifest::{Manifest, Port};
pub use merkle::ModelId;
pub use model::{Extent, Model, ModelBytes};
pub use store::{DirModelStore, MemoryModelStore, ModelStore, ModelStoreError};
