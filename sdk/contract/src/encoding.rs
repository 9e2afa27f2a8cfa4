//! The encoding of everything that a contract takes, gives and keeps: that of borsh, byte for byte, in code that is small in
//! WebAssembly.
//!
//! The crate `borsh` reads from any reader and explains in words what it does not like; of that a contract would carry some ten
//! thousand bytes. Here a value is read from a slice, or it is none. `#[noema::data]`, `#[noema::state]` and `#[noema::event]` make
//! both, so that programs outside of the chain may use `borsh`.
//!
//! ```
//! use noema_sdk::encoding::{decode, encode};
//!
//! let bytes = encode(&(7u32, "seven".to_string(), Some(true)));
//! assert_eq!(bytes, borsh::to_vec(&(7u32, "seven", Some(true))).unwrap());
//! assert_eq!(decode::<(u32, String, Option<bool>)>(&bytes), Some((7, "seven".to_string(), Some(true))));
//! assert_eq!(decode::<(u32, String)>(&bytes), None); // bytes are left
//! ```

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// A value that has bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be encoded",
    note = "put `#[noema::data]` on the type (`#[noema::state]` for what is only kept)"
)]
pub trait Encode {
    /// Appends its bytes.
    fn encode(&self, out: &mut Vec<u8>);

    #[doc(hidden)]
    fn encode_all(all: &[Self], out: &mut Vec<u8>)
    where
        Self: Sized,
    {
        all.iter().for_each(|value| value.encode(out));
    }
}

/// A value that can be read from its bytes. Every value has one form: other bytes are none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be decoded",
    note = "put `#[noema::data]` on the type (`#[noema::state]` for what is only kept)"
)]
pub trait Decode: Sized {
    /// Takes its bytes from the front of `input`.
    fn decode(input: &mut &[u8]) -> Option<Self>;

    #[doc(hidden)]
    fn decode_many(input: &mut &[u8], count: usize) -> Option<Vec<Self>> {
        // A length alone allocates no more than there are bytes to read.
        let mut values = Vec::with_capacity(count.min(input.len() / size_of::<Self>().max(1)));
        for _ in 0..count {
            values.push(Self::decode(input)?);
        }
        Some(values)
    }
}

/// The bytes of a value.
pub fn encode<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// The value with exactly these bytes.
#[must_use]
pub fn decode<T: Decode>(mut bytes: &[u8]) -> Option<T> {
    let value = T::decode(&mut bytes)?;
    bytes.is_empty().then_some(value)
}

/// Takes so many bytes from the front.
fn take<'a>(input: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(taken)
}

fn take_array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*taken)
}

fn encode_len(len: usize, out: &mut Vec<u8>) {
    // Nothing in a contract's memory is longer.
    let len = u32::try_from(len).unwrap_or_else(|_| panic!("more than 4 GiB cannot be encoded"));
    out.extend_from_slice(&len.to_le_bytes());
}

fn decode_len(input: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::decode(input)?).ok()
}

