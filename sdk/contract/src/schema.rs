//! The interface of a contract as data, and as JSON in the custom section `noema.schema` of its
//! wasm, so that tools can encode arguments and show results. All of it is made by the compiler: a
//! contract carries the text and no code for it.
//!
//! ```text
//! {"noema":1,"contract":"Tally",
//!  "methods":[{"name":"vote","kind":"call","args":[["ballot",{"type":"Ballot"}]],"returns":"u64"}],
//!  "events":[["voted",{"type":"Voted"}]],
//!  "errors":[[1,"Closed","the vote is over"]],
//!  "types":[{"name":"Ballot","enum":[["Yes",{"struct":[]}],["No",{"struct":[]}]]}]}
//! ```

mod json;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use json::{json, json_len};

/// A type that can stand in a contract's interface. Made by `#[noema::data]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in a contract's interface",
    note = "put `#[noema::data]` on the type; floats, references and `usize` have no place there",
    note = "a method that can fail spells its return type `Result<..>`, not an alias of another name"
)]
pub trait Type {
    /// Its description. A type that contains itself has none: the compiler reports a cycle.
    const SHAPE: Shape;
}

/// The description of a type. Its values are encoded as borsh does.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "named as the Rust types")]
pub enum Shape {
    Unit,
    Bool,
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    String,
    Address,
    Hash,
    /// [`Fixed`](crate::Fixed), with its fraction bits.
    Fixed(u32),
    Option(&'static Shape),
    List(&'static Shape),
    Array(&'static Shape, usize),
    Tuple(&'static [&'static Shape]),
    Map(&'static Shape, &'static Shape),
    Named(&'static Definition),
}

/// A struct or enum.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name, unique in the interface.
    pub name: &'static str,
    /// Its module path and name, to tell types of one name apart.
    pub path: &'static str,
    /// What it holds.
    pub body: Body,
}

/// What a struct, enum or variant holds.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Named fields.
    Struct(&'static [(&'static str, &'static Shape)]),
    /// Numbered fields.
    Tuple(&'static [&'static Shape]),
    /// One of several.
    Enum(&'static [Variant]),
}

/// A variant of an enum.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// Its fields.
    pub body: Body,
}

/// Which export runs a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the markers")]
pub enum MethodKind {
    Init,
    Call,
    View,
    Migrate,
}

/// An entry point.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Which export runs it.
    pub kind: MethodKind,
    /// Whether it accepts native value.
    pub payable: bool,
    /// Whether it may run while the contract is running already.
    pub reentrant: bool,
    /// Its arguments in order.
    pub args: &'static [(&'static str, &'static Shape)],
    /// What it returns.
    pub returns: &'static Shape,
}

/// A contract's interface.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// The name of the contract's type.
    pub name: &'static str,
    /// Its entry points.
    pub methods: &'static [Method],
    /// Its events: topic and type.
    pub events: &'static [(&'static str, &'static Shape)],
    /// Its errors: code, name, message, a list for each type of them.
    pub errors: &'static [&'static [(u32, &'static str, &'static str)]],
}

macro_rules! shapes {
    ($($ty:ty => $shape:ident),* $(,)?) => { $( impl Type for $ty { const SHAPE: Shape = Shape::$shape; } )* };
}
shapes! {
    () => Unit, bool => Bool, u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128, String => String,
}

impl<T: Type> Type for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

impl<T: Type> Type for Option<T> {
    const SHAPE: Shape = Shape::Option(&T::SHAPE);
}

impl<T: Type, const N: usize> Type for [T; N] {
    const SHAPE: Shape = Shape::Array(&T::SHAPE, N);
}

impl<K: Type, V: Type> Type for BTreeMap<K, V> {
    const SHAPE: Shape = Shape::Map(&K::SHAPE, &V::SHAPE);
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => { $(
        impl<$($name: Type),+> Type for ($($name,)+) {
            const SHAPE: Shape = Shape::Tuple(&[$(&$name::SHAPE),+]);
        }
    )* };
}
tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }
