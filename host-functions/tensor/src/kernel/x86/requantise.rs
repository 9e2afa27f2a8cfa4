//! Requantising rows of 32 bits where nothing lies in the middle between two results: [`uneven`](crate::kernel::requantise::uneven) for
//! several rows at a time, so that what a scale is made of is made once for them.
//!
//! The products of the even and of the odd numbers of a vector are two multiplications, each into 64 bits, of which the upper halves are
//! put together again.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_loadl_epi64, _mm_loadu_si128, _mm_packs_epi16, _mm_packus_epi16, _mm_setr_epi8,
    _mm_shuffle_epi8, _mm_storeu_si128, _mm256_add_epi32, _mm256_blend_epi32, _mm256_castsi256_si128,
    _mm256_cvtepu8_epi32, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_mul_epi32, _mm256_packs_epi32,
    _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_shuffle_epi32, _mm256_sllv_epi32, _mm256_srav_epi32,
    _mm256_srli_epi64, _mm256_storeu_si256, _mm256_sub_epi32, _mm512_add_epi32, _mm512_cvtepu8_epi32,
    _mm512_cvtsepi32_epi8, _mm512_cvtsepi32_epi16, _mm512_cvtusepi32_epi8, _mm512_loadu_si512,
    _mm512_mask_shuffle_epi32, _mm512_max_epi32, _mm512_mul_epi32, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_sllv_epi32, _mm512_srav_epi32, _mm512_srli_epi64, _mm512_sub_epi32,
};

use crate::{DType, Element, Level};

/// Numbers of a row that are taken at once.
const WIDTH: usize = 16;

/// Rows that are taken at once.
const ROWS: usize = 4;

/// Scales of a row, one for each element; all that [`Scales::are_uneven`](crate::kernel::Scales::are_uneven) asks for holds.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Uneven<'a> {
    pub(in crate::kernel) multipliers: &'a [i32],
    pub(in crate::kernel) shifts: &'a [u8],
    pub(in crate::kernel) zero_point: i32,
}

/// Requantises whole rows to 8 or 16 bits and says of how many elements they are: of none for other levels and types, and where rows are
/// too short. What follows the last whole row is left.
///
/// # Panics
/// Where lengths do not fit together.
pub(in crate::kernel) fn rows<X: Element, T: Element>(
    level: Level,
    x: &[X],
    scales: Uneven<'_>,
    out: &mut [T],
) -> usize {
    let row = scales.multipliers.len();
    if X::DTYPE != DType::I32 || !matches!(T::DTYPE, DType::I8 | DType::U8 | DType::I16) || row < WIDTH {
        return 0;
    }
    assert!(scales.shifts.len() == row && out.len() == x.len(), "rows of another shape");
    let whole = x.len() / row * row;
    let (x, out): (&[i32], _) = (bytemuck::cast_slice(&x[..whole]), &mut out[..whole]);
    match level {
        // SAFETY: kernels of these levels are only made where `Level::is_available` has found these features.
        Level::Avx2 | Level::AvxVnni => unsafe { avx2(x, scales, out) },
        // SAFETY: as above.
        Level::Avx512Vnni | Level::Amx => unsafe { avx512(x, scales, out) },
        _ => return 0,
    }
    whole
}

/// Calls `block` with groups of rows, and of each the places where to take [`WIDTH`] numbers: the last ones may be taken twice.
macro_rules! drive {
    ($x:ident, $scales:ident, $out:ident, $block:ident) => {{
        let row = $scales.multipliers.len();
        for (x, out) in $x.chunks(ROWS * row).zip($out.chunks_mut(ROWS * row)) {
            let rows = x.len() / row;
            for place in (0..row).step_by(WIDTH) {
                // A row has at least so many.
                let place = place.min(row - WIDTH);
                match rows {
                    ROWS => $block::<ROWS, T>(x, row, place, $scales, out),
                    3 => $block::<3, T>(x, row, place, $scales, out),
                    2 => $block::<2, T>(x, row, place, $scales, out),
                    _ => $block::<1, T>(x, row, place, $scales, out),
                }
            }
        }
    }};
}

