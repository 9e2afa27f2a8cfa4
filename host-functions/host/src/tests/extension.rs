//! Rows of a chain's own: the same steps, checks and outcomes as the built-in ones.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};

use noema_abi::limits::{MAX_EVENT_BYTES, MAX_KEY_BYTES, MAX_TOPIC_BYTES, MAX_VALUE_BYTES};
use noema_abi::{HostFunction, Kind, Param, Price, Return, Status};
use noema_model::Model;
use noema_tensor::{Shape, Tensor};

use super::fake::{CALLER, Caller, OTHER};
use super::scene::{MEMORY, OUT, guest_ranges, scene};
use crate::{
    Cost, Extension, ExtensionError, ExtensionFunction, Extensions, Fault, GasClass, Held, HostCall, Out, Refusal,
    Reply, Returned, Stop, Value,
};

crate::extension! {
    /// One row for each thing that can happen.
    pub(super) mod mychain {
        /// All numbers, added up.
        0x8001 since 1 numbers(a: u32, b: i32, c: u64, d: i64) -> u64 price(1_000, 0, 0);
        /// The inputs behind each other, and their length.
        0x8002 since 1 join(a: bytes, b: in16, c: in32, d: in64, all: out) -> u64 price(2_000, 10, 0);
        /// Each filled with its own length.
        0x8003 since 1 fill(a: out16, b: out32, c: out64) -> unit price(3_000, 10, 0);
        /// `data` that many times. `LimitExceeded` above 256 bytes. Work: bytes.
        0x8004 since 1 repeat(data: bytes, times: u32, copies: out) -> u64 price(4_000, 10, 7);
        /// The tensor twice as long, and whether the model is there. Work: elements.
        0x8005 since 1 twice(x: tensor, m: model) -> tensor price(5_000, 0, 3);
        /// Does what `what` says.
        0x8006 since 1 misbehave(what: u32, key: bytes) -> u64 price(6_000, 10, 1);
        /// Ends the call.
        0x8007 since 1 stop(code: u32) -> never price(7_000, 0, 0);
        /// One more than there was under the key. Nothing but the price.
        0x8008 since 1 count(key: bytes) -> u64 price(8_000, 0, 0);
        /// Nothing at all.
        0x8009 since 1 nothing() -> unit price(9_000, 0, 0);
    }
}

/// What runs counts.
#[derive(Default)]
struct Functions {
    ran: AtomicU32,
}

impl mychain::Functions for Functions {
    fn numbers(&self, _: &mut HostCall<'_>, a: u32, b: i32, c: u64, d: i64) -> Reply<u64> {
        let sum = i128::from(a) + i128::from(b) + i128::from(c) + i128::from(d);
        u64::try_from(sum).map_err(|_| Status::Overflow.into())
    }

    fn join(
        &self,
        _: &mut HostCall<'_>,
        a: &[u8],
        b: &[u8; 16],
        c: &[u8; 32],
        d: &[u8; 64],
        all: &mut Out<'_>,
    ) -> Reply<u64> {
        Ok(all.set([a, b, c, d].concat()))
    }

    fn fill(&self, _: &mut HostCall<'_>, a: &mut [u8; 16], b: &mut [u8; 32], c: &mut [u8; 64]) -> Reply<()> {
        (*a, *b, *c) = ([16; 16], [32; 32], [64; 64]);
        Ok(())
    }

    fn repeat(&self, _: &mut HostCall<'_>, data: &[u8], times: u32, copies: &mut Out<'_>) -> Reply<u64> {
        self.ran.fetch_add(1, Ordering::Relaxed);
        Ok(copies.set(data.repeat(usize::try_from(times).unwrap())))
    }

    fn twice(&self, call: &mut HostCall<'_>, x: &Held, m: &Model) -> Reply<Tensor> {
        assert!(!m.manifest().name.is_empty() && call.kernels().threads() > 0);
        self.ran.fetch_add(1, Ordering::Relaxed);
        let elements = x.shape().elements()?;
        let shape = Shape::new(&[u32::try_from(elements).unwrap()])?;
        Ok(Tensor::from_le_bytes(x.dtype(), shape, &x.first_le_bytes(usize::MAX)?)?)
    }

