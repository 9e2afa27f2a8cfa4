//! Everything about a protocol version that is a number: limits of admission, prices, sizes of the machine.
//!
//! Prices are picoseconds of the reference machine, calibrated with `noema-bench gas` (`docs/decisions/0010-prices.md`).

use noema_abi::ProtocolVersion;
use wasmparser::MemoryType;

use crate::instrument::Reach;

/// The numbers of one protocol version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What admission refuses.
    pub limits: Limits,
    /// What things cost, apart from operators (`docs/spec/gas.md`) and host functions (the table).
    pub prices: Prices,
    /// How large the machine is.
    pub machine: Machine,
    /// What deposits are for.
    pub kept: Kept,
}

/// Bytes that things count beyond their own where deposits are concerned: keys, records, places in the state tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// A contract, beside its code and its entries.
    pub contract: u64,
    /// An entry, beside its key and its value.
    pub entry: u64,
    /// A model, for each account that holds it.
    pub model: u64,
}

/// Limits of admission: `docs/spec/admission.md`. A module that is above one of them is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the module.
    pub code_bytes: u64,
    /// Bytes of the module and what instrumentation may add to them.
    pub instrumented_bytes: u64,
    /// Bytes that instrumentation may add for a function or an import.
    pub function_growth: u64,
    /// Bytes that instrumentation may add for a metering block.
    pub block_growth: u64,
    /// Bytes that instrumentation may add for an operator that is priced by its length.
    pub bulk_growth: u64,
    /// Bytes that instrumentation may add where a function is named but not called: operators, segments, exports.
    pub name_growth: u64,
    /// Bytes that instrumentation may add for a call.
    pub call_growth: u64,
    /// Bytes that instrumentation may add for an operator that names a local.
    pub local_growth: u64,
    /// Bytes that instrumentation may add for a float or vector operand whose bits an operator keeps or shows.
    pub float_growth: u64,
    /// Bytes that instrumentation may add for an operand of another type above one of those.
    pub aside_growth: u64,
    /// Bytes that instrumentation may add for a function type.
    pub type_growth: u64,
    /// Bytes that instrumentation may add for a parameter or result of a function type.
    pub type_value_growth: u64,
    /// Function types.
    pub types: u64,
    /// Parameters of a function type.
    pub params: u64,
    /// Results of a function type.
    pub results: u64,
    /// Imports.
    pub imports: u64,
    /// Functions, without imports.
    pub functions: u64,
    /// Tables.
    pub tables: u64,
    /// Elements that a table starts with.
    pub table_elements: u64,
    /// Memory pages of 64 KiB that a module starts with.
    pub memory_pages: u64,
    /// Globals.
    pub globals: u64,
    /// Exports.
    pub exports: u64,
    /// Bytes of the name of an export.
    pub export_name_bytes: u64,
    /// Element segments.
    pub element_segments: u64,
    /// Elements in all segments together.
    pub segment_elements: u64,
    /// Data segments.
    pub data_segments: u64,
    /// Bytes of one function body.
    pub body_bytes: u64,
    /// Locals of one function, parameters included.
    pub locals: u64,
    /// Locals of all functions together, parameters included.
    pub total_locals: u64,
    /// `block`, `loop` and `if` of one function.
    pub blocks: u64,
    /// Nesting of them.
    pub nesting: u64,
    /// Targets of one `br_table`, the default not counted.
    pub br_table_targets: u64,
    /// Metering blocks of one function.
    pub metering_blocks: u64,
    /// Metering blocks times locals of one function: a compiler may need a value for each pair.
    pub local_blocks: u64,
    /// Loops times locals of one function.
    pub local_loops: u64,
    /// Nesting of loops.
    pub loop_nesting: u64,
    /// Values that the control operators of one function pass on.
    pub control_values: u64,
    /// Arguments and results of all calls of one function.
    pub call_values: u64,
    /// Units of operands that one function holds at a time, locals not counted: an interpreter has so many registers.
    pub operand_units: u64,
    /// Different constants of one function: an interpreter keeps them in registers.
    pub constants: u64,
    /// Price of one metering block.
    pub block_price: u64,
}

/// Prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Every message, before anything else.
    pub message: u64,
    /// Every byte of its payload (input, code, chunk, proof): hashing it, and keeping it in the block.
    pub message_byte: u64,
    /// Admitting, instrumenting and storing code, by byte of the module.
    pub deploy_byte: u64,
    /// Compiling code.
    pub compile: CompilePrices,
    /// Finding the contract of a message and entering it.
    pub load: u64,
    /// Loading its code, by byte. Calls from contracts pay it as the work of `call.contract`.
    pub load_byte: u64,
    /// A new instance.
    pub instantiate: u64,
    /// Every page of 64 KiB that its memory starts with, up to [`Prices::RESIDENT_PAGES`]: a node keeps those at hand.
    pub instantiate_page: u64,
    /// Every other page that its memory starts with: the system has to find it.
    pub instantiate_more_page: u64,
    /// Every byte of its active data segments.
    pub instantiate_data_byte: u64,
    /// Every element of its tables and its active element segments.
    pub instantiate_element: u64,
    /// Every global and every function.
    pub instantiate_item: u64,
    /// A key of the state that a message reads for the first time, and a scan: a node may have to wait for its disk.
    pub state_read: u64,
    /// A key of the state that a message writes for the first time: with its part of the new root, and the commit.
    pub state_write: u64,
    /// Moving value between two balances.
    pub transfer: u64,
    /// A new contract, or a new code for one.
    pub contract_record: u64,
    /// Announcing a model.
    pub model_begin: u64,
    /// A chunk.
    pub model_chunk: u64,
    /// Every byte of a chunk: hashing it and keeping it.
    pub model_chunk_byte: u64,
    /// Every hash of its Merkle path.
    pub model_chunk_step: u64,
    /// Giving a model up.
    pub model_withdraw: u64,
    /// Finishing a model.
    pub model_finish: u64,
    /// Every byte of the finished model: reading it, checking its root and its certificate, packing it.
    pub model_finish_byte: u64,
}

/// What compiling costs, by what takes compilers time. Charged after admission has counted, before the compiler runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilePrices {
    /// Every byte of a body.
    pub body_byte: u64,
    /// Every function type.
    pub ty: u64,
    /// Every parameter and result of a function type.
    pub type_value: u64,
    /// Every function.
    pub function: u64,
    /// Every function that an element segment or an export names, again.
    pub reference: u64,
    /// Every metering block.
    pub block: u64,
    /// Every value that a control operator passes on.
    pub control_value: u64,
    /// Every target of a branch table.
    pub target: u64,
    /// Every argument and result of a call.
    pub call_value: u64,
    /// Every metering block times every local of its function.
    pub local_block: u64,
    /// Every loop times every local of its function.
    pub local_loop: u64,
    /// Every operator that an optimiser may put together with those of its operands, above one in
    /// [`CompilePrices::BYTES_PER_REASSOCIATED`] bytes of the body.
    pub reassociated: u64,
}

/// Sizes of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Logical stack of a message, over all its nested calls, in units of 8 bytes: `docs/spec/stack.md`.
    pub stack_units: u64,
    /// Units that every frame takes besides its locals and operands.
    pub frame_units: u64,
    /// Units that a nested call takes.
    pub call_units: u64,
    /// Memory pages of 64 KiB that an instance can have.
    pub memory_pages: u64,
    /// The most pages of a near memory, whose loads and stores cost the least.
    pub near_pages: u64,
    /// The most pages of a middle one; also of a memory that declares no maximum, unless it starts with more.
    pub middle_pages: u64,
    /// The most functions, branches and calls that a module can have, together, before it counts as large.
    pub foreseen_branches: u64,
    /// The most bytes that the bodies of its functions can have before that.
    pub near_code_bytes: u64,
    /// Elements that a table can have.
    pub table_elements: u64,
    /// Most bytes of a model.
    pub model_bytes: u64,
}

impl Machine {
    /// The most pages that a memory of this type can have.
    pub(crate) fn most_pages(&self, memory: &MemoryType) -> u64 {
        let declared = memory.maximum.unwrap_or(self.middle_pages.max(memory.initial));
        declared.min(self.memory_pages.max(memory.initial))
    }

    /// Which of the prices for loads and stores a memory of this type has.
    pub(crate) fn reach(&self, memory: &MemoryType) -> Reach {
        match self.most_pages(memory) {
            pages if pages <= self.near_pages => Reach::Near,
            pages if pages <= self.middle_pages => Reach::Middle,
            _ => Reach::Far,
        }
    }
}

impl Prices {
    /// Pages of an instance that cost less than the others.
    pub const RESIDENT_PAGES: u64 = 4;
}

