//! The nodes of an ONNX graph stand behind what they need, and no two make the same value.

use std::collections::BTreeSet;

use crate::{ImportError, proto::NodeProto};

/// The names of all values that nodes of a graph make.
pub(crate) struct Made(BTreeSet<String>);

impl Made {
    /// # Errors
    /// [`ImportError::Duplicate`] for a name that two of them make.
    pub(crate) fn by(nodes: &[NodeProto]) -> Result<Made, ImportError> {
        let mut made = BTreeSet::new();
        for name in nodes.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
            if !made.insert(name.clone()) {
                return Err(ImportError::Duplicate(name.clone()));
            }
        }
        Ok(Made(made))
    }

    /// Checks that all inputs of a node are known when its turn comes.
    ///
    /// # Errors
    /// [`ImportError::Cycle`] for one that a node makes, but not one before it; [`ImportError::MissingValue`] for one that nothing makes.
    pub(crate) fn check(
        &self,
        called: &str,
        node: &NodeProto,
        known: impl Fn(&str) -> bool,
    ) -> Result<(), ImportError> {
        let unknown = node.input.iter().find(|name| !name.is_empty() && !known(name));
        let Some(value) = unknown.cloned() else { return Ok(()) };
        let node = called.to_owned();
        Err(match self.0.contains(&value) {
            true => ImportError::Cycle { node, value },
            false => ImportError::MissingValue { node, value },
        })
    }
}

/// What errors call a node: its name, or its number.
pub(crate) fn called(index: usize, node: &NodeProto) -> String {
    if node.name.is_empty() { format!("#{index}") } else { node.name.clone() }
}
