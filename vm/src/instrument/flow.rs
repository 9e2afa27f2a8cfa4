//! Where a function pays for its metering blocks.
//!
//! The specification fixes what has been paid at a settlement point, not where. So the counter of a function may be
//! behind the true balance or ahead of it by a *debt*, a constant for each point of its control flow:
//!
//! ```text
//! counter = true balance + debt
//! ```
//!
//! The debt is zero where somebody else looks at the counter: at the entry, at returns, before and behind calls. Anywhere
//! else it is free. An edge of the control flow `u -> v` over code of price `c` needs a charge only where the debts do
//! not add up:
//!
//! ```text
//! charge(u -> v) = debt(u) + c - debt(v)
//! ```
//!
//! Edges of a spanning tree never need one, so the tree is chosen to hold the edges that run most often (Knuth's optimal
//! placement of counters; Kruskal's algorithm over a union-find that keeps the debts). How often is guessed from the
//! depth of loops, in integers. Checks compare the counter with the debt of the point where they stand, or outside loops with
//! zero where that is little more: a frame faults at the first check behind the block that it cannot pay, or soon after, and at a
//! settlement point at the latest.

use wasmparser::{BlockType, FuncType, Operator};

use super::blocks::Blocks;
use super::counted::{Counted, Finder, Rounds};

/// How charges are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// On the edges that run least often, checked in loops and at entries.
    Merged,
    /// Every metering block for itself, and checked. The oracle of the other one.
    PerBlock,
    /// The same, and places are reported to an observer ([`super::places`]). Never in a node's own execution.
    Observed,
}

impl Placement {
    /// Whether every metering block is charged where it begins.
    pub(crate) fn is_per_block(self) -> bool {
        matches!(self, Placement::PerBlock | Placement::Observed)
    }
}

/// A round of a loop that is paid for as a whole costs at most this, so that all rounds there can be fit into 61 bits.
const COUNTED_ROUND: u64 = 1 << 28;

/// All rounds of a loop, where it is known how many there are, cost at most this: as much as a metering block may.
const KNOWN_ROUNDS: u64 = 1 << 40;

/// A function up to this price is not checked at its entry, and a check lets up to this pass: no more goes unnoticed for
/// each call and each check.
pub(super) const UNCHECKED: i64 = 2_500_000;

/// What is done at one metering block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// Charged where it begins.
    pub(super) charge: i64,
    /// Charged behind its last call.
    pub(super) tail_charge: i64,
    /// Whether the counter is checked before the first charge.
    pub(super) check: bool,
    /// Whether a loop comes back to it, and is not paid for as a whole.
    pub(super) is_header: bool,
    /// The debt behind the first charge, until a call.
    pub(super) debt: i64,
    /// The debt behind the last charge.
    pub(super) tail_debt: i64,
    /// How many calls are in it.
    pub(super) calls: u32,
    /// It is a loop that is paid for as a whole, with all of this in front of it.
    pub(super) whole: Option<Whole>,
}

/// A loop that is paid for as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// What all rounds but the first cost.
    Known(i64),
    /// The charge has the first round. How the others are counted, and what each costs.
    Counted(Counted, u32),
}

impl Whole {
    /// Whether the counter is checked behind the charge: not where it is little.
    pub(super) fn is_checked(self) -> bool {
        !matches!(self, Whole::Known(further) if further <= UNCHECKED)
    }

    /// What goes unnoticed.
    fn unchecked(self) -> u64 {
        match self {
            Whole::Known(further) if !self.is_checked() => further.unsigned_abs(),
            _ => 0,
        }
    }
}

/// Charges and checks of a function.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// By metering block, in the order in which they begin.
    pub(super) blocks: Vec<Block>,
    /// Charged where a `br_if` branches or an `if` without `else` does not enter, in the order of those operators.
    pub(super) branches: Vec<i64>,
    /// Whether there is a branch to the label of the function.
    pub(super) names_function: bool,
    /// Whether an operator is priced by its length, and so checked where it stands.
    pub(super) has_bulk: bool,
    /// The price of all metering blocks together, and of all rounds that are not checked.
    pub(super) price: u64,
}

impl Plan {
    /// How many calls are in it.
    pub(super) fn calls(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.calls)).sum()
    }

    /// Whether anything is checked.
    pub(super) fn checks(&self) -> bool {
        self.has_bulk || self.blocks.iter().any(|block| block.check || block.whole.is_some_and(Whole::is_checked))
    }
}

/// A point of the control flow.
type Vertex = usize;

/// The entry, every return, and the points before and behind calls.
const OUTSIDE: Vertex = 0;

/// An edge that may be charged.
struct Edge {
    from: Vertex,
    to: Vertex,
    place: Place,
    weight: u64,
}

