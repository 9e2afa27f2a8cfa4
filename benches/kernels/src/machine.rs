//! Code that decides at run time what to run.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::{Random, mix};

trait Shape {
    fn area(&self) -> u64;
    fn grow(&mut self, by: u64);
}

struct Square(u64);
struct Rectangle(u64, u64);
struct Frame {
    outer: u64,
    inner: u64,
}

impl Shape for Square {
    fn area(&self) -> u64 {
        self.0.wrapping_mul(self.0)
    }
    fn grow(&mut self, by: u64) {
        self.0 = self.0.wrapping_add(by);
    }
}

impl Shape for Rectangle {
    fn area(&self) -> u64 {
        self.0.wrapping_mul(self.1)
    }
    fn grow(&mut self, by: u64) {
        self.0 = self.0.wrapping_add(by);
        self.1 ^= by;
    }
}

impl Shape for Frame {
    fn area(&self) -> u64 {
        self.outer.wrapping_mul(self.outer).wrapping_sub(self.inner)
    }
    fn grow(&mut self, by: u64) {
        self.inner = self.inner.wrapping_add(by);
    }
}

/// Calls through tables of methods.
#[inline(never)]
pub(crate) fn shapes() -> u64 {
    let mut random = Random(99);
    let mut shapes: Vec<Box<dyn Shape>> = Vec::new();
    for _ in 0..300 {
        let (a, b) = (random.next() % 1000, random.next() % 1000);
        shapes.push(match a % 3 {
            0 => Box::new(Square(b)),
            1 => Box::new(Rectangle(a, b)),
            _ => Box::new(Frame { outer: a + b, inner: b }),
        });
    }
    let mut total = 0u64;
    for round in 0..60 {
        for shape in &mut shapes {
            shape.grow(round);
            total = total.wrapping_add(shape.area());
        }
    }
    total
}

/// A stack machine that counts primes the slow way.
#[inline(never)]
pub(crate) fn interpreter() -> u64 {
    // number = 2; while number < 160 { divisor = 2; prime = 1; while divisor * divisor <= number { .. } count += prime }
    let program: [(u8, i32); 34] = [
        (0, 2),
        (1, 0), // 0: number = 2
        (2, 0),
        (0, 160),
        (7, 0),
        (8, 33), // 2: if number >= 160 goto 33
        (0, 2),
        (1, 1),
        (0, 1),
        (1, 2), // 6: divisor = 2, prime = 1
        (2, 1),
        (2, 1),
        (5, 0),
        (2, 0),
        (6, 0),
        (9, 27), // 10: if divisor * divisor > number goto 27
        (2, 0),
        (2, 1),
        (10, 0),
        (9, 22), // 16: if number % divisor != 0 goto 22
        (0, 0),
        (1, 2), // 20: prime = 0
        (2, 1),
        (0, 1),
        (3, 0),
        (1, 1),
        (11, 10), // 22: divisor += 1, goto 10
        (2, 3),
        (2, 2),
        (3, 0),
        (1, 3),
        (12, 0),
        (11, 2), // 27: count += prime, number += 1, goto 2
        (13, 0), // 33: end
    ];
    let mut stack: Vec<i32> = Vec::with_capacity(16);
    let mut variables = vec![0i32; 4];
    let mut steps = 0u64;
    let mut at = 0usize;
    loop {
        steps += 1;
        let (code, operand) = program[at];
        at += 1;
        match code {
            0 => stack.push(operand),
            1 => variables[operand as usize] = stack.pop().unwrap_or(0),
            2 => stack.push(variables[operand as usize]),
            3 | 5 | 6 | 7 | 10 => {
                let (b, a) = (stack.pop().unwrap_or(0), stack.pop().unwrap_or(0));
                stack.push(match code {
                    3 => a.wrapping_add(b),
                    5 => a.wrapping_mul(b),
                    6 => i32::from(a > b),
                    7 => i32::from(a < b),
                    _ => a.checked_rem(b).unwrap_or(0),
                });
            }
            8 => {
                if stack.pop() == Some(0) {
                    at = operand as usize;
                }
            }
            9 => {
                if stack.pop() != Some(0) {
                    at = operand as usize;
                }
            }
            11 => at = operand as usize,
            12 => variables[0] += 1,
            _ => break,
        }
    }
    mix(steps, variables[3] as u64)
}
