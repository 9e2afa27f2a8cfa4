//! Medical screening on chain: a network and trees decide, and everybody can check that they did.
//!
//! The clinic that deploys the contract sends the 30 measurements of a patient in fixed point. The
//! contract runs its models, keeps the decision and emits an event. Which models decided stands
//! beside each decision; only the clinic may name others.
//!
//! There is one model, usually a network, and there may be a second one of another kind, an ensemble
//! of trees. Both must agree to clear a patient: benign is who every model calls benign, everybody
//! else is to be examined. Two models that err on different patients miss fewer ill ones together
//! than each of them alone, at the price of more examinations.
//!
//! A model takes `features` (`i32 [n, 30]`) and gives `logits` (`i32 [n, 2]`), `probabilities`
//! (`i32 [n, 2]`, 16 fraction bits) and `class` (`i32 [n]`), as the importer makes it of a classifier
//! with a softmax and of binary trees. Both read the same tensor, so that they must be imported with
//! the same number of fraction bits of the features.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// Measurements of one patient.
pub const FEATURES: usize = 30;
/// A probability of one, as the model gives it.
pub const CERTAIN: i32 = 1 << 16;

/// Only the clinic may do this.
pub const NOT_THE_CLINIC: u32 = 1;
/// The row does not have [`FEATURES`] measurements.
pub const WRONG_LENGTH: u32 = 2;
/// The patient has a decision already.
pub const DECIDED: u32 = 3;
/// Less gas is left than the models cost.
pub const TOO_LITTLE_GAS: u32 = 4;
/// A model is not a classifier of two classes with probabilities.
pub const UNFIT_MODEL: u32 = 5;
/// The policy asks for a probability outside 0 to [`CERTAIN`].
pub const BAD_POLICY: u32 = 6;

/// What the contract remembers besides the decisions.
#[noema::state]
pub struct Screening {
    clinic: Address,
    model: Hash,
    policy: Option<Policy>,
    benign: u64,
    malignant: u64,
    trees: Option<Hash>,
}

/// When a patient is to be examined. Without one each model's likelier class decides.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From this probability of malignancy on, whichever model gives it, of [`CERTAIN`].
    pub examine_from: i32,
}

/// What the models and the policy say.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The model that decided.
    pub model: Hash,
    /// What was decided.
    pub class: Class,
    /// The probability of malignancy that the model gave, of [`CERTAIN`].
    pub malignancy: i32,
    /// The block of the decision.
    pub height: u64,
    /// The trees that decided with it, if any.
    pub trees: Option<Hash>,
    /// The probability of malignancy that the trees gave, of [`CERTAIN`].
    pub tree_malignancy: Option<i32>,
}

/// Decisions so far.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The model that decides now.
    pub model: Hash,
    /// The policy, if there is one.
    pub policy: Option<Policy>,
    /// Benign decisions.
    pub benign: u64,
    /// Malignant decisions.
    pub malignant: u64,
    /// The trees that decide with it, if any.
    pub trees: Option<Hash>,
}

/// Emitted with every decision.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The patient.
    pub patient: u64,
    /// What was decided.
    pub class: Class,
    /// The probability of malignancy that the model gave, of [`CERTAIN`].
    pub malignancy: i32,
    /// The probability of malignancy that the trees gave, of [`CERTAIN`].
    pub tree_malignancy: Option<i32>,
}

/// Emitted when the clinic names another model.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChanged {
    /// The new model.
    pub model: Hash,
}

/// Emitted when the clinic names other trees, or does without.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreesChanged {
    /// The new trees.
    pub trees: Option<Hash>,
}

const DECISIONS: Map<u64, Decision> = Map::new("decisions");

#[noema::contract(events(Decided, ModelChanged, TreesChanged))]
impl Screening {
    #[init]
    fn new(model: Hash, policy: Option<Policy>, trees: Option<Hash>) -> Result<Self> {
        Model::open(&model)?;
        trees.map(|trees| Model::open(&trees)).transpose()?;
        if let Some(Policy { examine_from }) = policy {
            ensure!((0..=CERTAIN).contains(&examine_from), BAD_POLICY, "{examine_from} is no probability of {CERTAIN}");
        }
        Ok(Screening { clinic: env::caller(), model, policy, benign: 0, malignant: 0, trees })
    }

