//! Counting what a model gets right.

use noema_sdk::{self as noema, prelude::*};

use crate::{BountyError, Chunk, Terms};

/// Which rows.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The public ones.
    Validation,
    /// The hidden ones.
    Test,
}

/// What was counted on one part.
#[noema::data]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// A bit for each chunk that was scored.
    pub chunks: u64,
    /// Their rows.
    pub rows: u32,
    /// Rows that the model got right.
    pub right: u32,
}

/// What was counted for one submission.
#[noema::data]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// On the public rows.
    pub validation: Count,
    /// On the hidden rows.
    pub test: Count,
}

impl Scores {
    fn part(&mut self, part: Part) -> &mut Count {
        if part == Part::Test { &mut self.test } else { &mut self.validation }
    }

    pub(crate) fn counted(mut self, part: Part, index: u32) -> bool {
        self.part(part).chunks >> index & 1 == 1
    }

    pub(crate) fn count(&mut self, part: Part, index: u32, right: u32, rows: usize) {
        let count = self.part(part);
        count.chunks |= 1 << index;
        count.right += right;
        count.rows += rows as u32;
    }

    pub(crate) fn complete(&self, terms: &Terms) -> bool {
        let all = |count: Count, set: &[Hash]| count.chunks.count_ones() as usize == set.len();
        all(self.test, &terms.test) && all(self.validation, &terms.validation)
    }

    /// Right often enough on the hidden rows, and not much more often on the public ones. Shares are compared by cross
    /// multiplication, so that nothing is rounded.
    pub(crate) fn may_be_ranked(&self, terms: &Terms) -> bool {
        let of = |part: u32, whole: u32| u128::from(part) * u128::from(whole);
        let (test, validation) = (self.test, self.validation);
        let enough = of(test.right, 1000) >= of(terms.floor, test.rows);
        let public = of(validation.right, test.rows) * 1000;
        let allowed = of(test.right, validation.rows) * 1000 + of(terms.gap, 1) * of(test.rows, validation.rows);
        enough && public <= allowed
    }
}

/// Rows of a chunk that a model gets right: none where it takes no such rows or has no such output.
///
/// # Errors
/// [`BountyError::CannotScore`] where that is not known here and now. It stays to be scored.
pub(crate) fn right(model: &Hash, terms: &Terms, chunk: &Chunk) -> Result<u32> {
    let model = Model::open(model).map_err(|_| BountyError::CannotScore)?;
    let rows = chunk.labels.len() as u32;
    ensure!(model.cost(rows)? < env::gas_left(), BountyError::CannotScore);
    match classes(&model, rows, terms, chunk) {
        Ok(classes) => {
            let pairs = classes.iter().zip(&chunk.labels);
            Ok(pairs.filter(|(class, label)| **class == i32::from(**label)).count() as u32)
        }
        Err(Status::ShapeMismatch | Status::TypeMismatch | Status::IndexOutOfRange) => Ok(0),
        Err(_) => bail!(BountyError::CannotScore),
    }
}

fn classes(model: &Model, rows: u32, terms: &Terms, chunk: &Chunk) -> Result<Vec<i32>, Status> {
    let rows = Tensor::from_slice(&[rows, terms.features], &chunk.rows)?;
    let outputs = model.run(&[&rows])?;
    outputs.get(terms.class_output as usize).ok_or(Status::IndexOutOfRange)?.read()
}

#[cfg(test)]
mod tests {
    use super::{Count, Scores};
    use crate::Terms;
    use noema_sdk::Address;

    fn terms(floor: u32, gap: u32) -> Terms {
        Terms {
            features: 1,
            class_output: 0,
            chunk_rows: 1,
            max_gas: 0,
            submit_until: 0,
            models_until: 0,
            test_until: 0,
            score_until: 0,
            validation: [].into(),
            test: [].into(),
            floor,
            gap,
            shares: [].into(),
            heir: Address([0; 32]),
        }
    }

    fn scores(validation: (u32, u32), test: (u32, u32)) -> Scores {
        let count = |(right, rows)| Count { chunks: 0, rows, right };
        Scores { validation: count(validation), test: count(test) }
    }

    #[test]
    fn the_gap_is_exact_at_its_edge() {
        // 90 % and 80 %: a gap of 100 of 1000 exactly.
        assert!(scores((54, 60), (80, 100)).may_be_ranked(&terms(0, 100)));
        assert!(!scores((54, 60), (80, 100)).may_be_ranked(&terms(0, 99)));
        assert!(!scores((55, 60), (80, 100)).may_be_ranked(&terms(0, 100)));
        // Better on the hidden rows than on the public ones is no over-fitting.
        assert!(scores((1, 60), (80, 100)).may_be_ranked(&terms(0, 0)));
        // A third of three and of six rows: no gap at all, where shares in 1000 would round.
        assert!(scores((1, 3), (2, 6)).may_be_ranked(&terms(0, 0)));
        assert!(!scores((u32::MAX, u32::MAX), (0, u32::MAX)).may_be_ranked(&terms(0, 999)));
    }

    #[test]
    fn the_floor_is_exact_at_its_edge() {
        assert!(scores((0, 1), (70, 100)).may_be_ranked(&terms(700, 0)));
        assert!(!scores((0, 1), (69, 100)).may_be_ranked(&terms(700, 0)));
    }
}
