//! Forged pointers, lengths, handles and numbers, for every row of the table.

use noema_abi::{HostFunction, Kind, ROWS, Return, Status};

use super::fake::Caller;
use super::scene::{MEMORY, OUT, Raw, call, good_call, guest_ranges, scene_of};
use crate::{Fault, Stop};

/// Everything that a call may not have touched, if it came to nothing.
fn assert_untouched(before: &Caller, after: &Caller, what: &str) {
    assert!(before.memory == after.memory, "{what}: guest memory changed");
    assert_eq!(before.frame.effects, after.frame.effects, "{what}");
    assert_eq!(before.frame.tensors.len(), after.frame.tensors.len(), "{what}");
    assert_eq!(before.frame.tensors.bytes(), after.frame.tensors.bytes(), "{what}");
}

fn assert_out_of_bounds(row: &HostFunction, raw: &[i64]) {
    let mut guest = scene_of(row);
    let result = call(&mut guest, row, raw);
    let what = format!("{}.{} {raw:x?}", row.group, row.name);
    assert!(matches!(result, Err(Stop::Fault(Fault::PointerOutOfBounds { .. }))), "{what}: {result:?}");
    assert_untouched(&scene_of(row), &guest, &what);
    assert!(!guest.frame.charges.is_empty(), "{what}: the entry price is paid first");
}

#[test]
fn every_range_outside_the_memory_is_a_fault() {
    let end = i64::try_from(MEMORY).unwrap();
    let mut ranges = 0;
    for row in ROWS {
        let good = good_call(row);
        for range in guest_ranges(row, &good) {
            ranges += 1;
            let with = |changes: &[(usize, i64)]| {
                let mut raw: Raw = good.clone();
                for (at, value) in changes {
                    raw[*at] = *value;
                }
                raw
            };
            let length = i64::from(range.length);
            for pointer in
                [end - length + 1, end, end + 1, 0x7fff_ffff, 0x8000_0000, -1, -length, 0xffff_ffff - length + 1]
            {
                assert_out_of_bounds(row, &with(&[(range.at, pointer)]));
            }
            if let Some(length_at) = range.length_at {
                for length in [-1, 0x7fff_ffff, -0x8000_0000, end + 1, end - i64::from(range.pointer) + 1] {
                    assert_out_of_bounds(row, &with(&[(length_at, length)]));
                }
                // An empty range must still begin inside, at most at the end.
                assert_out_of_bounds(row, &with(&[(range.at, end + 1), (length_at, 0)]));
                let mut guest = scene_of(row);
                let result = call(&mut guest, row, &with(&[(range.at, end), (length_at, 0)]));
                assert!(
                    !matches!(result, Err(Stop::Fault(Fault::PointerOutOfBounds { .. }))),
                    "{}.{}",
                    row.group,
                    row.name
                );
            }
        }
    }
    assert!(ranges > 40, "{ranges} ranges");
}

#[test]
fn ranges_may_end_exactly_with_the_memory() {
    for row in ROWS {
        let good = good_call(row);
        for range in guest_ranges(row, &good).into_iter().filter(|range| range.written) {
            let mut raw = good.clone();
            raw[range.at] = i64::try_from(MEMORY).unwrap() - i64::from(range.length);
            let (mut here, mut there) = (scene_of(row), scene_of(row));
            let length = usize::try_from(range.length).unwrap();
            here.memory[MEMORY - length..].fill(0);
            there.memory[OUT as usize..OUT as usize + length].fill(0);
            assert_eq!(call(&mut here, row, &raw), call(&mut there, row, &good));
            assert_eq!(here.memory[MEMORY - length..], there.memory[OUT as usize..OUT as usize + length]);
        }
    }
}

#[test]
fn only_output_ranges_are_written() {
    for row in ROWS {
        let good = good_call(row);
        let mut guest = scene_of(row);
        let before = guest.memory.clone();
        let _ = call(&mut guest, row, &good);
        let written: Vec<_> = guest_ranges(row, &good).into_iter().filter(|range| range.written).collect();
        for (place, (old, new)) in before.iter().zip(&guest.memory).enumerate() {
            let inside = written.iter().any(|range| {
                let start = usize::try_from(range.pointer).unwrap();
                (start..start + usize::try_from(range.length).unwrap()).contains(&place)
            });
            assert!(inside || old == new, "{}.{} wrote at {place:#x}", row.group, row.name);
        }
    }
}

