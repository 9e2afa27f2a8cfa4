//! Rows of a matrix product, checked over the field of `2^61 - 1` elements.

use tiny_keccak::{Hasher, Keccak};

use super::Kernels;
use crate::{
    DType, Element, Level,
    device::freivalds::{P, residue, rows},
};

/// What the numbers of the challenge are hashed from begins so.
pub const CHALLENGE: &[u8] = b"noema.freivalds.v1";

/// Sums above this in magnitude are none of products that the check is for.
const MAX_SUM: u64 = 1 << 60;

/// An element costs about as much as this many multiplications of a product.
const WORK: usize = 20;

/// `n` numbers of the field that follow from a seed: numbers `4 i` to `4 i + 3` are the four little-endian words of
/// `keccak256(CHALLENGE, seed, i as little-endian u64)`, modulo `2^61 - 1`.
#[must_use]
pub fn challenge(seed: &[u8], n: usize) -> Vec<u64> {
    let mut numbers = Vec::with_capacity(n);
    let mut block = 0u64;
    while numbers.len() < n {
        let mut keccak = Keccak::v256();
        for part in [CHALLENGE, seed, &block.to_le_bytes()] {
            keccak.update(part);
        }
        let mut digest = [0; 32];
        keccak.finalize(&mut digest);
        let words = digest.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word) % P);
        numbers.extend(words.take(n - numbers.len()));
        block += 1;
    }
    numbers
}

/// `out_i` = the product of row `i` of `m` and `v`, for rows as long as `v`, which is not empty.
///
/// # Panics
/// Where lengths do not fit together.
pub fn project<T: Element>(k: &Kernels, m: &[T], v: &[u64], out: &mut [u64]) {
    assert_eq!(m.len(), out.len() * v.len(), "rows of another length");
    let level = k.level();
    k.split_rows((m, v.len()), (out, 1), v.len().saturating_mul(WORK), |m, out| {
        for (row, out) in m.chunks_exact(v.len()).zip(out) {
            *out = one(level, row, v);
        }
    });
}

/// Adds the products of elements `start` and on of each row of `m`, of `depth` elements, with as many of `v`.
///
/// # Panics
/// Where lengths do not fit together.
pub fn accumulate<T: Element>(k: &Kernels, m: &[T], (depth, start): (usize, usize), v: &[u64], sums: &mut [u64]) {
    assert_eq!(m.len(), sums.len() * depth, "rows of another length");
    let level = k.level();
    k.split_rows((m, depth), (sums, 1), v.len().saturating_mul(WORK), |m, sums| {
        for (row, sum) in m.chunks_exact(depth).zip(sums) {
            let more = one(level, &row[start..start + v.len()], v);
            *sum = residue(i128::from(*sum) + i128::from(more));
        }
    });
}

/// Whether the product of each row of `c` with `r`, which is not empty, is the given sum, and no element is above `2^60` in
/// magnitude: 1 or 0.
///
/// # Panics
/// Where lengths do not fit together.
pub fn agree<T: Element>(k: &Kernels, c: &[T], r: &[u64], sums: &[u64], out: &mut [u8]) {
    assert!(c.len() == sums.len() * r.len() && sums.len() == out.len(), "rows of another length");
    let level = k.level();
    let done = k.split_out(out, 1, r.len().saturating_mul(WORK), |first, out| {
        let rows = c[first * r.len()..].chunks_exact(r.len());
        for ((row, sum), out) in rows.zip(&sums[first..]).zip(out) {
            let small = row.iter().all(|c| Into::<i64>::into(*c).unsigned_abs() <= MAX_SUM);
            *out = u8::from(small && *sum == one(level, row, r));
        }
        Ok(())
    });
    done.expect("nothing here can fail");
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Freivalds, out);
}

/// The sum of products of a row, in the field.
fn one<T: Element>(level: Level, row: &[T], v: &[u64]) -> u64 {
    if level == Level::Reference {
        return rows(row, v)[0];
    }
    let products = row.iter().zip(v).map(|(x, v)| Into::<i128>::into(*x) * i128::from(*v));
    if T::DTYPE == DType::I64 {
        // Products below 2^124; what is left of each is below 2^64.
        return residue(products.map(|product| (product & i128::from(P)) + (product >> 61)).sum());
    }
    // Products of 32 and 61 bits: 2^34 of them stay inside 128.
    residue(products.sum())
}
