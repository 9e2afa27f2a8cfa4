//! The compiled contract on the VM.

use counter::{Changed, NOT_THE_OWNER};
use noema_sdk::code;
use noema_testing::{Done, Failure, TestChain, build};

#[test]
fn it_counts() -> Result<(), Box<dyn std::error::Error>> {
    let mut chain = TestChain::new();
    let (alice, bob) = (chain.account("alice", 0), chain.account("bob", 0));
    let counter = chain.deploy(alice, &build(".")?, &(5u64,))?.value;

    let added: Done<u64> = chain.at(counter).from(bob).call("add", &(37u64,))?;
    assert_eq!((added.value, added.events()), (42, vec![Changed { value: 42 }]));
    let value: Done<u64> = chain.at(counter).view("value", &())?;
    assert_eq!(value.value, 42);

    let refused = chain.at(counter).from(bob).call::<u64, _>("reset", &()).unwrap_err();
    assert_eq!(refused.code(), Some(NOT_THE_OWNER));
    let reset: Done<u64> = chain.at(counter).from(alice).call("reset", &())?;
    assert_eq!(reset.value, 0);

    // A sum that would wrap is an abort, and changes nothing.
    chain.at(counter).call::<u64, _>("add", &(u64::MAX,))?;
    let wrapped = chain.at(counter).call::<u64, _>("add", &(1u64,)).unwrap_err();
    assert!(matches!(&wrapped, Failure::Abort { code: code::PANIC, .. }), "{wrapped}");
    assert_eq!(chain.at(counter).view::<u64, _>("value", &())?.value, u64::MAX);
    Ok(())
}
