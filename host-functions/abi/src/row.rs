//! The table as data.

use crate::ProtocolVersion;

/// What a parameter means. It decides the WebAssembly parameters of the import, the bytes that the
/// price counts, and how the host parses and checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "spelled as in the table")]
#[non_exhaustive]
pub enum Kind {
    /// A 32-bit number.
    u32,
    /// A signed 32-bit number.
    i32,
    /// A 64-bit number.
    u64,
    /// A signed 64-bit number.
    i64,
    /// A guest range to read: pointer and length.
    bytes,
    /// A guest range to write: pointer and capacity. What does not fit is not written.
    out,
    /// 16 bytes to read, by pointer.
    in16,
    /// 32 bytes to read, by pointer.
    in32,
    /// 64 bytes to read, by pointer.
    in64,
    /// 16 bytes to write, by pointer.
    out16,
    /// 32 bytes to write, by pointer.
    out32,
    /// 64 bytes to write, by pointer.
    out64,
    /// A tensor handle of the running frame.
    tensor,
    /// A model handle of the running frame.
    model,
}

/// What a non-negative result means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "spelled as in the table")]
#[non_exhaustive]
pub enum Return {
    /// Nothing: zero.
    unit,
    /// A number; one of 2^63 or more reads as 2^63 - 1.
    u64,
    /// A new tensor handle.
    tensor,
    /// A new model handle.
    model,
    /// It does not return.
    never,
}

/// A WebAssembly value type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WasmType {
    /// `i32`
    I32,
    /// `i64`
    I64,
}

impl Return {
    /// Its name as spelled in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Return::unit => "unit",
            Return::u64 => "u64",
            Return::tensor => "tensor",
            Return::model => "model",
            Return::never => "never",
        }
    }
}

impl WasmType {
    /// Its name in the text format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            WasmType::I32 => "i32",
            WasmType::I64 => "i64",
        }
    }
}

impl Kind {
    /// Whether its length is one of its arguments, and counts in the price.
    #[must_use]
    pub const fn has_length(self) -> bool {
        matches!(self, Kind::bytes | Kind::out)
    }

    /// Bytes of the guest range, where it has one of fixed length.
    #[must_use]
    pub const fn fixed_length(self) -> Option<usize> {
        match self {
            Kind::in16 | Kind::out16 => Some(16),
            Kind::in32 | Kind::out32 => Some(32),
            Kind::in64 | Kind::out64 => Some(64),
            _ => None,
        }
    }

    /// Whether the host writes its guest range.
    #[must_use]
    pub const fn is_output(self) -> bool {
        matches!(self, Kind::out | Kind::out16 | Kind::out32 | Kind::out64)
    }

    /// The WebAssembly parameters that carry it.
    #[must_use]
    pub const fn wasm_types(self) -> &'static [WasmType] {
        match self {
            Kind::u64 | Kind::i64 => &[WasmType::I64],
            Kind::bytes | Kind::out => &[WasmType::I32, WasmType::I32],
            _ => &[WasmType::I32],
        }
    }

    /// Its name as spelled in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::u32 => "u32",
            Kind::i32 => "i32",
            Kind::u64 => "u64",
            Kind::i64 => "i64",
            Kind::bytes => "bytes",
            Kind::out => "out",
            Kind::in16 => "in16",
            Kind::in32 => "in32",
            Kind::in64 => "in64",
            Kind::out16 => "out16",
            Kind::out32 => "out32",
            Kind::out64 => "out64",
            Kind::tensor => "tensor",
            Kind::model => "model",
        }
    }
}

/// A named parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub kind: Kind,
}

/// `base + per_byte * bytes + per_work * work`, in gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Charged for every call.
    pub base: u64,
    /// Charged for every byte of the `bytes` and `out` arguments (length and capacity).
    pub per_byte: u64,
    /// Charged for every unit of work, which the row's documentation names.
    pub per_work: u64,
}

