//! Domain-separated Keccak-256: no hash of one kind of thing can be a hash of another.

use tiny_keccak::{Hasher, Keccak};

/// Keccak-256 over the domain (its length in one byte, then its text) and the parts, each with its length in eight
/// little-endian bytes in front: the same rule as for receipts.
pub(crate) fn hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut keccak = Keccak::v256();
    keccak.update(&[u8::try_from(domain.len()).expect("domains are short constants")]);
    keccak.update(domain.as_bytes());
    for part in parts {
        keccak.update(&u64::try_from(part.len()).expect("lengths fit into 64 bits").to_le_bytes());
        keccak.update(part);
    }
    let mut digest = [0; 32];
    keccak.finalize(&mut digest);
    digest
}

/// The root of a binary Merkle tree over a list, which binds how many there are. A node without a partner moves up
/// as it is; leaves, nodes and the root have domains of their own, so neither trick of such trees works.
pub(crate) fn list_root(domain: &str, items: impl IntoIterator<Item = [u8; 32]>) -> [u8; 32] {
    let mut level: Vec<[u8; 32]> = items.into_iter().map(|item| hash("noema list leaf", &[&item])).collect();
    let count = u64::try_from(level.len()).expect("lengths fit into 64 bits");
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => hash("noema list node", &[left, right]),
                _ => pair[0],
            })
            .collect();
    }
    let top = level.first().map_or(&[][..], |top| &top[..]);
    hash(domain, &[&count.to_le_bytes(), top])
}

#[cfg(test)]
mod tests {
    use super::{hash, list_root};

    #[test]
    fn the_rule_is_that_of_receipts() {
        assert_eq!(hash("noema code", &[b"some code"]), noema_vm::code_hash(b"some code"));
    }

    #[test]
    fn lists_that_differ_have_roots_that_differ() {
        let item = |number: u8| [number; 32];
        let lists: [&[u8]; 9] = [&[], &[0], &[1], &[0, 1], &[1, 0], &[0, 1, 1], &[0, 1, 1, 1], &[0, 1, 2], &[0, 0]];
        let mut roots: Vec<_> = lists.iter().map(|list| list_root("a", list.iter().copied().map(item))).collect();
        roots.push(list_root("b", []));
        roots.sort_unstable();
        roots.dedup();
        assert_eq!(roots.len(), lists.len() + 1);
    }
}
