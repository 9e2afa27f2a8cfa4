use noema_abi::{DType, Status};
use noema_tensor::{Kernels, Level, OpError, Shape, Tensor};

use super::{ALONE, DROP, KEEP, LIST, SPACE, WordPiece, entry};
use crate::{
    graph::{Edge, EdgeId, sequence},
    ops::tokenizer::tests::every_number_replaced,
    parameters::Array,
    sample::Sample,
};

/// `a` and `A` to `e` and `E` (in lower case), `!` alone, `f` to two letters, `g` and `h` marks of classes 2 and 1, `i` a mark that is
/// dropped and keeps others apart; pieces `a`, `ab`, `##b`, `##c`, `!`, `bb`, `##hg`.
fn tables() -> (WordPiece, Vec<Array>) {
    let op = WordPiece {
        tokens: 6,
        vocabulary: 12,
        longest_word: 4,
        before: 0,
        behind: 1,
        unknown: 2,
        padding: 3,
        ranges: 12,
        listed: 3,
        nodes: 11,
        depth: 2,
        expansion: 2,
    };
    let point = |character: char| u32::from(character).cast_signed();
    let starts = [0, 0x20, 0x21, 0x22, 0x41, 0x46, 0x61, 0x66, 0x67, 0x68, 0x69, 0x6a];
    let kinds = [DROP, SPACE, ALONE, DROP, KEEP, DROP, KEEP, LIST, KEEP, KEEP, LIST, DROP];
    let classes = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0];
    let values = [0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 2, 0];
    let counts = [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0];
    let (b, dropped) = (u32::from('b'), entry(u32::from('i'), 0, false, true));
    let list = [entry(b, 0, false, false), entry(b, 0, false, false), dropped];
    // Roots, then their children, then those of the children.
    let children = [2, 5, 8, 8, 9, 10, 10, 10, 11, 11, 11, 11];
    let points =
        ["\0", "\0", "!", "a", "b", "b", "c", "h", "b", "b", "g"].map(|text| point(text.chars().next().unwrap()));
    let tokens = [-1, -1, 8, 4, -1, 6, 7, -1, 5, 9, 10];
    let arrays = vec![
        Array::I32(starts.to_vec()),
        Array::U8(kinds.to_vec()),
        Array::U8(classes.to_vec()),
        Array::I32(values.to_vec()),
        Array::U8(counts.to_vec()),
        Array::I32(list.to_vec()),
        Array::I32(children.to_vec()),
        Array::I32(points.to_vec()),
        Array::I32(tokens.to_vec()),
    ];
    (op, arrays)
}

fn sample(op: WordPiece, arrays: Vec<Array>) -> Sample {
    let mut sample = Sample::new(Edge::new(DType::U8, &[sequence(16)]));
    sample.graph.inputs.push(Edge::new(DType::I32, &[]));
    let pieces = sample.node(op, &[EdgeId(0), EdgeId(1)], vec![]);
    *sample.parameters.last_mut().unwrap() = arrays;
    sample.graph.outputs = vec![pieces];
    sample
}

#[test]
fn words_by_hand() {
    let (op, arrays) = tables();
    let model = sample(op, arrays).model();
    let run = |text: &str, count: usize, kernels: &Kernels| -> Result<Vec<i32>, OpError> {
        let bytes = Tensor::from_vec(Shape::new(&[1, u32::try_from(text.len()).unwrap()])?, text.as_bytes().to_vec())?;
        let count = Tensor::from_vec(Shape::new(&[1])?, vec![i32::try_from(count).unwrap()])?;
        model.run(kernels, &[&bytes, &count])?[0].to_vec()
    };
    for level in Level::available() {
        let kernels = Kernels::new(level, 1).unwrap();
        let all = |text: &str| run(text, text.len(), &kernels).unwrap();
        assert_eq!(all("abc"), [4, 0, 5, 7, 1, 3, 3], "ab ##c");
        assert_eq!(all("ABBC"), [5, 0, 5, 6, 7, 1, 3]);
        assert_eq!(all("a ac"), [5, 0, 4, 4, 7, 1, 3]);
        assert_eq!(all("a!a"), [5, 0, 4, 8, 4, 1, 3]);
        assert_eq!(all("f"), [3, 0, 9, 1, 3, 3, 3], "bb");
        assert_eq!(all("agh"), [4, 0, 4, 10, 1, 3, 3], "marks in the order of their classes: a ##hg");
        assert_eq!(all("agih"), [3, 0, 2, 1, 3, 3, 3], "kept apart, they are not reordered");
        assert_eq!(all("ae"), [3, 0, 2, 1, 3, 3, 3], "no piece for e");
        assert_eq!(all("abbbb"), [3, 0, 2, 1, 3, 3, 3], "longer than four");
        assert_eq!(all("xx"), [2, 0, 1, 3, 3, 3, 3], "nothing left");
        assert_eq!(all("a a a a a a"), [6, 0, 4, 4, 4, 4, 1], "room for four");
        assert_eq!(run("abc", 1, &kernels).unwrap(), [3, 0, 4, 1, 3, 3, 3], "one byte counts");
        assert_eq!(run("abc", 4, &kernels), Err(OpError::Status(Status::IndexOutOfRange)));
    }
}

