//! Element types of tensors.

/// An element type. A boolean is a `u8` of 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DType {
    /// Signed 8-bit.
    I8 = 0,
    /// Unsigned 8-bit.
    U8 = 1,
    /// Signed 16-bit.
    I16 = 2,
    /// Signed 32-bit.
    I32 = 3,
    /// Signed 64-bit.
    I64 = 4,
}

impl DType {
    /// Every element type, by code.
    pub const ALL: [DType; 5] = [DType::I8, DType::U8, DType::I16, DType::I32, DType::I64];

    /// The type with this code, as passed by a contract.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<DType> {
        match code {
            0 => Some(DType::I8),
            1 => Some(DType::U8),
            2 => Some(DType::I16),
            3 => Some(DType::I32),
            4 => Some(DType::I64),
            _ => None,
        }
    }

    /// The code, as passed by a contract.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Bytes per element.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            DType::I8 | DType::U8 => 1,
            DType::I16 => 2,
            DType::I32 => 4,
            DType::I64 => 8,
        }
    }

    /// The smallest value.
    #[must_use]
    pub const fn min(self) -> i64 {
        match self {
            DType::I8 => i8::MIN as i64,
            DType::U8 => 0,
            DType::I16 => i16::MIN as i64,
            DType::I32 => i32::MIN as i64,
            DType::I64 => i64::MIN,
        }
    }

    /// The largest value.
    #[must_use]
    pub const fn max(self) -> i64 {
        match self {
            DType::I8 => i8::MAX as i64,
            DType::U8 => u8::MAX as i64,
            DType::I16 => i16::MAX as i64,
            DType::I32 => i32::MAX as i64,
            DType::I64 => i64::MAX,
        }
    }

    /// The name as it stands in the documentation and in vector files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DType::I8 => "i8",
            DType::U8 => "u8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
        }
    }
}

impl core::fmt::Display for DType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
