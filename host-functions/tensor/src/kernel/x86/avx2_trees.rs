//! Eight trees at once with AVX2: their records and their features are gathered.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_epi64, _mm256_and_si256, _mm256_blendv_epi8, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmpeq_epi32, _mm256_cmpgt_epi32, _mm256_extracti128_si256,
    _mm256_i32gather_epi32, _mm256_i32gather_epi64, _mm256_loadu_si256, _mm256_permute4x64_epi64, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_shuffle_ps, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_srli_epi32,
    _mm256_storeu_si256, _mm256_sub_epi32,
};

use crate::kernel::trees::records::{FEATURE, GROUP, Group, Records, tile};

/// Trees of a vector.
const LANES: usize = 8;
/// Vectors of a group, followed at once: a gather takes long to arrive.
const WAYS: usize = GROUP / LANES;

/// Adds to `out` the leaves of each row.
pub(in crate::kernel) fn add(trees: &Records, groups: &[Group], x: &[i32], out: &mut [i64]) {
    // SAFETY: kernels of these levels are only made where `Level::is_available` has found AVX2.
    unsafe { add_avx2(trees, groups, x, out) }
}

#[target_feature(enable = "avx2")]
fn add_avx2(trees: &Records, groups: &[Group], x: &[i32], out: &mut [i64]) {
    let features = trees.features();
    let outputs = out.len() / (x.len() / features);
    let tile = tile(features);
    for (x, out) in x.chunks(tile * features).zip(out.chunks_mut(tile * outputs)) {
        for group in groups {
            for (x, out) in x.chunks_exact(features).zip(out.chunks_exact_mut(outputs)) {
                let found = follow(trees, group, x);
                give(&found, group, out);
            }
        }
    }
}

/// The leaves that a row leads to in the trees of a group, four in each vector in the order of [`ORDER`].
#[inline]
#[target_feature(enable = "avx2")]
fn follow(trees: &Records, group: &Group, row: &[i32]) -> [[__m256i; 2]; WAYS] {
    let records: *const i64 = trees.records().as_ptr().cast();
    let lanes = group.roots.as_chunks::<LANES>().0;
    // SAFETY: 8 numbers of 4 bytes.
    let roots: [__m256i; WAYS] = std::array::from_fn(|way| unsafe { _mm256_loadu_si256(lanes[way].as_ptr().cast()) });
    let mut at = roots;
    for _ in 0..group.depth {
        for way in 0..WAYS {
            // SAFETY: every place is a root, or a root and where a decision of its tree leads: a record.
            let [low, high] = unsafe { gather(records, at[way]) }.map(|part| _mm256_castsi256_ps(part));
            let threshold = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(low, high));
            let word = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(low, high));
            let left = _mm256_srli_epi32::<16>(word);
            let feature = _mm256_and_si256(word, _mm256_set1_epi32(FEATURE.cast_signed()));
            // SAFETY: the feature of a record is below the number of features, which every row has.
            let x = unsafe { _mm256_i32gather_epi32::<4>(row.as_ptr(), feature) };
            // -1 where a missing value goes right.
            let shift = _mm256_srai_epi32::<31>(_mm256_slli_epi32::<16>(word));
            let right = _mm256_cmpgt_epi32(_mm256_add_epi32(x, shift), threshold);
            let next = _mm256_sub_epi32(_mm256_add_epi32(roots[way], left), right);
            let leaf = _mm256_cmpeq_epi32(left, _mm256_setzero_si256());
            at[way] = _mm256_blendv_epi8(next, at[way], leaf);
        }
    }
    // SAFETY: as above; there is a leaf for each record.
    at.map(|at| unsafe { gather(trees.leaves().as_ptr(), at) })
}

/// The numbers at eight places: those at the places 0, 1, 4 and 5, then those at 2, 3, 6 and 7, so that shuffling halves
/// of them brings them into order.
///
/// # Safety
/// All of them are places of `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn gather(from: *const i64, at: __m256i) -> [__m256i; 2] {
    let at = _mm256_permute4x64_epi64::<0b11_01_10_00>(at);
    // SAFETY: the caller's promise.
    unsafe {
        let low = _mm256_i32gather_epi64::<8>(from, _mm256_castsi256_si128(at));
        [low, _mm256_i32gather_epi64::<8>(from, _mm256_extracti128_si256::<1>(at))]
    }
}

/// Which tree of eight the leaf at each place belongs to.
const ORDER: [usize; LANES] = [0, 1, 4, 5, 2, 3, 6, 7];

/// Adds the leaves of a group to the sums of a row. The caller of the kernels has proven that none passes 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn give(found: &[[__m256i; 2]; WAYS], group: &Group, out: &mut [i64]) {
    if let Some(output) = group.output {
        let out = &mut out[output];
        let sums = found.map(|[low, high]| _mm256_add_epi64(low, high));
        let mut sum = [0_i64; 4];
        // SAFETY: 4 numbers of 8 bytes.
        unsafe { _mm256_storeu_si256(sum.as_mut_ptr().cast(), _mm256_add_epi64(sums[0], sums[1])) };
        *out = sum.iter().fold(*out, |out, part| out.wrapping_add(*part));
        return;
    }
    for (way, found) in found.iter().enumerate() {
        let mut leaves = [0_i64; LANES];
        // SAFETY: twice 4 numbers of 8 bytes.
        unsafe {
            _mm256_storeu_si256(leaves.as_mut_ptr().cast(), found[0]);
            _mm256_storeu_si256(leaves.as_mut_ptr().add(4).cast(), found[1]);
        }
        for (leaf, tree) in leaves.iter().zip(ORDER) {
            let out = &mut out[usize::try_from(group.outputs[way * LANES + tree]).unwrap_or(usize::MAX)];
            *out = out.wrapping_add(*leaf);
        }
    }
}
