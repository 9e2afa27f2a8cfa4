//! Values that were computed before, so that they are not computed again: a node's own matter, which changes no result and no price.
//!
//! A table belongs to a function, its format and the type of its arguments. It has a place for each of them, empty until somebody
//! asks. There are [`TABLES`] of them for 8 and for 16 bits; the one that was wanted longest ago makes room. Making one takes a while, so that
//! a few arguments do not ([`FEW`]). A place is written once with what everybody
//! would write there.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{Format, Function};

/// At most 512 KiB each.
const TABLES: usize = 16;

/// Function, format, and the least and the number of the arguments.
type Key = (Function, Format, i64, usize);

/// The one that was used last stands at the end.
static KNOWN: [Mutex<Tables>; 2] = [const { Mutex::new(Vec::new()) }; 2];

type Tables = Vec<(Key, Arc<Table>)>;

/// Fewer arguments than one in so many make no table; they use one that is there.
const FEW: usize = 32;

/// Values, each moved up by one bit, which says that it is there.
#[derive(Debug)]
pub(super) struct Table(Vec<AtomicU64>);

/// The table of a function with `count` arguments from `least` on, of which so many are `wanted`.
pub(super) fn table(function: Function, format: Format, least: i64, count: usize, wanted: usize) -> Option<Arc<Table>> {
    let key = (function, format, least, count);
    // Those of 8 bits are not in the way of the larger ones.
    let mut known = KNOWN[usize::from(count > 256)].lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.iter().position(|(other, _)| *other == key);
    let entry = match found {
        Some(place) => known.remove(place),
        None if wanted < count / FEW => return None,
        None => {
            if known.len() == TABLES {
                known.remove(0);
            }
            (key, Arc::new(Table((0..count).map(|_| AtomicU64::new(0)).collect())))
        }
    };
    let table = Arc::clone(&entry.1);
    known.push(entry);
    Some(table)
}

impl Table {
    /// The value at a place, of which what is beyond 33 bits is cut to them; computed where it is not there.
    #[inline]
    pub(super) fn value(&self, place: usize, compute: impl FnOnce() -> i128) -> i64 {
        // Whoever reads a value needs nothing else that was written with it.
        let there = self.0[place].load(Ordering::Relaxed);
        if there & 1 == 1 {
            return there.cast_signed() >> 1;
        }
        const MOST: i128 = 1 << 33;
        let value = i64::try_from(compute().clamp(-MOST, MOST)).unwrap_or_default();
        self.0[place].store((value.cast_unsigned() << 1) | 1, Ordering::Relaxed);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Function, TABLES, table};

    #[test]
    fn values_are_computed_once_and_tables_make_room() {
        let wanted = |in_bits, wanted| table(Function::Tanh, Format { in_bits, out_bits: 1 }, -1000, 64, wanted);
        let of = |in_bits| wanted(in_bits, 2).unwrap();
        assert!(wanted(1, 1).is_none());
        let first = of(1);
        assert_eq!(first.value(2, || -5), -5);
        assert_eq!(of(1).value(2, || panic!("it is there")), -5);
        assert_eq!(first.value(3, || i128::MAX), 1 << 33);
        assert_eq!(first.value(3, || 7), 1 << 33);
        assert_eq!(first.value(0, || i128::MIN), -(1 << 33));
        for in_bits in 2..=u32::try_from(TABLES).unwrap() + 1 {
            of(in_bits);
        }
        // It was wanted longest ago, whoever else has tables.
        assert_eq!(of(1).value(2, || 9), 9);
    }
}