macro_rules! integers {
    ($($ty:ident),*) => { $(
        impl Encode for $ty {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl Decode for $ty {
            fn decode(input: &mut &[u8]) -> Option<$ty> {
                take_array(input).map($ty::from_le_bytes)
            }
        }
    )* };
}
integers!(u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl Encode for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn encode_all(all: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(all);
    }
}

impl Decode for u8 {
    fn decode(input: &mut &[u8]) -> Option<u8> {
        take_array(input).map(|[byte]| byte)
    }
    fn decode_many(input: &mut &[u8], count: usize) -> Option<Vec<u8>> {
        take(input, count).map(<[u8]>::to_vec)
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Decode for bool {
    fn decode(input: &mut &[u8]) -> Option<bool> {
        match u8::decode(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Encode for () {
    fn encode(&self, _: &mut Vec<u8>) {}
}

impl Decode for () {
    fn decode(_: &mut &[u8]) -> Option<()> {
        Some(())
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
}

impl Decode for String {
    fn decode(input: &mut &[u8]) -> Option<String> {
        String::from_utf8(Vec::decode(input)?).ok()
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_len(self.len(), out);
        T::encode_all(self, out);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_slice().encode(out);
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(input: &mut &[u8]) -> Option<Vec<T>> {
        let count = decode_len(input)?;
        T::decode_many(input, count)
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode_all(self, out);
    }
}

impl<T: Decode, const N: usize> Decode for [T; N] {
    fn decode(input: &mut &[u8]) -> Option<[T; N]> {
        T::decode_many(input, N)?.try_into().ok()
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(input: &mut &[u8]) -> Option<Option<T>> {
        if bool::decode(input)? { T::decode(input).map(Some) } else { Some(None) }
    }
}

impl<T: Encode + ?Sized> Encode for Box<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(input: &mut &[u8]) -> Option<Box<T>> {
        T::decode(input).map(Box::new)
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_len(self.len(), out);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }
}

impl<K: Decode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    fn decode(input: &mut &[u8]) -> Option<BTreeMap<K, V>> {
        let mut entries = BTreeMap::new();
        for _ in 0..decode_len(input)? {
            let key = K::decode(input)?;
            // In order, and each key once: a map has one form.
            if entries.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return None;
            }
            entries.insert(key, V::decode(input)?);
        }
        Some(entries)
    }
}

macro_rules! tuples {
    ($($($name:ident $place:tt)+;)*) => { $(
        impl<$($name: Encode),+> Encode for ($($name,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$place.encode(out);)+
            }
        }
        impl<$($name: Decode),+> Decode for ($($name,)+) {
            fn decode(input: &mut &[u8]) -> Option<($($name,)+)> {
                Some(($($name::decode(input)?,)+))
            }
        }
    )* };
}
tuples! {
    A 0; A 0 B 1; A 0 B 1 C 2; A 0 B 1 C 2 D 3; A 0 B 1 C 2 D 3 E 4; A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6; A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8; A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
}

#[cfg(test)]
mod tests {
    use super::{Decode, Encode, decode, encode};
    use alloc::boxed::Box;
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    use crate::{self as noema, Address, Amount, Fixed};

    #[noema::state]
    #[derive(Clone, Debug, PartialEq)]
    enum Kind {
        Plain,
        Pair(u16, bool),
        Fields { left: Vec<String>, right: Option<Box<i64>> },
    }

    #[noema::state]
    #[derive(Clone, Debug, PartialEq)]
    struct Whole {
        numbers: (u8, i8, u16, i16, u32, i32, u64, i64, u128, i128),
        kinds: Vec<Kind>,
        raw: Vec<u8>,
        fixed: [[u16; 2]; 3],
        map: BTreeMap<i16, String>,
        unit: (),
        who: Address,
        money: (Amount, Fixed<7>),
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Plain),
            any::<(u16, bool)>().prop_map(|(a, b)| Kind::Pair(a, b)),
            (any::<Vec<String>>(), any::<Option<i64>>())
                .prop_map(|(left, right)| Kind::Fields { left, right: right.map(Box::new) }),
        ]
    }

    fn whole() -> impl Strategy<Value = Whole> {
        let rest = (any::<Vec<u8>>(), any::<[[u16; 2]; 3]>(), any::<BTreeMap<i16, String>>(), any::<[u8; 32]>());
        (any::<(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128)>(), prop::collection::vec(kind(), 0..5), rest)
            .prop_map(|(numbers, kinds, (raw, fixed, map, who))| Whole {
                numbers,
                kinds,
                raw,
                fixed,
                map,
                unit: (),
                who: Address(who),
                money: (Amount(numbers.8), Fixed::from_bits(numbers.7)),
            })
    }

    proptest! {
        #[test]
        fn it_is_the_encoding_of_borsh(value in whole(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&value);
            prop_assert_eq!(&bytes, &borsh::to_vec(&value).unwrap());
            prop_assert_eq!(decode::<Whole>(&bytes), Some(value));
            prop_assert!(decode::<Whole>(&bytes[..cut.index(bytes.len())]).is_none());
            prop_assert!(decode::<Whole>(&[&bytes[..], &[0]].concat()).is_none());
        }

        #[test]
        fn whatever_is_read_has_one_form(bytes in prop::collection::vec(prop_oneof![0u8..3, any::<u8>()], 0..64)) {
            fn one_form<T: Encode + Decode + borsh::BorshDeserialize + PartialEq + core::fmt::Debug>(bytes: &[u8]) {
                if let Some(value) = decode::<T>(bytes) {
                    assert_eq!(encode(&value), bytes);
                    assert_eq!(borsh::from_slice::<T>(bytes).unwrap(), value);
                }
            }
            one_form::<Vec<Kind>>(&bytes);
            one_form::<(Option<bool>, BTreeMap<u8, bool>, String)>(&bytes);
            one_form::<[Option<u16>; 3]>(&bytes);
        }
    }

    #[test]
    fn other_forms_are_none() {
        assert_eq!(decode::<bool>(&[2]), None);
        assert_eq!(decode::<Option<u8>>(&[2, 0]), None);
        assert_eq!(decode::<String>(&[1, 0, 0, 0, 0xff]), None);
        assert_eq!(decode::<Kind>(&[3]), None);
        let map = |keys: &[u8]| [&[2u8, 0, 0, 0][..], keys].concat();
        assert_eq!(decode::<BTreeMap<u8, ()>>(&map(&[1, 2])), Some(BTreeMap::from([(1, ()), (2, ())])));
        assert_eq!(decode::<BTreeMap<u8, ()>>(&map(&[2, 1])), None);
        assert_eq!(decode::<BTreeMap<u8, ()>>(&map(&[1, 1])), None);
        // A length says nothing about what follows.
        assert_eq!(decode::<Vec<u64>>(&[255, 255, 255, 255, 1]), None);
        assert_eq!(decode::<Vec<u8>>(&[2, 0, 0, 0, 7, 8]), Some(vec![7, 8]));
    }
}