#[derive(Clone, Copy)]
enum Place {
    Start(usize),
    Tail(usize),
    Branch(usize),
}

/// A label that a branch may name.
struct Label {
    kind: Kind,
    /// Where a branch goes.
    target: Vertex,
    /// Whether a live branch goes there, or the end of the `then` before an `else`.
    reached: bool,
    /// Whether a branch carries values there.
    carries: bool,
    /// Nesting of loops where a branch arrives.
    depth: u32,
}

enum Kind {
    /// A block, or the function.
    Block,
    /// With the number of the metering block that it begins with.
    Loop { header: usize },
    /// Where its condition was decided, if that can be reached, and the number of the branch around it.
    If { condition: Option<Vertex>, around: usize },
    /// An `if` behind its `else`.
    Else,
}

/// Walks over a body, then solves.
pub(super) struct Flow<'t> {
    types: &'t [FuncType],
    placement: Placement,
    debts: Debts,
    edges: Vec<Edge>,
    /// Open labels; the first is that of the function.
    labels: Vec<Label>,
    blocks: Vec<Block>,
    prices: Vec<u64>,
    /// Blocks that a loop comes back to.
    headers: Vec<usize>,
    branches: usize,
    /// Where the current block began, as long as it can be reached.
    from: Option<Vertex>,
    depth: u32,
    has_bulk: bool,
    names_function: bool,
    metering: Blocks,
    finder: Finder,
}