impl Price {
    /// The gas for these amounts, saturating: a saturated price is always more than any limit.
    #[must_use]
    pub const fn gas(&self, bytes: u64, work: u64) -> u64 {
        self.base.saturating_add(self.per_byte.saturating_mul(bytes)).saturating_add(self.per_work.saturating_mul(work))
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// Never changes, never used again.
    pub id: u16,
    /// The import module.
    pub group: &'static str,
    /// The import name.
    pub name: &'static str,
    /// The first version that has it.
    pub since: u32,
    /// Its parameters.
    pub params: &'static [Param],
    /// What a non-negative result means.
    pub result: Return,
    /// Its price.
    pub price: Price,
    /// What it does.
    pub doc: &'static str,
}

impl HostFunction {
    /// Whether contracts of this version may import it.
    #[must_use]
    pub const fn allowed_in(&self, version: ProtocolVersion) -> bool {
        version.number() >= self.since
    }

    /// The WebAssembly parameters of the import, in order. The result is always one `i64`.
    pub fn wasm_params(&self) -> impl Iterator<Item = WasmType> + '_ {
        self.params.iter().flat_map(|param| param.kind.wasm_types().iter().copied())
    }
}

/// Everything that guest and host must agree on about the row, in one line:
/// `0x0201 storage.get(key: bytes, value: out) -> u64 since 1 price(2000000, 100, 500)`.
impl core::fmt::Display for HostFunction {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#06x} {}.{}(", self.id, self.group, self.name)?;
        for (index, param) in self.params.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}: {}", param.name, param.kind.name())?;
        }
        let Price { base, per_byte, per_work } = self.price;
        write!(f, ") -> {} since {} price({base}, {per_byte}, {per_work})", self.result.name(), self.since)
    }
}

/// Ids that the built-in table never uses: for host functions that a chain adds of its own.
pub const CHAIN_IDS: core::ops::RangeInclusive<u16> = 0x8000..=0xffff;

/// The row imported as `group.name`.
#[must_use]
pub fn find(group: &str, name: &str) -> Option<&'static HostFunction> {
    ROWS.iter().find(|row| row.group == group && row.name == name)
}

macro_rules! rows {
    ($( $(#[doc = $gd:literal])* mod $group:ident {
        $( $(#[doc = $d:literal])* $id:literal since $since:literal
           $name:ident ( $($arg:ident : $kind:ident),* ) -> $ret:ident
           price($base:literal, $byte:literal, $work:literal) ; )*
    })*) => {
        /// Every row, in the order of the table.
        pub const ROWS: &[HostFunction] = &[ $( $( HostFunction {
            id: $id,
            group: stringify!($group),
            name: stringify!($name),
            since: $since,
            params: &[ $( Param { name: stringify!($arg), kind: Kind::$kind } ),* ],
            result: Return::$ret,
            price: Price { base: $base, per_byte: $byte, per_work: $work },
            doc: concat!($($d),*),
        } ),* ),* ];
    };
}
crate::host_functions!(rows);

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{CHAIN_IDS, ROWS, find};
    use std::string::ToString;

    #[test]
    fn a_row_in_one_line() {
        assert_eq!(
            find("storage", "get").unwrap().to_string(),
            "0x0201 storage.get(key: bytes, value: out) -> u64 since 1 price(2000000, 100, 500)"
        );
    }

    #[test]
    fn ids_and_names_are_unique() {
        for (i, a) in ROWS.iter().enumerate() {
            assert!(!a.doc.is_empty(), "{}.{} has no documentation", a.group, a.name);
            assert!(a.since >= 1);
            assert!(!CHAIN_IDS.contains(&a.id), "{}.{} has an id that is reserved for chains", a.group, a.name);
            for b in &ROWS[..i] {
                assert_ne!(a.id, b.id);
                assert!((a.group, a.name) != (b.group, b.name));
            }
        }
        assert_eq!(find("op", "matmul").map(|row| row.params.len()), Some(2));
        assert!(find("op", "matmu").is_none());
    }
}
