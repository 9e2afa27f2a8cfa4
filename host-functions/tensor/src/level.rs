//! Kernel levels.

use std::{fmt, str::FromStr};

/// Which implementation computes. All give the same bits; they differ in speed and in the machine
/// they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Naive loops in checked 128-bit arithmetic.
    Reference,
    /// Plain Rust, any machine.
    Portable,
    /// candle's float matrix product, split so that it is exact.
    CandleF32,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX-VNNI.
    AvxVnni,
    /// x86-64 with AVX-512 VNNI.
    Avx512Vnni,
    /// x86-64 with AMX, and AVX-512 VNNI.
    Amx,
    /// AArch64 with NEON.
    Neon,
    /// An NVIDIA device beside the best level of the CPU (feature `cuda`).
    Cuda,
}

impl Level {
    /// Every level, slowest first within what one machine can have.
    pub const ALL: [Level; 9] = [
        Level::Reference,
        Level::Portable,
        Level::CandleF32,
        Level::Neon,
        Level::Avx2,
        Level::AvxVnni,
        Level::Avx512Vnni,
        Level::Amx,
        Level::Cuda,
    ];

    /// The name, as given on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::Reference => "reference",
            Level::Portable => "portable",
            Level::CandleF32 => "candle-f32",
            Level::Avx2 => "avx2",
            Level::AvxVnni => "avx-vnni",
            Level::Avx512Vnni => "avx512-vnni",
            Level::Amx => "amx",
            Level::Neon => "neon",
            Level::Cuda => "cuda",
        }
    }

    /// Whether this machine has the instructions, or the device.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Level::Reference | Level::Portable | Level::CandleF32 => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Level::AvxVnni => has_avx2() && is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => has_avx512_vnni(),
            #[cfg(target_arch = "x86_64")]
            Level::Amx => has_avx512_vnni() && crate::kernel::x86::amx::is_available(),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(feature = "cuda")]
            Level::Cuda => crate::cuda::is_available(),
            #[allow(unreachable_patterns, reason = "what is left depends on the architecture")]
            _ => false,
        }
    }

    /// The levels of this machine, slowest first.
    #[must_use]
    pub fn available() -> Vec<Level> {
        Level::ALL.into_iter().filter(|level| level.is_available()).collect()
    }

    /// The fastest level of this machine's CPU. A device is used where it is asked for: single small opcodes end
    /// on the CPU before they would have reached it.
    ///
    /// ```
    /// use noema_tensor::Level;
    /// assert!(Level::best().is_available());
    /// ```
    #[must_use]
    pub fn best() -> Level {
        let fastest_first = [Level::Amx, Level::Avx512Vnni, Level::AvxVnni, Level::Avx2, Level::Neon];
        fastest_first.into_iter().find(|level| level.is_available()).unwrap_or(Level::Portable)
    }
}

/// AVX2, and the small instructions that came with it on every machine.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
}

/// AVX-512 of the machines that have VNNI.
#[cfg(target_arch = "x86_64")]
fn has_avx512_vnni() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A level name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kernel level is called `{0}`; there are {names}", names = Level::ALL.map(Level::name).join(", "))]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Level, UnknownLevel> {
        Level::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn names_parse_back() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
        }
        let error = "avx3".parse::<Level>().unwrap_err().to_string();
        assert!(error.contains("avx3") && error.contains("avx2") && error.contains("candle-f32"), "{error}");
    }
}
