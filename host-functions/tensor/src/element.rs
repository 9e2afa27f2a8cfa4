//! Element types and where candle keeps them.

use candle_core::{CpuStorage, Layout};
use noema_abi::DType;

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that a tensor can hold. Sealed: the five types of [`DType`].
///
/// candle 0.11 has storage for `u8`, `i16`, `i32` and `i64`; the bytes of `i8` live in `u8` storage.
pub trait Element:
    sealed::Sealed + bytemuck::Pod + Default + Ord + Into<i64> + Into<i128> + std::fmt::Debug + Send + Sync + 'static
{
    /// The element type.
    const DTYPE: DType;

    /// The nearest value of this type.
    fn saturate(value: i128) -> Self;

    /// [`Element::saturate`] for what is known to fit 64 bits.
    fn saturate_i64(value: i64) -> Self;

    /// [`Element::saturate`] for what is known to fit 32 bits.
    fn saturate_i32(value: i32) -> Self;

    /// `self + other`, saturating.
    fn saturating_add(self, other: Self) -> Self;

    /// `self - other`, saturating.
    fn saturating_sub(self, other: Self) -> Self;

    /// `self * other`, saturating.
    fn saturating_mul(self, other: Self) -> Self;

    /// `one` where the condition is not 0, else `other`, without a branch: conditions are what no processor foresees.
    fn choose(condition: u8, one: Self, other: Self) -> Self;

    /// The element written as these little-endian bytes, [`DType::size`] of them.
    #[doc(hidden)]
    fn read_le(bytes: &[u8]) -> Vec<Self>;

    /// Little-endian bytes.
    #[doc(hidden)]
    fn write_le(values: &[Self]) -> Vec<u8>;

    /// The elements in candle's storage, if it is of the type that holds this one.
    #[doc(hidden)]
    fn of_storage(storage: &CpuStorage) -> Option<&[Self]>;

    /// Hands elements to candle.
    #[doc(hidden)]
    fn into_storage(values: Vec<Self>) -> CpuStorage;
}

macro_rules! element {
    ($type:ident, $dtype:ident, |$storage:ident| $view:expr, |$values:ident| $own:expr) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;

            fn saturate(value: i128) -> Self {
                Self::try_from(value).unwrap_or(if value < 0 { Self::MIN } else { Self::MAX })
            }

            #[inline]
            #[allow(clippy::as_conversions, reason = "the value was clamped to the range of the type")]
            fn saturate_i64(value: i64) -> Self {
                value.clamp(Self::DTYPE.min(), Self::DTYPE.max()) as Self
            }

            #[inline]
            #[allow(clippy::as_conversions, reason = "the value was clamped to the range of the type")]
            fn saturate_i32(value: i32) -> Self {
                let low = i32::try_from(Self::DTYPE.min()).unwrap_or(i32::MIN);
                let high = i32::try_from(Self::DTYPE.max()).unwrap_or(i32::MAX);
                value.clamp(low, high) as Self
            }

            #[inline]
            fn saturating_add(self, other: Self) -> Self {
                <$type>::saturating_add(self, other)
            }

            #[inline]
            fn saturating_sub(self, other: Self) -> Self {
                <$type>::saturating_sub(self, other)
            }

            #[inline]
            fn saturating_mul(self, other: Self) -> Self {
                <$type>::saturating_mul(self, other)
            }

            #[inline(always)]
            #[allow(clippy::as_conversions, reason = "no bits or all of them, in every type")]
            fn choose(condition: u8, one: Self, other: Self) -> Self {
                // All bits where the condition is 0. Of what compilers know to be a comparison they make a branch again.
                let is_other = (i16::from(condition).wrapping_sub(1) >> 8) as Self;
                one ^ ((one ^ other) & is_other)
            }

            fn read_le(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|chunk| Self::from_le_bytes(*chunk)).collect()
            }

            fn write_le(values: &[Self]) -> Vec<u8> {
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            }

            fn of_storage($storage: &CpuStorage) -> Option<&[Self]> {
                $view
            }

            fn into_storage($values: Vec<Self>) -> CpuStorage {
                $own
            }
        }
    };
}

macro_rules! view {
    ($storage:ident, $variant:ident) => {
        match $storage {
            CpuStorage::$variant(values) => Some(values),
            _ => None,
        }
    };
}

element!(
    i8,
    I8,
    |storage| match storage {
        CpuStorage::U8(values) => Some(bytemuck::cast_slice(values)),
        _ => None,
    },
    |values| CpuStorage::U8(values.into_iter().map(i8::cast_unsigned).collect())
);
element!(u8, U8, |storage| view!(storage, U8), |values| CpuStorage::U8(values));
element!(i16, I16, |storage| view!(storage, I16), |values| CpuStorage::I16(values));
element!(i32, I32, |storage| view!(storage, I32), |values| CpuStorage::I32(values));
element!(i64, I64, |storage| view!(storage, I64), |values| CpuStorage::I64(values));

/// The elements of an argument of a candle operation.
pub(crate) fn slice<'a, T: Element>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [T]> {
    let (start, end) = layout.contiguous_offsets().ok_or_else(|| message("a tensor that is not contiguous"))?;
    let values = T::of_storage(storage).ok_or_else(|| message("a tensor in storage of another type"))?;
    values.get(start..end).ok_or_else(|| message("a tensor outside its storage"))
}

fn message(text: &str) -> candle_core::Error {
    candle_core::Error::Msg(text.to_owned())
}

/// Evaluates `$body` with `$type` standing for the Rust type of the element type `$dtype`.
macro_rules! with_element {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            $crate::DType::I8 => {
                type $type = i8;
                $body
            }
            $crate::DType::U8 => {
                type $type = u8;
                $body
            }
            $crate::DType::I16 => {
                type $type = i16;
                $body
            }
            $crate::DType::I32 => {
                type $type = i32;
                $body
            }
            $crate::DType::I64 => {
                type $type = i64;
                $body
            }
        }
    };
}
pub(crate) use with_element;

/// The same for `i8`, `i16` and `i32`, which are all that some opcodes take.
macro_rules! with_signed {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            $crate::DType::I8 => {
                type $type = i8;
                $body
            }
            $crate::DType::I16 => {
                type $type = i16;
                $body
            }
            _ => {
                type $type = i32;
                $body
            }
        }
    };
}
pub(crate) use with_signed;
