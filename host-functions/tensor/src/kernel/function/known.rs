//! Values that were computed before, so that they are not computed again: a node's own matter, which changes no result and no price.
//!
//! A table belongs to a function, its format and the type of its arguments, and has the value of each of them. It is made once as many were
//! asked for as it has, so that it never takes longer than what it replaces did. There are [`TABLES`] of them for 8 and
//! for 16 bits; the one that was wanted longest ago makes room.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Format, Function};

/// At most 256 KiB each.
const TABLES: usize = 16;

/// Function, format, and the least and the number of the arguments.
pub(super) type Key = (Function, Format, i64, usize);

/// The values from that of the least argument on; those beyond 32 bits are cut to them.
pub(super) type Table = OnceLock<Vec<i32>>;

struct Entry {
    key: Key,
    /// How many values were asked for.
    asked: usize,
    table: Arc<Table>,
}

/// The one that was used last stands at the end.
static KNOWN: [Mutex<Vec<Entry>>; 2] = [const { Mutex::new(Vec::new()) }; 2];

/// Fewer arguments than one in so many do not count; they use a table that is there.
const FEW: usize = 64;

/// The table, which the caller fills if it is empty, where as many values were asked for as it has: with this time, so many more.
pub(super) fn table(key: Key, wanted: usize) -> Option<Arc<Table>> {
    let (.., count) = key;
    // Those of 8 bits are not in the way of the larger ones.
    let mut known = KNOWN[usize::from(count > 256)].lock().unwrap_or_else(PoisonError::into_inner);
    let mut entry = match known.iter().position(|entry| entry.key == key) {
        Some(place) => known.remove(place),
        None if wanted < count / FEW => return None,
        None => {
            if known.len() == TABLES {
                known.remove(0);
            }
            Entry { key, asked: 0, table: Arc::default() }
        }
    };
    entry.asked = entry.asked.saturating_add(wanted);
    let table = (entry.asked >= count).then(|| Arc::clone(&entry.table));
    known.push(entry);
    table
}

#[cfg(test)]
mod tests {
    use super::{Format, Function, TABLES, table};

    #[test]
    fn tables_are_made_once_and_make_room() {
        let wanted = |in_bits, wanted| table((Function::Tanh, Format { in_bits, out_bits: 1 }, -1000, 128), wanted);
        assert!(wanted(1, 1).is_none());
        assert!(wanted(1, 100).is_none());
        assert!(wanted(1, 27).is_none());
        let first = wanted(1, 1).unwrap();
        assert_eq!(first.get_or_init(|| vec![-5]), &[-5]);
        assert_eq!(wanted(1, 0).unwrap().get_or_init(|| panic!("it is there")), &[-5]);
        for in_bits in 2..=u32::try_from(TABLES).unwrap() + 1 {
            assert!(wanted(in_bits, 128).unwrap().get().is_none());
        }
        // It was wanted longest ago, whoever else has tables.
        assert!(wanted(1, 127).is_none());
    }
}
