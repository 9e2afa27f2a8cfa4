//! The compiled contract on the VM.

use noema_sdk::{Address, code};
use noema_template_blank::{GuestBookError, Signed};
use noema_testing::{Failure, TestChain, build};

fn sign(chain: &mut TestChain, book: Address, guest: Address, line: &str) -> Result<u64, Failure> {
    let done = chain.at(book).from(guest).call::<u64, _>("sign", &(line,))?;
    assert_eq!(done.events::<Signed>(), [Signed { guest, line: line.into() }]);
    Ok(done.value)
}

#[test]
fn guests_sign_until_the_owner_closes() -> Result<(), Box<dyn std::error::Error>> {
    let mut chain = TestChain::new();
    let (owner, guest) = (chain.account("owner", 0), chain.account("guest", 0));
    let book = chain.deploy(owner, &build(".")?, &())?.value;

    assert_eq!(sign(&mut chain, book, guest, "hello")?, 1);
    assert_eq!(sign(&mut chain, book, guest, "hello again")?, 1);
    assert_eq!(sign(&mut chain, book, owner, "welcome")?, 2);
    let line = chain.at(book).view::<Option<String>, _>("line", &(guest,))?.value;
    assert_eq!(line.as_deref(), Some("hello again"));
    for line in ["", &"x".repeat(201)] {
        assert_eq!(sign(&mut chain, book, guest, line).unwrap_err().code(), Some(GuestBookError::BadLine.code()));
    }

    let refused = chain.at(book).from(guest).call::<(), _>("close", &()).unwrap_err();
    assert_eq!(refused.code(), Some(code::NOT_OWNER));
    chain.at(book).from(owner).call::<(), _>("close", &())?;
    assert_eq!(sign(&mut chain, book, guest, "late").unwrap_err().code(), Some(GuestBookError::Closed.code()));
    assert_eq!(chain.at(book).view::<u64, _>("guests", &())?.value, 2);
    Ok(())
}
