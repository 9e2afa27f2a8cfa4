//! Which functions count the logical stack, and who hands the room on it to whom: `docs/spec/stack.md`. And which of them check
//! the gas where they are entered.

use std::collections::BTreeSet;

/// What a function calls and names.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    /// Functions that it calls by their index, imports included.
    pub(super) direct: BTreeSet<u32>,
    /// Whether it calls through a table, where every function counts.
    pub(super) indirect: bool,
}

/// What is known of a function of the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Depth {
    /// It takes its frame from the room and checks what is left: it is an entry point, can be called through a table, or
    /// can call itself again.
    pub(super) counted: bool,
    /// It has the room as its last parameter.
    pub(super) has_room: bool,
    /// Units of its own frame.
    pub(super) frame: u64,
    /// Units of the deepest chain of functions below it that do not count themselves.
    pub(super) below: u64,
}

/// Who calls whom, among the functions of the module.
pub(super) struct CallGraph<'c> {
    imports: u32,
    calls: &'c [Calls],
    /// Direct calls of functions of the module.
    edges: Vec<Vec<usize>>,
    /// Callees come before their callers, except inside a component.
    components: Vec<Vec<usize>>,
}

impl<'c> CallGraph<'c> {
    pub(super) fn new(imports: u32, calls: &'c [Calls]) -> CallGraph<'c> {
        let edges: Vec<Vec<usize>> =
            calls.iter().map(|calls| calls.direct.iter().filter_map(|index| own(imports, *index)).collect()).collect();
        let components = components(&edges);
        CallGraph { imports, calls, edges, components }
    }

    /// Whether a function can call itself again by direct calls, given its component.
    fn recurs(&self, component: &[usize], at: usize) -> bool {
        component.len() > 1 || self.edges[at].contains(&at)
    }

    /// Decides for every function of the module. `roots` are entry points and functions whose address is taken; `nests`
    /// says whether an import can call contracts.
    pub(super) fn depths(&self, frames: &[u64], roots: &BTreeSet<u32>, nests: impl Fn(u32) -> bool) -> Vec<Depth> {
        let mut depths: Vec<Depth> = frames.iter().map(|frame| Depth { frame: *frame, ..Depth::default() }).collect();
        for root in roots.iter().filter_map(|root| own(self.imports, *root)) {
            depths[root].counted = true;
        }
        for component in &self.components {
            for at in component {
                depths[*at].counted |= self.recurs(component, *at);
            }
        }
        for at in self.components.iter().flatten() {
            let callees = || self.edges[*at].iter().map(|callee| depths[*callee]);
            let below = callees().filter(|callee| !callee.counted).map(|callee| callee.frame + callee.below).max();
            let has_room = depths[*at].counted
                || self.calls[*at].indirect
                || callees().any(|callee| callee.has_room)
                || self.calls[*at].direct.iter().any(|index| *index < self.imports && nests(*index));
            depths[*at].below = below.unwrap_or(0);
            depths[*at].has_room = has_room;
        }
        depths
    }

    /// Which functions are checked where they are entered: all but those that cost at most `most`, with what they call
    /// and is not checked either. `spent` are the price of all metering blocks of each function, and how many calls
    /// are in it. Whatever goes on for ever passes a check: a function that can call itself again, or something through
    /// a table, is checked.
    pub(super) fn checked(&self, spent: &[(u64, u64)], most: u64) -> Vec<bool> {
        let mut unnoticed: Vec<u64> = vec![0; spent.len()];
        let mut checked = vec![true; spent.len()];
        for component in &self.components {
            for at in component {
                let (price, calls) = spent[*at];
                let callee = self.edges[*at].iter().map(|callee| unnoticed[*callee]).max().unwrap_or(0);
                let sum = price.saturating_add(calls.saturating_mul(callee));
                if sum <= most && !self.calls[*at].indirect && !self.recurs(component, *at) {
                    (checked[*at], unnoticed[*at]) = (false, sum);
                }
            }
        }
        checked
    }
}

/// The position of a function of the module itself.
fn own(imports: u32, index: u32) -> Option<usize> {
    index.checked_sub(imports).and_then(|own| usize::try_from(own).ok())
}

/// Strongly connected components of a graph, each behind those that it leads to (Tarjan's algorithm, without recursion:
/// a chain of calls can be as long as the module).
fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let mut number = vec![NEW; edges.len()];
    let mut low = vec![0; edges.len()];
    let mut on_stack = vec![false; edges.len()];
    let (mut stack, mut components, mut next) = (Vec::new(), Vec::new(), 0);
    for start in 0..edges.len() {
        if number[start] != NEW {
            continue;
        }
        // A vertex, and how many of its edges have been followed.
        let mut path = vec![(start, 0)];
        while let Some((at, followed)) = path.last_mut() {
            let at = *at;
            if *followed == 0 {
                (number[at], low[at]) = (next, next);
                next += 1;
                stack.push(at);
                on_stack[at] = true;
            }
            if let Some(to) = edges[at].get(*followed).copied() {
                *followed += 1;
                if number[to] == NEW {
                    path.push((to, 0));
                } else if on_stack[to] {
                    low[at] = low[at].min(number[to]);
                }
                continue;
            }
            path.pop();
            if let Some((above, _)) = path.last() {
                low[*above] = low[*above].min(low[at]);
            }
            if low[at] == number[at] {
                let from = stack.iter().rposition(|on| *on == at).expect("it is on the stack");
                let component = stack.split_off(from);
                for member in &component {
                    on_stack[*member] = false;
                }
                components.push(component);
            }
        }
    }
    components
}

