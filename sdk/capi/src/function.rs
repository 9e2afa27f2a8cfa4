//! Host functions of a chain's own, in C.

use std::ffi::c_void;

use noema_abi::{HostFunction, Return};
use noema_host::{ExtensionFunction, HostCall, Out, Refusal, Reply, Returned, Status, Stop, Value};

use crate::guard::{Failure, quiet};
use crate::types::{Place, call_back, given_mut, noema_address, noema_slice};

/// A host function. `arguments` are those of its row, in its order; what they point to lives until it returns.
///
/// Returns 0, with the result of a `u64` row in `result`; the code of a status (NOEMA_STATUS_...), which the contract
/// gets and handles: then nothing is written; or less than 0 where this node cannot go on (`noema_call_fail` says why):
/// then there is no receipt. After `noema_call_abort`, and after a `noema_call_...` function has returned less than 0,
/// what it returns means nothing and it should return at once.
///
/// What it does may depend on its arguments, on the state and on the block, and on nothing else.
pub type noema_function = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        call: *mut noema_call,
        arguments: *const noema_argument,
        count: usize,
        result: *mut u64,
    ) -> i32,
>;

type Function = unsafe extern "C" fn(*mut c_void, *mut noema_call, *const noema_argument, usize, *mut u64) -> i32;

/// An argument, by the kind of its parameter.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_argument {
    /// Kinds u32, i32, u64, i64: the number, sign-extended where the kind is signed.
    pub number: i64,
    /// Kinds bytes, in16, in32, in64: the bytes.
    pub bytes: noema_slice,
    /// Kinds out, out16, out32, out64: the bytes that the contract has room for. `noema_call_write` fills them.
    pub capacity: usize,
}

/// The block and the contract that a host function is called from.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_call_info {
    /// Who called the contract.
    pub caller: noema_address,
    /// The running contract.
    pub contract: noema_address,
    /// Height of the block.
    pub height: u64,
    /// Time of the block, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Gas left, with the price of this call so far taken off.
    pub gas_left: u64,
    /// Whether it is a view: then nothing may change.
    pub read_only: bool,
}

/// A call of a host function. It lives until the function returns.
pub struct noema_call {
    /// The frame. Only used through `with`, while the borrow that it was made of is still there.
    host: *mut HostCall<'static>,
    /// For each argument: what is to be written, or `None` where it is no output, or its capacity and length.
    outputs: Vec<Option<Output>>,
    /// Values that were handed out.
    values: Vec<Vec<u8>>,
    /// Why the call ends, whatever the function returns.
    end: Option<Refusal>,
}

struct Output {
    /// Length that it must have, for outputs of a fixed one.
    fixed: Option<usize>,
    data: Vec<u8>,
}

/// A status: the contract's own mistake, which it can handle.
pub const NOEMA_STATUS_BAD_ARGUMENT: i32 = 2;
/// A status: a checked operation whose exact result does not fit.
pub const NOEMA_STATUS_OVERFLOW: i32 = 5;
/// A status: there is nothing of this name.
pub const NOEMA_STATUS_NOT_FOUND: i32 = 8;
/// A status: more than a documented limit.
pub const NOEMA_STATUS_LIMIT_EXCEEDED: i32 = 9;
/// A status: a signature, recovery id or public key that is not valid.
pub const NOEMA_STATUS_INVALID_SIGNATURE: i32 = 10;

/// A row, and the function behind it.
#[derive(Clone)]
pub(crate) struct CFunction {
    row: &'static HostFunction,
    function: Function,
    context: *mut c_void,
}

// SAFETY: `noema_config_add_function` is promised that the function may be called with this context on any thread, and
// on several at a time.
unsafe impl Send for CFunction {}
// SAFETY: as above.
unsafe impl Sync for CFunction {}

impl CFunction {
    pub(crate) fn new(row: &'static HostFunction, function: Function, context: *mut c_void) -> CFunction {
        CFunction { row, function, context }
    }

    pub(crate) fn row(&self) -> &'static HostFunction {
        self.row
    }

    /// For a table.
    pub(crate) fn bound(&self) -> (&'static HostFunction, Box<dyn ExtensionFunction>) {
        (self.row, Box::new(self.clone()))
    }
}

