//! Rows in the order of their elements; of equal ones the lower index comes first.

use super::Kernels;
use super::vectors::{Vectors, vectorised};
use crate::{Element, Level};

/// Which element comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The largest one.
    Descending,
    /// The smallest one.
    Ascending,
}

/// The longest row whose indices are ordered: what is kept for one is 16 MiB.
pub const MAX_TOP_ROW: usize = 1 << 20;

/// Rows of at most so many elements are sorted several at a time by a network, whose comparisons wait for no guess of a branch.
const MAX_NETWORK: usize = 32;

/// How many rows a network sorts at a time; for less than half as many none is made.
const LANES: usize = 16;

/// Work of one comparison, in multiplications of a product.
const WORK: usize = 16;

/// Sorts rows of `row` elements.
///
/// # Panics
/// Where lengths do not fit together.
pub fn sort_rows<T: Element>(k: &Kernels, order: Order, x: &[T], row: usize, out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    if x.is_empty() {
        return;
    }
    assert!(row > 0 && x.len().is_multiple_of(row), "rows of another shape");
    let level = k.level();
    let by_network = (2..=MAX_NETWORK).contains(&row) && x.len() / row >= LANES / 2 && level != Level::Reference;
    let network = if by_network { network(row) } else { Vec::new() };
    k.split_rows((x, row), (&mut *out, row), work(row), |x, out| {
        if by_network {
            return vectorised(level, Networks { order, network: &network, x, row, out });
        }
        out.copy_from_slice(x);
        for out in out.chunks_exact_mut(row) {
            if level == Level::Reference {
                let places = reference(order, out);
                let sorted: Vec<T> = places.into_iter().map(|place| out[place]).collect();
                out.copy_from_slice(&sorted);
                continue;
            }
            // Equal integers cannot be told apart, so that any way to sort will do.
            match order {
                Order::Ascending => out.sort_unstable(),
                Order::Descending => out.sort_unstable_by(|a, b| b.cmp(a)),
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Sort, out);
}

/// The comparators of a network for `count` elements, the smaller one to the first place: Batcher's merge exchange (Knuth, The Art of
/// Computer Programming, volume 3, algorithm 5.2.2M).
fn network(count: usize) -> Vec<[usize; 2]> {
    let mut comparators = Vec::new();
    let top = count.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut distance) = (top, 0, p);
        loop {
            let pairs = (0..count.saturating_sub(distance)).filter(|place| place & p == r);
            comparators.extend(pairs.map(|place| [place, place + distance]));
            if q == p {
                break;
            }
            (distance, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    comparators
}

/// Rows that a network sorts.
struct Networks<'a, T> {
    order: Order,
    network: &'a [[usize; 2]],
    x: &'a [T],
    row: usize,
    out: &'a mut [T],
}

impl<T: Element> Vectors for Networks<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Networks { order, network, x, row, out } = self;
        // The elements at a place of all rows of a block.
        let mut places = [[T::default(); LANES]; MAX_NETWORK];
        for (x, out) in x.chunks(LANES * row).zip(out.chunks_mut(LANES * row)) {
            for (lane, x) in x.chunks_exact(row).enumerate() {
                for (place, x) in places.iter_mut().zip(x) {
                    place[lane] = *x;
                }
            }
            for [first, second] in network {
                let (a, b) = (places[*first], places[*second]);
                // By value, so that the compiler sees that nothing overlaps and uses vectors.
                let (mut low, mut high) = (a, b);
                for lane in 0..LANES {
                    low[lane] = a[lane].min(b[lane]);
                    high[lane] = a[lane].max(b[lane]);
                }
                (places[*first], places[*second]) = (low, high);
            }
            for (lane, out) in out.chunks_exact_mut(row).enumerate() {
                let sorted = places[..row].iter().map(|place| place[lane]);
                match order {
                    Order::Ascending => out.iter_mut().zip(sorted).for_each(|(out, value)| *out = value),
                    Order::Descending => out.iter_mut().rev().zip(sorted).for_each(|(out, value)| *out = value),
                }
            }
        }
    }
}

/// The indices of the first `count` elements of each row, in order.
///
/// # Panics
/// Where lengths do not fit together, `count` is 0 or more than a row, or a row is longer than [`MAX_TOP_ROW`].
pub fn top_rows<T: Element>(k: &Kernels, order: Order, x: &[T], row: usize, count: usize, out: &mut [i32]) {
    assert!((1..=row).contains(&count) && row <= MAX_TOP_ROW, "more than a row, or too long a row");
    assert!(x.len().is_multiple_of(row) && x.len() / row * count == out.len(), "results of another shape");
    let level = k.level();
    k.split_rows((x, row), (&mut *out, count), work(row), |x, out| {
        if level == Level::Reference {
            for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(count)) {
                for (out, place) in out.iter_mut().zip(reference(order, x)) {
                    *out = i32::try_from(place).expect("at most 2^20");
                }
            }
            return;
        }
        let mut keys: Vec<(i64, i32)> = Vec::with_capacity(row);
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(count)) {
            keys.clear();
            keys.extend(x.iter().zip(0..).map(|(x, index)| {
                let x: i64 = (*x).into();
                // Turning all bits turns the order, and moves no number out of its type.
                (if order == Order::Ascending { x } else { !x }, index)
            }));
            if count < row {
                keys.select_nth_unstable(count - 1);
            }
            keys[..count].sort_unstable();
            for (out, (_, index)) in out.iter_mut().zip(&keys) {
                *out = *index;
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Top, out);
}

/// The indices of a row in order, by a sort that leaves equal ones as they are.
fn reference<T: Element>(order: Order, x: &[T]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..x.len()).collect();
    places.sort_by(|a, b| match order {
        Order::Ascending => x[*a].cmp(&x[*b]),
        Order::Descending => x[*b].cmp(&x[*a]),
    });
    places
}

fn work(row: usize) -> usize {
    row.saturating_mul(WORK).saturating_mul(usize::try_from(row.ilog2() + 1).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::{MAX_NETWORK, network};

    /// A network that sorts every row of zeros and ones sorts everything; of long rows all with one change from one to zero and back, and
    /// some others.
    #[test]
    fn networks_sort() {
        let sorts = |count: usize, mut row: Vec<bool>| {
            let mut expected = row.clone();
            expected.sort_unstable();
            for [first, second] in network(count) {
                (row[first], row[second]) = (row[first] & row[second], row[first] | row[second]);
            }
            assert_eq!(row, expected, "{count}");
        };
        for count in 1..=14 {
            for bits in 0..1u32 << count {
                sorts(count, (0..count).map(|place| bits >> place & 1 == 1).collect());
            }
        }
        for count in 15..=MAX_NETWORK {
            for (from, to) in (0..=count).flat_map(|from| (from..=count).map(move |to| (from, to))) {
                for inside in [false, true] {
                    sorts(count, (0..count).map(|place| (from..to).contains(&place) == inside).collect());
                    sorts(count, (0..count).map(|place| (place * from + to) % 7 < 3 && inside).collect());
                }
            }
        }
    }
}
