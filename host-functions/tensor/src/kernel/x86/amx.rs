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
    panels::{CHANNELS, Panels, Portions, Quad, drive},
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
        straight::<A, E>,
        |left, length, panels, rows, sums| {
            let numbers = sums.as_flattened_mut().as_flattened_mut();
            let target = Target { numbers, row: PANELS * CHANNELS, begin: Begin::Zero };
            multiply(left, length, panels, target, rows > SIDE);
        },
    );
}

/// Sums that are the results themselves go there, where tiles are whole.
#[inline(always)]
fn straight<A: Accumulator, E: Ending<A>>(
    left: &[Left],
    length: usize,
    panels: &[&[Quad]],
    begin: Option<&[[A; CHANNELS]; PANELS]>,
    out: &mut [E::Out],
    (row, from): (usize, usize),
) -> bool {
    let rows = out.len() / row;
    if rows != SIDE && rows != ROWS {
        return false;
    }
    let Some(numbers) = E::sums(out).and_then(A::words) else { return false };
    let mut first = begin.copied().unwrap_or_default();
    let begin = match (begin, A::words(first.as_flattened_mut()).and_then(|words| words.as_array())) {
        (None, _) => Begin::There,
        (Some(_), Some(words)) => Begin::Rows(words),
        (Some(_), None) => return false,
    };
    multiply(left, length, panels, Target { numbers: &mut numbers[from..], row, begin }, rows > SIDE);
    true
}

/// Where sums of tiles go.
struct Target<'a> {
    numbers: &'a mut [i32],
    /// Numbers from one row to the next.
    row: usize,
    begin: Begin<'a>,
}

/// What sums begin with.
enum Begin<'a> {
    Zero,
    /// The same in each row.
    Rows(&'a [i32; PANELS * CHANNELS]),
    /// What is where they go.
    There,
}

/// Multiplies one or, where `two`, two tiles of rows with one or two panels.
fn multiply(left: &[Left], length: usize, panels: &[&[Quad]], target: Target<'_>, two: bool) {
    let (rows, beside) = (if two { ROWS } else { SIDE }, panels.len() > 1);
    let Target { numbers, row, begin } = target;
    assert!(length > 0 && length.is_multiple_of(SIDE) && left.len() >= rows * length, "rows that are no tiles");
    assert!(panels.iter().all(|panel| panel.len() >= length), "panels that are no tiles");
    let width = if beside { 2 * CHANNELS } else { CHANNELS };
    assert!(row >= width && numbers.len() >= (rows - 1) * row + width, "sums that are no tiles");
    let bytes = length * size_of::<Left>();
    let steps = length / SIDE;
    let a = left.as_ptr();
    // The second tile of rows, which is only read where there are two.
    let d = a.wrapping_add(SIDE * length);
    let (b, c) = (panels[0].as_ptr(), panels[panels.len() - 1].as_ptr());
    let wide = row * size_of::<i32>();
    let out = numbers.as_mut_ptr();
    let below = out.wrapping_add(SIDE * row);
    // SAFETY: there are `rows` rows of `length` quads on the left, and as many quads in each panel, as asserted; each step reads 16 of them
    // in each row and goes on by as many. Sums are 16 rows of 16 numbers, `wide` bytes from each other, for each tile that is read or written,
    // as asserted; or, in `Begin::Rows`, one row of them for each panel. The tile registers are shaped for that, and nothing between these
    // instructions uses them.
    unsafe {
        match begin {
            Begin::Zero => asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack)),
            Begin::Rows(first) => load(first.as_ptr(), first.as_ptr(), 0, (two, beside)),
            Begin::There => load(out, below, wide, (two, beside)),
        }
        match (two, beside) {
            (true, true) => asm!(
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
                a = inout(reg) a => _, d = inout(reg) d => _, b = inout(reg) b => _, c = inout(reg) c => _,
                row = in(reg) bytes, quad = in(reg) 64usize, steps = inout(reg) steps => _,
                options(nostack)
            ),
            (true, false) => asm!(
                "2:",
                "tileloadd tmm4, [{a} + {row} * 1]",
                "tileloadd tmm6, [{b} + {quad} * 1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{d} + {row} * 1]",
                "tdpbusd tmm2, tmm5, tmm6",
                "add {a}, 64", "add {d}, 64", "add {b}, 1024",
                "dec {steps}",
                "jnz 2b",
                a = inout(reg) a => _, d = inout(reg) d => _, b = inout(reg) b => _,
                row = in(reg) bytes, quad = in(reg) 64usize, steps = inout(reg) steps => _,
                options(nostack)
            ),
            (false, true) => asm!(
                "2:",
                "tileloadd tmm4, [{a} + {row} * 1]",
                "tileloadd tmm6, [{b} + {quad} * 1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{c} + {quad} * 1]",
                "tdpbusd tmm1, tmm4, tmm7",
                "add {a}, 64", "add {b}, 1024", "add {c}, 1024",
                "dec {steps}",
                "jnz 2b",
                a = inout(reg) a => _, b = inout(reg) b => _, c = inout(reg) c => _,
                row = in(reg) bytes, quad = in(reg) 64usize, steps = inout(reg) steps => _,
                options(nostack)
            ),
            (false, false) => asm!(
                "2:",
                "tileloadd tmm4, [{a} + {row} * 1]",
                "tileloadd tmm6, [{b} + {quad} * 1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "add {a}, 64", "add {b}, 1024",
                "dec {steps}",
                "jnz 2b",
                a = inout(reg) a => _, b = inout(reg) b => _,
                row = in(reg) bytes, quad = in(reg) 64usize, steps = inout(reg) steps => _,
                options(nostack)
            ),
        }
        asm!("tilestored [{out} + {wide} * 1], tmm0", out = in(reg) out, wide = in(reg) wide, options(nostack));
        if beside {
            asm!("tilestored [{out} + {wide} * 1 + 64], tmm1", out = in(reg) out, wide = in(reg) wide, options(nostack));
        }
        if two {
            asm!("tilestored [{out} + {wide} * 1], tmm2", out = in(reg) below, wide = in(reg) wide, options(nostack));
            if beside {
                asm!(
                    "tilestored [{out} + {wide} * 1 + 64], tmm3",
                    out = in(reg) below, wide = in(reg) wide, options(nostack)
                );
            }
        }
    }
}

/// Loads sums of one or two tiles of rows and panels.
///
/// # Safety
/// At `rows` and, where there are two, `below`, there are 16 rows of 16 numbers, or of 32 where there are two panels, `wide` bytes from each
/// other. The tile registers are shaped.
#[inline(always)]
unsafe fn load(rows: *const i32, below: *const i32, wide: usize, (two, beside): (bool, bool)) {
    // SAFETY: as the caller says.
    unsafe {
        asm!("tileloadd tmm0, [{from} + {wide} * 1]", from = in(reg) rows, wide = in(reg) wide, options(nostack, readonly));
        if beside {
            asm!(
                "tileloadd tmm1, [{from} + {wide} * 1 + 64]",
                from = in(reg) rows, wide = in(reg) wide, options(nostack, readonly)
            );
        }
        if two {
            asm!(
                "tileloadd tmm2, [{from} + {wide} * 1]",
                from = in(reg) below, wide = in(reg) wide, options(nostack, readonly)
            );
            if beside {
                asm!(
                    "tileloadd tmm3, [{from} + {wide} * 1 + 64]",
                    from = in(reg) below, wide = in(reg) wide, options(nostack, readonly)
                );
            }
        }
    }
}