impl ExtensionFunction for CFunction {
    fn run(&self, host: &mut HostCall<'_>, values: &mut [Value<'_>]) -> Reply<Returned> {
        let arguments: Vec<noema_argument> = values.iter().map(argument).collect();
        let mut call = noema_call {
            host: std::ptr::from_mut(host).cast(),
            outputs: values.iter().map(output).collect(),
            values: Vec::new(),
            end: None,
        };
        let mut result = 0;
        let code = call_back(|| {
            // SAFETY: `noema_config_add_function` was promised that it may be called like this. Everything that is
            // pointed to outlives the call.
            unsafe {
                (self.function)(self.context, &raw mut call, arguments.as_ptr(), arguments.len(), &raw mut result)
            }
        });
        let HostFunction { group, name, .. } = self.row;
        if let Some(end) = call.end {
            return Err(end);
        }
        if code < 0 {
            return Err(node(format!("{group}.{name} failed with {code}")));
        }
        if code > 0 {
            let status = u16::try_from(code).ok().and_then(Status::from_code);
            let status = status.ok_or_else(|| node(format!("{group}.{name} returned {code}, which is no status")))?;
            return Err(status.into());
        }
        for (value, output) in values.iter_mut().zip(call.outputs) {
            if let Some(output) = output {
                write(value, output.data);
            }
        }
        // What a `unit` row leaves in the place for a result means nothing.
        Ok(Returned::Number(if self.row.result == Return::u64 { result } else { 0 }))
    }
}

fn node(text: String) -> Refusal {
    Stop::Node(text).into()
}

fn argument(value: &Value<'_>) -> noema_argument {
    let mut argument = noema_argument { number: 0, bytes: noema_slice::EMPTY, capacity: 0 };
    match value {
        Value::U32(number) => argument.number = i64::from(*number),
        Value::I32(number) => argument.number = i64::from(*number),
        Value::U64(number) => argument.number = number.cast_signed(),
        Value::I64(number) => argument.number = *number,
        Value::Bytes(bytes) => argument.bytes = noema_slice::of(bytes),
        Value::In16(bytes) => argument.bytes = noema_slice::of(&bytes[..]),
        Value::In32(bytes) => argument.bytes = noema_slice::of(&bytes[..]),
        Value::In64(bytes) => argument.bytes = noema_slice::of(&bytes[..]),
        Value::Out(out) => argument.capacity = out.capacity(),
        Value::Out16(_) => argument.capacity = 16,
        Value::Out32(_) => argument.capacity = 32,
        Value::Out64(_) => argument.capacity = 64,
        // `row::parse` takes no other kind.
        _ => {}
    }
    argument
}

fn output(value: &Value<'_>) -> Option<Output> {
    let fixed = |length| Some(Output { fixed: Some(length), data: vec![0; length] });
    match value {
        Value::Out(_) => Some(Output { fixed: None, data: Vec::new() }),
        Value::Out16(_) => fixed(16),
        Value::Out32(_) => fixed(32),
        Value::Out64(_) => fixed(64),
        _ => None,
    }
}

fn write(value: &mut Value<'_>, data: Vec<u8>) {
    match value {
        Value::Out(out) => {
            Out::set(out, data);
        }
        Value::Out16(bytes) => bytes.copy_from_slice(&data),
        Value::Out32(bytes) => bytes.copy_from_slice(&data),
        Value::Out64(bytes) => bytes.copy_from_slice(&data),
        _ => {}
    }
}

/// Sets what is written into output number `index` of the row's parameters, counted from 0, if the function returns 0.
/// What does not fit into the capacity of an `out` parameter is cut; the others take exactly their length. Returns 0.
///
/// # Safety
/// `call` is null or a call that has not returned; `data` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_write(call: *mut noema_call, index: usize, data: noema_slice) -> i32 {
    // SAFETY: what this function is promised.
    unsafe {
        with(call, |call, _| {
            let data = data.bytes("data").map_err(failed)?;
            match call.outputs.get_mut(index) {
                Some(Some(Output { fixed: Some(length), .. })) if *length != data.len() => {
                    Err(node(format!("argument {index} takes {length} bytes, not {}", data.len())))
                }
                Some(Some(output)) => {
                    output.data = data.to_vec();
                    Ok(0)
                }
                _ => Err(node(format!("argument {index} is no output"))),
            }
        })
    }
}

/// Tells who is calling, and when. Returns 0.
///
/// # Safety
/// `call` is null or a call that has not returned; `info` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_describe(call: *mut noema_call, info: *mut noema_call_info) -> i32 {
    // SAFETY: what this function is promised.
    unsafe {
        with(call, |_, host| {
            let place = Place::given(info, "info").map_err(failed)?;
            let about = host.info();
            place.put(noema_call_info {
                caller: noema_address { bytes: about.caller },
                contract: noema_address { bytes: about.self_address },
                height: about.height,
                time_ms: about.time_ms,
                gas_left: host.gas_left(),
                read_only: about.read_only,
            });
            Ok(0)
        })
    }
}

