//! The `u8 * i8` product of rten-gemm, as a peer of `noema-bench gemm`: `noema-peer-rten M K N SAMPLE_MS CLOCK`, then lines
//! as `benches/src/peers.rs` describes them, and `product` for the product of the first operands.

use std::hint::black_box;
use std::io::BufRead as _;
use std::time::Duration;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

/// The operands are made by the same code on both sides.
#[path = "../../../src/gemm/operands.rs"]
mod operands;

#[path = "../../../src/clock.rs"]
mod clock;

use clock::Clock;
use operands::Operands;

/// Rows, inputs, outputs.
#[derive(Clone, Copy)]
pub struct Shape {
    m: usize,
    k: usize,
    n: usize,
}

type Executor = GemmExecutor<u8, i8, i32>;

/// Weights in one of the forms that it takes.
enum Weights {
    Packed(PackedBMatrix<i8>),
    /// `[k][n]`.
    Columns(NdTensor<i8, 2>),
    /// `[n][k]`, seen as `[k][n]`.
    Rows(NdTensor<i8, 2>),
}

impl Weights {
    fn input(&self) -> GemmInputB<'_, i8> {
        match self {
            Weights::Packed(packed) => GemmInputB::Packed(packed),
            Weights::Columns(columns) => GemmInputB::Unpacked(columns.view()),
            Weights::Rows(rows) => GemmInputB::Unpacked(rows.transposed()),
        }
    }
}

/// All sets of weights in one form, and where the product goes.
struct Way {
    executor: Executor,
    weights: Vec<Weights>,
    next: usize,
    out: Vec<i32>,
}

impl Way {
    fn new(shape: Shape, weights: Vec<Weights>) -> Way {
        Way { executor: Executor::new(), weights, next: 0, out: vec![0; shape.m * shape.n] }
    }

    fn multiply(&mut self, x: &NdTensor<u8, 2>) {
        let weights = &self.weights[self.next];
        self.next = (self.next + 1) % self.weights.len();
        self.executor
            .gemm(&mut self.out, GemmInputA::Unpacked(x.view()), weights.input(), GemmOptions::default())
            .expect("the shapes fit");
        black_box(&mut self.out);
    }

    fn time(&mut self, clock: Clock, x: &NdTensor<u8, 2>, repetitions: u64) -> Duration {
        clock.time(|| (0..repetitions).for_each(|_| self.multiply(x)))
    }
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).take(4).filter_map(|number| number.parse().ok()).collect();
    let clock = std::env::args().nth(5).and_then(|clock| clock.parse().ok());
    let ([m, k, n, sample_ms], Some(clock)) = (&numbers[..], clock) else {
        eprintln!("usage: noema-peer-rten M K N SAMPLE_MS CLOCK");
        std::process::exit(2);
    };
    let (m, k, n) = (*m, *k, *n);
    let shape = Shape { m, k, n };
    let operands = Operands::of(shape);
    // Our activations moved up by 128, as the type wants them. Their zero point is not given, so that nothing is done about
    // it while it is timed.
    let x = NdTensor::from_data([m, k], operands.x.iter().map(|x| x.cast_unsigned() ^ 0x80).collect::<Vec<u8>>());

    let columns = |weights: &Vec<i8>| NdTensor::from_data([k, n], operands.columns(weights));
    let pack = |weights: &Vec<i8>| Weights::Packed(Executor::new().prepack_b(columns(weights).view()));
    let mut ways = vec![Way::new(shape, operands.weights.iter().map(pack).collect())];
    if m == 1 {
        // For single rows it has a way of its own, which takes weights as they are.
        let plain = |weights: &Vec<i8>| Weights::Columns(columns(weights));
        let rows = |weights: &Vec<i8>| Weights::Rows(NdTensor::from_data([n, k], weights.clone()));
        ways.push(Way::new(shape, operands.weights.iter().map(plain).collect()));
        ways.push(Way::new(shape, operands.weights.iter().map(rows).collect()));
    }
    ways[0].multiply(&x);
    let sums: Vec<i32> =
        operands.weights[0].chunks_exact(k).map(|row| row.iter().map(|w| i32::from(*w)).sum()).collect();
    let product: Vec<String> =
        ways[0].out.iter().enumerate().map(|(at, sum)| (sum - 128 * sums[at % n]).to_string()).collect();
    let product = product.join(" ");
    if ways[0].executor.may_saturate() {
        eprintln!("rten-gemm: sums may saturate on this machine, so its product is not exact here");
    }
    let sample = Duration::from_millis(u64::try_from(*sample_ms).unwrap_or(1));
    let mut way = fastest(ways, clock, &x, sample);

    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let timed = line.split_once(' ').and_then(|(clock, count)| Some((clock.parse().ok()?, count.parse().ok()?)));
        match timed {
            Some((clock, repetitions)) => println!("{}", way.time(clock, &x, repetitions).as_nanos()),
            None if line == "product" => println!("{product}"),
            None => println!("?"),
        }
    }
}

/// The way that does most within a sample, the best of three.
fn fastest(ways: Vec<Way>, clock: Clock, x: &NdTensor<u8, 2>, sample: Duration) -> Way {
    let mut best = Duration::MAX;
    let mut fastest = None;
    for mut way in ways {
        let once = way.time(clock, x, 2) / 2;
        let repetitions = u64::try_from(sample.as_nanos() / once.as_nanos().max(1)).unwrap_or(1).max(1);
        let took = (0..3).map(|_| way.time(clock, x, repetitions)).min().unwrap_or(Duration::MAX);
        let each = took / u32::try_from(repetitions).unwrap_or(u32::MAX);
        if each < best {
            best = each;
            fastest = Some(way);
        }
    }
    fastest.expect("there is a way")
}
