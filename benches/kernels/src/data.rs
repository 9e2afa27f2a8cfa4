//! Sorting, sieving, parsing, maps.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::{Random, mix};

/// Sorts 20,000 numbers by hand.
#[inline(never)]
pub(crate) fn quicksort() -> u64 {
    let mut random = Random(88_172_645_463_325_252);
    let mut numbers: Vec<u32> = (0..20_000).map(|_| random.next() as u32).collect();
    sort(&mut numbers);
    numbers.iter().step_by(97).fold(0, |sum, number| mix(sum, u64::from(*number)))
}

fn sort(numbers: &mut [u32]) {
    if numbers.len() <= 12 {
        for end in 1..numbers.len() {
            let mut at = end;
            while at > 0 && numbers[at - 1] > numbers[at] {
                numbers.swap(at - 1, at);
                at -= 1;
            }
        }
        return;
    }
    let last = numbers.len() - 1;
    numbers.swap(numbers.len() / 2, last);
    let pivot = numbers[last];
    let mut low = 0;
    for at in 0..last {
        if numbers[at] < pivot {
            numbers.swap(low, at);
            low += 1;
        }
    }
    numbers.swap(low, last);
    let (left, right) = numbers.split_at_mut(low);
    sort(left);
    sort(&mut right[1..]);
}

/// Primes below 200,000.
#[inline(never)]
pub(crate) fn sieve() -> u64 {
    let mut composite = vec![false; 200_000];
    let (mut count, mut last) = (0, 0);
    for number in 2..composite.len() {
        if composite[number] {
            continue;
        }
        count += 1;
        last = number;
        let Some(mut multiple) = number.checked_mul(number) else { continue };
        while multiple < composite.len() {
            composite[multiple] = true;
            multiple += number;
        }
    }
    mix(count, last as u64)
}

enum Json {
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Writes a document, parses it, and adds up what is in it.
#[inline(never)]
pub(crate) fn json() -> u64 {
    let mut text = String::from("[");
    for number in 0..200u32 {
        if number > 0 {
            text.push_str(", ");
        }
        text.push_str("{\"name\": \"item ");
        digits(&mut text, number);
        text.push_str("\", \"amount\": ");
        digits(&mut text, number.wrapping_mul(7919) % 100_000);
        text.push_str(", \"tags\": [\"a\", \"b\\\"c\", -17]}");
    }
    text.push(']');
    let mut at = 0;
    let value = parse(text.as_bytes(), &mut at).expect("it was written so");
    sum(&value)
}

fn digits(text: &mut String, number: u32) {
    if number >= 10 {
        digits(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

fn skip(text: &[u8], at: &mut usize) {
    while matches!(text.get(*at), Some(b' ' | b'\n')) {
        *at += 1;
    }
}

fn take(text: &[u8], at: &mut usize, byte: u8) -> Option<()> {
    skip(text, at);
    (text.get(*at) == Some(&byte)).then(|| *at += 1)
}

fn parse(text: &[u8], at: &mut usize) -> Option<Json> {
    skip(text, at);
    match *text.get(*at)? {
        b'[' => {
            *at += 1;
            let mut list = Vec::new();
            if take(text, at, b']').is_some() {
                return Some(Json::List(list));
            }
            loop {
                list.push(parse(text, at)?);
                if take(text, at, b']').is_some() {
                    return Some(Json::List(list));
                }
                take(text, at, b',')?;
            }
        }
        b'{' => {
            *at += 1;
            let mut object = Vec::new();
            loop {
                skip(text, at);
                let name = string(text, at)?;
                take(text, at, b':')?;
                object.push((name, parse(text, at)?));
                if take(text, at, b'}').is_some() {
                    return Some(Json::Object(object));
                }
                take(text, at, b',')?;
            }
        }
        b'"' => Some(Json::Text(string(text, at)?)),
        first => {
            let negative = first == b'-';
            *at += usize::from(negative);
            let mut number = 0i64;
            while let Some(digit @ b'0'..=b'9') = text.get(*at) {
                number = number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
                *at += 1;
            }
            Some(Json::Number(if negative { -number } else { number }))
        }
    }
}

fn string(text: &[u8], at: &mut usize) -> Option<String> {
    take(text, at, b'"')?;
    let mut found = String::new();
    loop {
        match *text.get(*at)? {
            b'"' => {
                *at += 1;
                return Some(found);
            }
            b'\\' => {
                found.push(char::from(*text.get(*at + 1)?));
                *at += 2;
            }
            byte => {
                found.push(char::from(byte));
                *at += 1;
            }
        }
    }
}

fn sum(value: &Json) -> u64 {
    match value {
        Json::Number(number) => number.unsigned_abs(),
        Json::Text(text) => text.bytes().map(u64::from).sum(),
        Json::List(list) => list.iter().fold(1, |total, value| mix(total, sum(value))),
        Json::Object(object) => {
            object.iter().fold(2, |total, (name, value)| mix(total, name.len() as u64 + sum(value)))
        }
    }
}

/// Transfers between balances in an ordered map.
#[inline(never)]
pub(crate) fn balances() -> u64 {
    let mut random = Random(1_234_567);
    let mut accounts: BTreeMap<[u8; 20], u128> = BTreeMap::new();
    let address = |number: u64| {
        let mut bytes = [0u8; 20];
        bytes[..8].copy_from_slice(&mix(1, number).to_le_bytes());
        bytes[12..].copy_from_slice(&number.to_le_bytes());
        bytes
    };
    for number in 0..500 {
        accounts.insert(address(number), 1_000_000);
    }
    for _ in 0..4000 {
        let (from, to) = (address(random.next() % 500), address(random.next() % 600));
        let amount = u128::from(random.next() % 5000);
        let Some(balance) = accounts.get_mut(&from) else { continue };
        let Some(left) = balance.checked_sub(amount) else { continue };
        *balance = left;
        *accounts.entry(to).or_insert(0) += amount;
    }
    accounts.values().fold(0, |sum, balance| mix(sum, *balance as u64))
}
