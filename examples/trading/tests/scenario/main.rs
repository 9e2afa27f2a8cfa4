//! The compiled contract on the VM, with a token and the network, against simulated prices.

mod attacks;
mod books;
mod prices;
mod world;
