use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Overlay;
use crate::suite::counting::Counting;
use crate::{StateView, WriteSet};

proptest! {
    /// An overlay shows what a map shows after the same writes, at every edge of a scan.
    #[test]
    fn an_overlay_is_a_map(
        base in prop::collection::btree_map(edge_keys(), prop::collection::vec(any::<u8>(), 0..3), 0..150),
        layers in prop::collection::vec(
            prop::collection::btree_map(edge_keys(), prop::option::of(prop::collection::vec(any::<u8>(), 0..3)), 0..60),
            0..4,
        ),
        prefix in edge_keys(),
        start in edge_keys(),
        limit in prop_oneof![0..5_usize, 60..70_usize, Just(usize::MAX)],
    ) {
        let mut map = base.clone();
        let mut overlay = Overlay::new(&base);
        for writes in layers {
            for (key, value) in &writes {
                match value {
                    Some(value) => map.insert(key.clone(), value.clone()),
                    None => map.remove(key),
                };
            }
            overlay.apply(writes);
            // What a scan has found out about the base holds for those behind it, whatever is written in between.
            prop_assert_eq!(overlay.scan(&start, &prefix, limit)?, StateView::scan(&map, &start, &prefix, limit)?);
        }
        prop_assert_eq!(overlay.scan(&prefix, &start, limit)?, StateView::scan(&map, &prefix, &start, limit)?);
        prop_assert_eq!(overlay.scan(b"", b"", limit)?, StateView::scan(&map, b"", b"", limit)?);
        prop_assert_eq!(overlay.get(&start)?, map.get(&start).cloned());
    }
}

fn edge_keys() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0_u8, 1, b'a', 0xfe, 0xff]), 0..4)
}

fn numbered(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Vec<u8>> {
    numbers.map(|number| [&b"k"[..], &number.to_be_bytes()].concat())
}

fn counting(numbers: std::ops::Range<u32>) -> Counting<BTreeMap<Vec<u8>, Vec<u8>>> {
    Counting::new(numbered(numbers).map(|key| (key, vec![7])).collect())
}

/// The entries that were read since this was asked the last time, and one for each scan.
fn read<V>(base: &Counting<V>) -> u64 {
    let reads = base.take();
    reads.entries + reads.scans
}

#[test]
fn a_scan_reads_no_more_of_the_base_than_it_gives() {
    let base = counting(0..1000);
    let overlay = Overlay::new(&base);
    assert_eq!(overlay.scan(b"k", b"", 8).unwrap().len(), 8);
    assert_eq!(read(&base), 9);
}

#[test]
fn what_is_written_over_is_passed_over_once() {
    let base = counting(0..10_000);
    let mut overlay = Overlay::new(&base);
    overlay.apply(numbered(0..9_000).map(|key| (key, None)).collect());
    for (scan, most) in [(1, 9_400), (2, 9), (3, 9)] {
        read(&base);
        let found = overlay.scan(b"k", b"", 8).unwrap();
        assert!(found.iter().map(|(key, _)| key).eq(&numbered(9_000..9_008).collect::<Vec<_>>()));
        let read = read(&base);
        assert!(read <= most, "scan {scan} has read {read}");
    }
    // One by one between others: each is passed over alone.
    overlay.apply(numbered(9_000..10_000).step_by(2).map(|key| (key, None)).collect());
    overlay.scan(b"k", b"", 8).unwrap();
    read(&base);
    overlay.scan(b"k", b"", 8).unwrap();
    let read = read(&base);
    assert!(read <= 50, "{read}");
}

#[test]
fn a_scan_copies_no_more_of_what_is_written_than_it_gives() {
    for behind in [0, 1] {
        let base = counting(50_000..50_000 + behind);
        let mut overlay = Overlay::new(&base);
        overlay.apply(numbered(0..50_000).map(|key| (key, Some(vec![1]))).collect());
        let found = overlay.scan(b"k", b"", 8).unwrap();
        assert!(found.len() == 8 && found.capacity() < 64, "there was room for {}", found.capacity());
        // Nor is what was removed again looked at.
        overlay.apply(WriteSet::from_iter(numbered(0..49_999).map(|key| (key, None))));
        assert_eq!(overlay.there.len(), 1);
        assert_eq!(overlay.scan(b"k", b"", 1).unwrap(), [(numbered(49_999..50_000).next().unwrap(), vec![1])]);
    }
}
