//! `noema model verify`: whether a container is one that a chain takes.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use noema_model::{Model, ModelId};
use serde::Serialize;
use serde_json::json;

use crate::CliError;
use crate::arguments::hash;
use crate::output::Report;

/// Arguments of `noema model verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The container
    file: PathBuf,
    /// The id that it should have
    #[arg(long, value_name = "MODEL", value_parser = hash)]
    id: Option<[u8; 32]>,
}

/// What holds.
#[derive(Serialize, Debug)]
pub struct VerifyReport {
    /// The id: the Merkle root of the bytes.
    pub model: String,
    /// Whether that is the id that was asked for; not there where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_expected: Option<bool>,
    /// Bytes of the container.
    pub bytes: usize,
    /// Nodes of the graph.
    pub nodes: usize,
    /// Edges whose bounds follow from the weights, and are those of the certificate.
    pub proven_edges: usize,
    /// The largest number that a sum of products or leaves can reach on the way, and where.
    pub peak: u64,
    /// See `peak`.
    pub peak_at: String,
}

impl Report for VerifyReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model        {}", self.model)?;
        writeln!(out, "container    {} bytes, {} nodes: well formed", self.bytes, self.nodes)?;
        let (edges, peak, at) = (self.proven_edges, self.peak, &self.peak_at);
        writeln!(
            out,
            "certificate  the bounds of all {edges} edges follow from the weights; no sum passes {peak} (`{at}`)"
        )?;
        if self.is_expected.is_some() {
            writeln!(out, "id           as expected")?;
        }
        Ok(())
    }
}

/// Runs the command: reads the bytes, computes the id from them, and makes the proof again.
///
/// # Errors
/// The file cannot be read; [`CliError::Check`] where the container is none, or its id is another.
pub fn run(arguments: &VerifyArgs) -> Result<VerifyReport, CliError> {
    let bytes = std::fs::read(&arguments.file).map_err(|error| CliError::io("read", &arguments.file, error))?;
    let found = noema_model::merkle::root(&bytes);
    let refused = |message: String, hint: &str| CliError::Check {
        code: "model",
        message: format!("{}: {message}", arguments.file.display()),
        hint: hint.to_owned(),
        details: json!({ "model": found.to_string() }),
    };
    let length = bytes.len();
    let model = Model::from_bytes(bytes).map_err(|error| {
        refused(format!("not a valid model container: {error}"), "no chain takes it; import or copy it again")
    })?;
    let is_expected = arguments.id.map(|id| ModelId(id) == found);
    if is_expected == Some(false) {
        return Err(refused(format!("its id is {found}"), "a valid container, but of another model"));
    }
    let certificate = model.certificate();
    // The edges of nodes that add up products or leaves: all others saturate, or only move numbers.
    let inputs = model.graph().inputs.len();
    let sums = certificate.edges.iter().enumerate().filter(|(at, _)| {
        let node = at.checked_sub(inputs).and_then(|node| model.graph().nodes.get(node));
        node.is_some_and(|node| matches!(node.op.name(), "Linear" | "Conv2d" | "MatMul" | "TreeEnsemble"))
    });
    let (at, peak) = sums.max_by_key(|(_, bound)| bound.peak).map_or((0, 0), |(at, bound)| (at, bound.peak));
    let edge = noema_model::graph::EdgeId(u32::try_from(at).unwrap_or(u32::MAX));
    Ok(VerifyReport {
        model: found.to_string(),
        is_expected,
        bytes: length,
        nodes: model.graph().nodes.len(),
        proven_edges: certificate.edges.len(),
        peak,
        peak_at: model.graph().edge_name(edge),
    })
}
