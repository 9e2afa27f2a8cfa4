//! Medical screening on chain: a network decides, and everybody can check that it did.
//!
//! The clinic that deploys the contract sends the 30 measurements of a patient in fixed point. The
//! contract runs the model, keeps the decision and emits an event. Which model decided stands beside
//! each decision; only the clinic may name another.
#![no_std]

use noema_sdk::{self as noema, prelude::*};

/// Measurements of one patient.
pub const FEATURES: usize = 30;

/// Only the clinic may do this.
pub const NOT_THE_CLINIC: u32 = 1;
/// The row does not have [`FEATURES`] measurements.
pub const WRONG_LENGTH: u32 = 2;
/// The patient has a decision already.
pub const DECIDED: u32 = 3;
/// Less gas is left than the model costs.
pub const TOO_LITTLE_GAS: u32 = 4;
/// The model is not a classifier of two classes over rows of [`FEATURES`].
pub const UNFIT_MODEL: u32 = 5;

/// What the contract remembers besides the decisions.
#[noema::state]
pub struct Screening {
    clinic: Address,
    model: Hash,
    benign: u64,
    malignant: u64,
}

/// What the model said.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No further examination needed.
    Benign,
    /// To be examined.
    Malignant,
}

/// One decision.
#[noema::data]
pub struct Decision {
    /// The model that decided.
    pub model: Hash,
    /// What it said.
    pub class: Class,
    /// The probability of malignancy it gave, with as many fraction bits as the model's manifest states.
    pub malignancy: i32,
    /// The block in which it did.
    pub height: u64,
}

/// Decisions so far.
#[noema::data]
pub struct Summary {
    /// The model that decides now.
    pub model: Hash,
    /// Benign decisions.
    pub benign: u64,
    /// Malignant decisions.
    pub malignant: u64,
}

/// Emitted with every decision.
#[noema::event]
pub struct Decided {
    /// The patient.
    pub patient: u64,
    /// What the model said.
    pub class: Class,
    /// The probability of malignancy it gave.
    pub malignancy: i32,
}

/// Emitted when the clinic names another model.
#[noema::event]
pub struct ModelChanged {
    /// The new model.
    pub model: Hash,
}

const DECISIONS: Map<u64, Decision> = Map::new("decisions");

#[noema::contract(events(Decided, ModelChanged))]
impl Screening {
    #[init]
    fn new(model: Hash) -> Result<Self> {
        Model::open(&model)?;
        Ok(Screening { clinic: env::caller(), model, benign: 0, malignant: 0 })
    }

    #[call]
    fn decide(&mut self, patient: u64, row: Vec<i32>) -> Result<Class> {
        self.only_the_clinic()?;
        ensure!(row.len() == FEATURES, WRONG_LENGTH, "a row has {FEATURES} measurements, not {}", row.len());
        ensure!(!DECISIONS.contains(&patient)?, DECIDED, "patient {patient} has a decision");

        let (class, malignancy) = self.classify(&row)?;
        match class {
            Class::Benign => self.benign += 1,
            Class::Malignant => self.malignant += 1,
        }
        DECISIONS.set(&patient, &Decision { model: self.model, class, malignancy, height: env::block_height() })?;
        event::emit(&Decided { patient, class, malignancy })?;
        Ok(class)
    }

    #[call]
    fn set_model(&mut self, model: Hash) -> Result<()> {
        self.only_the_clinic()?;
        Model::open(&model)?;
        self.model = model;
        event::emit(&ModelChanged { model })?;
        Ok(())
    }

    #[view]
    fn decision(&self, patient: u64) -> Result<Option<Decision>> {
        DECISIONS.get(&patient)
    }

    #[view]
    fn summary(&self) -> Summary {
        Summary { model: self.model, benign: self.benign, malignant: self.malignant }
    }
}

impl Screening {
    fn only_the_clinic(&self) -> Result<()> {
        ensure!(env::caller() == self.clinic, NOT_THE_CLINIC, "only {} may do this", self.clinic);
        Ok(())
    }

    /// Runs the model on one row: the first output are scores of the two classes, the second one their
    /// probabilities.
    fn classify(&self, row: &[i32]) -> Result<(Class, i32)> {
        let model = Model::open(&self.model)?;
        // An abort with a reason, which returns the unspent gas, instead of a fault, which takes it.
        ensure!(model.cost(1)? < env::gas_left(), TOO_LITTLE_GAS, "the model costs {} gas", model.cost(1)?);

        let outputs = model.run(&[&Tensor::from_slice(&[1, 30], row)?])?;
        let [scores, probabilities, ..] = &*outputs else {
            bail!(UNFIT_MODEL, "the model does not give scores and probabilities");
        };
        let class = match *op::argmax(scores)?.read::<i32>()? {
            [0] => Class::Benign,
            [1] => Class::Malignant,
            _ => bail!(UNFIT_MODEL, "the model knows other classes than benign and malignant"),
        };
        let [_, malignancy] = *probabilities.read::<i32>()? else {
            bail!(UNFIT_MODEL, "the model gives no probability for each class");
        };
        Ok((class, malignancy))
    }
}
