//! Somebody watches: outcomes are the same, and what is told adds up to the gas of the receipt.

use std::sync::Arc;

use noema_vm::{
    Action, EngineKind, FrameEnd, FrameStart, HostCallEnd, Message, Observer, Place, ReceiptStatus, Vm, VmConfig,
};

use super::world::{ALICE, GAS, World, bytes, config, module, succeeded};

/// Everything that is told, as text, and gas by what it was spent on.
#[derive(Default)]
struct Notes {
    told: Vec<String>,
    /// Gas of every frame that is running, when it was last told.
    frames: Vec<u64>,
    host: u64,
    code: u64,
    places: usize,
    depth: usize,
    begun: usize,
}

impl Notes {
    fn spend(&mut self, now: u64) -> u64 {
        let last = self.frames.last_mut().expect("a frame is running");
        let spent = last.checked_sub(now).expect("gas does not grow");
        *last = now;
        spent
    }
}

impl Observer for Notes {
    fn begin(&mut self) {
        self.begun += 1;
    }
    fn enter(&mut self, frame: &FrameStart<'_>) {
        self.told.push(format!("enter {} {:?}", frame.export, frame.input));
        self.frames.push(frame.gas);
    }
    fn leave(&mut self, gas_left: u64, end: &FrameEnd<'_>) {
        self.told.push(format!("leave {end:?}"));
        self.code += self.spend(gas_left);
        self.frames.pop();
    }
    fn host_call_begins(&mut self, group: &'static str, name: &'static str, gas_left: u64) {
        self.told.push(format!("{group}.{name}"));
        self.code += self.spend(gas_left);
    }
    fn host_call_ends(&mut self, group: &'static str, name: &'static str, gas_left: u64, end: &HostCallEnd<'_>) {
        let end = match end {
            HostCallEnd::Returned(result) => result.to_string(),
            other => format!("{other:?}"),
        };
        self.told.push(format!("{group}.{name} = {end}"));
        self.host += self.spend(gas_left);
    }
    fn place(&mut self, place: Place, gas_left: u64) {
        self.places += 1;
        match place {
            Place::Enter(_) => self.depth += 1,
            Place::Leave => self.depth -= 1,
            Place::Block(_) => {}
        }
        self.code += self.spend(gas_left);
    }
}

fn world(kind: EngineKind) -> World {
    World::on(Arc::new(Vm::new(VmConfig { engine: kind, ..config() }).unwrap()))
}

/// Counts, in a function that calls itself, fills memory, and returns in all the ways there are.
const WORKS: &str = r#"
  (data (i32.const 0) "key") (data (i32.const 8) "value")
  (func $sum (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
    (block $out (result i32)
      (i32.add (local.get 0) (call $sum (i32.sub (local.get 0) (i32.const 1))))
      (br $out)))
  (func (export "call") (local i32)
    (loop $again
      (local.set 0 (i32.add (local.get 0) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get 0) (i32.const 10))))
    (memory.fill (i32.const 100) (i32.const 7) (i32.const 1000))
    (drop (call $sum (i32.const 5)))
    (drop (call $set (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5)))
    (drop (call $output (i32.const 0) (i32.const 3))))
  (func (export "view") (drop (call $output (i32.const 0) (i32.const 3))))
"#;

/// Calls the contract whose address is its data, and aborts.
fn outer(target: &[u8; 32]) -> Vec<u8> {
    module(&format!(
        r#"(data (i32.const 0) "{}")
           (func (export "call")
             (drop (call $contract (i32.const 0) (i32.const 64) (i64.const -1) (i32.const 0) (i32.const 2) (i32.const 96) (i32.const 8)))
             (drop (call $abort (i32.const 5) (i32.const 0) (i32.const 0))))"#,
        bytes(target)
    ))
}

#[test]
fn nothing_depends_on_who_watches() {
    for kind in [EngineKind::Cranelift, EngineKind::Wasmi, EngineKind::Observed] {
        let mut world = world(kind);
        let works = world.deploy(&module(WORKS));
        let outer = world.deploy(&outer(&works.0));
        for contract in [works, outer] {
            for gas_limit in [GAS, 60_000_000, 100_000_000, 20_000_001] {
                let message =
                    Message { sender: ALICE, value: 0, gas_limit, action: Action::Call { contract, input: vec![] } };
                let unseen = world.try_execute(&message).unwrap();
                let mut notes = Notes::default();
                let seen = world.vm.execute_observed(&world.state, &world.block(), &message, &mut notes).unwrap();
                assert_eq!(seen, unseen, "{kind} {gas_limit}");
                assert_eq!(notes.begun, 1);
                assert!(notes.frames.is_empty());
                assert_eq!(notes.places > 0, kind == EngineKind::Observed && !notes.told.is_empty(), "{kind}");
            }
        }
        let unseen = world.view(works, b"x");
        let mut notes = Notes::default();
        let seen = world.vm.view_observed(&world.state, &world.block(), works, b"x", GAS, &mut notes).unwrap();
        assert_eq!(seen, unseen);
        assert_eq!(notes.told[0], "enter view [120]");
    }
}