    fn misbehave(&self, call: &mut HostCall<'_>, what: u32, key: &[u8]) -> Reply<u64> {
        match what {
            0 => call.set(key, b"kept")?,
            1 => call.remove(key)?,
            2 => call.transfer(&OTHER, 1)?,
            3 => call.emit(b"topic", b"data")?,
            4 => return Err(Stop::Node("the disk of the chain is gone".into()).into()),
            5 => call.charge_work(u64::MAX)?,
            6 => call.transfer(&OTHER, 1_000_000)?,
            7 => call.emit(&[0; MAX_TOPIC_BYTES + 1], b"")?,
            8 => call.emit(b"", &[0; MAX_EVENT_BYTES + 1])?,
            9 => call.set(b"", &[0; MAX_VALUE_BYTES + 1])?,
            10 => call.set(&[0; MAX_KEY_BYTES + 1], b"")?,
            11 => return Ok(call.get(&[0; MAX_KEY_BYTES + 1])?.map_or(0, |_| 1)),
            12 => call.remove(&[0; MAX_KEY_BYTES + 1])?,
            13 => return Ok(u64::MAX),
            14 => return Err(call.abort(9, &[7; 2000])),
            15 => panic!("as it happens"),
            16 => call.forbid_in_view()?,
            _ => return Err(Status::BadArgument.into()),
        }
        Ok(0)
    }

    fn stop(&self, call: &mut HostCall<'_>, code: u32) -> Reply<Infallible> {
        Err(call.abort(code, b"the chain says so"))
    }

    fn count(&self, call: &mut HostCall<'_>, key: &[u8]) -> Reply<u64> {
        let before = call.get(key)?.map_or(0, |bytes| u64::from(bytes[0]));
        call.set(key, &[u8::try_from(before + 1).unwrap()])?;
        assert_eq!((call.info().caller, call.row().name, call.balance(&OTHER)?), (CALLER, "count", 9_000));
        Ok(before + 1)
    }

    fn nothing(&self, _: &mut HostCall<'_>) -> Reply<()> {
        Ok(())
    }
}

impl mychain::Work for Functions {
    fn repeat(&self, _: &mut HostCall<'_>, data: &[u8], times: u32, _: &Out<'_>) -> Reply<Cost> {
        let bytes = u64::try_from(data.len()).unwrap().saturating_mul(times.into());
        if bytes > 256 { Err(Status::LimitExceeded.into()) } else { Ok(Cost::work(bytes)) }
    }
    fn twice(&self, _: &mut HostCall<'_>, x: &Held, _: &Model) -> Reply<Cost> {
        Ok(Cost { work: x.shape().elements()?, tensor_bytes: x.byte_len() })
    }
    fn misbehave(&self, _: &mut HostCall<'_>, _: u32, _: &[u8]) -> Reply<Cost> {
        Ok(Cost::default())
    }
}

fn extension() -> Extension {
    mychain::extension(Functions::default())
}

fn row(name: &str) -> (usize, &'static HostFunction) {
    mychain::ROWS.iter().enumerate().find(|(_, row)| row.name == name).unwrap()
}

fn call(guest: &mut Caller, name: &str, raw: &[i64]) -> Result<i64, Stop> {
    extension().call(row(name).0, &mut guest.memory, &mut guest.frame, raw)
}

/// A call that succeeds.
fn good_call(row: &HostFunction) -> Vec<i64> {
    match row.name {
        "numbers" => vec![1, -2, 30, -4],
        "join" => vec![0x100, 5, 0x160, 0x140, 0x300, OUT, 200],
        "fill" => vec![OUT, OUT + 16, OUT + 48],
        "repeat" => vec![0x100, 5, 3, OUT, 100],
        "twice" => vec![1, 1],
        "misbehave" => vec![0, 0x100, 5],
        "stop" => vec![1],
        "count" => vec![0x100, 5],
        "nothing" => vec![],
        name => panic!("{name} has no call"),
    }
}

