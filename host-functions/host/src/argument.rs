//! Arguments: from WebAssembly numbers to typed values, and back into guest memory.
//!
//! One type for each kind of the table, named as there. The life of an argument is that of the call:
//! raw, checked (its guest range lies in the memory), typed (parsed, lent to the row), and, for what
//! the guest wants written, pending until the row has succeeded. Because all inputs are lent from the
//! memory until then, an output range may overlap an input range: the row sees the old bytes.

use std::borrow::Cow;
use std::ops::{Deref, Range};
use std::sync::Arc;

use noema_abi::Status;
use noema_model::Model;
use noema_tensor::Tensor;

use crate::{Fault, HostContext};

/// One kind of the table.
pub(crate) trait Argument {
    /// As it comes from the guest.
    type Raw: Copy;
    /// With its guest range proven.
    type Checked: Clone;
    /// As the row sees it: `'m` is the guest's memory, `'c` the frame.
    type Typed<'m, 'c>;
    /// What is to be written into guest memory.
    type Pending<'c>;

    /// Bytes that the price counts.
    fn priced_bytes(_raw: Self::Raw) -> u64 {
        0
    }
    fn check(raw: Self::Raw, memory: usize) -> Result<Self::Checked, Fault>;
    fn parse<'m, 'c, C: HostContext>(
        checked: &Self::Checked,
        memory: &'m [u8],
        context: &mut C,
    ) -> Result<Self::Typed<'m, 'c>, Status>;
    fn pending<'c>(typed: Self::Typed<'_, 'c>) -> Self::Pending<'c>;
    fn write(checked: Self::Checked, pending: Self::Pending<'_>, memory: &mut [u8]);
}

/// A guest range inside a memory, or the fault. Pointers and lengths are unsigned.
pub(crate) fn range(pointer: i32, length: u32, memory: usize) -> Result<Range<usize>, Fault> {
    let pointer = pointer.cast_unsigned();
    let fault = || Fault::PointerOutOfBounds { pointer, length, memory: u64::try_from(memory).unwrap_or(u64::MAX) };
    let start = usize::try_from(pointer).map_err(|_| fault())?;
    let length = usize::try_from(length).map_err(|_| fault())?;
    let end = start.checked_add(length).ok_or_else(fault)?;
    if end > memory { Err(fault()) } else { Ok(start..end) }
}

macro_rules! numbers {
    ($($kind:ident($raw:ty) => $typed:ty, |$value:ident| $convert:expr;)*) => { $(
        #[allow(dead_code, reason = "the table need not use every kind")]
        pub(crate) struct $kind;

        impl Argument for $kind {
            type Raw = $raw;
            type Checked = $typed;
            type Typed<'m, 'c> = $typed;
            type Pending<'c> = ();

            fn check($value: $raw, _memory: usize) -> Result<$typed, Fault> {
                Ok($convert)
            }
            fn parse<'m, 'c, C: HostContext>(checked: &$typed, _: &'m [u8], _: &mut C) -> Result<Self::Typed<'m, 'c>, Status> {
                Ok(*checked)
            }
            fn pending<'c>(_: Self::Typed<'_, 'c>) -> Self::Pending<'c> {}
            fn write(_: $typed, (): (), _: &mut [u8]) {}
        }
    )* };
}

numbers! {
    U32(i32) => u32, |value| value.cast_unsigned();
    I32(i32) => i32, |value| value;
    U64(i64) => u64, |value| value.cast_unsigned();
    I64(i64) => i64, |value| value;
}

/// A guest range to read.
pub(crate) struct Bytes;

impl Argument for Bytes {
    type Raw = (i32, i32);
    type Checked = Range<usize>;
    type Typed<'m, 'c> = &'m [u8];
    type Pending<'c> = ();

    fn priced_bytes((_, length): (i32, i32)) -> u64 {
        u64::from(length.cast_unsigned())
    }
    fn check((pointer, length): (i32, i32), memory: usize) -> Result<Range<usize>, Fault> {
        range(pointer, length.cast_unsigned(), memory)
    }
    fn parse<'m, 'c, C: HostContext>(
        checked: &Range<usize>,
        memory: &'m [u8],
        _: &mut C,
    ) -> Result<Self::Typed<'m, 'c>, Status> {
        Ok(&memory[checked.clone()])
    }
    fn pending<'c>(_: Self::Typed<'_, 'c>) -> Self::Pending<'c> {}
    fn write(_: Range<usize>, (): (), _: &mut [u8]) {}
}

/// `N` bytes to read.
pub(crate) struct In<const N: usize>;

impl<const N: usize> Argument for In<N> {
    type Raw = i32;
    type Checked = Range<usize>;
    type Typed<'m, 'c> = &'m [u8; N];
    type Pending<'c> = ();

