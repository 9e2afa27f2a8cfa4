//! One function for every row of the table, by the name of the row in the module of its group,
//! with the WebAssembly parameters of the import.
//!
//! Each takes the engine's view of the caller and the raw numbers, and goes through the ten steps of
//! one call: `Ok` is what the guest gets (a result, or the negated code of a [`crate::Status`]), `Err`
//! is why the guest does not go on.

use noema_abi::{HostFunction, ROWS};

use crate::argument::Argument;
use crate::call::{Planned, Pricing, Row, call};
use crate::outcome::Reply;
use crate::{GasClass, Guest, HostContext, Stop};

/// Hands the WebAssembly parameters of every import to a macro, so that an engine can bind typed
/// functions: `callback! { { group name } (p: i32, q: i64, ...) [ ... ] }`, once for each row, as
/// statements. The last group is for this crate.
///
/// ```
/// let mut imports = Vec::new();
/// macro_rules! bind {
///     ({ $group:ident $name:ident } ($($p:ident : $t:ty),*) [$($raw:tt)*]) => {
///         // linker.func_wrap(stringify!($group), stringify!($name), |caller, $($p: $t),*| ...)
///         let types: &[&str] = &[$(stringify!($t)),*];
///         imports.push((stringify!($group), stringify!($name), types.len()));
///     };
/// }
/// noema_host::for_each_import!(bind);
/// assert_eq!(imports.len(), noema_abi::ROWS.len());
/// assert!(imports.contains(&("storage", "get", 4)));
/// ```
#[macro_export]
macro_rules! for_each_import {
    ($callback:ident) => {
        $crate::__abi::host_functions! { $crate::__imports { $callback } }
    };
}

/// The rows of the table as calls of [`for_each_import`]'s callback.
#[doc(hidden)]
#[macro_export]
macro_rules! __imports {
    ({ $callback:ident } $( $(#[doc = $gd:literal])* mod $group:ident {
        $( $(#[doc = $d:literal])* $id:literal since $since:literal
           $name:ident ( $($arg:ident : $kind:ident),* ) -> $ret:ident
           price($base:tt, $byte:tt, $work:tt) ; )*
    })*) => { $( $(
        $crate::__flatten! { $callback { $group $name } () [] $($kind)* }
    )* )* };
}

/// Turns kinds into WebAssembly parameters, one kind at a time, and then calls the callback with
/// them and with the same numbers grouped by kind. Every step names its parameters anew: macro
/// hygiene keeps the equal names apart.
#[doc(hidden)]
#[macro_export]
macro_rules! __flatten {
    ($callback:ident $row:tt ($(($p:ident $t:ty))*) [$($raw:tt)*]) => {
        $callback! { $row ($($p: $t),*) [$($raw)*] }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] bytes $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (pointer i32) (length i32)) [$($raw)* (pointer, length)] $($kinds)* }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] out $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (pointer i32) (capacity i32)) [$($raw)* (pointer, capacity)] $($kinds)* }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] u64 $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (number i64)) [$($raw)* (number)] $($kinds)* }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] i64 $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (number i64)) [$($raw)* (number)] $($kinds)* }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] u32 $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (number i32)) [$($raw)* (number)] $($kinds)* }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] i32 $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (number i32)) [$($raw)* (number)] $($kinds)* }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] tensor $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (handle i32)) [$($raw)* (handle)] $($kinds)* }
    };
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] model $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (handle i32)) [$($raw)* (handle)] $($kinds)* }
    };
    // What is left is one pointer to a fixed number of bytes.
    ($callback:ident $row:tt ($($p:tt)*) [$($raw:tt)*] $fixed:ident $($kinds:ident)*) => {
        $crate::__flatten! { $callback $row ($($p)* (pointer i32)) [$($raw)* (pointer)] $($kinds)* }
    };
}

/// The argument type of a kind.
macro_rules! argument_type {
    (u32) => { $crate::argument::U32 };
    (i32) => { $crate::argument::I32 };
    (u64) => { $crate::argument::U64 };
    (i64) => { $crate::argument::I64 };
    (bytes) => { $crate::argument::Bytes };
    (out) => { $crate::argument::OutRange };
    (in16) => { $crate::argument::In<16> };
    (in32) => { $crate::argument::In<32> };
    (in64) => { $crate::argument::In<64> };
    (out16) => { $crate::argument::FixedOut<16> };
    (out32) => { $crate::argument::FixedOut<32> };
    (out64) => { $crate::argument::FixedOut<64> };
    (tensor) => { $crate::argument::TensorHandle };
    (model) => { $crate::argument::ModelHandle };
}