#[test]
fn typed_arguments_and_results() {
    let mut guest = scene();
    let guest = &mut guest;
    assert_eq!(call(guest, "numbers", &[1, -2, 30, -4]), Ok(25));
    assert_eq!(call(guest, "numbers", &[-1, 0, 0, 0]), Ok(0xffff_ffff), "`u32` is unsigned, its high half ignored");
    assert_eq!(call(guest, "numbers", &[0, -1, 0, 0]), Ok(Status::Overflow.to_return()));
    assert_eq!(call(guest, "numbers", &[0, 0, -1, 0]), Ok(i64::MAX), "2^64 - 1 reads as the largest");

    assert_eq!(call(guest, "join", &[0x100, 5, 0x160, 0x140, 0x300, OUT, 40]), Ok(117));
    let start = usize::try_from(OUT).unwrap();
    let expected = [&guest.memory[0x100..0x105], &guest.memory[0x160..0x170], &guest.memory[0x140..0x153]].concat();
    assert_eq!(guest.memory[start..start + 40], expected);
    assert_eq!(guest.memory[start + 40], scene().memory[start + 40], "cut at the capacity");

    assert_eq!(call(guest, "fill", &[OUT, OUT + 16, OUT + 48]), Ok(0));
    let filled = [&[16; 16][..], &[32; 32], &[64; 64]].concat();
    assert_eq!(guest.memory[start..start + 112], filled);

    let made = u32::try_from(call(guest, "twice", &[1, 1]).unwrap()).unwrap();
    assert_eq!(guest.frame.tensors.get(made).unwrap().shape().to_le_bytes(), 6u32.to_le_bytes());
    assert_eq!(guest.frame.effects.reserved, guest.frame.tensors.bytes());
    for forged in [[0, 1], [1000, 1], [-1, 1], [1, 0], [1, 1000]] {
        assert_eq!(call(guest, "twice", &forged), Ok(Status::BadHandle.to_return()), "{forged:?}");
    }

    assert_eq!(call(guest, "count", &[0x100, 5]), Ok(1));
    assert_eq!(call(guest, "count", &[0x100, 5]), Ok(2));
    assert_eq!(guest.frame.effects.extension.len(), 1);
    assert!(guest.frame.effects.extension.contains_key(&("mychain".to_owned(), b"alpha".to_vec())));
    assert_eq!(call(guest, "nothing", &[]), Ok(0));
}

#[test]
fn the_price_is_charged_before_anything_runs() {
    for (index, row) in mychain::ROWS.iter().enumerate() {
        let raw = good_call(row);
        let bytes = guest_ranges(row, &raw).into_iter().filter(|range| range.length_at.is_some());
        let bytes: u64 = bytes.map(|range| u64::from(range.length)).sum();
        let mut rich = scene();
        let result = extension().call(index, &mut rich.memory, &mut rich.frame, &raw);
        assert!(matches!(result, Ok(0..) | Err(Stop::Abort { .. })), "{}: {result:?}", row.name);
        assert_eq!(rich.frame.charges[0], (GasClass::Host, row.price.gas(bytes, 0)), "{}", row.name);
        let works = matches!(row.name, "repeat" | "twice");
        assert_eq!(rich.frame.charges.len(), if works { 2 } else { 1 }, "{}", row.name);
        if let Ok(result) = result {
            assert_eq!(rich.frame.traced, [(row.id, result)]);
        }
        // Out of gas at any charge: nothing has run and nothing has changed.
        for charge in 0..rich.frame.charges.len() {
            let functions = std::sync::Arc::new(Functions::default());
            struct Shared(std::sync::Arc<Functions>, &'static HostFunction);
            impl ExtensionFunction for Shared {
                fn cost(&self, call: &mut HostCall<'_>, arguments: &[Value<'_>]) -> Reply<Cost> {
                    match (self.1.name, arguments) {
                        ("repeat", [Value::Bytes(data), Value::U32(times), Value::Out(out)]) => {
                            mychain::Work::repeat(&*self.0, call, data, *times, out)
                        }
                        _ => Ok(Cost::work(1)),
                    }
                }
                fn run(&self, _: &mut HostCall<'_>, _: &mut [Value<'_>]) -> Reply<Returned> {
                    self.0.ran.fetch_add(1, Ordering::Relaxed);
                    Ok(Returned::Number(0))
                }
            }
            let shared = Shared(std::sync::Arc::clone(&functions), row);
            let watched = Extension::new("mychain", [(row, Box::new(shared) as Box<dyn ExtensionFunction>)]);
            let mut poor = scene();
            poor.frame.fail_at = Some(charge);
            let (before_memory, before) = (poor.memory.clone(), poor.frame.effects.clone());
            assert_eq!(watched.call(0, &mut poor.memory, &mut poor.frame, &raw), Err(Stop::OutOfGas), "{}", row.name);
            assert_eq!(functions.ran.load(Ordering::Relaxed), 0, "{} ran", row.name);
            assert!(poor.memory == before_memory && poor.frame.effects == before && poor.frame.traced.is_empty());
        }
    }
    let mut guest = scene();
    call(&mut guest, "repeat", &[0x100, 5, 3, OUT, 100]).unwrap();
    assert_eq!(guest.frame.charged(), 4_000 + 10 * 105 + 7 * 15);
}