impl<'t> Flow<'t> {
    /// `entry` is the price of entering the function.
    pub(super) fn new(types: &'t [FuncType], ty: &FuncType, placement: Placement, entry: u64) -> Flow<'t> {
        let function =
            Label { kind: Kind::Block, target: OUTSIDE, reached: false, carries: !ty.results().is_empty(), depth: 0 };
        let mut debts = Debts::default();
        debts.add();
        Flow {
            types,
            placement,
            debts,
            edges: Vec::new(),
            labels: vec![function],
            blocks: vec![Block::default()],
            prices: vec![entry],
            headers: Vec::new(),
            branches: 0,
            from: Some(OUTSIDE),
            depth: 0,
            has_bulk: false,
            names_function: false,
            metering: Blocks::default(),
            finder: Finder::default(),
        }
    }

    /// Goes over an operator of this price. Returns the price of the block it is in, up to here.
    pub(super) fn step(&mut self, operator: &Operator<'_>, price: u64, is_bulk: bool) -> u64 {
        let current = self.blocks.len() - 1;
        let sum = self.prices[current].saturating_add(price);
        self.prices[current] = sum;
        self.has_bulk |= is_bulk;
        if let Some(rounds) = self.finder.step(operator, is_bulk) {
            self.count(rounds);
        }
        let boundary = self.metering.step(operator);
        let next = self.next(operator, boundary);
        if boundary {
            self.blocks.push(Block::default());
            self.prices.push(0);
            self.from = next;
        }
        sum
    }

    /// The edges of an operator. Returns where the block behind it begins, if one does and can be reached.
    fn next(&mut self, operator: &Operator<'_>, boundary: bool) -> Option<Vertex> {
        match operator {
            Operator::Call { .. } | Operator::CallIndirect { .. } => {
                let current = self.blocks.len() - 1;
                self.blocks[current].calls += 1;
                if let (1, Some(from)) = (self.blocks[current].calls, self.from) {
                    self.edge(from, OUTSIDE, Place::Start(current), 8 * often(self.depth));
                }
                None
            }
            Operator::Block { blockty } => {
                self.open(Kind::Block, *blockty, None);
                None
            }
            Operator::Loop { blockty } => {
                let header = self.blocks.len();
                let target = self.vertex();
                let live = self.end_block(target);
                self.depth += 1;
                self.open(Kind::Loop { header }, *blockty, Some(target));
                live.then_some(target)
            }
            Operator::If { blockty } => {
                let condition = self.vertex();
                let live = self.end_block(condition);
                let around = self.branch();
                self.open(Kind::If { condition: live.then_some(condition), around }, *blockty, None);
                live.then_some(condition)
            }
            Operator::Else => {
                let label = self.labels.last_mut().expect("a validated body");
                let Kind::If { condition, .. } = std::mem::replace(&mut label.kind, Kind::Else) else {
                    unreachable!("a validated body")
                };
                let target = label.target;
                let live = self.end_block(target);
                self.labels.last_mut().expect("still open").reached |= live;
                condition
            }
            Operator::End => self.close(boundary),
            Operator::Br { relative_depth } => {
                let target = self.target(*relative_depth);
                let back = matches!(self.labels[self.label_at(*relative_depth)].kind, Kind::Loop { .. });
                self.end_block_with(target, if back { 5 } else { 8 });
                None
            }
            Operator::BrIf { relative_depth } => {
                let branch = self.branch();
                let end = self.vertex();
                let target = self.target(*relative_depth);
                if !self.end_block(end) {
                    return None;
                }
                let label = &self.labels[self.label_at(*relative_depth)];
                if label.carries {
                    // Where values are on the stack there is no room for a charge on this edge alone.
                    self.debts.equal(end, target);
                } else {
                    let preference = if matches!(label.kind, Kind::Loop { .. }) { 4 } else { 10 };
                    let weight = preference * often(label.depth.min(self.depth));
                    self.edge(end, target, Place::Branch(branch), weight);
                }
                Some(end)
            }
            Operator::BrTable { targets } => {
                let end = self.vertex();
                let live = self.end_block(end);
                for depth in targets.targets().flatten().chain([targets.default()]) {
                    let target = self.target(depth);
                    if live {
                        self.debts.equal(end, target);
                    }
                }
                None
            }
            Operator::Return => {
                self.end_block(OUTSIDE);
                None
            }
            // What a trap leaves unpaid, nobody sees; but the oracle pays every block.
            Operator::Unreachable if self.placement.is_per_block() => {
                self.end_block(OUTSIDE);
                None
            }
            _ => None,
        }
    }

    /// The `end` of a label. Returns where the code behind it begins, if that is a new block and can be reached.
    fn close(&mut self, boundary: bool) -> Option<Vertex> {
        let label = self.labels.pop().expect("a validated body");
        let mut reached = label.reached;
        match label.kind {
            Kind::Loop { header } => {
                self.depth -= 1;
                if label.reached {
                    self.headers.push(header);
                }
                return None;
            }
            Kind::If { condition: Some(condition), around } => {
                self.edge(condition, label.target, Place::Branch(around), 10 * often(self.depth));
                reached = true;
            }
            _ => {}
        }
        // Where no block ends, the current one goes on. The function is not known to `Blocks`.
        if boundary || self.labels.is_empty() {
            reached |= self.end_block(label.target);
        }
        reached.then_some(label.target)
    }

    /// Before the `end` of a loop that is paid for as a whole: it runs once, as far as charges are concerned.
    fn count(&mut self, rounds: Rounds) {
        let Some(Label { kind: Kind::Loop { header }, reached, .. }) = self.labels.last_mut() else { return };
        let price = self.prices[*header];
        if self.placement.is_per_block() || !*reached || price == 0 || price > COUNTED_ROUND {
            return;
        }
        let further = rounds.known.map(|rounds| price * (rounds - 1)).filter(|further| *further <= KNOWN_ROUNDS);
        let whole = match further {
            Some(further) => Whole::Known(i64::try_from(further).expect("just compared")),
            None => Whole::Counted(rounds.counted, u32::try_from(price).expect("just compared")),
        };
        self.blocks[*header].whole = Some(whole);
        // The only branch that comes back, just added, is left out of the account. Before it stands the round itself.
        *reached = false;
        self.edges.pop();
        if let Some(round) = self.edges.last_mut() {
            round.weight = 8 * often(self.depth.saturating_sub(1));
        }
    }

    /// Opens a label. A loop has its target already.
    fn open(&mut self, kind: Kind, ty: BlockType, target: Option<Vertex>) {
        let is_loop = target.is_some();
        let carries = match ty {
            BlockType::Empty => false,
            BlockType::Type(_) => !is_loop,
            BlockType::FuncType(index) => {
                let ty = usize::try_from(index).ok().and_then(|index| self.types.get(index));
                ty.is_some_and(|ty| !if is_loop { ty.params() } else { ty.results() }.is_empty())
            }
        };
        let target = target.unwrap_or_else(|| self.vertex());
        self.labels.push(Label { target, kind, reached: false, carries, depth: self.depth });
    }

    fn label_at(&self, depth: u32) -> usize {
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        self.labels.len().saturating_sub(1).saturating_sub(depth)
    }

    /// Where a branch goes; it is reached, if the branch is.
    fn target(&mut self, depth: u32) -> Vertex {
        let at = self.label_at(depth);
        self.names_function |= at == 0;
        self.labels[at].reached |= self.from.is_some();
        self.labels[at].target
    }

    /// The number of a conditional branch.
    fn branch(&mut self) -> usize {
        self.branches += 1;
        self.branches - 1
    }

    fn vertex(&mut self) -> Vertex {
        self.debts.add()
    }

    /// Ends the current block at a vertex. Returns whether it can be reached.
    fn end_block(&mut self, to: Vertex) -> bool {
        self.end_block_with(to, 8)
    }

    /// The same. Of edges that run equally often those with the lower preference are charged: what leads back to the
    /// beginning of a loop first, because only there is the counter of the round before no longer needed; and a branch
    /// that is charged takes a jump more.
    fn end_block_with(&mut self, to: Vertex, preference: u64) -> bool {
        let Some(from) = self.from else { return false };
        let current = self.blocks.len() - 1;
        let weight = preference * often(self.depth);
        if self.blocks[current].calls > 0 {
            self.edge(OUTSIDE, to, Place::Tail(current), weight);
        } else {
            self.edge(from, to, Place::Start(current), weight);
        }
        true
    }

    fn edge(&mut self, from: Vertex, to: Vertex, place: Place, weight: u64) {
        self.edges.push(Edge { from, to, place, weight });
    }

    /// Chooses the tree.
    pub(super) fn finish(mut self) -> Plan {
        let price = |place: Place, prices: &[u64]| match place {
            Place::Start(block) => i64::try_from(prices[block]).expect("prices of blocks are limited"),
            // A block is paid before its first call.
            Place::Tail(_) | Place::Branch(_) => 0,
        };
        if self.placement.is_per_block() {
            for vertex in 0..self.debts.len() {
                self.debts.equal(OUTSIDE, vertex);
            }
        } else {
            let mut order: Vec<usize> = (0..self.edges.len()).collect();
            order.sort_by_key(|index| std::cmp::Reverse(self.edges[*index].weight));
            for index in order {
                let Edge { from, to, place, .. } = self.edges[index];
                self.debts.join(from, to, price(place, &self.prices));
            }
        }
        let mut branches = vec![0; self.branches];
        for Edge { from, to, place, .. } in &self.edges {
            let (before, after) = (self.debts.of(*from), self.debts.of(*to));
            let charge = before + price(*place, &self.prices) - after;
            match *place {
                Place::Start(block) => {
                    let block = &mut self.blocks[block];
                    block.charge = charge;
                    block.debt = after;
                    block.tail_debt = if block.calls == 0 { after } else { 0 };
                }
                Place::Tail(block) => {
                    self.blocks[block].tail_charge = charge;
                    self.blocks[block].tail_debt = after;
                }
                Place::Branch(branch) => branches[branch] = charge,
            }
        }
        self.place_checks();
        let unchecked = self.blocks.iter().filter_map(|block| block.whole).map(Whole::unchecked);
        let price = self.prices.iter().copied().chain(unchecked).fold(0u64, u64::saturating_add);
        Plan { blocks: self.blocks, branches, names_function: self.names_function, has_bulk: self.has_bulk, price }
    }

    /// Checks loops. Whether the entry is checked depends on what is called: [`super::calls::CallGraph::checked`].
    fn place_checks(&mut self) {
        if self.placement.is_per_block() {
            for block in &mut self.blocks {
                block.check = block.charge != 0;
            }
            return;
        }
        for header in &self.headers {
            let block = &mut self.blocks[*header];
            (block.check, block.is_header) = (true, true);
        }
    }
}

/// How often code runs, guessed from the loops around it.
fn often(depth: u32) -> u64 {
    1 << (3 * depth.min(18))
}

/// A union-find that keeps, for every vertex, its debt relative to the root of its tree.
#[derive(Default)]
struct Debts {
    parent: Vec<Vertex>,
    /// Debt less that of the parent.
    above: Vec<i64>,
    size: Vec<u32>,
}

impl Debts {
    fn add(&mut self) -> Vertex {
        let vertex = self.parent.len();
        self.parent.push(vertex);
        self.above.push(0);
        self.size.push(1);
        vertex
    }

