//! The two models that score a transfer, and what has to be true of them.

use crate::FraudError;
use noema_sdk::{self as noema, prelude::*};

/// Features of a transfer: see `Account::attempt`.
pub const FEATURES: usize = 13;
/// A probability of one, as the models give it.
pub const CERTAIN: i32 = 1 << 16;
/// The features of one transfer, each with 8 bits behind the point.
pub type Features = [i32; FEATURES];

/// Features; logits, probabilities of honest and fraud, and the class. The importer makes both kinds of model so.
type Classifier = StaticModel<([[i32; FEATURES]; 1],), ([[i32; 2]; 1], [[i32; 2]; 1], [i32; 1])>;

/// Which models score.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Models {
    /// Decision trees.
    pub trees: Hash,
    /// A network.
    pub network: Hash,
}

/// What the models say: the probability of fraud, of [`CERTAIN`].
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scores {
    /// The trees.
    pub trees: i32,
    /// The network.
    pub network: i32,
}

impl Scores {
    /// The higher one decides, so that a poisoned model alone lets nothing through.
    pub(crate) fn highest(self) -> i32 {
        self.trees.max(self.network)
    }
}

/// The models, opened.
pub(crate) struct Scorer([Option<Classifier>; 2]);

impl Scorer {
    /// Opens what the chain has. A model that is gone (whoever held it took it away) is none.
    pub(crate) fn open(models: &Models) -> Scorer {
        Scorer([models.trees, models.network].map(|id| Classifier::open(&id).ok()))
    }

    /// Scores one transfer. What cannot be scored counts as fraud: it is held, and people decide. It does not pass unseen, and
    /// its money is not stuck.
    pub(crate) fn score(&self, features: &Features) -> Result<Scores> {
        let gas: u64 = self.cost();
        // An abort with a reason, which returns the unspent gas, instead of a fault, which takes it.
        ensure!(gas < env::gas_left(), FraudError::TooLittleGas);
        let row = StaticTensor::of(&[*features])?;
        let score = |model: &Option<Classifier>| model.as_ref().and_then(|model| probability(model, &row));
        let [trees, network] = [0, 1].map(|which| score(&self.0[which]).unwrap_or(CERTAIN));
        Ok(Scores { trees, network })
    }

    /// Whether both models are there, take the features, give a probability, and cost no more than `most_gas`.
    pub(crate) fn is_fit(&self, most_gas: u64) -> Result<bool> {
        let row = StaticTensor::of(&[[0; FEATURES]])?;
        let fit = |model: &Option<Classifier>| {
            let Some(model) = model else { return false };
            model.model().cost(1).is_ok_and(|gas| gas <= most_gas) && probability(model, &row).is_some()
        };
        Ok(self.0.iter().all(fit))
    }

    fn cost(&self) -> u64 {
        self.0.iter().flatten().map(|model| model.model().cost(1).unwrap_or(0)).fold(0, u64::saturating_add)
    }
}

/// The probability of fraud; none from a model that takes or gives something else.
fn probability(model: &Classifier, row: &StaticTensor<[[i32; FEATURES]; 1]>) -> Option<i32> {
    let rows = StaticTensor::try_from(row.reshape::<[[i32; FEATURES]; 1]>().ok()?.into_tensor()).ok()?;
    let (_, probabilities, _) = model.run(&(rows,)).ok()?;
    let [[_, fraud]] = probabilities.read().ok()?;
    (0..=CERTAIN).contains(&fraud).then_some(fraud)
}
