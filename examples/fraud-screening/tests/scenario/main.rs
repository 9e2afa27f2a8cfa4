//! The compiled contract on the VM, with the committed models and the simulated town.

mod books;
mod deposits;
mod holds;
mod stream;
mod thefts;
mod upgrades;
mod world;
