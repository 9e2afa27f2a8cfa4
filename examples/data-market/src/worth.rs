//! What rows are worth: how many held-out rows are named rightly because of them.

use noema_sdk::{self as noema, prelude::*};

use crate::tree::Row;

/// Rows with what they are.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The rows, one after the other.
    pub features: Vec<i32>,
    /// What each is.
    pub labels: Vec<u8>,
}

/// Rows that nobody has seen, and a seed that nobody can have known.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOut {
    /// The rows.
    pub rows: Rows,
    /// The seed.
    pub seed: Hash,
}

impl Rows {
    /// How many rows there are.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.labels.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn fits(&self, features: u32) -> bool {
        !self.labels.is_empty() && self.features.len() == self.labels.len() * features as usize
    }

    /// Adds a row; `None` where it has another number of features.
    pub(crate) fn push(&mut self, row: Row, features: u32) -> Option<()> {
        (row.features.len() == features as usize).then(|| {
            self.features.extend(row.features);
            self.labels.push(row.label);
        })
    }
}

/// How many held-out rows their nearest known row names rightly: knowing the first `before` rows, and knowing all.
pub(crate) fn right(model: &Hash, known: &Rows, before: usize, held_out: &Rows) -> Result<(u32, u32)> {
    let model = Model::open(model)?;
    let places = embed(&model, known)?;
    let asked = embed(&model, held_out)?;
    let mut counts = (0, 0);
    for (point, label) in asked.iter().zip(&held_out.labels) {
        let names_it = |count: usize| match nearest(point, places.get(..count).unwrap_or_default()) {
            Some(at) => u32::from(known.labels.get(at) == Some(label)),
            None => 0,
        };
        counts.0 += names_it(before);
        counts.1 += names_it(places.len());
    }
    Ok(counts)
}

/// Where the encoder puts each row.
fn embed(model: &Model, rows: &Rows) -> Result<Vec<Vec<i32>>> {
    let count = rows.labels.len();
    let features = rows.features.len().checked_div(count).unwrap_or_default();
    let input = Tensor::from_slice(&[count as u32, features as u32], &rows.features)?;
    let outputs = model.run(&[&input])?;
    let points: Vec<i32> = outputs.first().ok_or(Status::ShapeMismatch)?.read()?;
    let width = points.len().checked_div(count).unwrap_or_default().max(1);
    Ok(points.chunks(width).map(<[i32]>::to_vec).collect())
}

/// The first of the nearest, by the exact square of the distance.
fn nearest(point: &[i32], places: &[Vec<i32>]) -> Option<usize> {
    let distance = |place: &[i32]| {
        let squares = point.iter().zip(place).map(|(a, b)| u128::from(a.abs_diff(*b)).pow(2));
        squares.sum::<u128>()
    };
    places.iter().enumerate().min_by_key(|(at, place)| (distance(place), *at)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_first_of_the_nearest_counts_and_nothing_overflows() {
        let places = [[5, 5].to_vec(), [i32::MIN, i32::MAX].to_vec(), [-1, 0].to_vec(), [1, 0].to_vec()];
        assert_eq!(nearest(&[0, 0], &places), Some(2));
        assert_eq!(nearest(&[4, 5], &places), Some(0));
        assert_eq!(nearest(&[i32::MAX, i32::MIN], &places[1..2]), Some(0));
        assert_eq!(nearest(&[0], &[]), None);
    }
}