/// How a row sees an argument: numbers and slices as they are, everything else by reference.
macro_rules! lend {
    (u32 $value:ident) => {
        *$value
    };
    (i32 $value:ident) => {
        *$value
    };
    (u64 $value:ident) => {
        *$value
    };
    (i64 $value:ident) => {
        *$value
    };
    (bytes $value:ident) => {
        *$value
    };
    (in16 $value:ident) => {
        *$value
    };
    (in32 $value:ident) => {
        *$value
    };
    (in64 $value:ident) => {
        *$value
    };
    ($kind:ident $value:ident) => {
        $value
    };
}

/// The type behind a result of the table.
macro_rules! answer_type {
    (unit) => {
        ()
    };
    (u64) => {
        core::primitive::u64
    };
    (tensor) => {
        noema_tensor::Tensor
    };
    (model) => {
        $crate::call::OpenModel
    };
    (never) => {
        core::convert::Infallible
    };
}

/// What the gas of a group counts as.
macro_rules! gas_class {
    (storage) => {
        $crate::GasClass::State
    };
    (tensor) => {
        $crate::GasClass::Tensor
    };
    (op) => {
        $crate::GasClass::Tensor
    };
    (model) => {
        $crate::GasClass::Tensor
    };
    ($group:ident) => {
        $crate::GasClass::Host
    };
}

/// Joins a row to its implementation:
/// - `op` rows to `noema_tensor::ops::NAME::{plan, run}`;
/// - rows that make a tensor or have a price for work to `rows::GROUP::NAME::{Plan, plan, run}`;
/// - all others to the function `rows::GROUP::NAME`.
macro_rules! implementation {
    (op $name:ident tensor $work:tt ($($arg:ident : $kind:ident),*)) => {
        type Plan = noema_tensor::Plan;

        fn plan<C: HostContext>(
            &self,
            _: &mut Pricing<'_, C>,
            ($($arg,)*): &<Self::Arguments as Argument>::Typed<'_, '_>,
        ) -> Reply<Planned<Self::Plan>> {
            let plan = noema_tensor::ops::$name::plan($(lend!($kind $arg)),*)?;
            Ok(Planned { work: plan.work, memory: plan.bytes(), tensors: 1, plan })
        }
        fn run<'c, C: HostContext>(
            &self,
            context: &'c mut C,
            plan: Self::Plan,
            ($($arg,)*): &mut <Self::Arguments as Argument>::Typed<'_, 'c>,
        ) -> Reply<Self::Answer> {
            Ok(noema_tensor::ops::$name::run(context.kernels(), &plan, $(lend!($kind $arg)),*)?)
        }
    };
    ($group:ident $name:ident tensor $work:tt $arguments:tt) => {
        implementation! { @planned $group $name $arguments }
    };
    ($group:ident $name:ident $ret:ident 0 ($($arg:ident : $kind:ident),*)) => {
        type Plan = ();

        fn plan<C: HostContext>(
            &self,
            _: &mut Pricing<'_, C>,
            _: &<Self::Arguments as Argument>::Typed<'_, '_>,
        ) -> Reply<Planned<()>> {
            Ok(Planned::work(0, ()))
        }
        fn run<'c, C: HostContext>(
            &self,
            context: &'c mut C,
            (): (),
            ($($arg,)*): &mut <Self::Arguments as Argument>::Typed<'_, 'c>,
        ) -> Reply<Self::Answer> {
            $crate::rows::$group::$name(context, $(lend!($kind $arg)),*)
        }
    };
    ($group:ident $name:ident $ret:ident $work:tt $arguments:tt) => {
        implementation! { @planned $group $name $arguments }
    };
    (@planned $group:ident $name:ident ($($arg:ident : $kind:ident),*)) => {
        type Plan = $crate::rows::$group::$name::Plan;

        fn plan<C: HostContext>(
            &self,
            pricing: &mut Pricing<'_, C>,
            ($($arg,)*): &<Self::Arguments as Argument>::Typed<'_, '_>,
        ) -> Reply<Planned<Self::Plan>> {
            $crate::rows::$group::$name::plan(pricing, $(lend!($kind $arg)),*)
        }
        fn run<'c, C: HostContext>(
            &self,
            context: &'c mut C,
            plan: Self::Plan,
            ($($arg,)*): &mut <Self::Arguments as Argument>::Typed<'_, 'c>,
        ) -> Reply<Self::Answer> {
            $crate::rows::$group::$name::run(context, plan, $(lend!($kind $arg)),*)
        }
    };
}

