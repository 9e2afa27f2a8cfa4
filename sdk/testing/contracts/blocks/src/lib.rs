//! A contract whose methods use the collections and building blocks of the SDK, and the client of another contract. It
//! decides nothing and protects nothing.
#![no_std]
#![forbid(unsafe_code)]

use noema_contract_exercise::ExerciseClient;
use noema_sdk::math::Rounding;
use noema_sdk::{self as noema, prelude::*};

/// The state.
#[noema::state]
pub struct Blocks {
    owner: Owner,
    pause: Pause,
}

/// What differs from what the documentation says.
pub const WRONG: u32 = 60;

const MEMBERS: Set<(u8, String)> = Set::new("members");
const NOTES: Map<String, u32> = Map::new("notes");
const LIST: List<String> = List::new("list");
const KEEPER: Role = Role::new("keeper");
const BALANCES: Balances = Balances::new("balances");

/// A number of the interface.
pub type Price = Fixed<32>;

#[noema::contract]
impl Blocks {
    #[init]
    fn new() -> Self {
        Blocks { owner: Owner::caller(), pause: Pause::default() }
    }

    #[call]
    fn join(group: u8, name: String) -> Result<bool> {
        MEMBERS.insert(&(group, name))
    }

    #[call]
    fn leave(group: u8, name: String) -> Result<bool> {
        let there = MEMBERS.contains(&(group, name.clone()))?;
        ensure!(MEMBERS.remove(&(group, name))? == there, WRONG, "what is contained is removed");
        Ok(there)
    }

    #[view]
    fn members(group: Option<u8>) -> Result<Vec<(u8, String)>> {
        match group {
            Some(group) => MEMBERS.under(&group).collect(),
            None => MEMBERS.iter().collect(),
        }
    }

    #[view]
    fn members_from(group: u8, name: String, limit: u32) -> Result<Vec<(u8, String)>> {
        let key = (group, name);
        let range = MEMBERS.range(Some(&key), limit as usize)?;
        let same: Vec<_> = MEMBERS.iter_from(&key).take(limit as usize).collect::<Result<_>>()?;
        ensure!(range == same, WRONG, "both ways through a set");
        Ok(range)
    }

    #[call]
    fn note(notes: Vec<(String, u32)>) -> Result<()> {
        notes.iter().try_for_each(|(name, note)| NOTES.set(name, note))
    }

    #[view]
    fn notes(beginning: String, limit: u32) -> Result<Vec<(String, u32)>> {
        NOTES.starting_with(&beginning).take(limit as usize).collect()
    }

    /// Removes every second entry while going through them.
    #[call]
    fn thin_out() -> Result<u32> {
        let mut seen = 0;
        for entry in NOTES.iter() {
            let (name, _) = entry?;
            if seen % 2 == 1 {
                NOTES.remove(&name)?;
            }
            seen += 1;
        }
        Ok(seen)
    }

    #[call]
    fn push(values: Vec<String>) -> Result<u32> {
        for value in &values {
            let index = LIST.push(value)?;
            ensure!(index + 1 == LIST.len()?, WRONG, "the index of the last");
        }
        LIST.len()
    }

    #[call]
    fn pop() -> Result<Option<String>> {
        LIST.pop()
    }

    #[call]
    fn replace(index: u32, value: String) -> Result<()> {
        LIST.set(index, &value)
    }

    #[call]
    fn swap_remove(index: u32) -> Result<Option<String>> {
        LIST.swap_remove(index)
    }

    #[view]
    fn list() -> Result<Vec<String>> {
        let all: Vec<_> = LIST.iter().map(|entry| entry.map(|(_, value)| value)).collect::<Result<_>>()?;
        ensure!(all.is_empty() == LIST.is_empty()?, WRONG, "an empty list");
        for (index, value) in (0..).zip(&all) {
            ensure!(LIST.get(index)?.as_ref() == Some(value), WRONG, "element {index}");
        }
        ensure!(LIST.get(LIST.len()?)?.is_none(), WRONG, "behind the end");
        let rest = LIST.iter_from(1).count();
        ensure!(rest == all.len().saturating_sub(1), WRONG, "from the second on");
        Ok(all)
    }

    #[call]
    fn credit(to: Address, amount: Amount) -> Result<Amount> {
        BALANCES.credit(&to, amount)
    }

