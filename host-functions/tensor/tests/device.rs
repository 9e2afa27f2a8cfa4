//! Opcodes with a device beside the CPU: the same bits, whatever the device does.

use noema_tensor::{
    DType, Element, Kernels, Level, Shape, Tensor,
    device::{Device, DeviceError, Settings, SimulatedDevice, SimulatedFault},
    ops::{self, Arg},
};

/// Numbers for tests: the upper half of a linear congruential generator.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn side(&mut self) -> u32 {
        let most = [3, 9, 40][usize::try_from(self.below(3)).unwrap()];
        u32::try_from(self.below(most)).unwrap()
    }

    /// Every few elements one of the ends of the type.
    fn tensor(&mut self, dtype: DType, dims: &[u32]) -> Tensor {
        let shape = Shape::new(dims).unwrap();
        let count = usize::try_from(shape.elements().unwrap()).unwrap();
        let mut bytes = Vec::with_capacity(count * dtype.size());
        for _ in 0..count {
            let value = match self.below(8) {
                0 => dtype.min(),
                1 => dtype.max(),
                _ => ((self.next() << 32) | self.next()).cast_signed(),
            };
            bytes.extend_from_slice(&value.to_le_bytes()[..dtype.size()]);
        }
        Tensor::from_le_bytes(dtype, shape, &bytes).unwrap()
    }

    fn dtype(&mut self, of: &[DType]) -> DType {
        of[usize::try_from(self.below(u64::try_from(of.len()).unwrap())).unwrap()]
    }
}

fn of<T: Element>(dims: &[u32], data: Vec<T>) -> Tensor {
    Tensor::from_vec(Shape::new(dims).unwrap(), data).unwrap()
}