    fn len(&self) -> usize {
        self.parent.len()
    }

    /// The root of a vertex, and its debt relative to it. Shallow, because smaller trees go under larger ones.
    fn find(&self, vertex: Vertex) -> (Vertex, i64) {
        let (mut at, mut debt) = (vertex, 0);
        while self.parent[at] != at {
            debt += self.above[at];
            at = self.parent[at];
        }
        (at, debt)
    }

    /// Makes `debt(to) = debt(from) + price`, unless both are settled already.
    fn join(&mut self, from: Vertex, to: Vertex, price: i64) {
        let ((root, from_debt), (other, to_debt)) = (self.find(from), self.find(to));
        if root == other {
            return;
        }
        // debt(other) relative to debt(root)
        let distance = from_debt + price - to_debt;
        let (upper, lower, distance) =
            if self.size[root] >= self.size[other] { (root, other, distance) } else { (other, root, -distance) };
        self.parent[lower] = upper;
        self.above[lower] = distance;
        self.size[upper] += self.size[lower];
    }

    fn equal(&mut self, a: Vertex, b: Vertex) {
        self.join(a, b, 0);
    }

    /// The debt of a vertex, where that of the outside is zero.
    fn of(&self, vertex: Vertex) -> i64 {
        let ((_, outside), (_, debt)) = (self.find(OUTSIDE), self.find(vertex));
        debt - outside
    }
}
