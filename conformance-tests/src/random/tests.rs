use std::collections::BTreeSet;

use noema_tensor::ops::{self, Arg};
use noema_tensor::{DType, Level, Status};

use super::draw::Draw;
use super::generators::{self, GENERATORS};
use super::{Plan, RandomReport, answer, arguments, run};
use crate::ops::Argument;
use crate::vectors;

#[test]
fn every_opcode_has_a_generator() {
    let missing: Vec<&&str> = ops::NAMES.iter().filter(|opcode| generators::of(opcode).is_none()).collect();
    assert!(missing.is_empty(), "no generator in random/generators.rs for {missing:?}");
    let unknown: Vec<&str> =
        GENERATORS.iter().map(|generator| generator.opcode).filter(|opcode| !ops::NAMES.contains(opcode)).collect();
    assert!(unknown.is_empty(), "generators for opcodes that do not exist: {unknown:?}");
    let distinct: BTreeSet<&str> = GENERATORS.iter().map(|generator| generator.opcode).collect();
    assert_eq!(distinct.len(), GENERATORS.len(), "an opcode has two generators");
}

/// A generator that only draws what is refused would compare nothing.
#[test]
fn generators_draw_for_all_their_types_and_mostly_what_is_accepted() {
    let reference = vectors::kernels(Level::Reference, 1).unwrap();
    for generator in GENERATORS {
        for dtype in generator.dtypes {
            let (mut tensors, mut statuses, mut shapes) = (0, 0, BTreeSet::new());
            for number in 0..200 {
                let arguments = arguments(generator, 3, *dtype, number);
                let args: Vec<Arg<'_>> = arguments.iter().map(Argument::lend).collect();
                match answer(&reference, generator.opcode, &args).unwrap() {
                    Ok(tensor) => {
                        tensors += 1;
                        // Of what goes in; an opcode without a tensor makes shapes from numbers.
                        let shape = match arguments.first() {
                            Some(Argument::Tensor(first)) => first.shape(),
                            _ => tensor.shape(),
                        };
                        shapes.insert(shape.dims().to_vec());
                    }
                    Err(_) => statuses += 1,
                }
            }
            let opcode = generator.opcode;
            assert!(tensors >= 140, "{opcode} {dtype}: {tensors} of 200 cases give a tensor");
            let row = noema_abi::find("op", opcode).unwrap();
            assert!(
                statuses >= 1 || crate::reference::statuses_of(row).is_empty(),
                "{opcode} {dtype}: nothing is refused"
            );
            assert!(shapes.len() >= 20, "{opcode} {dtype}: only {} shapes", shapes.len());
        }
    }
}

#[test]
fn edges_are_drawn() {
    for dtype in DType::ALL {
        let mut d = Draw::new(5, dtype);
        let drawn: BTreeSet<i64> = (0..2000).map(|_| d.element(dtype)).collect();
        for edge in [dtype.min(), dtype.max(), dtype.max() - 1, 0, 1] {
            assert!(drawn.contains(&edge), "{dtype}: {edge}");
        }
        assert!(drawn.iter().all(|element| (dtype.min()..=dtype.max()).contains(element)));
    }
}

fn small(seed: u64) -> RandomReport {
    run(&Plan { cases: 1, seed, machines: vectors::machines() }, &mut |_| {}).unwrap()
}

#[test]
fn all_levels_answer_like_the_reference() {
    let found = small(11);
    assert!(found.report.is_clean(), "{}", found.text());
    let levels = Level::available();
    for opcode in ops::NAMES {
        let row = &found.opcodes[*opcode];
        assert!(row.cases.values().all(|cases| *cases >= super::LEAST), "{opcode}: {row:?}");
        for level in &levels {
            assert!(row.compared[level.name()] >= super::LEAST, "{opcode}, {level}: {row:?}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_cases() {
    let (one, again, other) = (small(7), small(7), small(8));
    assert_eq!(one.opcodes, again.opcodes);
    assert_ne!(one.opcodes, other.opcodes);
    let matmul = generators::of("matmul").unwrap();
    let shown = |seed| {
        format!("{:?}", arguments(matmul, seed, DType::I8, 3).iter().map(|a| a.value().unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(shown(1), shown(1));
    assert_ne!(shown(1), shown(2));
}

/// What differs comes out as a vector file that shows the same difference again.
#[test]
fn differences_can_be_run_again() {
    let mut found = small(7);
    let add = generators::of("add").unwrap();
    let mut opcode = super::Opcode {
        generator: add,
        row: super::OpcodeReport::default(),
        report: crate::Report::default(),
        kept: Vec::new(),
    };
    // As if the reference had said something else.
    let drawn = arguments(add, 7, DType::I8, 0);
    opcode.keep(&drawn, &Err(Status::Overflow), DType::I8, 0, 7).unwrap();
    found.files.push(crate::ops::File { row: "op.add".into(), cases: opcode.kept });
    let directory = tempfile::tempdir().unwrap();
    found.save(directory.path()).unwrap();
    let report = vectors::check(directory.path()).unwrap().report;
    assert_eq!(report.differences.len(), vectors::machines().len(), "{report}");
    assert!(report.to_string().contains("expected Overflow"), "{report}");
    assert!(found.text().contains("random i8 0 of seed 7"), "{}", found.text());
}
