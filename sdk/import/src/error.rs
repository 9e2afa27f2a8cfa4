//! Why something cannot be imported.

use noema_model::ModelError;

/// What an importer accepts, for messages.
pub(crate) const SUPPORTED: &str = "Add, ArgMax, AveragePool, BatchNormalization, Cast, Clip, Concat, Constant, Conv, ConvInteger, DequantizeLinear, Div, \
     Dropout, Flatten, GRU, Gather, Gemm, GlobalAveragePool, Identity, LSTM, MatMul, MatMulInteger, MaxPool, Mul, Pad, QLinearConv, \
     QLinearMatMul, QuantizeLinear, ReduceMean, Relu, Reshape, Slice, Softmax, Squeeze, Sub, Transpose";

/// Why a network, a table or a row cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Not protobuf, or not the protobuf of an ONNX model.
    #[error("not an ONNX file: {0}")]
    NotOnnx(String),
    /// Something above its limit.
    #[error("{what} is {value}, the limit is {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// The limit.
        limit: u64,
    },
    /// An operator set that is too old.
    #[error("the file uses operator set {0}, at least 13 is needed; convert it with onnx.version_converter")]
    Opset(i64),
    /// An operator that cannot be imported.
    #[error("node `{node}` is a {operator}, which cannot be imported; what can: {SUPPORTED}")]
    UnsupportedOperator {
        /// The node.
        node: String,
        /// Its operator, with its domain where it has one.
        operator: String,
    },
    /// A supported operator used in a way that cannot be imported.
    #[error("node `{node}` ({operator}): {reason}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// What is wrong.
        reason: String,
    },
    /// A node that reads what nothing makes.
    #[error("node `{node}` reads `{value}`, which is no input, no initialiser and no result of a node")]
    MissingValue {
        /// The node.
        node: String,
        /// What it reads.
        value: String,
    },
    /// A node that reads the result of itself or of a later one.
    #[error("node `{node}` reads `{value}`, which is made only afterwards: the graph has a cycle or is not sorted")]
    Cycle {
        /// The node.
        node: String,
        /// What it reads.
        value: String,
    },
    /// A name that is given twice.
    #[error("two values are called `{0}`")]
    Duplicate(String),
    /// An initialiser or constant that is malformed.
    #[error("tensor `{tensor}`: {reason}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
    /// Inputs of the graph that cannot be imported.
    #[error("input: {0}")]
    Input(String),
    /// Outputs of the graph that cannot be imported.
    #[error("output: {0}")]
    Output(String),
    /// A row that does not fit the network.
    #[error("row {row}: {reason}")]
    Row {
        /// The row, counted from 0.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// What is wrong with the held-out rows.
    #[error("held-out rows: {0}")]
    Heldout(Box<ImportError>),
    /// Numbers for which no integers can be found.
    #[error("cannot quantise {what}: {reason}")]
    Quantise {
        /// What, by the node it comes from.
        what: String,
        /// Why not.
        reason: String,
    },
    /// A folder of an encoder that is incomplete, malformed, or uses what cannot be imported.
    #[error("{0}")]
    Encoder(String),
    /// Options that cannot be.
    #[error("{0}")]
    Options(String),
    /// A table that cannot be read.
    #[error("table: {0}")]
    Table(String),
    /// Not the file of a tree library that it begins like.
    #[error("not a {library} model file: {reason}")]
    NotTrees {
        /// The library.
        library: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A tree that is malformed or uses what cannot be imported.
    #[error("tree {tree}: {reason}")]
    Tree {
        /// The tree, counted from 0.
        tree: usize,
        /// What is wrong.
        reason: String,
    },
    /// A file of trees that uses what cannot be imported.
    #[error("{what} cannot be imported; what can: {supported}")]
    UnsupportedTrees {
        /// What it uses.
        what: String,
        /// What could be imported instead.
        supported: &'static str,
    },
    /// The integer model was refused.
    #[error("the integer model is refused: {0}")]
    Model(#[from] ModelError),
    /// A computation failed on this machine.
    #[error("this machine could not compute it: {0}")]
    Compute(String),
}

impl ImportError {
    /// An error that held-out rows make.
    pub(crate) fn heldout(error: ImportError) -> ImportError {
        ImportError::Heldout(Box::new(error))
    }

    pub(crate) fn no_classes() -> ImportError {
        ImportError::heldout(ImportError::Table("each row needs its class, in a column `label`".into()))
    }
}

impl From<candle_core::Error> for ImportError {
    fn from(error: candle_core::Error) -> ImportError {
        ImportError::Compute(error.to_string())
    }
}

impl From<noema_tensor::OpError> for ImportError {
    fn from(error: noema_tensor::OpError) -> ImportError {
        ImportError::Compute(error.to_string())
    }
}