macro_rules! shim_function {
    (
        { $group:ident $name:ident $id:literal $ret:ident $work:tt $arguments:tt [$($kind:ident)*] $($d:literal)* }
        ($($p:ident : $t:ty),*) [$($raw:tt)*]
    ) => {
        $(#[doc = $d])*
        ///
        /// # Errors
        /// The end of the call: out of gas, a fault, an abort, or a failure of this node.
        #[allow(clippy::too_many_arguments, reason = "the parameters of the import")]
        pub fn $name<G: Guest>(guest: &mut G, $($p: $t),*) -> Result<core::primitive::i64, Stop> {
            struct This;
            impl Row for This {
                const CLASS: GasClass = gas_class!($group);
                type Arguments = ($(argument_type!($kind),)*);
                type Answer = answer_type!($ret);
                #[inline]
                fn row(&self) -> &'static HostFunction {
                    const { row_of($id) }
                }
                implementation! { $group $name $ret $work $arguments }
            }
            call(&This, guest, ($($raw,)*))
        }
    };
}

macro_rules! shim_modules {
    ($( $(#[doc = $gd:literal])* mod $group:ident {
        $( $(#[doc = $d:literal])* $id:literal since $since:literal
           $name:ident ( $($arg:ident : $kind:ident),* ) -> $ret:ident
           price($base:tt, $byte:tt, $work:tt) ; )*
    })*) => { $(
        $(#[doc = $gd])*
        pub mod $group {
            use super::*;
            $( $crate::__flatten! {
                shim_function
                { $group $name $id $ret $work ($($arg : $kind),*) [$($kind)*] $($d)* }
                () [] $($kind)*
            } )*
        }
    )* };
}
noema_abi::host_functions!(shim_modules);

/// Calls the row with these raw arguments, as an engine without typed bindings does: one number for
/// each WebAssembly parameter, an `i32` sign- or zero-extended.
///
/// # Errors
/// As for the functions of the modules; [`Stop::Node`] where the row has another number of
/// parameters, which an engine that has checked the import cannot meet.
pub fn dispatch<G: Guest>(guest: &mut G, row: &HostFunction, raw: &[i64]) -> Result<i64, Stop> {
    let mut rest = raw.iter().copied();
    let mut next = || rest.next().ok_or_else(|| wrong_arity(row, raw.len()));
    let expected = row.wasm_params().count();
    if expected != raw.len() {
        return Err(wrong_arity(row, raw.len()));
    }
    macro_rules! try_row {
        ({ $group:ident $name:ident } ($($p:ident : $t:ty),*) [$($raw:tt)*]) => {
            if row.group == stringify!($group) && row.name == stringify!($name) {
                $( let $p: $t = FromRaw::from_raw(next()?); )*
                return $group::$name(guest, $($p),*);
            }
        };
    }
    crate::for_each_import!(try_row);
    Err(Stop::Node(format!("{}.{} is not in the table", row.group, row.name)))
}

fn wrong_arity(row: &HostFunction, count: usize) -> Stop {
    Stop::Node(format!("{}.{} called with {count} numbers", row.group, row.name))
}

/// A WebAssembly number from its 64-bit form.
trait FromRaw {
    fn from_raw(raw: i64) -> Self;
}

impl FromRaw for i64 {
    fn from_raw(raw: i64) -> i64 {
        raw
    }
}

impl FromRaw for i32 {
    fn from_raw(raw: i64) -> i32 {
        let [a, b, c, d, ..] = raw.to_le_bytes();
        i32::from_le_bytes([a, b, c, d])
    }
}

/// The row with this id, found when this crate is compiled.
const fn row_of(id: u16) -> &'static HostFunction {
    let mut index = 0;
    while index < ROWS.len() {
        if ROWS[index].id == id {
            return &ROWS[index];
        }
        index += 1;
    }
    panic!("the row is not in the table")
}