/// An output range laid over an input range: the row sees the input as it was.
#[test]
fn outputs_may_overlap_inputs() {
    for row in ROWS {
        let good = good_call(row);
        let ranges = guest_ranges(row, &good);
        for output in ranges.iter().filter(|range| range.written) {
            for input in ranges.iter().filter(|range| !range.written) {
                for shift in [-3i64, -1, 0, 1, 3] {
                    let mut raw = good.clone();
                    raw[output.at] = i64::from(input.pointer) + shift;
                    let (mut apart, mut over) = (scene_of(row), scene_of(row));
                    // What is not written must be equal too.
                    let length = usize::try_from(output.length).unwrap();
                    let place = usize::try_from(raw[output.at]).unwrap();
                    let old = over.memory[place..place + length].to_vec();
                    apart.memory[OUT as usize..OUT as usize + length].copy_from_slice(&old);
                    assert_eq!(call(&mut apart, row, &good), call(&mut over, row, &raw));
                    let expected = &apart.memory[OUT as usize..OUT as usize + length];
                    assert_eq!(&over.memory[place..place + length], expected, "{}.{} {shift}", row.group, row.name);
                    assert_eq!(apart.frame.effects, over.frame.effects);
                }
            }
        }
    }
}

#[test]
fn forged_handles_are_refused() {
    let mut handles = 0;
    for row in ROWS {
        let good = good_call(row);
        let mut at = 0;
        for param in row.params {
            if matches!(param.kind, Kind::tensor | Kind::model) {
                for forged in [0, 30, 1000, 0x7fff_ffff, -0x8000_0000, -1] {
                    handles += 1;
                    let mut raw = good.clone();
                    raw[at] = forged;
                    let mut guest = scene_of(row);
                    let what = format!("{}.{} {raw:x?}", row.group, row.name);
                    assert_eq!(call(&mut guest, row, &raw), Ok(Status::BadHandle.to_return()), "{what}");
                    assert_untouched(&scene_of(row), &guest, &what);
                }
            }
            at += param.kind.wasm_types().len();
        }
    }
    assert!(handles > 100, "{handles} handles");
}

#[test]
fn out_of_gas_at_any_charge_leaves_no_effect() {
    for row in ROWS {
        let good = good_call(row);
        let mut rich = scene_of(row);
        let _ = call(&mut rich, row, &good);
        for charge in 0..rich.frame.charges.len() {
            let mut poor = scene_of(row);
            poor.frame.fail_at = Some(charge);
            assert_eq!(call(&mut poor, row, &good), Err(Stop::OutOfGas));
            let what = format!("{}.{} at charge {charge}", row.group, row.name);
            assert_untouched(&scene_of(row), &poor, &what);
            assert!(poor.frame.traced.is_empty());
        }
        // One unit less than the whole price is not enough; the price exactly is.
        let price = rich.frame.charged();
        let mut poor = scene_of(row);
        poor.frame.gas = price - 1;
        assert_eq!(call(&mut poor, row, &good), Err(Stop::OutOfGas), "{}.{}", row.group, row.name);
        let mut exact = scene_of(row);
        exact.frame.gas = price;
        let result = call(&mut exact, row, &good);
        assert_eq!(exact.frame.gas, 0);
        assert!(row.result == Return::never || result.unwrap() >= 0);
    }
}

#[test]
fn numbers_at_their_extremes_never_end_a_node() {
    let extremes = [0, 1, 2, 62, 63, 64, 255, 0x7fff_ffff, -0x8000_0000, -1, i64::MAX, i64::MIN];
    for row in ROWS {
        let good = good_call(row);
        let mut at = 0;
        for param in row.params {
            if matches!(param.kind, Kind::u32 | Kind::i32 | Kind::u64 | Kind::i64) {
                for extreme in extremes {
                    let mut raw = good.clone();
                    raw[at] = extreme;
                    let _ = check(row, &raw, scene_of(row));
                }
            }
            at += param.kind.wasm_types().len();
        }
    }
}

