//! A first look at a file, before anything is allocated for it.
//!
//! In protobuf two bytes can stand for a whole message, so a small file could ask for a hundred times its size. This
//! walk counts what decoding would allocate for, along the fields that [`proto`](crate::proto) declares.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::ImportError;

/// Most bytes of a file.
pub(crate) const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Most messages, names and small numbers of a file: nodes, attributes, initialisers, dimensions...
pub(crate) const MAX_ITEMS: u64 = 200_000;
/// Most numbers in lists of attributes, which trees have many of; a text there counts as [`TEXT`] of them.
pub(crate) const MAX_NUMBERS: u64 = 1 << 24;
const TEXT: u64 = 16;

/// What was counted so far.
#[derive(Default)]
struct Counts {
    items: u64,
    numbers: u64,
}

#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Leaf,
}

impl Message {
    /// The message in a field, if decoding makes one of it.
    fn child(self, field: u32) -> Option<Message> {
        match (self, field) {
            (Message::Model, 7) => Some(Message::Graph),
            (Message::Model, 8) => Some(Message::Leaf),
            (Message::Graph, 1) => Some(Message::Node),
            (Message::Graph, 5) | (Message::Attribute, 5) => Some(Message::Tensor),
            (Message::Graph, 11 | 12) => Some(Message::ValueInfo),
            (Message::Graph, 15) => Some(Message::Leaf),
            (Message::Node, 1 | 2) => Some(Message::Leaf),
            (Message::Node, 5) => Some(Message::Attribute),
            (Message::ValueInfo, 2) => Some(Message::Type),
            (Message::Type, 1) => Some(Message::TensorType),
            (Message::TensorType, 2) => Some(Message::Shape),
            (Message::Shape, 1) => Some(Message::Leaf),
            _ => None,
        }
    }

    /// Whether a field holds numbers that grow when they are decoded.
    fn packs_varints(self, field: u32) -> bool {
        matches!((self, field), (Message::Tensor, 1 | 5 | 7))
    }
}

impl Message {
    /// Whether a field is a list of numbers of an attribute.
    fn lists(self, field: u32) -> bool {
        matches!((self, field), (Message::Attribute, 8))
    }
}

/// Refuses a file that is too large, is cut, or has too many items.
pub(crate) fn check(bytes: &[u8]) -> Result<(), ImportError> {
    let value = bytes.len() as u64;
    if value > MAX_FILE_BYTES {
        return Err(ImportError::Limit { what: "size of the file in bytes", value, limit: MAX_FILE_BYTES });
    }
    walk(bytes, Message::Model, &mut Counts::default())
}

fn walk(mut bytes: &[u8], message: Message, counts: &mut Counts) -> Result<(), ImportError> {
    let broken = |error: &dyn std::fmt::Display| ImportError::NotOnnx(error.to_string());
    while !bytes.is_empty() {
        let (field, wire_type) = decode_key(&mut bytes).map_err(|error| broken(&error))?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes).map_err(|error| broken(&error))?;
                counts.items += u64::from(message.packs_varints(field));
                counts.numbers += u64::from(message.lists(field));
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => decode_varint(&mut bytes).map_err(|error| broken(&error))?,
            WireType::StartGroup | WireType::EndGroup => return Err(broken(&"it contains a protobuf group")),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
        let Some(length) = length else { return Err(broken(&"it is truncated")) };
        let (payload, rest) = bytes.split_at(length);
        bytes = rest;
        if wire_type == WireType::LengthDelimited {
            if message.packs_varints(field) {
                counts.items += payload.len() as u64;
            } else if message.lists(field) {
                counts.numbers += payload.len() as u64;
            } else if matches!((message, field), (Message::Attribute, 9)) {
                counts.numbers += TEXT;
            } else if let Some(child) = message.child(field) {
                counts.items += 1;
                if !matches!(child, Message::Leaf) {
                    walk(payload, child, counts)?;
                }
            }
        }
        let limits = [
            ("number of items in the file", counts.items, MAX_ITEMS),
            ("number of numbers in attributes", counts.numbers, MAX_NUMBERS),
        ];
        if let Some((what, value, limit)) = limits.into_iter().find(|(_, value, limit)| value > limit) {
            return Err(ImportError::Limit { what, value, limit });
        }
    }
    Ok(())
}
