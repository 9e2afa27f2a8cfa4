//! AMX: products of tiles, 16 rows of 64 unsigned bytes by 64 rows of 16 signed ones.
//!
//! A group of 16 quads of a panel is such a tile as it lies in memory. The left operand is that of the VNNI levels, with rows filled up to
//! whole groups. The instructions are written out, because the compiler has no names for them yet; it never uses these registers itself.
//! The system must have allowed them to the process, which [`is_available`] asks for.

use std::{
    arch::{asm, x86_64::__cpuid_count},
    ops::Range,
    sync::OnceLock,
};

use super::{
    avx512_vnni,
    bytes::{self, Left, Unsigned},
    prefetch,
};
use crate::kernel::{
    ending::Ending,
    linear::{Accumulator, Input},
    panels::{Panels, Portions, Quad, Sums, drive},
};

/// Rows of a tile, and quads of its rows.
const SIDE: usize = 16;

/// Rows and panels of one pass: two tiles by two tiles of sums.
const ROWS: usize = 2 * SIDE;
const PANELS: usize = 2;

/// Fewer rows than these leave so much of a tile empty that the products of the level below are faster.
const FEW: usize = 8;

/// Whole tiles. A piece of 48 KiB of weights is read from the second cache anyway; `4 * 4096 * 255 * 128 < 2^31`.
const PORTIONS: Portions = Portions { exact_quads: 4096, max_quads: 768, unit: SIDE, rows: SIDE };

/// Whether the machine has the instructions and the system allows them. The first call asks for the permission, which holds for
/// all threads of the process.
#[cfg(target_os = "linux")]
pub(crate) fn is_available() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        // Leaf 7: tiles, and products of bytes.
        let found = __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx >> 24 & 3 == 3;
        found && allowed()
    })
}

