//! The numbers in the specification are those of the code.

use noema_abi::ProtocolVersion;
use noema_vm::rules::Rules;

#[test]
fn admission_lists_every_limit() {
    let specification = include_str!("../../../docs/spec/admission.md");
    let listed: Vec<u64> =
        specification.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ")?.0.parse().ok()).collect();
    let limits = &Rules::of(ProtocolVersion::V1).limits;
    let expected = [
        limits.code_bytes,
        limits.instrumented_bytes,
        limits.types,
        limits.params,
        limits.results,
        limits.imports,
        limits.functions,
        limits.tables,
        limits.table_elements,
        limits.memory_pages,
        limits.globals,
        limits.exports,
        limits.export_name_bytes,
        limits.element_segments,
        limits.segment_elements,
        limits.data_segments,
        limits.body_bytes,
        limits.locals,
        limits.total_locals,
        limits.blocks,
        limits.nesting,
        limits.loop_nesting,
        limits.br_table_targets,
        limits.metering_blocks,
        limits.local_blocks,
        limits.local_loops,
        limits.control_values,
        limits.call_values,
        limits.operand_units,
        limits.constants,
        limits.block_price,
    ];
    assert_eq!(listed, expected);
    let growth = [
        ("plus # for every function and import", limits.function_growth),
        ("import, # for every metering block", limits.block_growth),
        ("block, # for every operator that is priced", limits.bulk_growth),
        ("(`gas.md`), # for every `call`", limits.call_growth),
        ("`call_indirect`, # for every `ref.func`", limits.name_growth),
        ("segment, # for every `local.get`", limits.local_growth),
        ("`local.tee`, # for every function type", limits.type_growth),
        ("function type and # for each of its parameters", limits.type_value_growth),
        ("compute floats, # for every float", limits.float_growth),
        ("arithmetic, and # for every operand", limits.aside_growth),
    ];
    for (words, limit) in growth {
        assert_eq!(stated(specification, words), limit, "{words}");
    }
    // Nothing is left out: as many as the structure has fields.
    assert_eq!(format!("{limits:?}").matches(": ").count(), expected.len() + growth.len());
}

/// The number before or after which these words stand, in the text without its line breaks.
fn stated(text: &str, words: &str) -> u64 {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (before, after) = words.split_once('#').expect("`#` stands for the number");
    assert!(!before.is_empty(), "{words:?} begins with the number");
    let mut rest = text.as_str();
    while let Some(at) = rest.find(before) {
        rest = &rest[at + before.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let comma = if number.ends_with(',') { 1 } else { 0 };
        let number = &number[..number.len() - comma];
        if !number.is_empty() && (comma == 1 && after.starts_with(',') || behind.starts_with(after)) {
            return number.replace(',', "").parse().expect("digits");
        }
    }
    panic!("{words:?} is not there");
}

#[test]
fn gas_states_every_price() {
    let text = include_str!("../../../docs/spec/gas.md");
    let rules = Rules::of(ProtocolVersion::V1);
    let prices = &rules.prices;
    for (words, expected) in [
        ("(dead code counts), are more than # together", rules.machine.foreseen_branches),
        ("locals included, have more than # bytes together", rules.machine.near_code_bytes),
        ("every message: #, and", prices.message),
        ("and # for every byte of code, input", prices.message_byte),
        ("call, view: #, then", prices.load),
        ("exists) # for every byte of its code", prices.load_byte),
        ("deploy, migrate: #; then", prices.contract_record),
        ("then # for every byte of code, before", prices.deploy_byte),
        ("- # when a message reads it for the first time", prices.state_read),
        ("- # when a message writes or removes it", prices.state_write),
        ("transfer: #;", prices.transfer),
        ("begin model: #;", prices.model_begin),
        ("model chunk: #, then", prices.model_chunk),
        ("there already, # a byte and", prices.model_chunk_byte),
        ("a byte and # a hash of the proof", prices.model_chunk_step),
        ("finish model: #, then", prices.model_finish),
        ("is finished, # for every byte of the model", prices.model_finish_byte),
        ("withdraw model: #;", prices.model_withdraw),
        ("nested call: #; ", prices.instantiate),
        ("; # for every page its memory starts with", prices.instantiate_page),
        ("memory starts with, up to # pages", noema_vm::rules::Prices::RESIDENT_PAGES),
        ("pages, and # for every page more", prices.instantiate_more_page),
        ("; # for every byte of an active data segment", prices.instantiate_data_byte),
        ("; # for every element a table starts with", prices.instantiate_element),
        ("segment; # for every global and every function.", prices.instantiate_item),
        ("- # for every function type", prices.compile.ty),
        ("and # for each of its parameters and results", prices.compile.type_value),
        ("- # for every element of an element segment and every export", prices.compile.reference),
        ("for every function: #;", prices.compile.function),
        ("; # a byte of its body", prices.compile.body_byte),
        ("; # a metering block;", prices.compile.block),
        ("; # a value that `block`", prices.compile.control_value),
        ("; # a target of `br_table`", prices.compile.target),
        ("; # an argument or result of a call", prices.compile.call_value),
        ("; # a metering block times locals", prices.compile.local_block),
        ("; # a loop times locals", prices.compile.local_loop),
        ("are locals); # for each `add`", prices.compile.reassociated),
        ("`i64` above one in # bytes", noema_vm::rules::CompilePrices::BYTES_PER_REASSOCIATED),
    ] {
        assert_eq!(stated(text, words), expected, "{words}");
    }
}

#[test]
fn stack_states_the_sizes_of_the_machine() {
    let text = include_str!("../../../docs/spec/stack.md");
    let machine = &Rules::of(ProtocolVersion::V1).machine;
    assert_eq!(stated(text, "frame**: #, plus"), machine.frame_units);
    assert_eq!(stated(text, "**Limit**: # units"), machine.stack_units);
    assert_eq!(stated(text, "contract takes # units"), machine.call_units);
    let admission = include_str!("../../../docs/spec/admission.md");
    assert_eq!(stated(admission, "to # pages and"), machine.memory_pages);
    assert_eq!(stated(admission, "pages and # elements at most"), machine.table_elements);
    let receipt = include_str!("../../../docs/spec/receipt.md");
    assert_eq!(stated(receipt, "1 byte to # GiB") << 30, machine.model_bytes);
}

#[test]
fn receipt_states_what_deposits_are_for() {
    let text = include_str!("../../../docs/spec/receipt.md");
    let kept = &Rules::of(ProtocolVersion::V1).kept;
    assert_eq!(stated(text, "keeps `# + code_len + entries` bytes"), kept.contract);
    assert_eq!(stated(text, "of `# + length of the key + length of the value`"), kept.entry);
    assert_eq!(stated(text, "times `# + total_len`"), kept.model);
    assert_eq!(stated(text, "have at most # MiB, counting") << 20, noema_abi::limits::MAX_WRITTEN_BYTES);
}