#[test]
fn forged_ranges_are_faults_before_anything_is_touched() {
    let end = i64::try_from(MEMORY).unwrap();
    let mut forged = 0;
    for (index, row) in mychain::ROWS.iter().enumerate() {
        let good = good_call(row);
        for range in guest_ranges(row, &good) {
            let length = i64::from(range.length);
            for pointer in [end - length + 1, end, -1, 0x8000_0000, 0xffff_ffff] {
                let mut raw = good.clone();
                raw[range.at] = pointer;
                let mut guest = scene();
                let result = extension().call(index, &mut guest.memory, &mut guest.frame, &raw);
                assert!(
                    matches!(result, Err(Stop::Fault(Fault::PointerOutOfBounds { .. }))),
                    "{} {raw:x?}: {result:?}",
                    row.name
                );
                assert!(guest.memory == scene().memory && guest.frame.effects == scene().frame.effects);
                forged += 1;
            }
            if let Some(at) = range.length_at {
                for length in [end, -1, i64::from(i32::MIN)] {
                    let mut raw = good.clone();
                    raw[at] = length;
                    let mut guest = scene();
                    let result = extension().call(index, &mut guest.memory, &mut guest.frame, &raw);
                    assert!(matches!(result, Err(Stop::Fault(Fault::PointerOutOfBounds { .. }))), "{}", row.name);
                    forged += 1;
                }
            }
        }
    }
    assert!(forged > 50, "{forged}");
}

#[test]
fn a_refusal_writes_nothing() {
    let mut guest = scene();
    assert_eq!(call(&mut guest, "repeat", &[0x100, 5, 52, OUT, 300]), Ok(Status::LimitExceeded.to_return()));
    assert_eq!(guest.frame.charged(), 4_000 + 10 * 305, "only the entry price");
    assert!(guest.memory == scene().memory);
}

#[test]
fn outcomes_stay_apart() {
    let refused = |what: i64| {
        let mut guest = scene();
        let result = call(&mut guest, "misbehave", &[what, 0x100, 5]);
        assert!(guest.memory == scene().memory && guest.frame.effects == scene().frame.effects, "{what}");
        result
    };
    assert_eq!(refused(4), Err(Stop::Node("the disk of the chain is gone".into())));
    assert_eq!(refused(5), Err(Stop::OutOfGas));
    assert_eq!(refused(6), Ok(Status::InsufficientBalance.to_return()));
    for what in 7..=12 {
        assert_eq!(refused(what), Ok(Status::LimitExceeded.to_return()), "{what}");
    }
    assert_eq!(refused(13), Ok(i64::MAX));
    assert_eq!(refused(14), Err(Stop::Abort { code: 9, message: vec![7; 1024] }), "cut as that of any abort");
    assert_eq!(refused(17), Ok(Status::BadArgument.to_return()));
    let stop = Stop::Abort { code: 3, message: b"the chain says so".to_vec() };
    assert_eq!(call(&mut scene(), "stop", &[3]), Err(stop));
}

#[test]
fn a_view_changes_nothing() {
    for what in [0, 1, 2, 3, 16] {
        let mut guest = scene();
        guest.frame.info.read_only = true;
        let result = call(&mut guest, "misbehave", &[what, 0x100, 5]);
        assert_eq!(result, Err(Fault::WriteInView { group: "mychain", name: "misbehave" }.into()), "{what}");
        assert_eq!(guest.frame.effects, scene().frame.effects);
        // The same outside a view is well.
        assert_eq!(call(&mut scene(), "misbehave", &[what, 0x100, 5]), Ok(0), "{what}");
    }
    let mut guest = scene();
    guest.frame.info.read_only = true;
    assert_eq!(call(&mut guest, "join", &good_call(row("join").1)), Ok(117), "what only reads is allowed");
}

/// Answers what the row does not declare.
struct Wrong(fn() -> Returned);

impl ExtensionFunction for Wrong {
    fn run(&self, _: &mut HostCall<'_>, _: &mut [Value<'_>]) -> Reply<Returned> {
        Ok((self.0)())
    }
}