#[cfg(test)]
mod tests {
    use super::{CallGraph, Calls, Depth, components};

    #[test]
    fn components_come_behind_what_they_lead_to() {
        let edges = [vec![1], vec![2], vec![1, 3], vec![], vec![4], vec![0, 4]];
        let found: Vec<Vec<usize>> = components(&edges)
            .into_iter()
            .map(|mut component| {
                component.sort_unstable();
                component
            })
            .collect();
        assert_eq!(found, [vec![3], vec![1, 2], vec![0], vec![4], vec![5]]);
        // A chain longer than any native stack.
        let chain: Vec<Vec<usize>> = (0..300_000).map(|at| if at < 299_999 { vec![at + 1] } else { vec![] }).collect();
        assert_eq!(components(&chain).len(), 300_000);
    }

    #[test]
    fn only_cycles_and_roots_count() {
        // Function 0 is an import. 1 -> 2 -> 3 -> 4, 3 -> 3, 4 -> import; 5 -> 6.
        let call = |direct: &[u32]| Calls { direct: direct.iter().copied().collect(), indirect: false };
        let calls = [call(&[2]), call(&[3, 4]), call(&[3, 4]), call(&[0]), call(&[6]), call(&[])];
        let frames = [10, 20, 30, 40, 50, 60];
        let graph = CallGraph::new(1, &calls);
        let found = graph.depths(&frames, &[1].into(), |_| false);
        let depth = |counted, has_room, frame, below| Depth { counted, has_room, frame, below };
        assert_eq!(
            found,
            [
                depth(true, true, 10, 60),
                depth(false, true, 20, 40),
                depth(true, true, 30, 40),
                depth(false, false, 40, 0),
                depth(false, false, 50, 60),
                depth(false, false, 60, 0),
            ]
        );
        let nesting = graph.depths(&frames, &[1].into(), |import| import == 0);
        assert!(nesting[3].has_room && !nesting[4].has_room);
    }

    #[test]
    fn what_goes_unnoticed_is_little() {
        // 0 -> 1 -> 2, twice each; 3 recurs, 4 calls through a table, 5 calls 3.
        let call = |direct: &[u32], indirect| Calls { direct: direct.iter().copied().collect(), indirect };
        let calls = [
            call(&[1], false),
            call(&[2], false),
            call(&[], false),
            call(&[3], false),
            call(&[], true),
            call(&[3], false),
        ];
        let spent = [(10, 2), (10, 2), (10, 0), (1, 1), (1, 1), (1, 1)];
        let graph = CallGraph::new(0, &calls);
        // 10, 30 and 70 with what they call.
        assert_eq!(graph.checked(&spent, 70), [false, false, false, true, true, false]);
        assert_eq!(graph.checked(&spent, 69), [true, false, false, true, true, false]);
        // What is checked itself does not count for its caller.
        assert_eq!(graph.checked(&spent, 29), [false, true, false, true, true, false]);
        assert_eq!(graph.checked(&spent, 9), [true, true, true, true, true, false]);
    }
}
