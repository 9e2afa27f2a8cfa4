//! The opcodes: one file for each `op` row of the table, under the row's name.
//!
//! A file has two functions, both with the row's parameters in their order (`tensor` as
//! [`&Tensor`](Tensor), `bytes` as `&[u8]`, numbers as themselves):
//!
//! - `plan` checks what the shapes, types and numbers say, in time that does not depend on the size of
//!   the tensors, and returns the result's type and shape and the work to charge;
//! - `run` computes. What only the elements can tell (a multiplier out of range) it checks first, so
//!   that such a check is paid for.
//!
//! Where several statuses apply, types come before shapes, shapes before numbers, numbers before
//! limits, and elements come last.
//!
//! The `mod` lines and [`call`] are generated from the table: a new row without its file does not
//! compile.

use crate::{Kernels, OpError, Plan, Status, Tensor};

mod broadcast;
mod comparison;
mod convolved;
mod function;
mod moved;
mod norm;
mod ordered;
mod pooled;
mod reduced;
mod single;
mod storage;
mod windowed;

/// An argument of [`call`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Arg<'a> {
    /// For a parameter of kind `tensor`.
    Tensor(&'a Tensor),
    /// For a parameter of kind `bytes`.
    Bytes(&'a [u8]),
    /// For a parameter of kind `u32`.
    U32(u32),
    /// For a parameter of kind `i32`.
    I32(i32),
    /// For a parameter of kind `u64`.
    U64(u64),
    /// For a parameter of kind `i64`.
    I64(i64),
}

/// The value of an argument of the kind that the row states, or `BadArgument`.
macro_rules! value {
    ($argument:expr, $variant:ident) => {
        match $argument {
            Some(Arg::$variant(value)) => *value,
            _ => return Err(Status::BadArgument.into()),
        }
    };
}
macro_rules! typed {
    ($argument:expr, tensor) => {
        value!($argument, Tensor)
    };
    ($argument:expr, bytes) => {
        value!($argument, Bytes)
    };
    ($argument:expr, u32) => {
        value!($argument, U32)
    };
    ($argument:expr, i32) => {
        value!($argument, I32)
    };
    ($argument:expr, u64) => {
        value!($argument, U64)
    };
    ($argument:expr, i64) => {
        value!($argument, I64)
    };
}

/// Takes the `op` rows out of the table and drops the others.
macro_rules! opcodes {
    (@group op { $(
        $(#[doc = $doc:literal])* $id:literal since $since:literal
        $name:ident ( $($arg:ident : $kind:ident),* ) -> $ret:ident
        price($base:literal, $byte:literal, $work:literal) ;
    )* }) => {
        $( pub mod $name; )*

        /// The names of all opcodes, in the order of the table.
        pub const NAMES: &[&str] = &[$( stringify!($name) ),*];

        /// The plan of the opcode called `name`, as the row's own `plan` gives it.
        ///
        /// # Errors
        /// `NotFound` where there is no such opcode, `BadArgument` where the number or the kinds of the
        /// arguments are not the row's, and what the opcode itself answers.
        pub fn plan(name: &str, args: &[Arg<'_>]) -> Result<Plan, OpError> {
            let mut args = args.iter();
            match name {
                $( stringify!($name) => {
                    $( let $arg = typed!(args.next(), $kind); )*
                    end(args)?;
                    Ok($name::plan($($arg),*)?)
                } )*
                _ => Err(Status::NotFound.into()),
            }
        }

        /// Plans and runs the opcode called `name`: the way in for test vectors and fuzzing, which
        /// know opcodes only by the table.
        ///
        /// # Errors
        /// As [`plan`], and `LimitExceeded` where the result would pass
        /// [`MAX_TENSOR_BYTES`](noema_abi::limits::MAX_TENSOR_BYTES).
        pub fn call(kernels: &Kernels, name: &str, args: &[Arg<'_>]) -> Result<Tensor, OpError> {
            let mut args = args.iter();
            match name {
                $( stringify!($name) => {
                    $( let $arg = typed!(args.next(), $kind); )*
                    end(args)?;
                    let plan = $name::plan($($arg),*)?;
                    if plan.bytes() > noema_abi::limits::MAX_TENSOR_BYTES {
                        return Err(Status::LimitExceeded.into());
                    }
                    $name::run(kernels, &plan, $($arg),*)
                } )*
                _ => Err(Status::NotFound.into()),
            }
        }
    };
    (@group $other:ident $rows:tt) => {};
    ($( $(#[doc = $doc:literal])* mod $group:ident $rows:tt )*) => {
        $( opcodes!(@group $group $rows); )*
    };
}
noema_abi::host_functions!(opcodes);

fn end<'a>(mut args: impl Iterator<Item = &'a Arg<'a>>) -> Result<(), Status> {
    args.next().map_or(Ok(()), |_| Err(Status::BadArgument))
}

#[cfg(test)]
mod tests;