/// Only Linux is asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_available() -> bool {
    false
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`.
#[cfg(target_os = "linux")]
fn allowed() -> bool {
    const ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: this call reads and writes no memory of the process; a kernel that does not know it answers with an error. The
    // instruction changes the registers that are named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    result == 0
}

/// What the tile registers hold: palette 1; eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Shape([u8; 64]);

static SHAPE: Shape = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    Shape(bytes)
};

/// The tile registers while this lives.
struct Tiles;

impl Tiles {
    /// # Safety
    /// [`is_available`] must have said so.
    unsafe fn new() -> Tiles {
        // SAFETY: a shape of 64 bytes; the caller has the instruction.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPE, options(nostack, readonly)) };
        Tiles
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: where tiles were shaped they can be released.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// As [`reference::linear`](crate::kernel::reference::linear); `columns` begins at a panel.
pub(in crate::kernel) fn linear<X: Unsigned, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    if to.1.len() / columns.len() < FEW {
        return avx512_vnni::linear(x, w, columns, to);
    }
    let convert = |quad: [X; 4]| [quad.map(X::unsigned)];
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AMX and AVX-512.
    unsafe { linear_amx((x, w), columns, to, |channel| bytes::start::<X, A>(w, channel), convert) }
}

/// The same of 16-bit activations, each of whose rows is two rows of bytes.
pub(in crate::kernel) fn linear_words<A: Accumulator, E: Ending<A>>(
    x: &[i16],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    if to.1.len() / columns.len() < FEW / 2 {
        return avx512_vnni::linear_words(x, w, columns, to);
    }
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AMX and AVX-512.
    unsafe { linear_amx((x, w), columns, to, |channel| bytes::start_of_words(w, channel), bytes::words) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn linear_amx<X: Input, A: Accumulator, E: Ending<A>, const S: usize>(
    operands: (&[X], &Panels),
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
    start: impl Fn(usize) -> A,
    convert: impl Fn([X; 4]) -> [Left; S],
) {
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AMX.
    let _tiles = unsafe { Tiles::new() };
    drive::<_, Left, A, _, ROWS, PANELS, S>(
        operands,
        columns,
        to,
        PORTIONS,
        start,
        convert,
        prefetch,
        |left, length, panels, rows, sums| multiply(left, length, panels, sums, rows > SIDE),
    );
}

/// Multiplies one or two tiles of rows with one or two panels.
fn multiply(left: &[Left], length: usize, panels: &[&[Quad]], products: &mut [[Sums; PANELS]; ROWS], two: bool) {
    let rows = if two { ROWS } else { SIDE };
    assert!(length > 0 && length.is_multiple_of(SIDE) && left.len() >= rows * length, "rows that are no tiles");
    assert!(panels.iter().all(|panel| panel.len() >= length), "panels that are no tiles");
    let bytes = length * size_of::<Left>();
    let steps = length / SIDE;
    let a = left.as_ptr();
    // The second tile of rows, which is only read where there are two.
    let below = a.wrapping_add(SIDE * length);
    let b = panels[0].as_ptr();
    let beside = panels[panels.len() - 1].as_ptr();
    let out = products.as_mut_ptr();
    let out_below = out.wrapping_add(SIDE);
    let wide = size_of::<[Sums; PANELS]>();
    // SAFETY: there are `rows` rows of `length` quads on the left, and as many quads in each panel, as asserted; each step reads 16 of them
    // in each row and goes on by as many. Sums are 16 rows of 16 numbers, `wide` bytes from each other, for each tile that is written: the
    // array has 32 rows of two. The tile registers are shaped for that.
    unsafe {
        match (two, panels.len() > 1) {
            (true, true) => asm!(
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a} + {row} * 1]",
                "tileloadd tmm6, [{b} + {quad} * 1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{c} + {quad} * 1]",
                "tdpbusd tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{d} + {row} * 1]",
                "tdpbusd tmm2, tmm5, tmm6",
                "tdpbusd tmm3, tmm5, tmm7",
                "add {a}, 64", "add {d}, 64", "add {b}, 1024", "add {c}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{out} + {wide} * 1], tmm0",
                "tilestored [{out} + {wide} * 1 + 64], tmm1",
                "tilestored [{below} + {wide} * 1], tmm2",
                "tilestored [{below} + {wide} * 1 + 64], tmm3",
                a = inout(reg) a => _, d = inout(reg) below => _, b = inout(reg) b => _, c = inout(reg) beside => _,
                row = in(reg) bytes, quad = in(reg) 64usize, wide = in(reg) wide,
                out = in(reg) out, below = in(reg) out_below, steps = inout(reg) steps => _,
                options(nostack)
            ),
            (true, false) => asm!(
                "tilezero tmm0", "tilezero tmm2",
                "2:",
                "tileloadd tmm4, [{a} + {row} * 1]",
                "tileloadd tmm6, [{b} + {quad} * 1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{d} + {row} * 1]",
                "tdpbusd tmm2, tmm5, tmm6",
                "add {a}, 64", "add {d}, 64", "add {b}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{out} + {wide} * 1], tmm0",
                "tilestored [{below} + {wide} * 1], tmm2",
                a = inout(reg) a => _, d = inout(reg) below => _, b = inout(reg) b => _,
                row = in(reg) bytes, quad = in(reg) 64usize, wide = in(reg) wide,
                out = in(reg) out, below = in(reg) out_below, steps = inout(reg) steps => _,
                options(nostack)
            ),
            (false, true) => asm!(
                "tilezero tmm0", "tilezero tmm1",
                "2:",
                "tileloadd tmm4, [{a} + {row} * 1]",
                "tileloadd tmm6, [{b} + {quad} * 1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{c} + {quad} * 1]",
                "tdpbusd tmm1, tmm4, tmm7",
                "add {a}, 64", "add {b}, 1024", "add {c}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{out} + {wide} * 1], tmm0",
                "tilestored [{out} + {wide} * 1 + 64], tmm1",
                a = inout(reg) a => _, b = inout(reg) b => _, c = inout(reg) beside => _,
                row = in(reg) bytes, quad = in(reg) 64usize, wide = in(reg) wide,
                out = in(reg) out, steps = inout(reg) steps => _,
                options(nostack)
            ),
            (false, false) => asm!(
                "tilezero tmm0",
                "2:",
                "tileloadd tmm4, [{a} + {row} * 1]",
                "tileloadd tmm6, [{b} + {quad} * 1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "add {a}, 64", "add {b}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{out} + {wide} * 1], tmm0",
                a = inout(reg) a => _, b = inout(reg) b => _,
                row = in(reg) bytes, quad = in(reg) 64usize, wide = in(reg) wide,
                out = in(reg) out, steps = inout(reg) steps => _,
                options(nostack)
            ),
        }
    }
}
