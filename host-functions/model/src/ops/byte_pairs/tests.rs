use noema_abi::{DType, ProtocolVersion, Status};
use noema_tensor::{Kernels, Level, OpError, Shape, Tensor};
use proptest::prelude::*;

use super::{BLANK, BREAK, BytePairs, LETTER, NUMBER, OTHER};
use crate::{
    Extent, ModelError, container,
    graph::{Edge, EdgeId, sequence},
    ops::tokenizer::tests::every_number_replaced,
    parameters::Array,
    prices::PRICES,
    sample::Sample,
};

/// Bytes are tokens 0 to 255. `ab` 256 (rank 3), `bc` 257 (1), `abc` 258 of `ab` and `c` (0), `aa` 259 (2), ` a` 260 (4); `xyz` is a whole
/// word, 261.
fn tables() -> (BytePairs, Vec<Array>) {
    let op = BytePairs {
        tokens: 8,
        vocabulary: 265,
        before: Some(262),
        behind: Some(263),
        padding: 264,
        pattern: BytePairs::GPT_2,
        digits: 0,
        prefix_space: false,
        ranges: 10,
        pairs: 5,
        widest: 2,
        nodes: 4,
    };
    let starts = [0, 0x0a, 0x0b, 0x20, 0x21, 0x30, 0x3a, 0x61, 0x7b, 0xe000];
    let classes = [OTHER, BREAK, OTHER, BLANK, OTHER, NUMBER, OTHER, LETTER, OTHER, LETTER];
    let (a, b, c) = (i32::from(b'a'), i32::from(b'b'), i32::from(b'c'));
    let pairs = [(32, a, 4, 260), (a, a, 2, 259), (a, b, 3, 256), (b, c, 1, 257), (256, c, 0, 258)];
    let firsts =
        (0..=265).map(|left| pairs.iter().filter(|pair| pair.0 < left).count()).map(|n| i32::try_from(n).unwrap());
    let arrays = vec![
        Array::I32(starts.to_vec()),
        Array::U8(classes.to_vec()),
        Array::I32((0..256).collect()),
        Array::I32(firsts.collect()),
        Array::I32(pairs.map(|pair| pair.1).to_vec()),
        Array::I32(pairs.map(|pair| pair.2).to_vec()),
        Array::I32(pairs.map(|pair| pair.3).to_vec()),
        Array::I32(vec![1, 2, 3, 4, 4]),
        Array::U8(b"\0xyz".to_vec()),
        Array::I32(vec![-1, -1, -1, 261]),
    ];
    (op, arrays)
}

fn sample(op: BytePairs, arrays: Vec<Array>) -> Sample {
    let mut sample = Sample::new(Edge::new(DType::U8, &[sequence(64)]));
    sample.graph.inputs.push(Edge::new(DType::I32, &[]));
    let tokens = sample.node(op, &[EdgeId(0), EdgeId(1)], arrays);
    sample.graph.outputs = vec![tokens];
    sample
}

fn run(model: &crate::Model, kernels: &Kernels, text: &[u8], count: i32) -> Result<Vec<i32>, OpError> {
    let bytes = Tensor::from_vec(Shape::new(&[1, u32::try_from(text.len()).unwrap()])?, text.to_vec())?;
    let count = Tensor::from_vec(Shape::new(&[1])?, vec![count])?;
    model.run(kernels, &[&bytes, &count])?[0].to_vec()
}

/// The tokens between the first and the last one.
fn tokens(op: BytePairs, text: &str) -> Vec<i32> {
    let model = sample(BytePairs { tokens: 70, ..op }, tables().1).model();
    let found =
        run(&model, &Kernels::new(Level::Portable, 1).unwrap(), text.as_bytes(), i32::try_from(text.len()).unwrap());
    let found = found.unwrap();
    found[2..usize::try_from(found[0]).unwrap()].to_vec()
}

#[test]
fn words_by_hand() {
    let (op, arrays) = tables();
    let model = sample(op, arrays).model();
    for level in Level::available() {
        let kernels = Kernels::new(level, 1).unwrap();
        let all = |text: &str| run(&model, &kernels, text.as_bytes(), i32::try_from(text.len()).unwrap()).unwrap();
        let (b, c, z) = (i32::from(b'b'), i32::from(b'c'), i32::from(b'z'));
        assert_eq!(all("abc"), [4, 262, 97, 257, 263, 264, 264, 264, 264], "bc first, and then a and bc is no pair");
        assert_eq!(all("abb"), [4, 262, 256, b, 263, 264, 264, 264, 264]);
        assert_eq!(all("aaab"), [4, 262, 259, 256, 263, 264, 264, 264, 264], "the left aa of two");
        assert_eq!(all("xyz"), [3, 262, 261, 263, 264, 264, 264, 264, 264], "a whole word");
        assert_eq!(all("xyzz")[..7], [6, 262, 120, 121, z, z, 263]);
        assert_eq!(all("a a"), [4, 262, 97, 260, 263, 264, 264, 264, 264]);
        assert_eq!(all("cccccccccc"), [8, 262, c, c, c, c, c, c, 263], "room for six");
        assert_eq!(all("é")[..5], [4, 262, 0xc3, 0xa9, 263]);
        assert_eq!(run(&model, &kernels, b"abc", 0).unwrap()[..3], [2, 262, 263]);
        assert_eq!(run(&model, &kernels, b"a\xff", 1).unwrap()[..4], [3, 262, 97, 263]);
        for (text, count, status) in [
            (&b"a\xff"[..], 2, Status::BadArgument),
            (b"a", 2, Status::IndexOutOfRange),
            (b"a", -1, Status::IndexOutOfRange),
        ] {
            assert_eq!(run(&model, &kernels, text, count), Err(OpError::Status(status)));
        }
    }
    let op = tables().0;
    assert_eq!(tokens(BytePairs { prefix_space: true, ..op.clone() }, "a"), [260]);
    assert_eq!(tokens(BytePairs { prefix_space: true, ..op.clone() }, " a"), [260]);
    let alone = sample(BytePairs { before: None, behind: None, ..op }, tables().1).model();
    let found = run(&alone, &Kernels::new(Level::Portable, 1).unwrap(), b"aab", 3).unwrap();
    assert_eq!(found[..4], [2, 259, i32::from(b'b'), 264]);
}

