//! From nodes with numbers to a tree in which ways only lead on.

use super::ensemble::{FloatDecision, FloatTree};

/// A node as a file has it.
pub(super) enum FileNode {
    Leaf(f64),
    /// The decision, with ways still unset, and the numbers of the nodes that it leads to.
    Decision(FloatDecision, [usize; 2]),
}

/// Follows a tree from node 0 of `count`, breadth first; gives it and how many nodes it has.
///
/// # Errors
/// A node that is not there or that two ways lead to: cycles are among those.
pub(super) fn follow(
    output: usize,
    count: usize,
    node: impl Fn(usize) -> Result<FileNode, String>,
) -> Result<(FloatTree, usize), String> {
    let mut tree = FloatTree { output, decisions: vec![], leaves: vec![] };
    let mut reached = vec![false; count];
    // The children of each decision, in the order in which decisions were found.
    let mut children: Vec<[usize; 2]> = Vec::new();
    let mut place = |tree: &mut FloatTree, children: &mut Vec<[usize; 2]>, id: usize| -> Result<i32, String> {
        let slot = reached.get_mut(id).ok_or_else(|| format!("a way leads to node {id} of {count}"))?;
        if std::mem::replace(slot, true) {
            return Err(format!("two ways lead to node {id}: it is no tree"));
        }
        let number = |length: usize| i32::try_from(length).map_err(|_| "too many nodes".to_owned());
        match node(id)? {
            FileNode::Leaf(value) if !value.is_finite() => Err(format!("leaf {id} has the value {value}")),
            FileNode::Leaf(value) => {
                tree.leaves.push(value);
                Ok(!number(tree.leaves.len() - 1)?)
            }
            // LightGBM sends whatever is there left by an infinite one.
            FileNode::Decision(decision, _) if decision.threshold.is_nan() => {
                Err(format!("node {id} has the threshold {}", decision.threshold))
            }
            FileNode::Decision(decision, of_node) => {
                tree.decisions.push(decision);
                children.push(of_node);
                number(tree.decisions.len() - 1)
            }
        }
    };
    place(&mut tree, &mut children, 0)?;
    let mut at = 0;
    while let Some([left, right]) = children.get(at).copied() {
        let left = place(&mut tree, &mut children, left)?;
        let right = place(&mut tree, &mut children, right)?;
        (tree.decisions[at].left, tree.decisions[at].right) = (left, right);
        at += 1;
    }
    let nodes = tree.decisions.len() + tree.leaves.len();
    Ok((tree, nodes))
}
