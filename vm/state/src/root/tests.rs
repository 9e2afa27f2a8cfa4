use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::{MemoryStore, StoreKind, suite};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Applies a write set and commits it, as a chain does.
fn advance(store: &dyn StateStore, version: u64, writes: &WriteSet) -> [u8; 32] {
    let mut batch = Batch::new();
    batch.write_state(writes);
    let root = apply(store, version, writes, &mut batch).unwrap();
    store.commit(batch).unwrap();
    assert_eq!(root_of(store, version).unwrap(), root);
    root
}

/// The root written out from its definition: no nodes of 16, no versions, no store.
fn model_root(map: &Map) -> [u8; 32] {
    fn keccak(parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = Keccak::v256();
        parts.iter().for_each(|part| hasher.update(part));
        let mut hash = [0; 32];
        hasher.finalize(&mut hash);
        hash
    }
    fn bit(path: &[u8; 32], depth: usize) -> bool {
        path[depth / 8] >> (7 - depth % 8) & 1 == 1
    }
    fn subtree(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
        match leaves {
            [] => EMPTY_ROOT,
            [(path, value)] => keccak(&[b"JMT::LeafNode", path, value]),
            _ => {
                let (left, right) = leaves.split_at(leaves.partition_point(|(path, _)| !bit(path, depth)));
                keccak(&[b"JMT::IntrnalNode", &subtree(left, depth + 1), &subtree(right, depth + 1)])
            }
        }
    }
    let mut leaves: Vec<_> = map
        .iter()
        .map(|(key, value)| (keccak(&[b"noema/state/key/1:", key]), keccak(&[b"noema/state/value/1:", value])))
        .collect();
    leaves.sort_unstable();
    subtree(&leaves, 0)
}

fn apply_to_map(map: &mut Map, writes: &WriteSet) {
    for (key, value) in writes {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

/// How many keys there are: few, so that they are replaced and removed often.
const KEYS: usize = 40;

/// Half of the keys are any; the others are chosen in pairs whose paths are the same for five or more nibbles.
fn key(number: usize) -> Vec<u8> {
    static CROWDED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let mut paths: Vec<_> = (0..20_000_u32).map(|key| (path(&key.to_be_bytes()).0, key)).collect();
        paths.sort_unstable();
        let common = |pair: &[([u8; 32], u32)]| {
            let differing = pair[0].0.iter().zip(&pair[1].0).position(|(a, b)| a != b).unwrap_or(32);
            8 * differing + (pair[0].0[differing] ^ pair[1].0[differing]).leading_zeros() as usize
        };
        let mut pairs: Vec<_> = paths.windows(2).collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(common(pair)));
        assert!(pairs[..KEYS / 4].iter().all(|pair| common(pair) >= 20));
        pairs[..KEYS / 4].iter().flat_map(|pair| pair.iter()).map(|(_, key)| key.to_be_bytes().to_vec()).collect()
    });
    CROWDED.get(number).cloned().unwrap_or_else(|| number.to_be_bytes().to_vec())
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    (0..KEYS).prop_map(key)
}