#[test]
fn what_is_told_is_what_happens_in_its_order() {
    let mut world = world(EngineKind::Observed);
    let works = world.deploy(&module(WORKS));
    let outer = world.deploy(&outer(&works.0));
    let action = Action::Call { contract: outer, input: vec![1, 2] };
    let message = Message { sender: ALICE, value: 0, gas_limit: GAS, action };
    let mut notes = Notes::default();
    let outcome = world.vm.execute_observed(&world.state, &world.block(), &message, &mut notes).unwrap();
    assert_eq!(outcome.receipt.status, ReceiptStatus::Abort { code: 5, message: vec![] });
    let input = format!("{:?}", &works.0[..2]);
    let stopped = r#"control.abort = Stopped(Abort { code: 5, message: [] })"#;
    assert_eq!(
        notes.told,
        [
            "enter call [1, 2]".to_owned(),
            "call.contract".into(),
            format!("enter call {input}"),
            "storage.set".into(),
            "storage.set = 0".into(),
            "context.output_write".into(),
            "context.output_write = 0".into(),
            "leave Success([107, 101, 121])".into(),
            "call.contract = 3".into(),
            "control.abort".into(),
            stopped.into(),
            "leave Abort { code: 5, message: [] }".into(),
        ]
    );
}

#[test]
fn places_add_up_to_the_gas_of_the_receipt() {
    let mut world = world(EngineKind::Observed);
    let works = world.deploy(&module(WORKS));
    let action = Action::Call { contract: works, input: vec![] };
    let message = Message { sender: ALICE, value: 0, gas_limit: GAS, action };
    let mut notes = Notes::default();
    let outcome = world.vm.execute_observed(&world.state, &world.block(), &message, &mut notes).unwrap();
    let gas = succeeded(&outcome).gas;
    // Every function that begins ends, through `return`, a branch and the end of its body.
    assert_eq!(notes.depth, 0);
    // Of the code, the instance is the frame's own; of the host, what a message costs before is not.
    let frame = gas.total() - noema_vm::intrinsic_gas(noema_abi::ProtocolVersion::V1, &message.action);
    assert!(notes.code >= gas.wasm && notes.host > 0 && notes.code + notes.host <= frame);
    // The record of the contract is read before.
    let record = noema_vm::rules::Rules::of(noema_abi::ProtocolVersion::V1).prices.state_read;
    assert_eq!(
        notes.host,
        gas.state - record + (gas.host - noema_vm::intrinsic_gas(noema_abi::ProtocolVersion::V1, &message.action))
    );
}

/// What a run of a model costs by node.
#[derive(Default)]
struct Models(Vec<(String, Vec<(String, u64)>)>);

impl Observer for Models {
    fn model_runs(&mut self, model: &str, nodes: &[(&str, u64)]) {
        let nodes = nodes.iter().map(|(name, gas)| ((*name).to_owned(), *gas)).collect();
        self.0.push((model.to_owned(), nodes));
    }
}

#[test]
fn runs_of_models_are_told_by_node() {
    let mut world = world(EngineKind::Wasmi);
    let container = super::models::model();
    let upload = super::upload::Upload::new(container.clone());
    for action in upload.all() {
        succeeded(&world.send(ALICE, 0, GAS, action));
    }
    let contract = world.deploy(&super::models::classifier(&upload.id));
    let action = Action::Call { contract, input: vec![] };
    let message = Message { sender: ALICE, value: 0, gas_limit: GAS, action };
    let mut models = Models::default();
    let outcome = world.vm.execute_observed(&world.state, &world.block(), &message, &mut models).unwrap();
    let [(name, nodes)] = models.0.as_slice() else { panic!("one run: {:?}", models.0) };
    let names: Vec<&str> = nodes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((name.as_str(), names), ("test", vec!["scores", "class"]));
    // All of the cost but the base of the run and the bytes that go in and out, which are 300 and 4.
    let version = noema_abi::ProtocolVersion::V1;
    let cost = noema_model::Model::from_bytes(container).unwrap().cost(version, 1).unwrap();
    let prices = noema_model::prices::PriceList::of(version);
    let sum: u64 = nodes.iter().map(|(_, gas)| gas).sum();
    assert_eq!(sum, cost - prices.run - 304 * prices.port_byte);
    assert!(succeeded(&outcome).gas.tensor > sum);
}
