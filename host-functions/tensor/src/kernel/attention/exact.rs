//! Attention with every bit of every exponential.
//!
//! The exponentials, of at most `2^30`, meet the values as four planes of bytes: with at most `2^16` keys a sum of one plane fits
//! 32 bits (`65536 * 255 * 128 < 2^31`), and the whole one is below `2^54`.

use super::{
    Prepared,
    mean::{exactly, is_usual, joined, of_row, rounded},
};
use crate::OpError;
use crate::kernel::{
    linear_u8,
    vectors::{Vectors, vectorised},
};

/// Bytes of an exponential.
const PLANES: usize = 4;

impl Prepared<'_> {
    /// Writes the results of some rows, whose scores are given and used up. `first` is the row that `out` begins with, from
    /// which the `places` are counted.
    pub(super) fn exact(
        &self,
        first: usize,
        places: &[usize],
        scores: &mut [i32],
        out: &mut [i8],
    ) -> Result<(), OpError> {
        let (count, keys, width) = (places.len(), self.head.keys, self.head.width);
        if count == 0 {
            return Ok(());
        }
        let mut totals = vec![0; count];
        for ((place, row), total) in places.iter().zip(scores.chunks_exact_mut(keys)).zip(&mut totals) {
            let (seen, hidden) = row.split_at_mut(self.head.visible(first + place));
            hidden.fill(0);
            *total = self.exponentials.replace(seen);
        }
        let mut planes = vec![0; PLANES * count * keys];
        vectorised(self.level(), Split { numbers: scores, planes: &mut planes });
        let mut sums = vec![0; PLANES * count * width];
        linear_u8(self.kernels, &planes, PLANES * count, &self.values, &mut sums)?;
        for (row, (place, total)) in places.iter().zip(totals).enumerate() {
            let sums: [&[i32]; PLANES] = of_row(&sums, row, count, width);
            let out = &mut out[place * width..(place + 1) * width];
            let fast = self.level() != crate::Level::Reference && total > 0 && is_usual(self.scale);
            if !(fast && rounded(self.level(), sums, total, 0, self.scale, out)) {
                for (i, out) in out.iter_mut().enumerate() {
                    let [sum] = joined(sums.map(|sums| [sums[i]]));
                    *out = exactly(self.level(), sum, total, self.scale);
                }
            }
        }
        Ok(())
    }
}

/// The bytes of numbers that are not negative, those of one place after those of the other.
struct Split<'a> {
    numbers: &'a [i32],
    planes: &'a mut [u8],
}

impl Vectors for Split<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (plane, shift) in self.planes.chunks_exact_mut(self.numbers.len()).zip([0, 8, 16, 24]) {
            for (byte, number) in plane.iter_mut().zip(self.numbers) {
                *byte = (number >> shift).to_le_bytes()[0];
            }
        }
    }
}
