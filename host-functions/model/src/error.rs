//! Why bytes are not an acceptable model.

/// Why a container, graph or certificate is refused. Whether something is refused is the same on every node; the
/// words are for people and never part of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The first bytes are not those of a container.
    #[error("not a model container: it does not begin with the magic bytes NOEMAMDL")]
    Magic,
    /// A container of a version that this build does not know.
    #[error("container version {0} is not known (this build reads version 1)")]
    Version(u32),
    /// The bytes end too early.
    #[error("container is truncated: {what} needs {needed} bytes, {have} are there")]
    Truncated {
        /// The part that is cut.
        what: &'static str,
        /// Bytes it needs.
        needed: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// Bytes after the end.
    #[error("container has {0} bytes after its end")]
    Trailing(u64),
    /// Padding that is not zero.
    #[error("padding at byte {0} is not zero")]
    Padding(u64),
    /// The header is not canonical borsh.
    #[error("header: {0}")]
    Header(String),
    /// A count or size above its limit.
    #[error("{what} is {value}, the limit is {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// The limit.
        limit: u64,
    },
    /// The manifest contradicts the graph or itself.
    #[error("manifest: {0}")]
    Manifest(String),
    /// An input edge that cannot be.
    #[error("input {index}: {reason}")]
    Input {
        /// Which input.
        index: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// An output that names no edge.
    #[error("output {index}: {reason}")]
    Output {
        /// Which output.
        index: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// A node whose inputs, shapes or attributes do not fit.
    #[error("node {index} `{name}` ({operator}): {reason}")]
    Node {
        /// Its index in the graph.
        index: u32,
        /// Its name.
        name: String,
        /// Its operator.
        operator: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Parameters handed to the encoder that do not fit their node.
    #[error("parameters of node {index} `{name}`: {reason}")]
    Parameters {
        /// Index of the node.
        index: u32,
        /// Name of the node.
        name: String,
        /// What is wrong with them.
        reason: String,
    },
    /// An edge for which no bound can be proven.
    #[error("no bound for edge {edge} `{name}`: {reason}")]
    Bound {
        /// The edge.
        edge: u32,
        /// Its name: the name of the node that makes it.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A certificate that does not say what the weights say.
    #[error("certificate is wrong at edge {edge} `{name}`: {reason}")]
    Certificate {
        /// The edge.
        edge: u32,
        /// Its name: the name of the node that makes it, or `input N`.
        name: String,
        /// How it differs.
        reason: String,
    },
}
