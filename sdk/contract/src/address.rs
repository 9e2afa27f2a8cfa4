//! Addresses and hashes: 32 bytes, written as hexadecimal digits.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize, io};

use crate::encoding::{Decode, Encode};
use crate::schema::{Shape, Type};

/// A text that is not 64 hexadecimal digits (with or without `0x` in front).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseHexError;

impl fmt::Display for ParseHexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 64 hexadecimal digits")
    }
}

impl core::error::Error for ParseHexError {}

fn parse(text: &str) -> Result<[u8; 32], ParseHexError> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if digits.len() != 64 {
        return Err(ParseHexError);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value =
                char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or(ParseHexError)?;
            *byte = *byte << 4 | value;
        }
    }
    Ok(bytes)
}

macro_rules! bytes32 {
    ($(#[doc = $doc:literal])* $name:ident, $shape:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseHexError;

            fn from_str(text: &str) -> Result<$name, ParseHexError> {
                parse(text).map($name)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> $name {
                $name(bytes)
            }
        }

        // By hand, because the derived code goes byte by byte: larger and slower in every contract.
        impl BorshSerialize for $name {
            fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
                writer.write_all(&self.0)
            }
        }

        impl BorshDeserialize for $name {
            fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<$name> {
                let mut bytes = [0; 32];
                reader.read_exact(&mut bytes)?;
                Ok($name(bytes))
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0);
            }
        }

        impl Decode for $name {
            fn decode(input: &mut &[u8]) -> Option<$name> {
                let (bytes, rest) = input.split_first_chunk()?;
                *input = rest;
                Some($name(*bytes))
            }
        }

        impl Type for $name {
            const SHAPE: Shape = Shape::$shape;
        }
    };
}

bytes32! {
    /// An account or a contract.
    Address, Address
}
bytes32! {
    /// A digest: of code, of a model (its id), of anything.
    Hash, Hash
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Address, ParseHexError};
    use std::string::ToString;

    #[test]
    fn encoded_as_an_array_is() {
        let address = Address([7; 32]);
        let bytes = borsh::to_vec(&address).unwrap();
        assert_eq!(bytes, borsh::to_vec(&[7u8; 32]).unwrap());
        assert_eq!(borsh::from_slice::<Address>(&bytes).unwrap(), address);
        assert!(borsh::from_slice::<Address>(&bytes[1..]).is_err());
    }

    #[test]
    fn text_round_trips() {
        let address = Address(core::array::from_fn(|i| u8::try_from(i * 7).unwrap()));
        let text = address.to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(text.parse(), Ok(address));
        assert_eq!(std::format!("0x{text}").parse(), Ok(address));
        for wrong in ["", "0x", &text[1..], &std::format!("{text}0"), &text.replace('0', "g")] {
            assert_eq!(wrong.parse::<Address>(), Err(ParseHexError), "{wrong}");
        }
    }
}
