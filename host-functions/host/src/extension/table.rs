//! The macro that makes an extension of a table.

/// A chain's own host functions, from rows of the same shape as the built-in table (`noema_abi::host_functions!`
/// explains it): ids from 0x8000 on, and the module named after the chain.
///
/// It makes a module of that name with
///
/// - `ROWS`, the table as data;
/// - `trait Functions`, with one method for each row: the typed arguments of the row behind a
///   [`HostCall`](crate::HostCall). A row without its function does not compile;
/// - `trait Work`, with one method for each row that has a price for work or makes a tensor: what the call will cost
///   ([`Cost`](crate::Cost)), before anything is computed. There is nothing to implement where there is no such row;
/// - `extension(functions)`, which joins the two for `VmConfig::with_extension`.
///
/// The base price and that of the bytes are charged before anything else happens, the price of the work before the
/// function runs; guest ranges are checked before they are touched; nothing is written where the function refuses.
///
/// | kind | argument |
/// |---|---|
/// | `u32`, `i32`, `u64`, `i64` | the number |
/// | `bytes` | `&[u8]` |
/// | `in16`, `in32`, `in64` | `&[u8; 16]` and so on |
/// | `out` | `&mut Out<'_>` |
/// | `out16`, `out32`, `out64` | `&mut [u8; 16]` and so on |
/// | `tensor` | `&Held`, which is a `noema_tensor::Tensor` |
/// | `model` | `&noema_model::Model` |
///
/// Results are `unit`, `u64`, `tensor` and `never` (it ends the call).
///
/// ```
/// use noema_host::{Cost, HostCall, Out, Reply, Status};
///
/// noema_host::extension! {
///     /// What this chain adds.
///     pub mod mychain {
///         /// Whether the caller has been admitted by the chain: 1 or 0.
///         0x8001 since 1 admitted(member: in32) -> u64 price(2_000_000, 0, 0);
///         /// Copies `data` `times` times into `copies`; returns the length. `LimitExceeded` above 4096 bytes.
///         /// Work: bytes.
///         0x8002 since 1 repeat(data: bytes, times: u32, copies: out) -> u64 price(200_000, 100, 500);
///     }
/// }
///
/// struct Rules;
///
/// impl mychain::Functions for Rules {
///     fn admitted(&self, call: &mut HostCall<'_>, member: &[u8; 32]) -> Reply<u64> {
///         Ok(u64::from(call.get(member)?.is_some()))
///     }
///     fn repeat(&self, _: &mut HostCall<'_>, data: &[u8], times: u32, copies: &mut Out<'_>) -> Reply<u64> {
///         Ok(copies.set(data.repeat(times.try_into().unwrap_or(0))))
///     }
/// }
///
/// impl mychain::Work for Rules {
///     fn repeat(&self, _: &mut HostCall<'_>, data: &[u8], times: u32, _: &Out<'_>) -> Reply<Cost> {
///         let bytes = u64::try_from(data.len()).ok().and_then(|len| len.checked_mul(u64::from(times)));
///         match bytes {
///             Some(bytes) if bytes <= 4096 => Ok(Cost::work(bytes)),
///             _ => Err(Status::LimitExceeded.into()),
///         }
///     }
/// }
///
/// let extension = mychain::extension(Rules);
/// assert_eq!(extension.group(), "mychain");
/// assert_eq!(mychain::ROWS[0].to_string(), "0x8001 mychain.admitted(member: in32) -> u64 since 1 price(2000000, 0, 0)");
/// ```
#[macro_export]
macro_rules! extension {
    ($(#[doc = $gd:literal])* $vis:vis mod $group:ident {
        $( $(#[doc = $d:literal])+ $id:literal since $since:literal
           $name:ident ( $($arg:ident : $kind:ident),* $(,)? ) -> $ret:ident
           price($base:tt, $byte:tt, $work:tt) ; )+
    }) => {
        $(#[doc = $gd])*
        #[allow(unreachable_pub, reason = "as visible as the module")]
        $vis mod $group {
            /// The table as data.
            pub const ROWS: &[$crate::__abi::HostFunction] = &[ $( $crate::__abi::HostFunction {
                id: $id,
                group: ::core::stringify!($group),
                name: ::core::stringify!($name),
                since: $since,
                params: &[ $( $crate::__abi::Param {
                    name: ::core::stringify!($arg),
                    kind: $crate::__abi::Kind::$kind,
                } ),* ],
                result: $crate::__abi::Return::$ret,
                price: $crate::__abi::Price { base: $base, per_byte: $byte, per_work: $work },
                doc: ::core::concat!($($d),*),
            } ),+ ];

            $( const _: () = assert!($id >= 0x8000 && $id <= 0xffff, "ids of extensions are 0x8000 to 0xffff"); )+

            /// What the rows do.
            pub trait Functions: Work + ::core::marker::Send + ::core::marker::Sync + 'static {
                $(
                    $(#[doc = $d])+
                    ///
                    /// # Errors
                    /// The statuses named above for the contract, or the end of the call.
                    #[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
                    fn $name(
                        &self,
                        call: &mut $crate::HostCall<'_>
                        $(, $arg: $crate::__extension_argument!(run $kind))*
                    ) -> $crate::Reply<$crate::__extension_result!($ret)>;
                )+
            }

            $crate::__extension_work! { [] $( [ $name ($($arg: $kind),*) $ret $work ] )+ }

            /// The table with its functions.
            #[must_use]
            pub fn extension(functions: impl Functions) -> $crate::Extension {
                let functions = ::std::sync::Arc::new(functions);
                let bound: ::std::vec::Vec<::std::boxed::Box<dyn $crate::ExtensionFunction>> = ::std::vec![ $(
                    ::std::boxed::Box::new(rows::$name(::std::sync::Arc::clone(&functions)))
                ),+ ];
                $crate::Extension::new(::core::stringify!($group), ROWS.iter().zip(bound))
            }

            /// A type for each row.
            #[allow(non_camel_case_types, reason = "named after the rows")]
            mod rows { $(
                pub(super) struct $name<F>(pub(super) ::std::sync::Arc<F>);

                impl<F: super::Functions> $crate::ExtensionFunction for $name<F> {
                    fn cost(
                        &self,
                        call: &mut $crate::HostCall<'_>,
                        arguments: &[$crate::Value<'_>],
                    ) -> $crate::Reply<$crate::Cost> {
                        $crate::__extension_cost! {
                            { self call arguments } $name ($($arg: $kind),*) $ret $work
                        }
                    }

                    fn run(
                        &self,
                        call: &mut $crate::HostCall<'_>,
                        arguments: &mut [$crate::Value<'_>],
                    ) -> $crate::Reply<$crate::Returned> {
                        let [$($arg),*] = arguments else {
                            ::core::unreachable!("the shim passes the arguments of the row")
                        };
                        <F as super::Functions>::$name(&self.0, call $(, $crate::__extension_take!($kind $arg))*)
                            .map(::core::convert::Into::into)
                    }
                }
            )+ }
        }
    };
}

/// The trait `Work`: the rows that cost work or make a tensor are collected one by one.
#[doc(hidden)]
#[macro_export]
macro_rules! __extension_work {
    ([]) => {
        /// No row costs work: there is nothing to implement.
        pub trait Work {}
        impl<F: ?::core::marker::Sized> Work for F {}
    };
    ([$( [ $name:ident ($($arg:ident: $kind:ident),*) ] )+]) => {
        /// What calls of the rows that cost work, or make a tensor, will need.
        pub trait Work { $(
            /// Every check that the cost depends on, and the cost. It must be cheap: only the base price is paid.
            ///
            /// # Errors
            /// A status for the contract, or the end of the call.
            #[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
            fn $name(
                &self,
                call: &mut $crate::HostCall<'_>
                $(, $arg: $crate::__extension_argument!(cost $kind))*
            ) -> $crate::Reply<$crate::Cost>;
        )+ }
    };
    ([$($done:tt)*] [ $name:ident $arguments:tt tensor $work:tt ] $($rest:tt)*) => {
        $crate::__extension_work! { [$($done)* [ $name $arguments ]] $($rest)* }
    };
    ([$($done:tt)*] [ $name:ident $arguments:tt $ret:ident 0 ] $($rest:tt)*) => {
        $crate::__extension_work! { [$($done)*] $($rest)* }
    };
    ([$($done:tt)*] [ $name:ident $arguments:tt $ret:ident $work:tt ] $($rest:tt)*) => {
        $crate::__extension_work! { [$($done)* [ $name $arguments ]] $($rest)* }
    };
}

/// The body of `cost`.
#[doc(hidden)]
#[macro_export]
macro_rules! __extension_cost {
    // First, because the other patterns would take it too.
    (@ask { $this:tt $call:ident $values:ident } $name:ident ($($arg:ident: $kind:ident),*)) => {{
        let [$($arg),*] = $values else {
            ::core::unreachable!("the shim passes the arguments of the row")
        };
        <F as super::Work>::$name(&$this.0, $call $(, $crate::__extension_take!($kind $arg))*)
    }};
    ($names:tt $name:ident $arguments:tt tensor $work:tt) => {
        $crate::__extension_cost! { @ask $names $name $arguments }
    };
    ({ $this:tt $call:ident $values:ident } $name:ident $arguments:tt $ret:ident 0) => {{
        let _ = ($call, $values);
        ::core::result::Result::Ok(::core::default::Default::default())
    }};
    ($names:tt $name:ident $arguments:tt $ret:ident $work:tt) => {
        $crate::__extension_cost! { @ask $names $name $arguments }
    };
}

/// The type of an argument: what is written is `&mut` while the function runs.
#[doc(hidden)]
#[macro_export]
macro_rules! __extension_argument {
    ($when:ident u32) => { ::core::primitive::u32 };
    ($when:ident i32) => { ::core::primitive::i32 };
    ($when:ident u64) => { ::core::primitive::u64 };
    ($when:ident i64) => { ::core::primitive::i64 };
    ($when:ident bytes) => { &[::core::primitive::u8] };
    ($when:ident in16) => { &[::core::primitive::u8; 16] };
    ($when:ident in32) => { &[::core::primitive::u8; 32] };
    ($when:ident in64) => { &[::core::primitive::u8; 64] };
    ($when:ident tensor) => { &$crate::Held };
    ($when:ident model) => { &$crate::__model::Model };
    (run out) => { &mut $crate::Out<'static> };
    (run out16) => { &mut [::core::primitive::u8; 16] };
    (run out32) => { &mut [::core::primitive::u8; 32] };
    (run out64) => { &mut [::core::primitive::u8; 64] };
    (cost out) => { &$crate::Out<'static> };
    (cost out16) => { &[::core::primitive::u8; 16] };
    (cost out32) => { &[::core::primitive::u8; 32] };
    (cost out64) => { &[::core::primitive::u8; 64] };
}

/// The type of a result.
#[doc(hidden)]
#[macro_export]
macro_rules! __extension_result {
    (unit) => {
        ()
    };
    (u64) => {
        ::core::primitive::u64
    };
    (tensor) => {
        $crate::__tensor::Tensor
    };
    (never) => {
        ::core::convert::Infallible
    };
    ($other:ident) => {
        ::core::compile_error!("the result of an extension's row is unit, u64, tensor or never")
    };
}

/// An argument out of a `&Value` or a `&mut Value`.
#[doc(hidden)]
#[macro_export]
macro_rules! __extension_take {
    (u32 $value:ident) => { $crate::__extension_take!(@copy U32 $value) };
    (i32 $value:ident) => { $crate::__extension_take!(@copy I32 $value) };
    (u64 $value:ident) => { $crate::__extension_take!(@copy U64 $value) };
    (i64 $value:ident) => { $crate::__extension_take!(@copy I64 $value) };
    (bytes $value:ident) => { $crate::__extension_take!(@copy Bytes $value) };
    (in16 $value:ident) => { $crate::__extension_take!(@copy In16 $value) };
    (in32 $value:ident) => { $crate::__extension_take!(@copy In32 $value) };
    (in64 $value:ident) => { $crate::__extension_take!(@copy In64 $value) };
    (out $value:ident) => { $crate::__extension_take!(@lend Out $value) };
    (out16 $value:ident) => { $crate::__extension_take!(@lend Out16 $value) };
    (out32 $value:ident) => { $crate::__extension_take!(@lend Out32 $value) };
    (out64 $value:ident) => { $crate::__extension_take!(@lend Out64 $value) };
    (tensor $value:ident) => { &*$crate::__extension_take!(@lend Tensor $value) };
    (model $value:ident) => { &**$crate::__extension_take!(@lend Model $value) };
    (@copy $kind:ident $value:ident) => { *$crate::__extension_take!(@lend $kind $value) };
    (@lend $kind:ident $value:ident) => {
        match $value {
            $crate::Value::$kind(value) => value,
            _ => ::core::unreachable!("the shim passes the arguments of the row"),
        }
    };
}
