//! One host call, step by step. Every row of the table goes through [`call`]; nothing else reads the
//! guest's memory, charges an entry price or writes a result.

use noema_abi::HostFunction;
use noema_tensor::Tensor;

use crate::argument::Argument;
use crate::outcome::{Refusal, Reply};
use crate::{Fault, GasClass, Guest, HostContext, Stop};

/// A row of the table joined to its implementation, by the macro in `shim.rs`.
pub(crate) trait Row {
    /// What its gas counts as.
    const CLASS: GasClass;
    /// Its parameters.
    type Arguments: Argument;
    /// What `plan` hands to `run`.
    type Plan;
    /// What a non-negative result means.
    type Answer: Answer;

    /// The row.
    fn row(&self) -> &'static HostFunction;

    /// Every check of the arguments, and what the call will cost. It must be cheap: only the entry
    /// price is paid.
    fn plan<C: HostContext>(
        &self,
        pricing: &mut Pricing<'_, C>,
        arguments: &<Self::Arguments as Argument>::Typed<'_, '_>,
    ) -> Reply<Planned<Self::Plan>>;

    /// Does it.
    fn run<'c, C: HostContext>(
        &self,
        context: &'c mut C,
        plan: Self::Plan,
        arguments: &mut <Self::Arguments as Argument>::Typed<'_, 'c>,
    ) -> Reply<Self::Answer>;
}

/// What a call will need.
pub(crate) struct Planned<P> {
    /// Units of work, as the row's documentation names them.
    pub(crate) work: u64,
    /// Bytes of tensors and arenas.
    pub(crate) memory: u64,
    /// New tensor handles.
    pub(crate) tensors: u32,
    /// For `run`.
    pub(crate) plan: P,
}

impl<P> Planned<P> {
    /// Work, and nothing else.
    pub(crate) fn work(work: u64, plan: P) -> Planned<P> {
        Planned { work, memory: 0, tensors: 0, plan }
    }
}

/// What a row that prices itself by what it looks up may use meanwhile.
pub(crate) struct Pricing<'x, C> {
    pub(crate) context: &'x mut C,
    row: &'static HostFunction,
    class: GasClass,
}

impl<C: HostContext> Pricing<'_, C> {
    /// Charges for work at once: for a row that must look at one thing to find the next.
    pub(crate) fn charge_work(&mut self, work: u64) -> Result<(), Stop> {
        self.context.charge(self.class, self.row.price.per_work.saturating_mul(work))
    }
}

/// A result as the guest gets it.
pub(crate) trait Answer {
    /// The non-negative number, after keeping what needs a handle.
    fn deliver<C: HostContext>(self, context: &mut C) -> Reply<u64>;
}

impl Answer for () {
    fn deliver<C: HostContext>(self, _: &mut C) -> Reply<u64> {
        Ok(0)
    }
}

impl Answer for u64 {
    fn deliver<C: HostContext>(self, _: &mut C) -> Reply<u64> {
        Ok(self)
    }
}

impl Answer for Tensor {
    fn deliver<C: HostContext>(self, context: &mut C) -> Reply<u64> {
        Ok(u64::from(context.tensors().insert(self)?))
    }
}

/// A handle of a model that the frame has kept.
pub(crate) struct OpenModel(pub(crate) u32);

impl Answer for OpenModel {
    fn deliver<C: HostContext>(self, _: &mut C) -> Reply<u64> {
        Ok(u64::from(self.0))
    }
}

impl Answer for std::convert::Infallible {
    fn deliver<C: HostContext>(self, _: &mut C) -> Reply<u64> {
        match self {}
    }
}

/// Calls a row: `raw` are the WebAssembly arguments, the result is what the guest gets.
pub(crate) fn call<R: Row, G: Guest>(
    this: &R,
    guest: &mut G,
    raw: <R::Arguments as Argument>::Raw,
) -> Result<i64, Stop> {
    let row = this.row();
    let (memory, context) = guest.split();

    // 1. The version has the row. Admission has refused the import otherwise.
    let version = context.version();
    if !row.allowed_in(version) {
        return Err(Fault::NotInVersion { group: row.group, name: row.name, version }.into());
    }

    // 2. Entry charge: base and bytes, which are known from the arguments alone.
    context.charge(R::CLASS, row.price.gas(R::Arguments::priced_bytes(raw), 0))?;

    // 3. Every guest range lies in the guest's memory, before any of it is touched.
    let checked = R::Arguments::check(raw, memory.len())?;

    let result = match answer::<R, G::Context>(this, memory, context, checked) {
        // A number of 2^63 or more (a height, a gas limit) reads as the largest one.
        Ok(result) => i64::try_from(result).unwrap_or(i64::MAX),
        Err(Refusal::Status(status)) => status.to_return(),
        Err(Refusal::Stop(stop)) => return Err(stop),
    };

    // 9. Trace hook.
    context.trace(row, result);

    // 10. The result, or the negated status, to the guest.
    Ok(result)
}

/// Steps 4 to 8: everything that can end in a status. Nothing is written then.
fn answer<R: Row, C: HostContext>(
    this: &R,
    memory: &mut [u8],
    context: &mut C,
    checked: <R::Arguments as Argument>::Checked,
) -> Reply<u64> {
    // 4. Typed arguments: slices of guest memory, live tensors, open models.
    let mut arguments = R::Arguments::parse(&checked, memory, context)?;

    // 5. Work: a pure function of shapes, lengths and, for lookups, of what was found.
    let mut pricing = Pricing { context, row: this.row(), class: R::CLASS };
    let planned = this.plan(&mut pricing, &arguments)?;

    // 6. Price.
    let gas = this.row().price.per_work.saturating_mul(planned.work);

    // 7. Charge and reserve: whoever cannot pay stops here, before anything is allocated or computed.
    if gas > 0 {
        context.charge(R::CLASS, gas)?;
    }
    context.tensors().room_for(planned.tensors)?;
    let held = context.tensors().bytes();
    if planned.memory > 0 {
        context.reserve_memory(planned.memory)?;
    }

    // 8. Run, write what the guest asked for, keep what got a handle.
    let answered = match this.run(context, planned.plan, &mut arguments) {
        Ok(answer) => {
            let pending = R::Arguments::pending(arguments);
            R::Arguments::write(checked, pending, memory);
            answer.deliver(context)
        }
        Err(refusal) => {
            drop(arguments);
            Err(refusal)
        }
    };
    settle_memory(context, held.saturating_add(planned.memory))?;
    answered
}

/// Gives back what is reserved beyond the tensors that the frame holds now: an arena that is no
/// longer needed, the result of a run that failed, a tensor that was dropped.
fn settle_memory<C: HostContext>(context: &mut C, reserved: u64) -> Result<(), Stop> {
    let held = context.tensors().bytes();
    match reserved.checked_sub(held) {
        Some(0) => Ok(()),
        Some(unused) => {
            context.release_memory(unused);
            Ok(())
        }
        None => Err(Stop::Node(format!("tensors hold {held} bytes of {reserved} that were reserved"))),
    }
}
