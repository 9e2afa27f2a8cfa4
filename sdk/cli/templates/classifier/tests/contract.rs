//! The compiled contract on the VM, with a model of one layer in the place of the real one.

use noema_sdk::{Hash, Status, code};
use noema_template_classifier::{ClassifierError, Decided, Decision};
use noema_testing::{TestChain, build, linear_classifier};

#[test]
fn a_model_decides_and_the_contract_remembers() -> Result<(), Box<dyn std::error::Error>> {
    let mut chain = TestChain::new();
    let (owner, other) = (chain.account("owner", 0), chain.account("other", 0));
    let model = chain.add_model(&linear_classifier(&[&[1, 0, 0, 0], &[0, 1, 0, 0], &[0, 0, 1, 1]], &[0, 0, -5]))?;
    let wasm = build(".")?;
    let classifier = chain.deploy(owner, &wasm, &(model,))?.value;

    let done = chain.at(classifier).from(owner).call::<u32, _>("decide", &(1u64, [3i32, 9, 2, 2]))?;
    assert_eq!((done.value, done.events()), (1, vec![Decided { case: 1, class: 1 }]));
    assert!(done.receipt.gas.tensor > 0);
    let kept = chain.at(classifier).view::<Option<Decision>, _>("decision", &(1u64,))?.value;
    assert_eq!(kept, Some(Decision { class: 1, scores: [3, 9, -1], model }));

    let twice = chain.at(classifier).from(owner).call::<u32, _>("decide", &(1u64, [0i32; 4])).unwrap_err();
    assert_eq!(twice.code(), Some(ClassifierError::Decided.code()));
    let stranger = chain.at(classifier).from(other).call::<u32, _>("decide", &(2u64, [0i32; 4])).unwrap_err();
    assert_eq!(stranger.code(), Some(code::NOT_OWNER));

    // Another model decides otherwise; a model that takes other rows is refused when it is asked.
    let second = chain.add_model(&linear_classifier(&[&[0, 0, 0, 0], &[0, 0, 0, 0], &[1, 1, 1, 1]], &[0, 0, 0]))?;
    chain.at(classifier).from(owner).call::<(), _>("set_model", &(second,))?;
    assert_eq!(chain.at(classifier).view::<Decision, _>("ask", &([3i32, 9, 2, 2],))?.value.class, 2);
    let narrow = chain.add_model(&linear_classifier(&[&[1], &[2]], &[0, 0]))?;
    chain.at(classifier).from(owner).call::<(), _>("set_model", &(narrow,))?;
    let unfit = chain.at(classifier).view::<Decision, _>("ask", &([0i32; 4],)).unwrap_err();
    assert_eq!(unfit.code(), Some(code::STATUS + u32::from(Status::ShapeMismatch.code())));
    assert!(chain.deploy(owner, &wasm, &(Hash([7; 32]),)).is_err(), "there is no such model");
    Ok(())
}