/// Calls an opcode on all kernels and compares the answers.
fn same(all: &[&Kernels], name: &str, args: &[Arg<'_>]) {
    let answer = |kernels: &Kernels| match ops::call(kernels, name, args) {
        Ok(y) => Ok((y.dtype(), y.shape().clone(), y.to_le_bytes().unwrap())),
        Err(error) => Err(error.to_string()),
    };
    let first = answer(all[0]);
    for kernels in &all[1..] {
        let dims: Vec<_> = args
            .iter()
            .map(|arg| match arg {
                Arg::Tensor(x) => format!("{} {:?}", x.dtype(), x.shape().dims()),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(answer(kernels), first, "{name} {dims:?}");
    }
}

/// A random call of every opcode that devices know.
fn round(numbers: &mut Numbers, all: &[&Kernels]) {
    let (i8s, products) = ([DType::I8, DType::U8, DType::I16], [DType::I8, DType::I16]);
    let (m, k, n) = (numbers.side(), numbers.side(), numbers.side());
    let x = numbers.dtype(&i8s);
    let w = if x == DType::I16 { numbers.dtype(&products) } else { DType::I8 };
    let (a, b) = match numbers.below(3) {
        0 => (numbers.tensor(x, &[m, k]), numbers.tensor(w, &[k, n])),
        1 => (numbers.tensor(x, &[2, m, k]), numbers.tensor(w, &[k, n])),
        _ => (numbers.tensor(x, &[3, m, k]), numbers.tensor(w, &[3, k, n])),
    };
    same(all, "matmul", &[Arg::Tensor(&a), Arg::Tensor(&b)]);

    let x = numbers.dtype(&[DType::I32, DType::I64]);
    let scales = if numbers.below(2) == 0 { vec![] } else { vec![n] };
    let count = usize::try_from(scales.iter().product::<u32>()).unwrap();
    let multipliers = (0..count).map(|_| i32::try_from((1 << 30) + numbers.below(1 << 30)).unwrap()).collect();
    let shifts = (0..count).map(|_| u8::try_from(numbers.below(63)).unwrap()).collect();
    let (multipliers, shifts) = (of::<i32>(&scales, multipliers), of::<u8>(&scales, shifts));
    let x = numbers.tensor(x, &[m, n]);
    let zero_point = i32::try_from(numbers.below(256)).unwrap() - 128;
    let code = numbers.dtype(&DType::ALL).code();
    let args = [Arg::Tensor(&x), Arg::Tensor(&multipliers), Arg::Tensor(&shifts), Arg::I32(zero_point), Arg::U32(code)];
    same(all, "requantise", &args);

    let dtype = numbers.dtype(&DType::ALL);
    let (x, row, column) =
        (numbers.tensor(dtype, &[m, n]), numbers.tensor(dtype, &[n]), numbers.tensor(dtype, &[m, 1]));
    same(all, "add", &[Arg::Tensor(&x), Arg::Tensor(&x)]);
    same(all, "add", &[Arg::Tensor(&x), Arg::Tensor(&row)]);
    same(all, "add", &[Arg::Tensor(&row), Arg::Tensor(&column)]);
    same(all, "relu", &[Arg::Tensor(&x)]);
    same(all, "argmax", &[Arg::Tensor(&x)]);
    let (start, size) = (n / 3, n - n / 3);
    let starts: Vec<u8> = [0, start].iter().flat_map(|v: &u32| v.to_le_bytes()).collect();
    let sizes: Vec<u8> = [m, size].iter().flat_map(|v: &u32| v.to_le_bytes()).collect();
    same(all, "slice", &[Arg::Tensor(&x), Arg::Bytes(&starts), Arg::Bytes(&sizes)]);

    rows(numbers, all, m, n + 1);
    elementwise(numbers, all, m, n);
    attention(numbers, all);

    let x = numbers.dtype(&[DType::I8, DType::I16, DType::I32]);
    let x = numbers.tensor(x, &[m, n + 1]);
    let multiplier = i32::try_from((1 << 30) + numbers.below(1 << 30)).unwrap();
    let (shift, bits) = (u32::try_from(numbers.below(63)).unwrap(), u32::try_from(numbers.below(31)).unwrap());
    same(all, "softmax", &[Arg::Tensor(&x), Arg::I32(multiplier), Arg::U32(shift), Arg::U32(bits)]);
}

/// Opcodes of one or more elements.
fn elementwise(numbers: &mut Numbers, all: &[&Kernels], m: u32, n: u32) {
    let dtype = numbers.dtype(&DType::ALL);
    let (a, row, column) =
        (numbers.tensor(dtype, &[m, n]), numbers.tensor(dtype, &[n]), numbers.tensor(dtype, &[m, 1]));
    for name in ["sub", "mul", "min", "max", "bit_and", "bit_or", "bit_xor", "equal", "less", "less_or_equal"] {
        same(all, name, &[Arg::Tensor(&a), Arg::Tensor(&row)]);
        same(all, name, &[Arg::Tensor(&column), Arg::Tensor(&a)]);
    }
    for name in ["neg", "abs", "bit_not"] {
        same(all, name, &[Arg::Tensor(&a)]);
    }
    let bits = i32::try_from(numbers.below(127)).unwrap() - 63;
    same(all, "shift", &[Arg::Tensor(&a), Arg::I32(bits)]);
    let condition = numbers.tensor(DType::U8, &[m, n]);
    same(all, "select", &[Arg::Tensor(&condition), Arg::Tensor(&row), Arg::Tensor(&column)]);
    let (x, y) = (numbers.dtype(&DType::ALL), numbers.dtype(&[DType::I8, DType::U8, DType::I16, DType::I32]));
    let (x, y) = (numbers.tensor(x, &[m, n]), numbers.tensor(y, &[m, 1]));
    let multiplier = i32::try_from((1 << 30) + numbers.below(1 << 30)).unwrap();
    let (shift, zero_point) = (u32::try_from(numbers.below(95)).unwrap(), i32::try_from(numbers.below(9)).unwrap() - 4);
    let code = numbers.dtype(&DType::ALL).code();
    let args =
        [Arg::Tensor(&x), Arg::Tensor(&y), Arg::I32(multiplier), Arg::U32(shift), Arg::I32(zero_point), Arg::U32(code)];
    same(all, "mul_requantise", &args);
    let x = numbers.dtype(&[DType::I8, DType::U8]);
    let (x, table) = (numbers.tensor(x, &[m, n]), numbers.tensor(dtype, &[256]));
    same(all, "lookup", &[Arg::Tensor(&x), Arg::Tensor(&table)]);
    let x = numbers.tensor(DType::I8, &[m, n]);
    let code = numbers.dtype(&[DType::I8, DType::U8, DType::I16, DType::I32]).code();
    for name in ["gelu", "tanh", "exp", "log"] {
        same(all, name, &[Arg::Tensor(&x), Arg::U32(4), Arg::U32(6), Arg::U32(code)]);
    }
}

/// Opcodes of whole rows.
fn rows(numbers: &mut Numbers, all: &[&Kernels], m: u32, row: u32) {
    let signed = [DType::I8, DType::I16, DType::I32];
    let (x, y) = (numbers.dtype(&signed), numbers.dtype(&signed).code());
    let (x, gain, bias) =
        (numbers.tensor(x, &[m, row]), numbers.tensor(DType::I32, &[row]), numbers.tensor(DType::I32, &[row]));
    let (epsilon, shift) = (numbers.next() >> numbers.below(32), u32::try_from(numbers.below(32)).unwrap());
    let (epsilon, shift, y) = (Arg::U64(epsilon), Arg::U32(shift), Arg::U32(y));
    same(all, "layer_norm", &[Arg::Tensor(&x), Arg::Tensor(&gain), Arg::Tensor(&bias), epsilon, shift, y]);
    same(all, "rms_norm", &[Arg::Tensor(&x), Arg::Tensor(&gain), epsilon, shift, y]);
    let to = numbers.dtype(&[DType::I8, DType::I16]).code();
    same(all, "row_step", &[Arg::Tensor(&x), Arg::U32(to)]);
    let step = ops::call(all[0], "row_step", &[Arg::Tensor(&x), Arg::U32(to)]).unwrap();
    same(all, "quantise_rows", &[Arg::Tensor(&x), Arg::Tensor(&step), Arg::U32(to)]);
}

fn attention(numbers: &mut Numbers, all: &[&Kernels]) {
    let (batch, groups, key_heads) = (numbers.side() % 3 + 1, numbers.side() % 3 + 1, numbers.side() % 3 + 1);
    let [queries, keys, depth, width] = [(); 4].map(|()| numbers.side() + 1);
    let q = numbers.tensor(DType::I8, &[batch, groups * key_heads, queries, depth]);
    let k = numbers.tensor(DType::I8, &[batch, key_heads, keys, depth]);
    let v = numbers.tensor(DType::I8, &[batch, key_heads, keys, width]);
    let mut list = |below: u32| -> Vec<u8> {
        match numbers.below(2) {
            0 => vec![],
            _ => (0..batch).flat_map(|_| u32::try_from(numbers.below(below.into())).unwrap().to_le_bytes()).collect(),
        }
    };
    let (lengths, positions) = (list(keys + 1), list(keys + 2));
    let multiplier = i32::try_from((1 << 30) + numbers.below(1 << 30)).unwrap();
    let (shift, out) = (u32::try_from(numbers.below(45)).unwrap(), u32::try_from(28 + numbers.below(6)).unwrap());
    let args = [
        Arg::Tensor(&q),
        Arg::Tensor(&k),
        Arg::Tensor(&v),
        Arg::Bytes(&lengths),
        Arg::Bytes(&positions),
        Arg::I32(multiplier),
        Arg::U32(shift),
        Arg::I32(1 << 30),
        Arg::U32(out),
    ];
    same(all, "attention", &args);
}

/// Kernels that give everything to a device.
fn with(device: impl Device + 'static, spot_check: u64) -> Kernels {
    let settings = Settings { min_work: 0, spot_check };
    Kernels::new(Level::Portable, 1).unwrap().with_device(Box::new(device), settings).unwrap()
}

/// What a device answered so far in its own test.
fn runs_of_the_test() -> u64 {
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    (0..10_000)
        .find(|run| {
            let device = SimulatedDevice::failing(SimulatedFault::Lost { run: *run });
            Kernels::new(Level::Portable, 1).unwrap().with_device(Box::new(device), Settings::default()).is_ok()
        })
        .inspect(|_| assert!(kernels.accelerator().is_none()))
        .unwrap()
}

#[test]
fn a_device_gives_the_same_bits() {
    let (cpu, device) = (Kernels::new(Level::Reference, 1).unwrap(), with(SimulatedDevice::new(), 2));
    let mut numbers = Numbers(1);
    (0..60).for_each(|_| round(&mut numbers, &[&cpu, &device]));
    let accelerator = device.accelerator().unwrap();
    assert_eq!(accelerator.alarms(), []);
    assert!(accelerator.runs() > 300, "{} runs", accelerator.runs());
}

/// From as many elements on as a table of it has.
#[test]
fn functions_of_16_bits_are_tables_where_there_are_many_elements() {
    let (cpu, device) = (Kernels::new(Level::Portable, 1).unwrap(), with(SimulatedDevice::new(), 1));
    let mut numbers = Numbers(4);
    for (rows, runs) in [(255, 0), (256, 4)] {
        let x = numbers.tensor(DType::I16, &[rows, 256]);
        for (name, dtype) in [("gelu", DType::I8), ("tanh", DType::I16), ("exp", DType::I32), ("sigmoid", DType::U8)] {
            same(&[&cpu, &device], name, &[Arg::Tensor(&x), Arg::U32(9), Arg::U32(6), Arg::U32(dtype.code())]);
        }
        assert_eq!(device.accelerator().unwrap().runs(), runs);
    }
    assert_eq!(device.accelerator().unwrap().alarms(), []);
}

#[test]
fn small_work_stays_on_the_cpu() {
    let settings = Settings { min_work: 1 << 20, ..Settings::default() };
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let kernels = kernels.with_device(Box::new(SimulatedDevice::new()), settings).unwrap();
    let mut numbers = Numbers(2);
    round(&mut numbers, &[&kernels]);
    assert_eq!(kernels.accelerator().unwrap().runs(), 0);
}

#[test]
fn a_product_with_one_wrong_bit_in_a_thousand_is_computed_again() {
    let test = known_products();
    let fault = SimulatedFault::WrongBit { operation: "matmul", from: test + 500, element: 5, bit: 3 };
    // No spot checks: Freivalds' check alone has to find it.
    let device = with(SimulatedDevice::failing(fault), 0);
    let cpu = Kernels::new(Level::Reference, 1).unwrap();
    let mut numbers = Numbers(3);
    for _ in 0..1000 {
        let (a, b) = (numbers.tensor(DType::I8, &[3, 17]), numbers.tensor(DType::I8, &[17, 5]));
        same(&[&cpu, &device], "matmul", &[Arg::Tensor(&a), Arg::Tensor(&b)]);
    }
    let accelerator = device.accelerator().unwrap();
    assert_eq!(accelerator.runs(), 500);
    assert!(accelerator.is_retired());
    let alarms = accelerator.alarms();
    assert!(matches!(&alarms[..], [alarm] if matches!(alarm.error, DeviceError::Wrong(_))), "{alarms:?}");
    assert_eq!(alarms[0].to_string(), "simulated device running matmul: wrong result: product of matmul");
}

/// Products of two values in the known-answer test.
fn known_products() -> u64 {
    (0..100)
        .find(|from| {
            let fault = SimulatedFault::WrongBit { operation: "matmul", from: *from, element: 0, bit: 0 };
            let kernels = Kernels::new(Level::Portable, 1).unwrap();
            kernels.with_device(Box::new(SimulatedDevice::failing(fault)), Settings::default()).is_ok()
        })
        .unwrap()
}

#[test]
fn spot_checks_find_what_no_product_check_sees() {
    let fault = SimulatedFault::WrongBit { operation: "relu", from: 40, element: 1, bit: 0 };
    let (device, cpu) = (with(SimulatedDevice::failing(fault), 4), Kernels::new(Level::Reference, 1).unwrap());
    let x = of(&[3], vec![5i16, 6, 7]);
    let plan = ops::relu::plan(&x).unwrap();
    let mut wrong = 0;
    for _ in 0..100 {
        let (a, b) = (ops::relu::run(&device, &plan, &x).unwrap(), ops::relu::run(&cpu, &plan, &x).unwrap());
        wrong += u32::from(a.to_le_bytes().unwrap() != b.to_le_bytes().unwrap());
    }
    // Seen within one period, and never used again.
    assert!(wrong < 4, "{wrong}");
    assert!(device.accelerator().unwrap().is_retired());
}

#[test]
fn without_memory_one_call_falls_back_and_without_a_device_all_do() {
    let cpu = Kernels::new(Level::Reference, 1).unwrap();
    let test = runs_of_the_test();
    for (fault, retired, alarms) in
        [(SimulatedFault::OutOfMemory { run: test + 5 }, false, 1), (SimulatedFault::Lost { run: test + 5 }, true, 1)]
    {
        let device = with(SimulatedDevice::failing(fault), 0);
        let mut numbers = Numbers(4);
        (0..5).for_each(|_| round(&mut numbers, &[&cpu, &device]));
        let accelerator = device.accelerator().unwrap();
        assert_eq!((accelerator.is_retired(), accelerator.alarms().len()), (retired, alarms), "{fault:?}");
    }
}

/// The card of this machine, if it has one.
#[cfg(feature = "cuda")]
fn card(options: noema_tensor::cuda::Options) -> Option<noema_tensor::cuda::Cuda> {
    if !Level::Cuda.is_available() {
        eprintln!("skipped: no CUDA device");
        return None;
    }
    Some(noema_tensor::cuda::Cuda::open(0, options).unwrap())
}

#[cfg(feature = "cuda")]
#[path = "device/programs.rs"]
mod programs;

/// The device of this machine, with every unit that multiplies, and with faults.
#[cfg(feature = "cuda")]
mod cuda {
    use noema_tensor::cuda::{Options, ProductUnit};

    use super::*;

    #[test]
    fn every_unit_gives_the_same_bits() {
        let cpu = Kernels::new(Level::best(), 1).unwrap();
        for unit in [ProductUnit::Int8, ProductUnit::Bf16, ProductUnit::F64] {
            let Some(card) = card(Options { unit, ..Options::default() }) else { return };
            let device = with(card, 0);
            let mut numbers = Numbers(5);
            (0..400).for_each(|_| round(&mut numbers, &[&cpu, &device]));
            for (m, k, n, x, w) in [
                (3, 131_071, 2, DType::I8, DType::I8),
                (2, 131_100, 3, DType::I8, DType::I8),
                (2, 65_793, 3, DType::U8, DType::I8),
                (5, 70_000, 7, DType::U8, DType::I8),
                (64, 3000, 96, DType::I16, DType::I16),
                (33, 2049, 65, DType::I16, DType::I8),
                (512, 1024, 768, DType::I8, DType::I8),
                (1, 4096, 4096, DType::I8, DType::I8),
                // Enough work that algorithms of the library are compared.
                (2048, 1024, 1024, DType::I8, DType::I8),
            ] {
                let (a, b) = (numbers.tensor(x, &[m, k]), numbers.tensor(w, &[k, n]));
                same(&[&cpu, &device], "matmul", &[Arg::Tensor(&a), Arg::Tensor(&b)]);
                // The largest sums there are.
                let of = |dtype: DType, dims: &[u32]| {
                    let shape = Shape::new(dims).unwrap();
                    let count = usize::try_from(shape.elements().unwrap()).unwrap();
                    let bytes = dtype.min().to_le_bytes()[..dtype.size()].repeat(count);
                    Tensor::from_le_bytes(dtype, shape, &bytes).unwrap()
                };
                let (a, b) = (of(x, &[m, k]), of(w, &[k, n]));
                same(&[&cpu, &device], "matmul", &[Arg::Tensor(&a), Arg::Tensor(&b)]);
            }
            let accelerator = device.accelerator().unwrap();
            assert_eq!(accelerator.alarms(), [], "{unit:?}");
            println!("{}: {unit:?}: {} runs", accelerator.device().name(), accelerator.runs());
        }
    }

    #[test]
    fn a_wrong_product_is_found_on_the_card() {
        let Some(device) = card(Options { inject_fault: true, ..Options::default() }) else { return };
        let error = Kernels::new(Level::best(), 1).unwrap().with_device(Box::new(device), Settings::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("product of instruction 0 (linear)"), "{error}");
    }
}
