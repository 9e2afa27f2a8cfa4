//! Keys of maps: bytes in the order of the values, so that a scan goes through a map in order.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Address, Hash};

/// A key of a map. Of two keys the smaller one has the smaller bytes.
pub trait Key: Sized {
    /// Appends its bytes.
    fn write(&self, bytes: &mut Vec<u8>);
    /// The key with exactly these bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// A key whose bytes all have one length: what may stand first in a pair.
pub trait FixedKey: Key {
    /// The length.
    const LEN: usize;
}

macro_rules! integer_keys {
    ($($unsigned:ident $signed:ident),*) => { $(
        impl Key for $unsigned {
            fn write(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_be_bytes());
            }
            fn read(bytes: &[u8]) -> Option<$unsigned> {
                bytes.try_into().ok().map($unsigned::from_be_bytes)
            }
        }
        impl FixedKey for $unsigned {
            const LEN: usize = size_of::<$unsigned>();
        }
        // With the sign bit flipped, negative numbers come first.
        impl Key for $signed {
            fn write(&self, bytes: &mut Vec<u8>) {
                (self.cast_unsigned() ^ (1 << ($unsigned::BITS - 1))).write(bytes);
            }
            fn read(bytes: &[u8]) -> Option<$signed> {
                $unsigned::read(bytes).map(|key| (key ^ (1 << ($unsigned::BITS - 1))).cast_signed())
            }
        }
        impl FixedKey for $signed {
            const LEN: usize = size_of::<$signed>();
        }
    )* };
}
integer_keys!(u8 i8, u16 i16, u32 i32, u64 i64, u128 i128);

impl<const N: usize> Key for [u8; N] {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }
    fn read(bytes: &[u8]) -> Option<[u8; N]> {
        bytes.try_into().ok()
    }
}

impl<const N: usize> FixedKey for [u8; N] {
    const LEN: usize = N;
}

macro_rules! bytes32_keys {
    ($($name:ident),*) => { $(
        impl Key for $name {
            fn write(&self, bytes: &mut Vec<u8>) {
                self.0.write(bytes);
            }
            fn read(bytes: &[u8]) -> Option<$name> {
                Key::read(bytes).map($name)
            }
        }
        impl FixedKey for $name {
            const LEN: usize = 32;
        }
    )* };
}
bytes32_keys!(Address, Hash);

impl Key for bool {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(*self));
    }
    fn read(bytes: &[u8]) -> Option<bool> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl FixedKey for bool {
    const LEN: usize = 1;
}

impl Key for Vec<u8> {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }
    fn read(bytes: &[u8]) -> Option<Vec<u8>> {
        Some(bytes.to_vec())
    }
}

impl Key for String {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }
    fn read(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl<A: FixedKey, B: Key> Key for (A, B) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
    }
    fn read(bytes: &[u8]) -> Option<(A, B)> {
        let (first, second) = bytes.split_at_checked(A::LEN)?;
        Some((A::read(first)?, B::read(second)?))
    }
}

impl<A: FixedKey, B: FixedKey> FixedKey for (A, B) {
    const LEN: usize = A::LEN + B::LEN;
}

#[cfg(test)]
mod tests {
    use super::Key;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::fmt::Debug;

    fn ordered<K: Key + PartialOrd + Debug>(keys: &[K]) {
        let bytes: Vec<Vec<u8>> = keys
            .iter()
            .map(|key| {
                let mut bytes = Vec::new();
                key.write(&mut bytes);
                bytes
            })
            .collect();
        for (i, a) in keys.iter().enumerate() {
            assert_eq!(K::read(&bytes[i]).as_ref(), Some(a));
            for (j, b) in keys.iter().enumerate() {
                assert_eq!(a.partial_cmp(b), bytes[i].partial_cmp(&bytes[j]), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn bytes_are_ordered_as_the_keys_are() {
        ordered(&[0u64, 1, 255, 256, u64::MAX]);
        ordered(&[i32::MIN, -256, -1, 0, 1, i32::MAX]);
        ordered(&[i128::MIN, -1, 0, i128::MAX]);
        ordered(&[false, true]);
        ordered(&["", "a", "ab", "b"].map(String::from));
        ordered(&[(1u16, String::from("b")), (1, String::new()), (256, String::from("a"))]);
        ordered(&[((1u8, -1i8), [3u8; 2]), ((1, 1), [0; 2])]);
    }

    #[test]
    fn other_bytes_are_refused() {
        assert_eq!(u32::read(&[1, 2, 3]), None);
        assert_eq!(bool::read(&[2]), None);
        assert_eq!(String::read(&[0xff]), None);
        assert_eq!(<(u32, u8)>::read(&[1]), None);
    }
}
