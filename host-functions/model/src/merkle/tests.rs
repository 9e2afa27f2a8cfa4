use proptest::prelude::*;

use super::{
    CHUNK_BYTES, MerkleTree, ModelId, RootHasher, chunk_count, chunk_len, chunks, id_of, leaf, node, proof, root,
    verify,
};

/// Bytes that differ from chunk to chunk.
fn container(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i / CHUNK_BYTES * 31 + i) % 251).unwrap()).collect()
}

/// The tree as the definition says it, by recursion: split at the largest power of two below the count.
fn by_definition(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [one] => *one,
        many => {
            let left = many.len().next_power_of_two() / 2;
            node(&by_definition(&many[..left]), &by_definition(&many[left..]))
        }
    }
}

#[test]
fn every_chunk_of_every_small_tree_verifies_alone() {
    for count in 1..=9_usize {
        for len in [count * CHUNK_BYTES, count * CHUNK_BYTES - 1, (count - 1) * CHUNK_BYTES + 1] {
            let bytes = container(len);
            let id = root(&bytes);
            let leaves: Vec<_> = chunks(&bytes).map(leaf).collect();
            assert_eq!(id, id_of(len as u64, &by_definition(&leaves)));
            let tree = MerkleTree::new(&bytes);
            assert_eq!((tree.id(), tree.chunk_count()), (id, count as u64));
            for (index, chunk) in chunks(&bytes).enumerate() {
                let siblings = tree.proof(index as u64).unwrap();
                assert_eq!(Some(&siblings), proof(&bytes, index as u64).as_ref());
                assert!(verify(id, len as u64, index as u64, chunk, &siblings));
            }
            assert_eq!(tree.proof(count as u64), None);
        }
    }
}

#[test]
fn an_empty_container_has_one_empty_chunk() {
    let id = root(&[]);
    assert_eq!(id, RootHasher::new().finish());
    assert_eq!((chunk_count(0), chunk_len(0, 0), chunk_len(0, 1)), (1, Some(0), None));
    assert!(verify(id, 0, 0, &[], &[]));
    assert!(!verify(id, 0, 1, &[], &[]));
    assert!(!verify(id, 1, 0, &[0], &[]));
}

#[test]
fn an_inner_node_is_not_a_leaf() {
    // A container whose only chunk is the concatenation of two hashes must not have the id of the tree over them.
    let bytes = container(2 * CHUNK_BYTES);
    let hashes: Vec<_> = chunks(&bytes).map(leaf).collect();
    assert_ne!(leaf(&hashes.concat()), node(&hashes[0], &hashes[1]));
    assert_ne!(root(&hashes.concat()), root(&bytes));
}

#[test]
fn lengths_that_no_machine_holds_are_only_numbers() {
    assert_eq!(chunk_len(u64::MAX, u64::MAX), None);
    assert_eq!(chunk_len(u64::MAX, chunk_count(u64::MAX) - 1), Some(CHUNK_BYTES - 1));
    assert!(!verify(ModelId([0; 32]), u64::MAX, chunk_count(u64::MAX) - 1, &[0; CHUNK_BYTES - 1], &[]));
    assert!(!verify(ModelId([0; 32]), u64::MAX, 0, &[0; CHUNK_BYTES], &vec![[0; 32]; 100]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_but_the_chunk_at_its_place_verifies(
        count in 1_usize..7, tail in 1..=CHUNK_BYTES, pick in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
        other_index in 0_u64..9, other_len in any::<u64>(),
    ) {
        let len = (count - 1) * CHUNK_BYTES + tail;
        let total = len as u64;
        let bytes = container(len);
        let tree = MerkleTree::new(&bytes);
        let id = tree.id();
        let index = pick.index(count);
        let chunk = chunks(&bytes).nth(index).unwrap();
        let siblings = tree.proof(index as u64).unwrap();
        prop_assert!(verify(id, total, index as u64, chunk, &siblings));

        let mut altered = chunk.to_vec();
        let at = bit.index(altered.len() * 8);
        altered[at / 8] ^= 1 << (at % 8);
        prop_assert!(!verify(id, total, index as u64, &altered, &siblings));
        prop_assert!(!verify(id, total, index as u64, &chunk[1..], &siblings));
        prop_assert!(other_index == index as u64 || !verify(id, total, other_index, chunk, &siblings));
        prop_assert!(other_len == total || !verify(id, other_len, index as u64, chunk, &siblings));
        prop_assert!(!verify(ModelId([1; 32]), total, index as u64, chunk, &siblings));

        let mut longer = siblings.clone();
        longer.push([0; 32]);
        prop_assert!(!verify(id, total, index as u64, chunk, &longer));
        if !siblings.is_empty() {
            prop_assert!(!verify(id, total, index as u64, chunk, &siblings[1..]));
            prop_assert!(!verify(id, total, index as u64, chunk, &siblings[..siblings.len() - 1]));
            let mut wrong = siblings.clone();
            wrong[bit.index(siblings.len())][7] ^= 1;
            prop_assert!(!verify(id, total, index as u64, chunk, &wrong));
        }
    }
}
