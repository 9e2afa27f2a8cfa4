//! Tries of vocabularies, as the tables of a tokenizer have them.

use std::collections::BTreeMap;

use super::refused;
use crate::ImportError;

/// A node: the token that ends here, and where more leads.
pub(super) struct Branch<K> {
    token: Option<u32>,
    children: BTreeMap<K, Branch<K>>,
}

impl<K> Default for Branch<K> {
    fn default() -> Branch<K> {
        Branch { token: None, children: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> Branch<K> {
    /// Adds a word below this node. An empty one is none.
    pub(super) fn add(&mut self, word: impl IntoIterator<Item = K>, token: u32) {
        let mut word = word.into_iter().peekable();
        if word.peek().is_some() {
            word.fold(self, |branch, key| branch.children.entry(key).or_default()).token = Some(token);
        }
    }
}

/// All nodes of some tries, the roots first, level by level: the children of a node follow those of the node before it.
pub(super) struct Nodes<K> {
    /// Behind which node the children of each begin; one number more than nodes.
    pub(super) children: Vec<i32>,
    /// What leads to each, of `root` for the roots.
    pub(super) keys: Vec<K>,
    /// The token that ends there, or -1.
    pub(super) tokens: Vec<i32>,
}

impl<K: Copy> Nodes<K> {
    pub(super) fn of(roots: &[Branch<K>], root: K) -> Result<Nodes<K>, ImportError> {
        let number = |count: usize| i32::try_from(count).map_err(|_| refused("too large"));
        let mut nodes = Nodes { children: vec![], keys: vec![root; roots.len()], tokens: vec![-1; roots.len()] };
        let mut level: Vec<&Branch<K>> = roots.iter().collect();
        while !level.is_empty() {
            let mut next = Vec::new();
            for branch in level {
                nodes.children.push(number(nodes.keys.len())?);
                for (key, child) in &branch.children {
                    let token = child.token.map(|token| i32::try_from(token).map_err(|_| refused("too large")));
                    nodes.keys.push(*key);
                    nodes.tokens.push(token.unwrap_or(Ok(-1))?);
                    next.push(child);
                }
            }
            level = next;
        }
        nodes.children.push(number(nodes.keys.len())?);
        Ok(nodes)
    }
}