/// One word for each number, in a text that would take minutes if each looked for the end of them all.
#[test]
fn a_word_looks_no_further_than_it_can_reach() {
    let (op, arrays) = tables();
    let text = "1".repeat(1 << 20);
    let tokens = u32::try_from(text.len()).unwrap();
    let op = BytePairs { pattern: BytePairs::GPT_4, digits: 1, tokens, before: None, behind: None, ..op };
    let mut sample = sample(op, arrays);
    sample.graph.inputs[0] = Edge::new(DType::U8, &[tokens]);
    let found = run(
        &sample.model(),
        &Kernels::new(Level::Portable, 1).unwrap(),
        text.as_bytes(),
        i32::try_from(tokens).unwrap(),
    );
    let found = found.unwrap();
    assert_eq!(found[0], i32::try_from(tokens).unwrap());
    assert!(found[1..].iter().all(|token| *token == i32::from(b'1')));
    // What it keeps of a text meanwhile is many times as large, so there is an end to them.
    sample.graph.inputs[0] = Edge::new(DType::U8, &[tokens + 1]);
    assert!(matches!(sample.graph.edges(), Err(ModelError::Node { .. })));
}

/// Lowest rank, then leftmost, over and over: the definition, without anything that makes it fast.
fn merged(word: &[u8]) -> Vec<i32> {
    let pairs = [(32, 97, 4, 260), (97, 97, 2, 259), (97, 98, 3, 256), (98, 99, 1, 257), (256, 99, 0, 258)];
    let mut parts: Vec<i32> = word.iter().map(|byte| i32::from(*byte)).collect();
    loop {
        let found = (1..parts.len()).filter_map(|at| {
            let pair = pairs.iter().find(|pair| (pair.0, pair.1) == (parts[at - 1], parts[at]))?;
            Some((pair.2, at, pair.3))
        });
        let Some((_, at, result)) = found.min() else { return parts };
        parts[at - 1] = result;
        parts.remove(at);
    }
}

proptest! {
    #[test]
    fn pairs_become_one_in_the_order_of_their_ranks(word in "[abc]{1,40}") {
        prop_assert_eq!(tokens(tables().0, &word), merged(word.as_bytes()));
    }
}

#[test]
fn what_costs_more_for_longer_texts_is_the_formula() {
    let (op, arrays) = tables();
    let model = sample(op, arrays).model();
    for length in [1_u32, 7, 64] {
        let bits = u64::from(u32::BITS - length.leading_zeros());
        let work = u64::from(length) * (32 + 3 * (2 + bits)) + 8;
        let ports = 200 * (u64::from(length) + 4 + 36);
        let list = PRICES[0];
        let price = (list.per_work)(crate::prices::Opcode::BytePairs);
        let expected = list.one_node_of_length() + ports + work * price;
        assert_eq!(model.cost_of(ProtocolVersion::V1, Extent { batch: 1, length }), Ok(expected));
    }
}

#[test]
fn attributes_that_are_none_are_refused() {
    let op = tables().0;
    let refused = |op: BytePairs| {
        let sample = sample(op, tables().1);
        matches!(sample.graph.edges(), Err(ModelError::Node { .. }))
    };
    assert!(!refused(op.clone()));
    for op in [
        BytePairs { tokens: 2, ..op.clone() },
        BytePairs { tokens: 1 << 28, ..op.clone() },
        BytePairs { vocabulary: 0, ..op.clone() },
        BytePairs { vocabulary: 264, ..op.clone() },
        BytePairs { before: Some(265), ..op.clone() },
        BytePairs { pattern: 2, ..op.clone() },
        BytePairs { digits: 3, ..op.clone() },
        BytePairs { ranges: 0, ..op.clone() },
        BytePairs { pairs: u32::MAX, ..op.clone() },
        BytePairs { nodes: 0, ..op },
    ] {
        assert!(refused(op.clone()), "{op:?}");
    }
}

/// Every number of every table replaced: what is accepted runs to its end, and the rest is refused.
#[test]
fn tables_that_are_none_are_refused() {
    let (op, arrays) = tables();
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let text = b"aaabc xyz abcabc 12 \n\n a!b\xee\x80\x80\xf4\x8f\xbf\xbf";
    let values = [-1, 0, 1, 2, 5, 97, 256, 264, 265, 1 << 20, i32::MAX, i32::MIN];
    let (refused, accepted) = every_number_replaced(
        &arrays,
        &values,
        |length, at| length < 50 || at % 8 == 1,
        |arrays| sample(op.clone(), arrays),
        |sample| {
            let found = run(&sample.model(), &kernels, text, i32::try_from(text.len()).unwrap()).unwrap();
            assert!(found.iter().all(|token| (0..265).contains(token)), "{found:?}");
        },
    );
    assert!(refused > 500 && accepted > 300, "{refused} refused, {accepted} accepted");
    let fewer = sample(BytePairs { widest: 1, ..op }, arrays);
    assert!(container::encode(&fewer.manifest(), &fewer.graph, &fewer.parameters).is_err());
}
