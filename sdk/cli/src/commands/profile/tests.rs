use noema_chain::Address;
use noema_vm::{FrameEnd, FrameStart, HostCallEnd, Observer, Place};

use super::{Level, Profiler};

const ONE: Address = Address([1; 32]);
const TWO: Address = Address([2; 32]);

fn start(contract: Address, gas: u64) -> FrameStart<'static> {
    FrameStart { contract, caller: Address([0; 32]), export: "call", value: 0, input: &[], gas }
}

#[test]
fn every_unit_stands_in_the_stack_that_spent_it() {
    let mut profiler = Profiler::default();
    profiler.begin();
    profiler.enter(&start(ONE, 1000));
    profiler.place(Place::Enter(10), 990); // the instance: 10
    profiler.place(Place::Enter(20), 980); // 10 in the first function
    profiler.place(Place::Block(25), 975); // 5 at the start of the second
    profiler.place(Place::Leave, 970); // 5 in its block
    profiler.host_call_begins("call", "contract", 960); // 10 more in the first
    profiler.enter(&start(TWO, 500));
    profiler.place(Place::Enter(10), 500);
    profiler.leave(400, &FrameEnd::Success(&[])); // 100 in the other contract
    profiler.host_call_ends("call", "contract", 830, &HostCallEnd::Returned(0)); // 30 for the call itself
    profiler.host_call_begins("model", "run", 830);
    profiler.model_runs("net", &[("dense", 40), ("argmax", 20)]);
    profiler.host_call_ends("model", "run", 760, &HostCallEnd::Returned(1)); // 60 for nodes, 10 besides
    profiler.enter(&start(TWO, 50));
    profiler.leave(0, &FrameEnd::Fault("trap")); // 50 lost
    profiler.leave(760, &FrameEnd::Success(&[]));

    let first = || vec![Level::Contract(ONE, "call"), Level::Function(ONE, 10)];
    let with = |more: &[Level]| [&first(), more].concat();
    let call = Level::Host("call", "contract");
    let run = Level::Host("model", "run");
    let other = Level::Contract(TWO, "call");
    let named = |name: &str| Level::Named(name.to_owned());
    let expected = [
        (vec![Level::Contract(ONE, "call")], 10),
        (with(&[Level::Place(ONE, 10)]), 20),
        (with(&[Level::Function(ONE, 20), Level::Place(ONE, 20)]), 5),
        (with(&[Level::Function(ONE, 20), Level::Place(ONE, 25)]), 5),
        (with(std::slice::from_ref(&call)), 30),
        (with(&[call, other.clone(), Level::Function(TWO, 10), Level::Place(TWO, 10)]), 100),
        (with(std::slice::from_ref(&run)), 10),
        (with(&[run.clone(), named("model net"), named("dense")]), 40),
        (with(&[run, named("model net"), named("argmax")]), 20),
        (with(&[other, named("lost with the fault")]), 50),
    ];
    assert_eq!(profiler.spent, expected.into_iter().collect());
    assert!(profiler.stack.is_empty() && profiler.frames.is_empty());
}
