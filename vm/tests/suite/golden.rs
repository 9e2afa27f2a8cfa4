//! One contract and its receipts, byte for byte. A change here is a change of consensus.

use std::fmt::Write;

use noema_vm::{Action, Address, Outcome, code_hash};

use super::world::{ALICE, GAS, World};

const EXPECTED: &str = include_str!("../golden/counter.txt");
const SOURCE: &str = include_str!("../golden/counter.wat");

fn line(text: &mut String, name: &str, outcome: &Outcome) {
    let receipt = &outcome.receipt;
    let hash: String = receipt.hash().iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(text, "{name}: {:?}", receipt.status).unwrap();
    writeln!(text, "  gas {:?}", receipt.gas).unwrap();
    writeln!(text, "  depth {} output {:02x?} events {}", receipt.depth, receipt.output, receipt.events.len()).unwrap();
    writeln!(text, "  hash {hash}").unwrap();
}

#[test]
fn receipts_are_as_written_down() {
    let mut world = World::new();
    let code = wat::parse_str(SOURCE).unwrap();
    let mut text = String::new();
    let deploy = Action::Deploy { code: code.clone(), salt: 1, input: 40u64.to_le_bytes().to_vec() };
    line(&mut text, "deploy", &world.send(ALICE, 9, GAS, deploy));
    let contract = Address::of_contract(ALICE, 1, &code_hash(&code));
    for (name, input) in [("add 2", 2u64), ("add 0 aborts", 0), ("add 2^64 - 1 traps", u64::MAX)] {
        line(&mut text, name, &world.call(contract, &input.to_le_bytes()));
    }
    line(&mut text, "view", &world.view(contract, &[]));
    line(&mut text, "transfer", &world.send(ALICE, 5, GAS, Action::Transfer { to: contract }));
    line(&mut text, "no contract", &world.call(Address([1; 32]), &[]));
    assert_eq!(text, EXPECTED, "the receipts are now:\n{text}");
}