    fn check(pointer: i32, memory: usize) -> Result<Range<usize>, Fault> {
        range(pointer, const { fixed_length(N) }, memory)
    }
    fn parse<'m, 'c, C: HostContext>(
        checked: &Range<usize>,
        memory: &'m [u8],
        _: &mut C,
    ) -> Result<Self::Typed<'m, 'c>, Status> {
        memory[checked.clone()].first_chunk().ok_or(Status::BadArgument)
    }
    fn pending<'c>(_: Self::Typed<'_, 'c>) -> Self::Pending<'c> {}
    fn write(_: Range<usize>, (): (), _: &mut [u8]) {}
}

/// `N` bytes to write: zero until the row sets them.
pub(crate) struct FixedOut<const N: usize>;

impl<const N: usize> Argument for FixedOut<N> {
    type Raw = i32;
    type Checked = Range<usize>;
    type Typed<'m, 'c> = [u8; N];
    type Pending<'c> = [u8; N];

    fn check(pointer: i32, memory: usize) -> Result<Range<usize>, Fault> {
        range(pointer, const { fixed_length(N) }, memory)
    }
    fn parse<'m, 'c, C: HostContext>(_: &Range<usize>, _: &'m [u8], _: &mut C) -> Result<Self::Typed<'m, 'c>, Status> {
        Ok([0; N])
    }
    fn pending<'c>(typed: Self::Typed<'_, 'c>) -> Self::Pending<'c> {
        typed
    }
    fn write(checked: Range<usize>, pending: [u8; N], memory: &mut [u8]) {
        memory[checked].copy_from_slice(&pending);
    }
}

/// The length of a fixed range, for the 32-bit checks of a guest's memory.
const fn fixed_length(n: usize) -> u32 {
    assert!(n <= 64);
    #[allow(clippy::cast_possible_truncation, reason = "asserted above, at compile time")]
    {
        n as u32
    }
}

/// A guest range to write.
pub(crate) struct OutRange;

/// What a host function wants written into an `out` range. What does not fit into its capacity is cut when it
/// is written; one that must not be cut looks at the capacity.
pub struct Out<'c> {
    capacity: usize,
    pub(crate) data: Cow<'c, [u8]>,
}

impl<'c> Out<'c> {
    /// Nothing to write yet, and room for this much.
    pub(crate) fn new(capacity: usize) -> Out<'c> {
        Out { capacity, data: Cow::Borrowed(&[]) }
    }

    /// How many bytes the guest has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets what to write and returns the length of all of it, which the guest is told.
    pub fn set(&mut self, data: impl Into<Cow<'c, [u8]>>) -> u64 {
        self.data = data.into();
        u64::try_from(self.data.len()).unwrap_or(u64::MAX)
    }
}

impl Argument for OutRange {
    type Raw = (i32, i32);
    type Checked = Range<usize>;
    type Typed<'m, 'c> = Out<'c>;
    type Pending<'c> = Cow<'c, [u8]>;

    fn priced_bytes((_, capacity): (i32, i32)) -> u64 {
        u64::from(capacity.cast_unsigned())
    }
    fn check((pointer, capacity): (i32, i32), memory: usize) -> Result<Range<usize>, Fault> {
        range(pointer, capacity.cast_unsigned(), memory)
    }
    fn parse<'m, 'c, C: HostContext>(
        checked: &Range<usize>,
        _: &'m [u8],
        _: &mut C,
    ) -> Result<Self::Typed<'m, 'c>, Status> {
        Ok(Out::new(checked.len()))
    }
    fn pending<'c>(typed: Self::Typed<'_, 'c>) -> Self::Pending<'c> {
        typed.data
    }
    fn write(checked: Range<usize>, pending: Cow<'_, [u8]>, memory: &mut [u8]) {
        let fits = pending.len().min(checked.len());
        memory[checked][..fits].copy_from_slice(&pending[..fits]);
    }
}