#[test]
fn an_answer_that_the_row_does_not_declare_is_a_failure_of_the_node() {
    let tensor = || Returned::Tensor(Tensor::from_vec(Shape::new(&[1]).unwrap(), vec![1i8]).unwrap());
    let number = || Returned::Number(1);
    for (name, answer) in [
        ("nothing", number as fn() -> Returned),
        ("nothing", tensor),
        ("count", tensor),
        ("twice", number),
        ("stop", number),
        // More than was reserved for it.
        ("twice", tensor),
    ] {
        let (_, row) = row(name);
        let wrong = Extension::new("mychain", [(row, Box::new(Wrong(answer)) as Box<dyn ExtensionFunction>)]);
        let mut guest = scene();
        let result = wrong.call(0, &mut guest.memory, &mut guest.frame, &good_call(row));
        assert!(matches!(result, Err(Stop::Node(_))), "{name}: {result:?}");
    }
    let (mut guest, extension) = (scene(), extension());
    for (index, raw) in [(0, &[1, 2, 3][..]), (0, &[1, 2, 3, 4, 5]), (99, &[])] {
        assert!(matches!(extension.call(index, &mut guest.memory, &mut guest.frame, raw), Err(Stop::Node(_))));
    }
}

#[test]
fn refusals_convert() {
    assert_eq!(Refusal::from(Status::NotFound), Refusal::Status(Status::NotFound));
    let fault = Fault::WriteInView { group: "a", name: "b" };
    assert_eq!(Refusal::from(fault.clone()), Refusal::Stop(Stop::Fault(fault)));
}

const fn named(group: &'static str, name: &'static str, id: u16) -> HostFunction {
    HostFunction {
        id,
        group,
        name,
        since: 1,
        params: &[],
        result: Return::unit,
        price: Price { base: 1, per_byte: 0, per_work: 0 },
        doc: "",
    }
}

fn with_rows(group: &'static str, rows: Vec<HostFunction>) -> Extension {
    let bound = |row: HostFunction| -> (&'static HostFunction, Box<dyn ExtensionFunction>) {
        (Box::leak(Box::new(row)), Box::new(Wrong(|| Returned::Number(0))))
    };
    Extension::new(group, rows.into_iter().map(bound))
}

#[test]
fn an_extension_stands_in_nobodys_way() {
    let set = Extensions::new(vec![with_rows("z", vec![named("z", "f", 0x9000)]), extension()]).unwrap();
    assert_eq!(set.iter().map(Extension::group).collect::<Vec<_>>(), ["mychain", "z"]);
    assert_eq!(set.find("mychain", "repeat").map(|row| row.id), Some(0x8004));
    assert_eq!(set.find("storage", "get").map(|row| row.id), Some(0x0201));
    assert_eq!(set.find("z", "f").map(|row| row.id), Some(0x9000));
    for (group, name) in [("z", "repeat"), ("mychain", "f"), ("mychain", "repea"), ("mychai", "repeat"), ("", "")] {
        assert!(set.find(group, name).is_none(), "{group}.{name}");
    }

    for group in ["context", "storage", "op", "model", "noema", "noema_x", "", "My", "1a", "a b", "a.b", "_a", "é"] {
        let error = Extensions::new(vec![with_rows(group, vec![])]).unwrap_err();
        assert!(matches!(&error, ExtensionError::Group { group: found, .. } if found == group), "{error}");
    }
    let error = Extensions::new(vec![extension(), extension()]).unwrap_err();
    assert!(error.to_string().contains("two of this name"), "{error}");

    let params = |params: &'static [Param]| HostFunction { params, ..named("a", "f", 0x8000) };
    const MANY: &[Param] = &[Param { name: "x", kind: Kind::bytes }; 17];
    for (rows, reason) in [
        (vec![named("b", "f", 0x8000)], "another module"),
        (vec![named("a", "F", 0x8000)], "its name is not"),
        (vec![named("a", "f", 0x7fff)], "kept for chains"),
        (vec![named("a", "f", 0x0201)], "kept for chains"),
        (vec![named("a", "f", 0x8000), named("a", "g", 0x8000)], "id is used twice"),
        (vec![named("a", "f", 0x8000), named("a", "f", 0x8001)], "name is used twice"),
        (vec![HostFunction { since: 0, ..named("a", "f", 0x8000) }], "version 0"),
        (vec![HostFunction { result: Return::model, ..named("a", "f", 0x8000) }], "this result"),
        (vec![params(MANY)], "these parameters"),
    ] {
        let error = Extensions::new(vec![with_rows("a", rows)]).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    Extensions::new(vec![with_rows("a", vec![params(&MANY[..16]), named("a", "g", 0xffff)])]).unwrap();
    // Ids are unique over all extensions.
    let twice = vec![with_rows("a", vec![named("a", "f", 0x8000)]), with_rows("b", vec![named("b", "f", 0x8000)])];
    assert!(Extensions::new(twice).unwrap_err().to_string().contains("id is used twice"));
}