    #[call]
    fn decide(&mut self, patient: u64, row: Vec<i32>) -> Result<Class> {
        self.only_the_clinic()?;
        ensure!(row.len() == FEATURES, WRONG_LENGTH, "a row has {FEATURES} measurements, not {}", row.len());
        ensure!(!DECISIONS.contains(&patient)?, DECIDED, "patient {patient} has a decision");

        let Verdict { class, malignancy, tree_malignancy } = self.classify(&row)?;
        match class {
            Class::Benign => self.benign += 1,
            Class::Malignant => self.malignant += 1,
        }
        let (model, trees, height) = (self.model, self.trees, env::block_height());
        DECISIONS.set(&patient, &Decision { model, class, malignancy, height, trees, tree_malignancy })?;
        event::emit(&Decided { patient, class, malignancy, tree_malignancy })?;
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

    #[call]
    fn set_trees(&mut self, trees: Option<Hash>) -> Result<()> {
        self.only_the_clinic()?;
        trees.map(|trees| Model::open(&trees)).transpose()?;
        self.trees = trees;
        event::emit(&TreesChanged { trees })?;
        Ok(())
    }

    #[view]
    fn decision(&self, patient: u64) -> Result<Option<Decision>> {
        DECISIONS.get(&patient)
    }

    #[view]
    fn summary(&self) -> Summary {
        let Screening { model, policy, benign, malignant, trees, .. } = *self;
        Summary { model, policy, benign, malignant, trees }
    }
}

impl Screening {
    fn only_the_clinic(&self) -> Result<()> {
        ensure!(env::caller() == self.clinic, NOT_THE_CLINIC, "only {} may do this", self.clinic);
        Ok(())
    }

    /// Runs the models on one row.
    fn classify(&self, row: &[i32]) -> Result<Verdict> {
        let model = Model::open(&self.model)?;
        let trees = self.trees.map(|trees| Model::open(&trees)).transpose()?;
        let cost = model.cost(1)? + trees.as_ref().map_or(Ok(0), |trees| trees.cost(1))?;
        // An abort with a reason, which returns the unspent gas, instead of a fault, which takes it.
        ensure!(cost < env::gas_left(), TOO_LITTLE_GAS, "the models cost {cost} gas");

        let features = Tensor::from_slice(&[1, FEATURES as u32], row)?;
        let (class, malignancy) = self.ask(&model, &features)?;
        let Some(trees) = trees else { return Ok(Verdict { class, malignancy, tree_malignancy: None }) };
        let (second, tree_malignancy) = self.ask(&trees, &features)?;
        let class = if second == Class::Malignant { second } else { class };
        Ok(Verdict { class, malignancy, tree_malignancy: Some(tree_malignancy) })
    }

    fn ask(&self, model: &Model, features: &Tensor) -> Result<(Class, i32)> {
        let outputs = model.run(&[features])?;
        let [_logits, probabilities, class] = outputs.as_slice() else {
            bail!(UNFIT_MODEL, "the model has {} outputs", outputs.len());
        };
        decision(self.policy, &class.read()?, &probabilities.read()?)
    }
}

/// What all models say together.
struct Verdict {
    class: Class,
    malignancy: i32,
    tree_malignancy: Option<i32>,
}

/// The class and the probability of malignancy, from the model's class and probabilities of one row.
fn decision(policy: Option<Policy>, class: &[i32], probabilities: &[i32]) -> Result<(Class, i32)> {
    let (&[class], &[_, malignancy]) = (class, probabilities) else {
        bail!(UNFIT_MODEL, "the model gives no probability for each of two classes");
    };
    let malignant = match (policy, class) {
        (Some(Policy { examine_from }), 0 | 1) => malignancy >= examine_from,
        (None, 0) => false,
        (None, 1) => true,
        _ => bail!(UNFIT_MODEL, "the model knows a class {class}"),
    };
    Ok((if malignant { Class::Malignant } else { Class::Benign }, malignancy))
}

#[cfg(test)]
mod tests;