/// Charges for work, at the price of the row, before it is done. Returns 0, or less than 0 where the contract cannot
/// pay.
///
/// # Safety
/// `call` is null or a call that has not returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_charge(call: *mut noema_call, work: u64) -> i32 {
    // SAFETY: what this function is promised.
    unsafe { with(call, |_, host| host.charge_work(work).map(|()| 0)) }
}

/// Finds what the functions of this module keep under `key`, which no contract and no other module can reach. Returns
/// 1 and the value, which lives until the function returns, or 0 where there is none, or less than 0.
///
/// # Safety
/// `call` is null or a call that has not returned; `key` is readable; `value` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_get(call: *mut noema_call, key: noema_slice, value: *mut noema_slice) -> i32 {
    // SAFETY: what this function is promised.
    unsafe {
        with(call, |call, host| {
            let place = Place::given(value, "value").map_err(failed)?;
            let found = host.get(key.bytes("key").map_err(failed)?)?;
            match found {
                None => {
                    place.put(noema_slice::EMPTY);
                    Ok(0)
                }
                Some(found) => {
                    place.put(noema_slice::of(&found));
                    call.values.push(found);
                    Ok(1)
                }
            }
        })
    }
}

/// Keeps a value under a key of this module: written with the message, undone with the contract. Returns 0, or less
/// than 0, in a view too.
///
/// # Safety
/// `call` is null or a call that has not returned; `key` and `value` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_set(call: *mut noema_call, key: noema_slice, value: noema_slice) -> i32 {
    // SAFETY: what this function is promised.
    unsafe {
        with(call, |_, host| {
            host.set(key.bytes("key").map_err(failed)?, value.bytes("value").map_err(failed)?).map(|()| 0)
        })
    }
}

/// Removes a key of this module. Returns 0, or less than 0, in a view too.
///
/// # Safety
/// `call` is null or a call that has not returned; `key` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_remove(call: *mut noema_call, key: noema_slice) -> i32 {
    // SAFETY: what this function is promised.
    unsafe { with(call, |_, host| host.remove(key.bytes("key").map_err(failed)?).map(|()| 0)) }
}

/// Adds an event of the running contract. Returns 0, or less than 0, in a view too.
///
/// # Safety
/// `call` is null or a call that has not returned; `topic` and `data` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_emit(call: *mut noema_call, topic: noema_slice, data: noema_slice) -> i32 {
    // SAFETY: what this function is promised.
    unsafe {
        with(call, |_, host| {
            host.emit(topic.bytes("topic").map_err(failed)?, data.bytes("data").map_err(failed)?).map(|()| 0)
        })
    }
}

/// Ends the contract as `control.abort` does: its effects are undone, code and message reach its caller. Returns less
/// than 0.
///
/// # Safety
/// `call` is null or a call that has not returned; `message` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_abort(call: *mut noema_call, code: u32, message: noema_slice) -> i32 {
    // SAFETY: what this function is promised.
    unsafe { with(call, |_, host| Err(host.abort(code, message.bytes("message").map_err(failed)?))) }
}

/// Says why this node cannot go on. UTF-8. Returns less than 0.
///
/// # Safety
/// `call` is null or a call that has not returned; `text` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_call_fail(call: *mut noema_call, text: noema_slice) -> i32 {
    // SAFETY: what this function is promised.
    unsafe { with(call, |_, _| Err(node(String::from_utf8_lossy(text.bytes("text").map_err(failed)?).into_owned()))) }
}

/// What a host function does wrong is a failure of this node.
fn failed(failure: Failure) -> Refusal {
    node(failure.text)
}

/// Runs a step of a call that goes on. The first refusal is kept, and is what the call ends with.
///
/// # Safety
/// `call` is null or a call that has not returned.
unsafe fn with(
    call: *mut noema_call,
    work: impl FnOnce(&mut noema_call, &mut HostCall<'_>) -> Result<i32, Refusal>,
) -> i32 {
    const ENDED: i32 = -1;
    // SAFETY: the caller's promise.
    let Ok(call) = (unsafe { given_mut(call, "call") }) else {
        return ENDED;
    };
    if call.end.is_some() {
        return ENDED;
    }
    let host = call.host;
    let result = quiet(Err(node("a host function made the library panic".into())), || {
        // SAFETY: `CFunction::run` made the pointer of a borrow that it holds until the function has returned, and
        // nothing else uses it meanwhile. The lifetime is shortened to that of this step.
        let host = unsafe { &mut *host.cast::<HostCall<'_>>() };
        work(call, host)
    });
    match result {
        Ok(code) => code,
        Err(end) => {
            call.end = Some(end);
            ENDED
        }
    }
}
