//! A contract and a chain that share a table of host functions of the chain's own.

use noema_abi::Status;
use noema_host::{HostCall, Out, Reply};
use noema_sdk::code;
use noema_testing::{TestChain, build};

noema_contract_extended::mychain_functions!(noema_host::extension);

struct Functions;

impl mychain::Functions for Functions {
    fn shout(&self, _: &mut HostCall<'_>, text: &[u8], loud: &mut Out<'_>) -> Reply<u64> {
        Ok(loud.set(text.to_ascii_uppercase()))
    }
    fn members(&self, _: &mut HostCall<'_>, list: u32) -> Reply<u64> {
        if list == 7 { Ok(1 << 40) } else { Err(Status::NotFound.into()) }
    }
    fn greet(&self, _: &mut HostCall<'_>, somebody: &[u8; 32], greeting: &mut [u8; 16]) -> Reply<()> {
        greeting.copy_from_slice(&somebody[..16]);
        Ok(())
    }
}

#[test]
fn a_contract_calls_what_its_chain_adds() {
    let wasm = build("contracts/extended").expect("the contract builds");
    let mut chain = TestChain::with_extension(mychain::extension(Functions));
    let alice = chain.account("alice", 1);
    let contract = chain.deploy(alice, &wasm, &()).unwrap().value;
    let at = |chain: &mut TestChain| -> String {
        chain.at(contract).view("shout", &("loud and clear".to_owned(),)).unwrap().value
    };
    assert_eq!(at(&mut chain), "LOUD AND CLEAR");
    assert_eq!(chain.at(contract).view::<u64, _>("members", &(7u32,)).unwrap().value, 1 << 40);
    let refused = chain.at(contract).view::<u64, _>("members", &(8u32,)).unwrap_err();
    assert_eq!(refused.code(), Some(code::STATUS + u32::from(Status::NotFound.code())));
    let greeting = chain.at(contract).view::<Vec<u8>, _>("greet", &(alice,)).unwrap().value;
    assert_eq!(greeting, alice.0[..16]);

    // A chain without them does not take it.
    let mut other = TestChain::new();
    let alice = other.account("alice", 1);
    let refused = other.deploy(alice, &wasm, &()).unwrap_err();
    assert!(refused.to_string().contains("mychain"), "{refused}");
}