fn write_sets() -> impl Strategy<Value = Vec<WriteSet>> {
    let value = prop::option::weighted(0.6, prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::vec(prop::collection::btree_map(keys(), value, 0..30), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// After every version the root is that of the contents, whatever happened before.
    #[test]
    fn the_root_is_a_function_of_the_contents(write_sets in write_sets()) {
        let store = MemoryStore::new();
        let mut map = Map::new();
        for (version, writes) in (0..).zip(&write_sets) {
            apply_to_map(&mut map, writes);
            prop_assert_eq!(advance(&store, version, writes), model_root(&map));
        }
        let state = store.scan(Column::State, b"", b"", usize::MAX).unwrap();
        prop_assert_eq!(state, map.into_iter().collect::<Vec<_>>());
    }

    /// The same entries in one batch, one by one in any order, or with detours: one root.
    #[test]
    fn order_and_batches_do_not_matter(
        map in prop::collection::btree_map(keys(), prop::collection::vec(any::<u8>(), 0..8), 1..40),
        order in Just((0..KEYS).collect::<Vec<_>>()).prop_shuffle(),
        detour in prop::collection::btree_set(keys(), 0..40),
    ) {
        let at_once = MemoryStore::new();
        let all = map.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        let expected = advance(&at_once, 0, &all);

        let one_by_one = MemoryStore::new();
        let entries: Vec<_> = map.iter().collect();
        let mut last = EMPTY_ROOT;
        for (version, (key, value)) in (0..).zip(order.iter().filter_map(|index| entries.get(*index))) {
            last = advance(&one_by_one, version, &WriteSet::from([((*key).clone(), Some((*value).clone()))]));
        }
        prop_assert_eq!(last, expected);

        let with_detour = MemoryStore::new();
        advance(&with_detour, 0, &detour.iter().map(|key| (key.clone(), Some(b"detour".to_vec()))).collect());
        advance(&with_detour, 1, &all);
        let back = detour.iter().filter(|key| !map.contains_key(*key)).map(|key| (key.clone(), None)).collect();
        prop_assert_eq!(advance(&with_detour, 2, &back), expected);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Every key can be proven, present or absent, and no proof shows anything else.
    #[test]
    fn proofs_show_the_contents_and_nothing_else(
        write_sets in write_sets(),
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let store = MemoryStore::new();
        let mut map = Map::new();
        let mut root = EMPTY_ROOT;
        for (version, writes) in (0..).zip(&write_sets) {
            apply_to_map(&mut map, writes);
            root = advance(&store, version, writes);
        }
        let version = write_sets.len() as u64 - 1;
        let keys: Vec<_> = (0..KEYS + 4).map(key).collect();
        for key in keys.clone() {
            let value = map.get(&key).map(Vec::as_slice);
            let proof = prove(&store, version, &key).unwrap();
            proof.verify(&root, &key, value).unwrap();

            let bytes = proof.to_bytes();
            prop_assert_eq!(&Proof::from_bytes(&bytes).unwrap(), &proof);
            let longer = [bytes.as_slice(), &[0]].concat();
            prop_assert!(Proof::from_bytes(&longer).is_err());
            prop_assert!(Proof::from_bytes(&bytes[..bytes.len() - 1]).is_err());

            // Another value, presence for absence, another root.
            let other = [value.unwrap_or_default(), b"x"].concat();
            prop_assert!(proof.verify(&root, &key, Some(&other)).is_err());
            let opposite = if value.is_some() { None } else { Some(&b""[..]) };
            prop_assert!(proof.verify(&root, &key, opposite).is_err());
            let mut other_root = root;
            other_root[flip.index(32)] ^= 1 << bit;
            prop_assert!(proof.verify(&other_root, &key, value).is_err());

            // Any bit of the proof.
            let mut mutated = bytes.clone();
            mutated[flip.index(bytes.len())] ^= 1 << bit;
            if let Ok(mutated) = Proof::from_bytes(&mutated) {
                prop_assert!(mutated.verify(&root, &key, value).is_err());
            }
            // The proof of one key shows nothing false about another.
            for other in keys.iter().filter(|other| **other != key) {
                let truth = map.get(other).map(Vec::as_slice);
                let lie = if truth.is_some() { None } else { value.or(Some(b"")) };
                prop_assert!(proof.verify(&root, other, lie).is_err());
            }
        }
    }
}

#[test]
fn every_store_has_the_same_root() {
    let directory = tempfile::tempdir().unwrap();
    let root = suite::known_root(&MemoryStore::new());
    for kind in StoreKind::available() {
        let path = directory.path().join(kind.file_name());
        let store = kind.create(&path, crate::DEFAULT_CACHE_BYTES).unwrap();
        assert_eq!(root, suite::known_root(&*store), "{kind}");
        drop(store);
        let store = kind.open(&path, crate::DEFAULT_CACHE_BYTES).unwrap();
        assert_eq!(root, root_of(&*store, 11).unwrap(), "{kind}");
    }
    // A change of this value is a change of consensus.
    assert_eq!(hex(&root), "14bf19ea2e858f29377dc3b6249ebc3736c77b0c5397249079322b7afffa3343");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_empty_state_has_the_empty_root_and_proofs() {
    let store = MemoryStore::new();
    assert_eq!(advance(&store, 0, &WriteSet::new()), EMPTY_ROOT);
    assert_eq!(advance(&store, 1, &WriteSet::from([(b"absent".to_vec(), None)])), EMPTY_ROOT);
    prove(&store, 1, b"a").unwrap().verify(&EMPTY_ROOT, b"a", None).unwrap();
    let one = advance(&store, 2, &WriteSet::from([(b"a".to_vec(), Some(vec![]))]));
    assert_ne!(one, EMPTY_ROOT);
    prove(&store, 2, b"a").unwrap().verify(&one, b"a", Some(b"")).unwrap();
    assert_eq!(advance(&store, 3, &WriteSet::from([(b"a".to_vec(), None)])), EMPTY_ROOT);
    assert_eq!(advance(&store, 4, &WriteSet::new()), EMPTY_ROOT);
}

#[test]
fn versions_have_no_gaps_and_are_written_once() {
    let store = MemoryStore::new();
    let writes = WriteSet::from([(b"a".to_vec(), Some(vec![1]))]);
    let refused = |version| apply(&store, version, &writes, &mut Batch::new()).unwrap_err();
    assert!(matches!(refused(1), RootError::NoVersion { version: 0 }));
    advance(&store, 0, &writes);
    assert!(matches!(refused(0), RootError::VersionExists { version: 0 }));
    assert!(matches!(refused(2), RootError::NoVersion { version: 1 }));
    assert!(matches!(prove(&store, 1, b"a"), Err(RootError::NoVersion { version: 1 })));
    assert!(matches!(root_of(&store, 1), Err(RootError::NoVersion { version: 1 })));
}

/// As many versions as promised can be proven, with the contents they had; the nodes of older ones are gone.
#[test]
fn old_versions_are_kept_for_a_while() {
    let store = MemoryStore::new();
    let mut roots = Vec::new();
    let newest = KEPT_VERSIONS * 3;
    for version in 0..=newest {
        // Some versions change nothing, some remove everything.
        let writes = match version % 7 {
            3 => WriteSet::new(),
            5 => (0..20_u8).map(|key| (vec![key], None)).collect(),
            _ => (0..20_u8).map(|key| (vec![key], Some(version.to_be_bytes().to_vec()))).collect(),
        };
        roots.push(advance(&store, version, &writes));
    }
    for (version, root) in (0..).zip(&roots) {
        if version < newest - KEPT_VERSIONS {
            assert!(matches!(prove(&store, version, &[3]), Err(RootError::NoVersion { .. })), "{version}");
            continue;
        }
        let written = if version % 7 == 3 { version - 1 } else { version };
        let value = (written % 7 != 5).then(|| written.to_be_bytes());
        let value = value.as_ref().map(<[u8; 8]>::as_slice);
        prove(&store, version, &[3]).unwrap().verify(root, &[3], value).unwrap();
    }

    // Nothing else stays behind: with the state emptied and enough versions, one node is left for each kept version.
    let last = newest + KEPT_VERSIONS + 1;
    for version in newest + 1..=last {
        advance(&store, version, &(0..20_u8).map(|key| (vec![key], None)).collect());
    }
    let nodes = store.scan(Column::Tree, &[NODE_ROW], b"", usize::MAX).unwrap();
    assert_eq!(nodes.len() as u64, KEPT_VERSIONS + 1);
    let notes = store.scan(Column::Tree, &[STALE_ROW], b"", usize::MAX).unwrap();
    assert_eq!(notes.len() as u64, KEPT_VERSIONS);
}

#[test]
fn a_damaged_tree_is_an_error_not_another_root() {
    let store = MemoryStore::new();
    let writes: WriteSet = (0..50_u8).map(|key| (vec![key], Some(vec![key]))).collect();
    advance(&store, 0, &writes);
    let (row, node) = store.scan(Column::Tree, &[NODE_ROW], b"", 1).unwrap().remove(0);
    for damage in [&node[..node.len() - 1], &[], &[9; 40]] {
        let mut batch = Batch::new();
        batch.put(Column::Tree, row.clone(), damage);
        store.commit(batch).unwrap();
        assert!(matches!(prove(&store, 0, &[1]), Err(RootError::Damaged { .. })));
        assert!(matches!(apply(&store, 1, &writes, &mut Batch::new()), Err(RootError::Damaged { .. })));
    }
}
