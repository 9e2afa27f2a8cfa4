//! The machine itself: shared by threads, deaf to panics, honest about this node.

use std::sync::Arc;

use noema_state::{StateView, StoreError};
use noema_vm::{Action, Message, Vm, VmError};

use super::world::{ALICE, GAS, World, block, calling, machine, module, succeeded};

#[test]
fn it_is_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Vm>();
}

fn busy() -> Vec<u8> {
    module(
        r#"(global $n (mut i32) (i32.const 0))
           (func (export "call")
             (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 4)))
             (loop
               (global.set $n (i32.add (global.get $n) (i32.const 1)))
               (drop (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 8)))
               (br_if 0 (i32.lt_u (global.get $n) (i32.load (i32.const 0)))))
             (drop (call $emit (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4))))"#,
    )
}

#[test]
fn threads_get_the_same_receipts() {
    let mut world = World::new();
    let contract = world.deploy(&busy());
    let messages: Vec<Message> = (1..40u32)
        .map(|rounds| Message {
            sender: ALICE,
            value: 0,
            gas_limit: GAS,
            action: Action::Call { contract, input: rounds.to_le_bytes().to_vec() },
        })
        .collect();
    let expected: Vec<_> = messages.iter().map(|message| world.try_execute(message).unwrap()).collect();
    // More threads than messages may run at a time, and a cache that is emptied meanwhile.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (message, expected) in messages.iter().zip(&expected) {
                    world.vm.clear_module_cache();
                    assert_eq!(&world.try_execute(message).unwrap(), expected);
                }
            });
        }
    });
}

/// A state that fails, or panics, on the storage of contracts.
struct Broken<'s> {
    state: &'s dyn StateView,
    panics: bool,
}

impl StateView for Broken<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if key.first() == Some(&b's') {
            assert!(!self.panics, "the disk is on fire");
            return Err(StoreError::Other("the disk is slow".into()));
        }
        self.state.get(key)
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.state.scan(prefix, start, limit)
    }
}

#[test]
fn what_this_node_cannot_do_is_no_receipt() {
    let mut world = World::new();
    let inner = world.deploy(&calling("(drop (call $get (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))"));
    let outer = world.deploy(&module(&format!(
        r#"(data (i32.const 0) "{}") (func (export "call") (drop (call $contract (i32.const 0) (i32.const 32) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))"#,
        super::world::bytes(&inner.0)
    )));
    for contract in [inner, outer] {
        let message =
            Message { sender: ALICE, value: 0, gas_limit: GAS, action: Action::Call { contract, input: vec![] } };
        let failing = Broken { state: &world.state, panics: false };
        let error = world.vm.execute(&failing, &block(), &message).unwrap_err();
        assert!(matches!(&error, VmError::Store(StoreError::Other(text)) if text == "the disk is slow"), "{error}");
        let panicking = Broken { state: &world.state, panics: true };
        let error = world.vm.execute(&panicking, &block(), &message).unwrap_err();
        assert!(matches!(&error, VmError::Panic(text) if text.contains("on fire")), "{error}");
        // The machine goes on.
        succeeded(&world.try_execute(&message).unwrap());
    }
}

#[test]
fn two_machines_agree() {
    let code = busy();
    let receipts: Vec<_> = (0..2)
        .map(|_| {
            let mut world = World::on(Arc::new(machine()));
            let contract = world.deploy(&code);
            world.call(contract, &5u32.to_le_bytes())
        })
        .collect();
    assert_eq!(receipts[0], receipts[1]);
}
