//! The bytes of a model.
//!
//! ```text
//! 8 bytes   "NOEMAMDL"
//! u32       container version, 1
//! u32       length of the header
//! header    borsh: Manifest, Graph, Certificate
//! zeros     to a multiple of 64
//! weights   parameter arrays of the nodes in order, each at a multiple of 64, zeros between and after
//! ```
//!
//! Numbers are little-endian. Everything is canonical: bytes that decode are the only ones for what they mean, so
//! two containers of one model have one id. Decoding allocates no more than a small multiple of the header, whose
//! length is limited, whatever the counts in it say; the weights are not copied.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    ModelError,
    bounds::{self, Certificate},
    graph::{Edge, Graph},
    manifest::Manifest,
    parameters::{ALIGNMENT, Layout, NodeParameters},
};

/// The first bytes of every container.
pub const MAGIC: &[u8; 8] = b"NOEMAMDL";
/// The container version that this build reads and writes.
pub const VERSION: u32 = 1;
/// Most bytes of a header.
pub const MAX_HEADER_BYTES: u64 = 1024 * 1024;
/// Magic, version and length of the header.
const PREFIX: usize = 16;

/// A decoded container, beside its weights section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The manifest.
    pub manifest: Manifest,
    /// The graph, checked.
    pub graph: Graph,
    /// The certificate, not checked yet.
    pub certificate: Certificate,
    /// What [`Graph::edges`] gives.
    pub edges: Vec<Edge>,
    /// Where the parameters lie in the weights section.
    pub layout: Layout,
    /// Where the weights section begins in the container; it reaches to its end.
    pub weights_start: usize,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Header {
    manifest: Manifest,
    graph: Graph,
    certificate: Certificate,
}

/// Makes a container: proves the bounds and writes everything.
///
/// # Errors
/// [`ModelError`] for a graph, manifest or parameters that do not fit each other, and for an edge that has no bound.
pub fn encode(manifest: &Manifest, graph: &Graph, parameters: &[NodeParameters]) -> Result<Vec<u8>, ModelError> {
    let edges = graph.edges()?;
    manifest.check(graph, &edges)?;
    let layout = Layout::new(graph, &edges)?;
    graph.check_lengths(&edges, &layout)?;
    let weights = layout.write(graph, parameters)?;
    let certificate = bounds::prove(graph, &edges, &layout, &weights)?;
    write(manifest, graph, &certificate, &weights)
}

/// Writes a container from its parts without checking anything but lengths. What [`decode`] accepts, this gives
/// back byte by byte.
///
/// # Errors
/// [`ModelError::Limit`] for a header above its limit.
pub fn write(
    manifest: &Manifest,
    graph: &Graph,
    certificate: &Certificate,
    weights: &[u8],
) -> Result<Vec<u8>, ModelError> {
    let header = Header { manifest: manifest.clone(), graph: graph.clone(), certificate: certificate.clone() };
    let header = borsh::to_vec(&header).map_err(|error| ModelError::Header(error.to_string()))?;
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    check_header_length(length)?;
    let mut bytes = Vec::with_capacity(PREFIX + header.len() + 64 + weights.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&header);
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    bytes.extend_from_slice(weights);
    Ok(bytes)
}

/// Reads a container. The weights and the certificate are not looked at beyond their size and padding:
/// [`bounds::check`] does that.
///
/// # Errors
/// [`ModelError`]; any bytes may be passed.
pub fn decode(bytes: &[u8]) -> Result<Decoded, ModelError> {
    let prefix = bytes.first_chunk::<PREFIX>().ok_or(ModelError::Truncated {
        what: "prefix",
        needed: PREFIX as u64,
        have: bytes.len() as u64,
    });
    if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
        return Err(ModelError::Magic);
    }
    let prefix = prefix?;
    let word = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
    if word(8) != VERSION {
        return Err(ModelError::Version(word(8)));
    }
    check_header_length(word(12))?;
    let header_end = usize::try_from(word(12)).unwrap_or(usize::MAX).saturating_add(PREFIX);
    let header = bytes.get(PREFIX..header_end).ok_or(ModelError::Truncated {
        what: "header",
        needed: header_end as u64,
        have: bytes.len() as u64,
    })?;
    let Header { manifest, graph, certificate } =
        Header::try_from_slice(header).map_err(|error| ModelError::Header(error.to_string()))?;
    let edges = graph.edges()?;
    manifest.check(&graph, &edges)?;
    let layout = Layout::new(&graph, &edges)?;
    graph.check_lengths(&edges, &layout)?;

    let weights_start = header_end.next_multiple_of(64);
    let needed = (weights_start as u64).saturating_add(layout.total_bytes());
    let have = bytes.len() as u64;
    if have < needed {
        return Err(ModelError::Truncated { what: "weights section", needed, have });
    }
    if have > needed {
        return Err(ModelError::Trailing(have - needed));
    }
    if let Some(at) = (header_end..weights_start).find(|at| bytes[*at] != 0) {
        return Err(ModelError::Padding(at as u64));
    }
    if let Some(at) = layout.dirty_padding(&bytes[weights_start..]) {
        return Err(ModelError::Padding(weights_start as u64 + at));
    }
    Ok(Decoded { manifest, graph, certificate, edges, layout, weights_start })
}

fn check_header_length(length: u32) -> Result<(), ModelError> {
    let value = u64::from(length);
    if value > MAX_HEADER_BYTES {
        return Err(ModelError::Limit { what: "length of the header", value, limit: MAX_HEADER_BYTES });
    }
    Ok(())
}

const _: () = assert!(ALIGNMENT == 64, "the container pads to 64 bytes");

#[cfg(test)]
mod tests;
