//! `noema model inspect`: what is in a container.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use noema_abi::ProtocolVersion;
use noema_model::graph::SEQUENCE;
use noema_model::manifest::Port;
use noema_model::ops::{Op, TreeEnsemble};
use noema_model::{Extent, Model};
use serde::Serialize;

use crate::CliError;
use crate::output::{Report, table};
use crate::receipts::amount;

/// Arguments of `noema model inspect`.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The container, as `noema model import` wrote it
    file: PathBuf,
}

/// What is in a container.
#[derive(Serialize, Debug)]
pub struct InspectReport {
    /// Its id: the Merkle root of its bytes.
    pub model: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence.
    pub licence: String,
    /// What is known about its accuracy.
    pub accuracy: String,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Bytes of the container.
    pub bytes: usize,
    /// Inputs.
    pub inputs: Vec<PortReport>,
    /// Outputs.
    pub outputs: Vec<PortReport>,
    /// The graph, in the order of execution.
    pub nodes: Vec<NodeReport>,
    /// Gas of a run with one row.
    pub gas: u64,
    /// Memory of a run with one row, in bytes.
    pub arena_bytes: u64,
    /// Gas of a run with one row of shorter sequences; `gas` is that of the longest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sequence_gas: Vec<SequenceGas>,
}

/// What a sequence costs.
#[derive(Serialize, Debug)]
pub struct SequenceGas {
    length: u32,
    gas: u64,
}

/// An input or output.
#[derive(Serialize, Debug)]
pub struct PortReport {
    name: String,
    dtype: &'static str,
    shape: Vec<u32>,
    fraction_bits: u8,
}

/// A node of the graph.
#[derive(Serialize, Debug)]
pub struct NodeReport {
    name: String,
    op: &'static str,
    dtype: &'static str,
    shape: Vec<u32>,
    /// The proven bounds of what it computes.
    lowest: i64,
    highest: i64,
    /// What an ensemble of trees has.
    #[serde(skip_serializing_if = "Option::is_none")]
    ensemble: Option<EnsembleReport>,
}

/// Trees of a node.
#[derive(Serialize, Debug)]
pub struct EnsembleReport {
    trees: u32,
    decisions: u32,
    leaves: u32,
    /// The most decisions on a way through a tree.
    depth: u32,
    /// The most comparisons for a row.
    steps: u32,
}

impl EnsembleReport {
    fn new(op: &Op) -> Option<EnsembleReport> {
        let Op::TreeEnsemble(ensemble) = op else { return None };
        let TreeEnsemble { trees, decisions, depth, steps, .. } = *ensemble;
        Some(EnsembleReport { trees, decisions, leaves: ensemble.leaves(), depth, steps })
    }
}

impl InspectReport {
    /// Reads a model.
    ///
    /// # Errors
    /// It is too large to run with one row.
    pub fn new(model: &Model) -> Result<InspectReport, noema_abi::Status> {
        let manifest = model.manifest();
        let inputs = model.graph().inputs.len();
        let nodes = model.graph().nodes.iter().zip(model.edges().iter().skip(inputs));
        let lengths = [16, 64, 128].into_iter().filter(|length| *length < model.longest());
        let bounds = model.certificate().edges.iter().skip(inputs);
        Ok(InspectReport {
            model: model.id().to_string(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            licence: manifest.licence.clone(),
            accuracy: manifest.accuracy.clone(),
            labels: manifest.labels.clone(),
            bytes: model.container().len(),
            inputs: manifest.inputs.iter().map(PortReport::new).collect(),
            outputs: manifest.outputs.iter().map(PortReport::new).collect(),
            nodes: nodes
                .zip(bounds)
                .map(|((node, edge), bound)| NodeReport {
                    name: node.name.clone(),
                    op: node.op.name(),
                    dtype: edge.dtype.name(),
                    shape: edge.dims.clone(),
                    lowest: bound.interval.lo,
                    highest: bound.interval.hi,
                    ensemble: EnsembleReport::new(&node.op),
                })
                .collect(),
            gas: model.cost(ProtocolVersion::LATEST, 1)?,
            arena_bytes: model.arena_bytes(1)?,
            sequence_gas: lengths
                .map(|length| {
                    let gas = model.cost_of(ProtocolVersion::LATEST, Extent { batch: 1, length })?;
                    Ok(SequenceGas { length, gas })
                })
                .collect::<Result<_, noema_abi::Status>>()?,
        })
    }
}

impl PortReport {
    fn new(port: &Port) -> PortReport {
        PortReport {
            name: port.name.clone(),
            dtype: port.dtype.name(),
            shape: port.shape.clone(),
            fraction_bits: port.fraction_bits,
        }
    }
}

impl Report for InspectReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model     {}", self.model)?;
        writeln!(out, "name      {} {}", self.name, self.version)?;
        writeln!(out, "licence   {}", self.licence)?;
        if !self.accuracy.is_empty() {
            writeln!(out, "accuracy  {}", self.accuracy)?;
        }
        if !self.labels.is_empty() {
            writeln!(out, "labels    {}", self.labels.join(", "))?;
        }
        writeln!(out, "bytes     {}", amount(u64::try_from(self.bytes).unwrap_or(u64::MAX)))?;
        writeln!(out, "one row   {} gas, {} bytes of memory", amount(self.gas), amount(self.arena_bytes))?;
        for SequenceGas { length, gas } in &self.sequence_gas {
            writeln!(out, "          {} gas for a sequence of {length}", amount(*gas))?;
        }
        for (kind, ports) in [("input", &self.inputs), ("output", &self.outputs)] {
            for port in ports {
                let PortReport { name, dtype, shape, fraction_bits } = port;
                let axis = |dim: &u32| match dim & SEQUENCE {
                    0 => dim.to_string(),
                    _ => format!("1 to {}", dim & !SEQUENCE),
                };
                let shape = shape.iter().map(axis).collect::<Vec<_>>().join(", ");
                writeln!(out, "{kind:<8}  {name}: {dtype} [{shape}], {fraction_bits} fraction bits")?;
            }
        }
        let mut table = table(&["node", "op", "result", "shape", "proven bounds"]);
        for node in &self.nodes {
            let bounds = format!("{} to {}", node.lowest, node.highest);
            table.add_row([&node.name, node.op, node.dtype, &format!("{:?}", node.shape), &bounds]);
        }
        writeln!(out, "{table}")?;
        for node in &self.nodes {
            if let Some(EnsembleReport { trees, decisions, leaves, depth, steps }) = &node.ensemble {
                let name = &node.name;
                write!(out, "{name}: {trees} trees, {decisions} decisions, {leaves} leaves, depth {depth}, ")?;
                writeln!(out, "at most {steps} comparisons a row")?;
            }
        }
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// The file cannot be read or is no valid container.
pub fn run(arguments: &InspectArgs) -> Result<InspectReport, CliError> {
    let model = super::read(&arguments.file)?;
    InspectReport::new(&model).map_err(|status| {
        CliError::file(&arguments.file, format!("it cannot run one row: {status}"), "import a smaller model")
    })
}
