//! Sixteen trees at once with AVX-512: their records are gathered, and a row of up to 32 features is two registers, in which
//! one permutation finds the features of all of them.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_castsi512_si256, _mm512_cmpgt_epi32_mask,
    _mm512_extracti64x4_epi64, _mm512_i32gather_epi32, _mm512_i32gather_epi64, _mm512_loadu_si512,
    _mm512_mask_add_epi32, _mm512_mask_sub_epi32, _mm512_maskz_loadu_epi32, _mm512_permutex2var_epi32,
    _mm512_reduce_add_epi64, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_setzero_si512, _mm512_srli_epi32,
    _mm512_storeu_si512, _mm512_test_epi32_mask,
};

use crate::kernel::trees::records::{FEATURE, GROUP, Group, MISSING_RIGHT, Records, tile};

/// Ways that are followed at once, each of sixteen trees: a gather takes long to arrive.
const WAYS: usize = 4;
/// Features that fit two registers.
const SMALL: usize = 32;

/// Adds to `out` the leaves of each row.
pub(in crate::kernel) fn add(trees: &Records, groups: &[Group], x: &[i32], out: &mut [i64]) {
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AVX2 and AVX-512 F and BW.
    unsafe {
        if trees.features() <= SMALL {
            add_avx512::<true>(trees, groups, x, out);
        } else {
            add_avx512::<false>(trees, groups, x, out);
        }
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw")]
fn add_avx512<const FEW_FEATURES: bool>(trees: &Records, groups: &[Group], x: &[i32], out: &mut [i64]) {
    let features = trees.features();
    let outputs = out.len() / (x.len() / features);
    let tile = tile(features);
    for (x, out) in x.chunks(tile * features).zip(out.chunks_mut(tile * outputs)) {
        let quads = x.chunks_exact(WAYS * features);
        let rest = quads.remainder();
        let (out, out_rest) = out.split_at_mut(quads.len() * WAYS * outputs);
        for group in groups {
            for (x, out) in quads.clone().zip(out.chunks_exact_mut(WAYS * outputs)) {
                let rows = std::array::from_fn(|way| Row::load::<FEW_FEATURES>(&x[way * features..][..features]));
                let found = follow::<FEW_FEATURES, WAYS>(trees, [group; WAYS], rows);
                for (found, out) in found.into_iter().zip(out.chunks_exact_mut(outputs)) {
                    give(found, group, out);
                }
            }
        }
        for (x, out) in rest.chunks_exact(features).zip(out_rest.chunks_exact_mut(outputs)) {
            let row = Row::load::<FEW_FEATURES>(x);
            let (fours, ones) = groups.as_chunks::<WAYS>();
            for four in fours {
                let found = follow::<FEW_FEATURES, WAYS>(trees, four.each_ref(), [row; WAYS]);
                found.into_iter().zip(four).for_each(|(found, group)| give(found, group, out));
            }
            match ones {
                [a, b, c] => {
                    let found = follow::<FEW_FEATURES, 3>(trees, [a, b, c], [row; 3]);
                    found.into_iter().zip(ones).for_each(|(found, group)| give(found, group, out));
                }
                [a, b] => {
                    let found = follow::<FEW_FEATURES, 2>(trees, [a, b], [row; 2]);
                    found.into_iter().zip(ones).for_each(|(found, group)| give(found, group, out));
                }
                _ => {
                    for group in ones {
                        let [found] = follow::<FEW_FEATURES, 1>(trees, [group], [row]);
                        give(found, group, out);
                    }
                }
            }
        }
    }
}

/// A row, and its features in registers where they fit.
#[derive(Clone, Copy)]
struct Row<'x> {
    x: &'x [i32],
    low: __m512i,
    high: __m512i,
}

impl<'x> Row<'x> {
    #[inline]
    #[target_feature(enable = "avx2,avx512f,avx512bw")]
    fn load<const FEW_FEATURES: bool>(x: &'x [i32]) -> Row<'x> {
        let zero = _mm512_setzero_si512();
        if !FEW_FEATURES {
            return Row { x, low: zero, high: zero };
        }
        let (low, high) = x.split_at(x.len().min(GROUP));
        let load = |part: &[i32]| {
            let mask = u16::try_from((1_u32 << part.len()) - 1).unwrap_or(u16::MAX);
            // SAFETY: only as many elements are read as the part has.
            unsafe { _mm512_maskz_loadu_epi32(mask, part.as_ptr()) }
        };
        Row { x, low: load(low), high: load(high) }
    }
}

/// The leaves that rows lead to in the trees of groups, `N` of both.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw")]
fn follow<const FEW_FEATURES: bool, const N: usize>(
    trees: &Records,
    groups: [&Group; N],
    rows: [Row<'_>; N],
) -> [[__m512i; 2]; N] {
    let records: *const i64 = trees.records().as_ptr().cast();
    let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let one = _mm512_set1_epi32(1);
    let missing_right = _mm512_set1_epi32(MISSING_RIGHT.cast_signed());
    // SAFETY: 16 numbers of 4 bytes.
    let roots: [__m512i; N] = groups.map(|group| unsafe { _mm512_loadu_si512(group.roots.as_ptr().cast()) });
    let mut at = roots;
    let depth = groups.iter().map(|group| group.depth).max().unwrap_or(0);
    for _ in 0..depth {
        for n in 0..N {
            // SAFETY: every place is a root, or a root and where a decision of its tree leads: a record.
            let (low, high) = unsafe { gather(records, at[n]) };
            let threshold = _mm512_permutex2var_epi32(low, even, high);
            let word = _mm512_permutex2var_epi32(low, odd, high);
            let left = _mm512_srli_epi32::<16>(word);
            let x = if FEW_FEATURES {
                // It looks at the lowest five bits alone.
                _mm512_permutex2var_epi32(rows[n].low, word, rows[n].high)
            } else {
                let feature = _mm512_and_si512(word, _mm512_set1_epi32(FEATURE.cast_signed()));
                // SAFETY: the feature of a record is below the number of features, which every row has.
                unsafe { _mm512_i32gather_epi32::<4>(feature, rows[n].x.as_ptr().cast()) }
            };
            let x = _mm512_mask_sub_epi32(x, _mm512_test_epi32_mask(word, missing_right), x, one);
            let inner = _mm512_test_epi32_mask(left, left);
            let right = _mm512_cmpgt_epi32_mask(x, threshold);
            let next = _mm512_mask_add_epi32(at[n], inner, roots[n], left);
            at[n] = _mm512_mask_add_epi32(next, inner & right, next, one);
        }
    }
    // SAFETY: as above; there is a leaf for each record.
    at.map(|at| unsafe { gather(trees.leaves().as_ptr(), at) }.into())
}

/// The numbers at sixteen places.
///
/// # Safety
/// All of them are places of `from`.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw")]
unsafe fn gather(from: *const i64, at: __m512i) -> (__m512i, __m512i) {
    // SAFETY: the caller's promise.
    unsafe {
        let low = _mm512_i32gather_epi64::<8>(_mm512_castsi512_si256(at), from.cast());
        let high = _mm512_i32gather_epi64::<8>(_mm512_extracti64x4_epi64::<1>(at), from.cast());
        (low, high)
    }
}

/// Adds the leaves of a group to the sums of a row. The caller of the kernels has proven that none passes 64 bits.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw")]
fn give(found: [__m512i; 2], group: &Group, out: &mut [i64]) {
    if let Some(output) = group.output {
        let out = &mut out[output];
        *out = out.wrapping_add(_mm512_reduce_add_epi64(_mm512_add_epi64(found[0], found[1])));
        return;
    }
    let mut leaves = [0_i64; GROUP];
    // SAFETY: twice 8 numbers of 8 bytes.
    unsafe {
        _mm512_storeu_si512(leaves.as_mut_ptr().cast(), found[0]);
        _mm512_storeu_si512(leaves.as_mut_ptr().add(8).cast(), found[1]);
    }
    for (leaf, output) in leaves.iter().zip(&group.outputs) {
        let out = &mut out[usize::try_from(*output).unwrap_or(usize::MAX)];
        *out = out.wrapping_add(*leaf);
    }
}
