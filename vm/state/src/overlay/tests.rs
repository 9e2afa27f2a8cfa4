use proptest::prelude::*;

use super::Overlay;
use crate::StateView;

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
        }
        prop_assert_eq!(overlay.scan(&prefix, &start, limit)?, StateView::scan(&map, &prefix, &start, limit)?);
        prop_assert_eq!(overlay.scan(b"", b"", limit)?, StateView::scan(&map, b"", b"", limit)?);
        prop_assert_eq!(overlay.get(&start)?, map.get(&start).cloned());
    }
}

fn edge_keys() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0_u8, 1, b'a', 0xfe, 0xff]), 0..4)
}