/// A byte pays for every character that it may become, and for what each takes beside its way through the tries.
#[test]
fn what_a_byte_may_become_is_paid_for() {
    let (op, arrays) = tables();
    let list = crate::prices::PRICES[0];
    let model = sample(op, arrays).model();
    for length in [1, 7, 16] {
        let work = 6 + u64::from(length) * (2 * (2 + 4) + 16);
        let ports = 200 * (u64::from(length) + 4 + 28);
        let expected = list.one_node_of_length() + ports + 10_000 * work;
        let extent = crate::Extent { batch: 1, length };
        assert_eq!(model.cost_of(noema_abi::ProtocolVersion::V1, extent), Ok(expected));
    }
}

/// A text of marks alone, and how many there can be.
#[test]
fn many_marks_are_put_in_order_and_more_are_refused() {
    let (op, arrays) = tables();
    // Marks of class 2 and 1 in turn behind an `a`: all of class 1 come first, and `hg` is no word's beginning.
    let text: Vec<u8> = b"a".iter().chain(b"gh".iter().cycle().take(1000)).copied().collect();
    let op = WordPiece { longest_word: 2000, tokens: 600, ..op };
    let mut long = sample(op.clone(), arrays.clone());
    long.graph.inputs[0] = Edge::new(DType::U8, &[1001]);
    let run = |long: &Sample| {
        let bytes = Tensor::from_vec(Shape::new(&[1, 1001]).unwrap(), text.clone()).unwrap();
        let count = Tensor::from_vec(Shape::new(&[1]).unwrap(), vec![1001]).unwrap();
        long.model().run(&Kernels::new(Level::Portable, 1).unwrap(), &[&bytes, &count]).unwrap()[0].to_vec::<i32>()
    };
    assert_eq!(run(&long).unwrap()[..4], [3, 0, 2, 1], "h behind h is no piece");
    // Of one class they stay as they are: 500 times `##hg`.
    let mut classes = arrays.clone();
    classes[2] = Array::U8(vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]);
    let text: Vec<u8> = b"a".iter().chain(b"hg".iter().cycle().take(1000)).copied().collect();
    let mut long = sample(op.clone(), classes);
    long.graph.inputs[0] = Edge::new(DType::U8, &[1001]);
    let bytes = Tensor::from_vec(Shape::new(&[1, 1001]).unwrap(), text).unwrap();
    let count = Tensor::from_vec(Shape::new(&[1]).unwrap(), vec![1001]).unwrap();
    let found = long.model().run(&Kernels::new(Level::Portable, 1).unwrap(), &[&bytes, &count]).unwrap()[0].to_vec();
    let found: Vec<i32> = found.unwrap();
    assert_eq!(found[..3], [503, 0, 4]);
    assert!(found[3..503].iter().all(|token| *token == 10) && found[503] == 1);

    let refused = |text: u32, expansion: u32| {
        let mut sample = sample(WordPiece { expansion, ..op.clone() }, arrays.clone());
        sample.graph.inputs[0] = Edge::new(DType::U8, &[text]);
        sample.graph.edges().is_err()
    };
    assert!(!refused(1 << 20, 4) && refused((1 << 20) + 1, 1) && refused(1 << 20, 5));
    assert!(!refused(crate::graph::MAX_SEQUENCE, 64) && refused(crate::graph::MAX_SEQUENCE, 65));
}

/// Every number of every table replaced: what is accepted runs, and the rest is refused.
#[test]
fn tables_that_are_none_are_refused() {
    let (op, arrays) = tables();
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let values = [-1, 0, 1, 2, 5, 9, 11, 12, 127, 1 << 20, i32::MAX, i32::MIN];
    let (refused, accepted) = every_number_replaced(
        &arrays,
        &values,
        |_, _| true,
        |arrays| sample(op.clone(), arrays),
        |sample| {
            let text: Vec<u8> = b"aAbf!gihe \0\x7fzc".iter().copied().chain([0xc3, 0xa9]).take(16).collect();
            let bytes = Tensor::from_vec(Shape::new(&[1, 16]).unwrap(), text).unwrap();
            let count = Tensor::from_vec(Shape::new(&[1]).unwrap(), vec![16]).unwrap();
            let tokens = sample.model().run(&kernels, &[&bytes, &count]).unwrap()[0].to_vec::<i32>().unwrap();
            assert!(tokens.iter().all(|token| (0..12).contains(token)), "{tokens:?}");
        },
    );
    assert!(refused > 300 && accepted > 100, "{refused} refused, {accepted} accepted");
}