#[target_feature(enable = "avx2")]
fn avx2<T: Element>(x: &[i32], scales: Uneven<'_>, out: &mut [T]) {
    drive!(x, scales, out, block_avx2);
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<T: Element>(x: &[i32], scales: Uneven<'_>, out: &mut [T]) {
    drive!(x, scales, out, block_avx512);
}

/// [`WIDTH`] numbers of each of `R` rows, from `place` on.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
fn block_avx512<const R: usize, T: Element>(x: &[i32], row: usize, place: usize, scales: Uneven<'_>, out: &mut [T]) {
    let multipliers = load_512(&scales.multipliers[place..place + WIDTH]);
    let odd_multipliers = _mm512_srli_epi64::<32>(multipliers);
    let shifts = &scales.shifts[place..place + WIDTH];
    // SAFETY: 16 bytes.
    let shifts = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(shifts.as_ptr().cast()) });
    let half = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_sub_epi32(shifts, _mm512_set1_epi32(33)));
    let shifts = _mm512_sub_epi32(shifts, _mm512_set1_epi32(32));
    let zero_point = _mm512_set1_epi32(scales.zero_point);
    let mut at = place;
    for _ in 0..R {
        let x = load_512(&x[at..][..WIDTH]);
        let even = _mm512_mul_epi32(x, multipliers);
        let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(x), odd_multipliers);
        // The upper half of each pair stays where it is in the odd ones, and goes down in the even ones.
        let upper = _mm512_mask_shuffle_epi32::<0b11_11_01_01>(odd, 0b0101_0101_0101_0101, even);
        let rounded = _mm512_srav_epi32(_mm512_add_epi32(upper, half), shifts);
        let y = _mm512_add_epi32(rounded, zero_point);
        let out = &mut out[at..][..WIDTH];
        match T::DTYPE {
            DType::I8 => store_128(_mm512_cvtsepi32_epi8(y), out),
            DType::U8 => store_128(_mm512_cvtusepi32_epi8(_mm512_max_epi32(y, _mm512_setzero_si512())), out),
            _ => store_256(_mm512_cvtsepi32_epi16(y), out),
        }
        at += row;
    }
}

/// As [`block_avx512`].
#[inline]
#[target_feature(enable = "avx2")]
fn block_avx2<const R: usize, T: Element>(x: &[i32], row: usize, place: usize, scales: Uneven<'_>, out: &mut [T]) {
    const HALF: usize = WIDTH / 2;
    let each = |h: usize| {
        let multipliers = load_256(&scales.multipliers[place + h * HALF..][..HALF]);
        let shifts = &scales.shifts[place + h * HALF..][..HALF];
        // SAFETY: 8 bytes.
        let shifts = _mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(shifts.as_ptr().cast()) });
        let half = _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_sub_epi32(shifts, _mm256_set1_epi32(33)));
        let shifts = _mm256_sub_epi32(shifts, _mm256_set1_epi32(32));
        (multipliers, _mm256_shuffle_epi32::<0b11_11_01_01>(multipliers), half, shifts)
    };
    // Not shifted down but moved: of a shift the compiler makes one with signs, and of what follows a product of 64 bits.
    let scale = [each(0), each(1)];
    let zero_point = _mm256_set1_epi32(scales.zero_point);
    let mut at = place;
    for _ in 0..R {
        let y = |h: usize| {
            let (multipliers, odd_multipliers, half, shifts) = scale[h];
            let x = load_256(&x[at..][..WIDTH][h * HALF..][..HALF]);
            let even = _mm256_mul_epi32(x, multipliers);
            let odd = _mm256_mul_epi32(_mm256_shuffle_epi32::<0b11_11_01_01>(x), odd_multipliers);
            let upper = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd);
            _mm256_add_epi32(_mm256_srav_epi32(_mm256_add_epi32(upper, half), shifts), zero_point)
        };
        // Four of the first and four of the second in each half.
        let words = _mm256_packs_epi32(y(0), y(1));
        let out = &mut out[at..][..WIDTH];
        match T::DTYPE {
            DType::I16 => store_256(_mm256_permute4x64_epi64::<0b11_01_10_00>(words), out),
            dtype => {
                let halves = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
                let bytes = match dtype {
                    DType::I8 => _mm_packs_epi16(halves.0, halves.1),
                    _ => _mm_packus_epi16(halves.0, halves.1),
                };
                let order = _mm_setr_epi8(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15);
                store_128(_mm_shuffle_epi8(bytes, order), out);
            }
        }
        at += row;
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_512(x: &[i32]) -> __m512i {
    assert!(x.len() == 16);
    // SAFETY: 16 numbers of 4 bytes.
    unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_256(x: &[i32]) -> __m256i {
    assert!(x.len() == 8);
    // SAFETY: 8 numbers of 4 bytes.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_128<T: Element>(y: __m128i, out: &mut [T]) {
    assert!(size_of_val(out) == 16);
    // SAFETY: 16 bytes.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), y) };
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_256<T: Element>(y: __m256i, out: &mut [T]) {
    assert!(size_of_val(out) == 32);
    // SAFETY: 32 bytes.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), y) };
}
