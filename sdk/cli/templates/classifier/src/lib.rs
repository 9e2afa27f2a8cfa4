//! A classifier: a model of the chain decides which class a row of features belongs to, and the contract keeps what it decided.
//!
//! The model takes `features` (`i32 [n, FEATURES]`, in the model's fixed point) and gives `scores` (`i32 [n, CLASSES]`) and `class` (`i32 [n]`). Change the two
//! numbers to those of yours. `noema model import` makes such a model of a network that ends in its scores, without a softmax; `noema model inspect`
//! shows what a model takes and gives.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// Features of a row.
pub const FEATURES: usize = 4;
/// Classes that the model knows.
pub const CLASSES: usize = 3;

/// Shapes that the compiler checks: what goes in, what comes out.
type Network = StaticModel<([[i32; FEATURES]; 1],), ([[i32; CLASSES]; 1], [i32; 1])>;

/// Why the classifier refuses.
#[noema::error]
pub enum ClassifierError {
    /// There is a decision for this case already.
    Decided,
    /// The model costs more gas than is left.
    TooLittleGas,
}

/// Which model decides, and who may name another.
#[noema::state]
pub struct Classifier {
    owner: Owner,
    model: Hash,
}

/// A decision, and which model made it.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The class with the highest score.
    pub class: u32,
    /// The score of each class.
    pub scores: [i32; CLASSES],
    /// The model.
    pub model: Hash,
}

/// Emitted with every decision.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What was decided about.
    pub case: u64,
    /// The class.
    pub class: u32,
}

const DECISIONS: Map<u64, Decision> = Map::new("decisions");

#[noema::contract(events(Decided), errors(ClassifierError))]
impl Classifier {
    #[init]
    fn new(model: Hash) -> Result<Self> {
        // Refuses an id that the chain does not know.
        Model::open(&model)?;
        Ok(Classifier { owner: Owner::caller(), model })
    }

    /// Decides a case, once. Only the owner.
    #[call]
    fn decide(&self, case: u64, row: [i32; FEATURES]) -> Result<u32> {
        self.owner.only()?;
        ensure!(!DECISIONS.contains(&case)?, ClassifierError::Decided);
        let decision = self.classify(row)?;
        let class = decision.class;
        DECISIONS.set(&case, &decision)?;
        event::emit(&Decided { case, class })?;
        Ok(class)
    }

    /// Names another model. Only the owner.
    #[call]
    fn set_model(&mut self, model: Hash) -> Result<()> {
        self.owner.only()?;
        Model::open(&model)?;
        self.model = model;
        Ok(())
    }

    /// What the model would decide.
    #[view]
    fn ask(&self, row: [i32; FEATURES]) -> Result<Decision> {
        self.classify(row)
    }

    #[view]
    fn decision(case: u64) -> Result<Option<Decision>> {
        DECISIONS.get(&case)
    }
}

impl Classifier {
    fn classify(&self, row: [i32; FEATURES]) -> Result<Decision> {
        let network = Network::open(&self.model)?;
        // An abort with a reason, which returns the unspent gas, instead of a fault, which takes it.
        ensure!(network.model().cost(1)? < env::gas_left(), ClassifierError::TooLittleGas);
        let (scores, class) = network.run(&(StaticTensor::of(&[row])?,))?;
        let ([scores], [class]) = (scores.read()?, class.read()?);
        Ok(Decision { class: class.unsigned_abs(), scores, model: self.model })
    }
}
