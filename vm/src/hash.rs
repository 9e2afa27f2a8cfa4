//! Domain-separated Keccak-256: no hash of one kind of thing can be a hash of another.

use tiny_keccak::{Hasher, Keccak};

/// Keccak-256 over the domain (its length in one byte, then its text) and the parts, each with its length in eight
/// little-endian bytes in front. Different lists of parts therefore never hash the same bytes.
pub(crate) fn hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut keccak = Keccak::v256();
    let domain_len = u8::try_from(domain.len()).expect("domains are short constants");
    keccak.update(&[domain_len]);
    keccak.update(domain.as_bytes());
    for part in parts {
        keccak.update(&u64::try_from(part.len()).expect("lengths fit into 64 bits").to_le_bytes());
        keccak.update(part);
    }
    let mut digest = [0; 32];
    keccak.finalize(&mut digest);
    digest
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn boundaries_between_parts_count() {
        assert_ne!(hash("a", &[b"bc"]), hash("ab", &[b"c"]));
        assert_ne!(hash("a", &[b"bc", b""]), hash("a", &[b"b", b"c"]));
        assert_ne!(hash("a", &[]), hash("a", &[b""]));
        assert_eq!(hash("a", &[b"b"]), hash("a", &[b"b"]));
    }
}
