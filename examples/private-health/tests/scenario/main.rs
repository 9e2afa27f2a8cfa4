//! The compiled contract on the VM: records and their keys, rounds of training with real patients, and everything that goes wrong.

mod records;
mod rounds;
mod stakes;
mod training;
mod world;