/// Numbers from a seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A number that is wild, or near something that means something.
fn number(numbers: &mut Numbers, good: i64) -> i64 {
    let wild = numbers.next().cast_signed();
    let small = i64::try_from(numbers.below(40)).unwrap();
    let end = i64::try_from(MEMORY).unwrap();
    match numbers.below(12) {
        0..=4 => good,
        5 => small,
        6 => good + small - 20,
        7 => end - small,
        8 => [0, -1, 0x7fff_ffff, -0x8000_0000, i64::MAX, i64::MIN, end, 0xffff_ffff]
            [usize::try_from(small % 8).unwrap()],
        9 => wild,
        10 => wild & 0xffff,
        _ => wild & 0x1ff,
    }
}

#[test]
fn random_calls_keep_the_rules() {
    let mut numbers = Numbers(0x6e6f_656d_6100_0001);
    let (mut answers, mut statuses, mut stops) = (0, 0, 0);
    for round in 0..150 {
        for row in ROWS {
            let raw: Raw = good_call(row).into_iter().map(|good| number(&mut numbers, good)).collect();
            let mut guest = scene_of(row);
            if round % 3 == 0 {
                guest.frame.info.read_only = true;
            }
            if round % 4 == 0 {
                guest.frame.gas = numbers.below(40_000_000);
            }
            if round % 5 == 0 {
                let start = usize::try_from(numbers.below(0x300)).unwrap();
                for byte in &mut guest.memory[start..start + 64] {
                    *byte = numbers.next().to_le_bytes()[3];
                }
            }
            match check(row, &raw, guest) {
                Ok(result) if result >= 0 => answers += 1,
                Ok(_) => statuses += 1,
                Err(_) => stops += 1,
            }
        }
    }
    // Every way out was taken often.
    assert!(answers > 500 && statuses > 500 && stops > 500, "{answers} {statuses} {stops}");
}

/// Calls a row and checks what must hold whatever the arguments are.
fn check(row: &HostFunction, raw: &[i64], mut guest: Caller) -> Result<i64, Stop> {
    let what = format!("{}.{} {raw:x?}", row.group, row.name);
    let before_memory = guest.memory.clone();
    let before = guest.frame.effects.clone();
    let gas = guest.frame.gas;
    let result = call(&mut guest, row, raw);
    assert!(!matches!(result, Err(Stop::Node(_))), "{what}: {result:?}");
    assert_eq!(gas - guest.frame.gas, guest.frame.charged(), "{what}");
    let ranges = guest_ranges(row, raw);
    let quiet = match &result {
        Ok(value) => {
            assert!(guest.frame.charged() >= row.price.base, "{what}");
            assert!(*value >= 0 || Status::from_code(u16::try_from(-*value).unwrap()).is_some(), "{what}: {value}");
            assert_eq!(guest.frame.effects.reserved, guest.frame.tensors.bytes(), "{what}");
            *value < 0
        }
        Err(_) => true,
    };
    if quiet {
        assert!(guest.memory == before_memory, "{what}: memory changed");
        let called = guest.frame.effects.calls.clone();
        assert_eq!(guest.frame.effects, super::fake::Effects { calls: called, ..before }, "{what}");
    } else {
        for range in ranges.iter().filter(|range| range.written) {
            let start = usize::try_from(range.pointer).unwrap();
            let end = start + usize::try_from(range.length).unwrap();
            guest.memory[start..end].copy_from_slice(&before_memory[start..end]);
        }
        assert!(guest.memory == before_memory, "{what}: wrote outside its ranges");
    }
    result
}

#[test]
fn a_wrong_number_of_arguments_is_a_fault_of_the_engine() {
    for row in ROWS {
        let mut raw = good_call(row);
        raw.push(0);
        assert!(matches!(call(&mut scene_of(row), row, &raw), Err(Stop::Node(_))));
        if raw.len() > 1 {
            raw.truncate(raw.len() - 2);
            assert!(matches!(call(&mut scene_of(row), row, &raw), Err(Stop::Node(_))));
        }
    }
}