    #[call]
    fn give(to: Address, amount: Amount) -> Result<()> {
        BALANCES.transfer(&env::caller(), &to, amount)
    }

    #[view]
    fn balances() -> Result<Vec<(Address, Amount)>> {
        BALANCES.iter().collect()
    }

    #[view]
    fn product(a: Price, b: Price) -> Price {
        a * b
    }

    #[view]
    fn fee(rate: Price, amount: u128) -> Option<u128> {
        rate.of(amount, Rounding::Up)
    }

    #[call]
    fn appoint(&mut self, keeper: Address, appointed: bool) -> Result<bool> {
        self.owner.only()?;
        if appointed { KEEPER.grant(&keeper) } else { KEEPER.revoke(&keeper) }
    }

    #[call]
    fn keep(&self) -> Result<Vec<Address>> {
        self.pause.only_running()?;
        KEEPER.only()?;
        KEEPER.holders().collect()
    }

    #[call]
    fn stop(&mut self, stopped: bool) -> Result<bool> {
        self.owner.only()?;
        if stopped {
            self.pause.pause();
        } else {
            self.pause.resume();
        }
        Ok(self.pause.is_paused())
    }

    #[call]
    fn hand_over(&mut self, to: Option<Address>) -> Result<()> {
        match to {
            Some(to) => self.owner.offer(to),
            None => self.owner.renounce(),
        }
    }

    #[call]
    fn take_over(&mut self) -> Result<Option<Address>> {
        self.owner.accept()?;
        Ok(self.owner.address())
    }

    /// Adds through the client of another contract, and asks its view.
    #[call(payable)]
    fn add_there(other: Address, amount: u64) -> Result<(u64, u64)> {
        let there = ExerciseClient::at(&other);
        let seen = there.with_value(env::value()).surroundings()?;
        ensure!(seen.value == env::value() && seen.caller == env::self_address(), WRONG, "what the other sees");
        Ok((there.add(amount)?, there.count()?))
    }

    /// Calls there with less gas than it takes.
    #[call]
    fn starve(other: Address) -> Result<u16> {
        match ExerciseClient::at(&other).with_gas(1_000).count() {
            Err(call::CallError::Status(status)) => Ok(status.code()),
            other => bail!(WRONG, "{other:?}"),
        }
    }

    /// `relu(row * weights + bias)` with shapes that the compiler checks.
    #[view]
    fn layer(row: [i8; 3], weights: [[i8; 2]; 3], bias: [i32; 2]) -> Result<[i32; 2]> {
        let weights = StaticTensor::of(&weights)?;
        let sums = StaticTensor::of(&[row])?.matmul(&weights)?.add(&StaticTensor::of(&[bias])?)?;
        let turned = weights.transpose()?.transpose()?;
        ensure!(turned.read()? == weights.read()?, WRONG, "a matrix turned twice");
        let flat: StaticTensor<[i32; 2]> = sums.relu()?.reshape()?;
        let doubled = flat.add(&flat)?.sub(&flat)?;
        ensure!(doubled.read()? == flat.read()?, WRONG, "a + a - a");
        // A tensor of another type or shape is refused where it becomes one of constant shape.
        let other = Tensor::from_slice(&[2], &[1i8, 2])?;
        ensure!(StaticTensor::<[i16; 2]>::try_from(other).err() == Some(Status::TypeMismatch), WRONG, "another type");
        let other = Tensor::from_slice(&[2], &[1i8, 2])?;
        ensure!(StaticTensor::<[i8; 3]>::try_from(other).err() == Some(Status::ShapeMismatch), WRONG, "another shape");
        Ok(flat.read()?)
    }

    /// The class of a model with one input and two outputs.
    #[view]
    fn classify(model: Hash, row: [i32; 3]) -> Result<([i32; 2], i32)> {
        type Classifier = StaticModel<([[i32; 3]; 1],), ([[i32; 2]; 1], [i32; 1])>;
        type Wrong = StaticModel<([[i32; 3]; 1],), ([[i32; 2]; 1],)>;
        let input = (StaticTensor::of(&[row])?,);
        ensure!(Wrong::open(&model)?.run(&input).err() == Some(Status::ShapeMismatch), WRONG, "other outputs");
        let (scores, class) = Classifier::open(&model)?.run(&input)?;
        let ([scores], [class]) = (scores.read()?, class.read()?);
        Ok((scores, class))
    }
}
