//! Where random arguments come from: numbers of a seeded generator, bent towards edges.

use noema_tensor::{DType, Shape, Tensor};

use crate::ops::Argument;

/// Most elements of an ordinary tensor, of a longer one (one case in 16), and of one that is worth more than one thread
/// (one in 256).
const BUDGETS: [u64; 3] = [256, 4096, 65_536];

/// A stream of numbers for one case: SplitMix64, so that a case depends on nothing but its seed.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    state: u64,
    /// The element type that the case is about.
    pub(crate) dtype: DType,
    /// Most elements of a tensor.
    pub(crate) budget: u64,
    /// Whether the reference level will compute this: where it is slow, tensors are smaller.
    compared: bool,
}

impl Draw {
    pub(crate) fn new(seed: u64, dtype: DType) -> Draw {
        let mut draw = Draw { state: seed, dtype, budget: BUDGETS[0], compared: true };
        draw.budget = match draw.below(256) {
            0 => BUDGETS[2],
            1..=16 => BUDGETS[1],
            _ => BUDGETS[0],
        };
        draw
    }

    /// Tensors of up to this many elements, which no reference level computes.
    pub(crate) fn sized(seed: u64, dtype: DType, budget: u64) -> Draw {
        Draw { state: seed, dtype, budget, compared: false }
    }

    /// Keeps tensors small enough for the reference level.
    pub(crate) fn at_most(&mut self, elements: u64) {
        if self.compared {
            self.budget = self.budget.min(elements);
        }
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// A number from `low` to `high`.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Yes, once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("below a length")]
    }

    /// A length of an axis: mostly small, often about the width of a vector, now and then 0.
    pub(crate) fn dim(&mut self) -> u32 {
        let dim = match self.below(32) {
            0 => 0,
            1..=5 => 1,
            6..=21 => self.range(2, 9),
            22..=26 => self.pick(&[15, 16, 17, 31, 32, 33]),
            27..=29 => self.range(10, 70),
            _ => self.pick(&[63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 1024]),
        };
        u32::try_from(dim).expect("at most 1024")
    }

    /// A length of an axis that leaves room: at most `limit`, at least 1 where it is not drawn as 0.
    pub(crate) fn dim_to(&mut self, limit: u64) -> u32 {
        let drawn = self.dim();
        if u64::from(drawn) <= limit { drawn } else { u32::try_from(self.range(1, limit.max(1))).unwrap_or(1) }
    }

    /// A shape of `least` to `most` axes within the budget.
    pub(crate) fn shape(&mut self, least: u64, most: u64) -> Vec<u32> {
        // Ranks of 1 to 3 are what programs use.
        let rank = if self.once_in(4) { self.range(least, most) } else { self.range(least, most.min(least.max(3))) };
        let mut left = self.budget;
        let mut dims: Vec<u32> = (0..rank)
            .map(|_| {
                let dim = self.dim_to(left);
                left /= u64::from(dim.max(1));
                dim
            })
            .collect();
        // The large budget is there to be used.
        if let (true, Some(last)) = (self.budget >= BUDGETS[2] && left > 1 && self.once_in(2), dims.last_mut()) {
            *last = last.saturating_mul(u32::try_from(left).unwrap_or(1));
        }
        // Otherwise the last axes would be the short ones.
        for index in (1..dims.len()).rev() {
            let other = usize::try_from(self.below(index as u64 + 1)).expect("below a length");
            dims.swap(index, other);
        }
        dims
    }

    /// A number of this type: edges, small ones, powers of two and their neighbours, anything.
    pub(crate) fn element(&mut self, dtype: DType) -> i64 {
        let (min, max) = (dtype.min(), dtype.max());
        let drawn = match self.below(8) {
            0 => self.pick(&[min, min + 1, max, max - 1]),
            1 => self.pick(&[0, 1, -1]),
            2 => i64::try_from(self.below(19)).expect("small") - 9,
            3 => {
                let power = 1i64 << self.below(63);
                let near = power.wrapping_add(self.pick(&[-1, 0, 1]));
                if self.once_in(2) { near.wrapping_neg() } else { near }
            }
            _ => return self.any(dtype),
        };
        drawn.clamp(min, max)
    }

    /// Any number of this type.
    pub(crate) fn any(&mut self, dtype: DType) -> i64 {
        let [a, b, c, d, ..] = self.bits().to_le_bytes();
        match dtype {
            DType::I8 => i8::from_le_bytes([a]).into(),
            DType::U8 => a.into(),
            DType::I16 => i16::from_le_bytes([a, b]).into(),
            DType::I32 => i32::from_le_bytes([a, b, c, d]).into(),
            DType::I64 => self.bits().cast_signed(),
        }
    }

    /// Elements of one style: anything, edges, one number throughout, the extremes, few that are not zero.
    pub(crate) fn elements(&mut self, dtype: DType, count: u64) -> Vec<i64> {
        let style = self.below(8);
        let all = self.element(dtype);
        (0..count)
            .map(|_| match style {
                0..=2 => self.element(dtype),
                3 => all,
                4 => self.pick(&[dtype.min(), dtype.max()]),
                5 if self.once_in(8) => self.element(dtype),
                5 => 0,
                _ => self.any(dtype),
            })
            .collect()
    }

    /// A tensor of this shape.
    pub(crate) fn tensor(&mut self, dtype: DType, dims: &[u32]) -> Argument {
        let count = dims.iter().map(|dim| u64::from(*dim)).product();
        let elements = self.elements(dtype, count);
        tensor(dtype, dims, &elements)
    }
}

/// A tensor of these elements, each within its type.
pub(crate) fn tensor(dtype: DType, dims: &[u32], elements: &[i64]) -> Argument {
    let bytes: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()[..dtype.size()].to_vec()).collect();
    let shape = Shape::new(dims).expect("at most the largest rank");
    Argument::Tensor(Tensor::from_le_bytes(dtype, shape, &bytes).expect("as many elements as the shape says"))
}

/// Numbers as a contract passes them: four little-endian bytes each.
pub(crate) fn words(numbers: &[u32]) -> Argument {
    Argument::Bytes(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}