/// A tensor handle.
pub(crate) struct TensorHandle;

/// A live tensor with its handle.
pub struct Held {
    pub(crate) handle: u32,
    pub(crate) tensor: Tensor,
}

impl Deref for Held {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.tensor
    }
}

impl Argument for TensorHandle {
    type Raw = i32;
    type Checked = u32;
    type Typed<'m, 'c> = Held;
    type Pending<'c> = ();

    fn check(raw: i32, _memory: usize) -> Result<u32, Fault> {
        Ok(raw.cast_unsigned())
    }
    fn parse<'m, 'c, C: HostContext>(
        handle: &u32,
        _: &'m [u8],
        context: &mut C,
    ) -> Result<Self::Typed<'m, 'c>, Status> {
        let tensor = context.tensors().get(*handle)?.clone();
        Ok(Held { handle: *handle, tensor })
    }
    fn pending<'c>(_: Self::Typed<'_, 'c>) -> Self::Pending<'c> {}
    fn write(_: u32, (): (), _: &mut [u8]) {}
}

/// A model handle.
pub(crate) struct ModelHandle;

impl Argument for ModelHandle {
    type Raw = i32;
    type Checked = u32;
    type Typed<'m, 'c> = Arc<Model>;
    type Pending<'c> = ();

    fn check(raw: i32, _memory: usize) -> Result<u32, Fault> {
        Ok(raw.cast_unsigned())
    }
    fn parse<'m, 'c, C: HostContext>(
        handle: &u32,
        _: &'m [u8],
        context: &mut C,
    ) -> Result<Self::Typed<'m, 'c>, Status> {
        Ok(Arc::clone(context.tensors().model(*handle)?))
    }
    fn pending<'c>(_: Self::Typed<'_, 'c>) -> Self::Pending<'c> {}
    fn write(_: u32, (): (), _: &mut [u8]) {}
}

/// The arguments of a row: a tuple of kinds.
macro_rules! tuples {
    ($(($($kind:ident $value:ident $other:ident),*))*) => { $(
        #[allow(unused_variables, clippy::unused_unit, reason = "the empty tuple")]
        impl<$($kind: Argument),*> Argument for ($($kind,)*) {
            type Raw = ($($kind::Raw,)*);
            type Checked = ($($kind::Checked,)*);
            type Typed<'m, 'c> = ($($kind::Typed<'m, 'c>,)*);
            type Pending<'c> = ($($kind::Pending<'c>,)*);

            fn priced_bytes(($($value,)*): Self::Raw) -> u64 {
                0 $(+ $kind::priced_bytes($value))*
            }
            fn check(($($value,)*): Self::Raw, memory: usize) -> Result<Self::Checked, Fault> {
                Ok(($($kind::check($value, memory)?,)*))
            }
            fn parse<'m, 'c, K: HostContext>(
                ($($value,)*): &Self::Checked,
                memory: &'m [u8],
                context: &mut K,
            ) -> Result<Self::Typed<'m, 'c>, Status> {
                Ok(($($kind::parse($value, memory, context)?,)*))
            }
            fn pending<'c>(($($value,)*): Self::Typed<'_, 'c>) -> Self::Pending<'c> {
                ($($kind::pending($value),)*)
            }
            fn write(($($value,)*): Self::Checked, ($($other,)*): Self::Pending<'_>, memory: &mut [u8]) {
                $($kind::write($value, $other, memory);)*
            }
        }
    )* };
}

tuples! {
    ()
    (A a x)
    (A a x, B b y)
    (A a x, B b y, C c z)
    (A a x, B b y, C c z, D d u)
    (A a x, B b y, C c z, D d u, E e v)
    (A a x, B b y, C c z, D d u, E e v, F f w)
    (A a x, B b y, C c z, D d u, E e v, F f w, G g p)
    (A a x, B b y, C c z, D d u, E e v, F f w, G g p, H h q)
    (A a x, B b y, C c z, D d u, E e v, F f w, G g p, H h q, I i r)
    (A a x, B b y, C c z, D d u, E e v, F f w, G g p, H h q, I i r, J j s)
    (A a x, B b y, C c z, D d u, E e v, F f w, G g p, H h q, I i r, J j s, L l t)
    (A a x, B b y, C c z, D d u, E e v, F f w, G g p, H h q, I i r, J j s, L l t, M m o)
}
