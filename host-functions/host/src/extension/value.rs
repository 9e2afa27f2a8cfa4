//! Arguments of a row that is known at run time only: the kinds of `argument.rs`, as one type.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use noema_abi::{HostFunction, Kind, Param, Status};
use noema_model::Model;

use crate::argument::{Argument, Held, Out, range};
use crate::{Fault, HostContext};

/// The most WebAssembly parameters of a row.
const MAX_NUMBERS: usize = 32;

/// An argument, by its kind in the table. `'m` is the guest's memory.
#[non_exhaustive]
pub enum Value<'m> {
    /// `u32`
    U32(u32),
    /// `i32`
    I32(i32),
    /// `u64`
    U64(u64),
    /// `i64`
    I64(i64),
    /// `bytes`
    Bytes(&'m [u8]),
    /// `in16`
    In16(&'m [u8; 16]),
    /// `in32`
    In32(&'m [u8; 32]),
    /// `in64`
    In64(&'m [u8; 64]),
    /// `out`
    Out(Out<'static>),
    /// `out16`: zero until it is set.
    Out16([u8; 16]),
    /// `out32`: zero until it is set.
    Out32([u8; 32]),
    /// `out64`: zero until it is set.
    Out64([u8; 64]),
    /// `tensor`
    Tensor(Held),
    /// `model`
    Model(Arc<Model>),
}

/// Whether rows of an extension can have the parameters: known kinds, and not too many.
pub(super) fn supports(params: &[Param]) -> bool {
    let numbers: usize = params.iter().map(|param| param.kind.wasm_types().len()).sum();
    let known = params.iter().all(|param| {
        matches!(
            param.kind,
            Kind::u32 | Kind::i32 | Kind::u64 | Kind::i64 | Kind::bytes | Kind::out | Kind::tensor | Kind::model
        ) || param.kind.fixed_length().is_some()
    });
    known && numbers <= MAX_NUMBERS
}

/// What the guest passes, with what it means.
#[derive(Clone, Copy)]
pub(super) struct RawValues {
    params: &'static [Param],
    numbers: [i64; MAX_NUMBERS],
}

impl RawValues {
    /// `None` where the row has another number of WebAssembly parameters, or too many.
    pub(super) fn new(row: &'static HostFunction, raw: &[i64]) -> Option<RawValues> {
        if row.wasm_params().count() != raw.len() {
            return None;
        }
        let mut numbers = [0; MAX_NUMBERS];
        numbers.get_mut(..raw.len())?.copy_from_slice(raw);
        Some(RawValues { params: row.params, numbers })
    }

    /// The parameters, each with its first number and, where it has one, its length.
    fn each(&self) -> impl Iterator<Item = (Kind, i64, u32)> + '_ {
        let mut numbers = self.numbers.iter().copied();
        self.params.iter().map(move |param| {
            let mut next = || numbers.next().unwrap_or(0);
            let first = next();
            let length = if param.kind.has_length() { low(next()).cast_unsigned() } else { 0 };
            (param.kind, first, length)
        })
    }
}

/// The 32-bit number in the low half.
fn low(number: i64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// A list of arguments.
pub(super) struct Values;

/// A number, or a guest range that lies in the memory.
#[derive(Clone)]
pub(super) struct Checked {
    kind: Kind,
    number: i64,
    range: Range<usize>,
}

impl Argument for Values {
    type Raw = RawValues;
    type Checked = Vec<Checked>;
    type Typed<'m, 'c> = Vec<Value<'m>>;
    type Pending<'c> = Vec<Option<Cow<'static, [u8]>>>;

    fn priced_bytes(raw: RawValues) -> u64 {
        raw.each().map(|(_, _, length)| u64::from(length)).fold(0, u64::saturating_add)
    }

    fn check(raw: RawValues, memory: usize) -> Result<Vec<Checked>, Fault> {
        raw.each()
            .map(|(kind, number, length)| {
                let fixed = kind.fixed_length().and_then(|length| u32::try_from(length).ok());
                let range = match fixed {
                    Some(fixed) => range(low(number), fixed, memory)?,
                    None if kind.has_length() => range(low(number), length, memory)?,
                    None => 0..0,
                };
                Ok(Checked { kind, number, range })
            })
            .collect()
    }

    fn parse<'m, 'c, C: HostContext>(
        checked: &Vec<Checked>,
        memory: &'m [u8],
        context: &mut C,
    ) -> Result<Self::Typed<'m, 'c>, Status> {
        checked.iter().map(|checked| parse(checked, memory, context)).collect()
    }

    fn pending<'c>(typed: Self::Typed<'_, 'c>) -> Self::Pending<'c> {
        let pending = |value| match value {
            Value::Out(out) => Some(out.data),
            Value::Out16(bytes) => Some(bytes.to_vec().into()),
            Value::Out32(bytes) => Some(bytes.to_vec().into()),
            Value::Out64(bytes) => Some(bytes.to_vec().into()),
            _ => None,
        };
        typed.into_iter().map(pending).collect()
    }

    fn write(checked: Vec<Checked>, pending: Vec<Option<Cow<'_, [u8]>>>, memory: &mut [u8]) {
        for (checked, pending) in checked.into_iter().zip(pending) {
            if let Some(data) = pending {
                let fits = data.len().min(checked.range.len());
                memory[checked.range][..fits].copy_from_slice(&data[..fits]);
            }
        }
    }
}

fn parse<'m, C: HostContext>(checked: &Checked, memory: &'m [u8], context: &mut C) -> Result<Value<'m>, Status> {
    let bytes = &memory[checked.range.clone()];
    let fixed = Status::BadArgument;
    let number = low(checked.number);
    Ok(match checked.kind {
        Kind::u32 => Value::U32(number.cast_unsigned()),
        Kind::i32 => Value::I32(number),
        Kind::u64 => Value::U64(checked.number.cast_unsigned()),
        Kind::i64 => Value::I64(checked.number),
        Kind::bytes => Value::Bytes(bytes),
        Kind::in16 => Value::In16(bytes.first_chunk().ok_or(fixed)?),
        Kind::in32 => Value::In32(bytes.first_chunk().ok_or(fixed)?),
        Kind::in64 => Value::In64(bytes.first_chunk().ok_or(fixed)?),
        Kind::out => Value::Out(Out::new(bytes.len())),
        Kind::out16 => Value::Out16([0; 16]),
        Kind::out32 => Value::Out32([0; 32]),
        Kind::out64 => Value::Out64([0; 64]),
        Kind::tensor => {
            let handle = number.cast_unsigned();
            Value::Tensor(Held { handle, tensor: context.tensors().get(handle)?.clone() })
        }
        Kind::model => Value::Model(Arc::clone(context.tensors().model(number.cast_unsigned())?)),
        // Refused when the virtual machine is built.
        _ => return Err(Status::BadArgument),
    })
}