impl CompilePrices {
    /// Ordinary code has no more operators that can be put together than one in so many bytes.
    pub const BYTES_PER_REASSOCIATED: u64 = 16;
}

impl Rules {
    /// The rules of a version.
    #[must_use]
    pub fn of(version: ProtocolVersion) -> &'static Rules {
        match version.number() {
            1 => &V1,
            // Every version that can be constructed has its arm; a test walks over all of them.
            other => unreachable!("version {other} has no rules"),
        }
    }
}

const V1: Rules = Rules {
    limits: Limits {
        code_bytes: 1024 * 1024,
        instrumented_bytes: 16 * 1024 * 1024,
        function_growth: 192,
        block_growth: 144,
        bulk_growth: 48,
        name_growth: 5,
        call_growth: 24,
        local_growth: 1,
        float_growth: 48,
        aside_growth: 10,
        type_growth: 32,
        type_value_growth: 3,
        types: 4096,
        params: 64,
        results: 8,
        imports: 256,
        functions: 16_384,
        tables: 4,
        table_elements: 16_384,
        memory_pages: 1024,
        globals: 1024,
        exports: 1024,
        export_name_bytes: 256,
        element_segments: 1024,
        segment_elements: 65_536,
        data_segments: 4096,
        body_bytes: 256 * 1024,
        locals: 2048,
        total_locals: 262_144,
        blocks: 16_384,
        nesting: 1024,
        br_table_targets: 1024,
        metering_blocks: 4096,
        local_blocks: 1 << 20,
        local_loops: 1 << 16,
        loop_nesting: 64,
        control_values: 1 << 17,
        call_values: 1 << 17,
        operand_units: 4096,
        constants: 8192,
        block_price: 1 << 40,
    },
    prices: Prices {
        message: 20_000_000,
        message_byte: 12_000,
        deploy_byte: 500_000,
        compile: CompilePrices {
            body_byte: 3_000_000,
            ty: 100_000_000,
            type_value: 15_000_000,
            function: 200_000_000,
            reference: 150_000_000,
            block: 90_000_000,
            control_value: 25_000_000,
            target: 4_000_000,
            call_value: 5_000_000,
            local_block: 1_000_000,
            local_loop: 10_000_000,
            reassociated: 100_000_000,
        },
        load: 20_000_000,
        load_byte: 10,
        instantiate: 10_000_000,
        instantiate_page: 4_000_000,
        instantiate_more_page: 32_000_000,
        instantiate_data_byte: 200,
        instantiate_element: 2_000,
        instantiate_item: 2_000,
        state_read: 40_000_000,
        state_write: 250_000_000,
        transfer: 20_000_000,
        contract_record: 20_000_000,
        model_begin: 20_000_000,
        model_chunk: 30_000_000,
        model_chunk_byte: 8_000,
        model_chunk_step: 600_000,
        model_withdraw: 50_000_000,
        model_finish: 50_000_000,
        model_finish_byte: 8_000,
    },
    machine: Machine {
        stack_units: 131_072,
        frame_units: 8,
        call_units: 1_024,
        memory_pages: 1024,
        near_pages: 16,
        middle_pages: 64,
        foreseen_branches: 6_144,
        near_code_bytes: 256 * 1024,
        table_elements: 16_384,
        model_bytes: 1 << 30,
    },
    kept: Kept { contract: 512, entry: 96, model: 512 },
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks and receipts are kept for good, as entries are until they are removed.
    #[test]
    fn what_is_kept_in_blocks_costs_no_less_than_entries() {
        let per_byte = |group, name| noema_abi::find(group, name).expect("a row").price.per_byte;
        let kept = [("event", "emit"), ("context", "output_write"), ("control", "abort")];
        for (group, name) in kept {
            assert!(per_byte(group, name) >= 2 * per_byte("storage", "set"), "{group}.{name}");
        }
        assert!(V1.prices.message_byte >= 2 * per_byte("storage", "set"));
    }

    #[test]
    fn every_version_has_rules_that_fit_together() {
        for number in 1..=ProtocolVersion::LATEST.number() {
            let version = ProtocolVersion::from_number(number).expect("a known version");
            let rules = Rules::of(version);
            assert!(rules.limits.memory_pages <= rules.machine.memory_pages);
            assert!(rules.limits.table_elements <= rules.machine.table_elements);
            assert!(rules.machine.memory_pages <= 65_536);
        }
        assert!(ProtocolVersion::from_number(ProtocolVersion::LATEST.number() + 1).is_none());
    }
}
