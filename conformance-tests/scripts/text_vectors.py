"""Writes vectors/models for the operators that take text: small tables made here, run by docs/spec/text.md in Python.

    python3 conformance-tests/scripts/text_vectors.py

The classes of characters come from Python's `unicodedata`, of some hundred characters; all others are one class. With the package
`tokenizers` installed, `--check` compares the tokens of byte pairs with its own."""

import random
import sys
import unicodedata

from model_vectors import Model, Node, tensor, write
from text_operators import BytePairs, Refused

ALPHABET = "".join(map(chr, range(128))) + "äöüßéàçñïÅ²½ſÉ" + "αβγΔж Яяш" + "٣۵०" + "你好世界" + "🙂👍\u00a0\u2028\u3000\u0301\u200d"
BYTES = 256  # bytes of a text


def class_of(c):
    major = unicodedata.category(c)[0]
    if c in "\r\n":
        return 4
    return 1 if major == "L" else 2 if major == "N" else 3 if c.isspace() and not "\x1c" <= c <= "\x1f" else 0


def ranges(of):
    """First code points and values of ranges where `of` has one value for each character of the alphabet; between them 0."""
    points = {ord(c): of(c) for c in ALPHABET}
    found = []
    for point in range(0x1F500):
        value = points.get(point, of(None))
        if not found or found[-1][1] != value:
            found.append((point, value))
    return found


def tries(words, roots):
    """Children, keys and tokens of tries: `words` has for each root its sequences with their tokens."""
    children, keys, tokens = [], [0] * roots, [-1] * roots
    open_nodes = [dict(of_root) for of_root in words]
    at = 0
    while at < len(open_nodes):
        children.append(len(keys))
        here = open_nodes[at]
        for key in sorted({sequence[0] for sequence in here if sequence}):
            below = {sequence[1:]: token for sequence, token in here.items() if sequence and sequence[0] == key}
            keys.append(key)
            tokens.append(below.get(below and next((s for s in below if not s), None), -1))
            open_nodes.append({sequence: token for sequence, token in below.items() if sequence})
        at += 1
    return children + [len(keys)], keys, tokens


SENTENCES = [
    "The lights aren't on; we'LL see what they've found, I'd say.", "  two  spaces\n\n and lines \r\n\r\n end  ", "1234567 numbers, 3.14 and ²½ ٣۵०",
    "don't DON'T ſ'ſ it'ſ rock'n'roll 'tis", "你好,世界! 🙂👍 naïve façade Ålesund ΔΔ Яяш", "\ta\u00a0b\u3000c\u2028d", "''' '' ' 're 'RE 'rex 'v 'l", "", " ", "\n", "x", "the theatre thethe",
    "a\u0301e\u0301 \u200d!?..\n\n..", "lower newer wider low low low",
]


def merges_of(rng):
    """Merges as a training would find them: the most frequent neighbours of the sentences, with some chance."""
    words = [word.encode() for sentence in SENTENCES for word in (" " + sentence).split(" ")]
    words = [[bytes([b]) for b in (b" " + word)] for word in words if word]
    merges = []
    for _ in range(90):
        counts = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        pair = max(sorted(counts), key=lambda p: counts[p] + rng.random())
        merges.append(pair)
        for word in words:
            at = 0
            while at + 1 < len(word):
                if (word[at], word[at + 1]) == pair:
                    word[at : at + 2] = [b"".join(pair)]
                at += 1
    return merges


def byte_pairs(name, pattern, rng, digits=0, prefix_space=0, ignore_merges=False, frame=(None, None), tokens=40):
    merges = merges_of(rng)
    order = list(range(256))
    rng.shuffle(order)
    vocabulary = {bytes([byte]): token for token, byte in enumerate(order)}
    for pair in merges:
        vocabulary.setdefault(b"".join(pair), len(vocabulary))
    for word in (b" theatre", b"thethe") if ignore_merges else ():
        vocabulary[word] = len(vocabulary)
    size = len(vocabulary) + 3
    rows = [[] for _ in range(size)]
    for rank, (left, right) in enumerate(merges):
        rows[vocabulary[left]].append((vocabulary[right], rank, vocabulary[left + right]))
    rows = [sorted(row) for row in rows]
    begins = [sum(map(len, rows[:token])) for token in range(size + 1)]
    flat = [pair for row in rows for pair in row]
    whole = {tuple(word): token for word, token in vocabulary.items()} if ignore_merges else {}
    children, keys, ends = tries([whole], 1)
    classes = ranges(lambda c: 0 if c is None else class_of(c))
    a = dict(
        tokens=tokens, vocabulary=size, before=None if frame[0] is None else size + frame[0], behind=None if frame[1] is None else size + frame[1], padding=size - 1,
        pattern=pattern, digits=digits, prefix_space=prefix_space, ranges=len(classes), pairs=len(flat), widest=max(map(len, rows)), nodes=len(ends),
    )
    parameters = [
        ("i32", [start for start, _ in classes]), ("u8", [value for _, value in classes]), ("i32", [vocabulary[bytes([byte])] for byte in range(256)]), ("i32", begins),
        ("i32", [right for right, _, _ in flat]), ("i32", [rank for _, rank, _ in flat]), ("i32", [made for _, _, made in flat]),
        ("i32", children), ("u8", keys), ("i32", ends),
    ]
    node = Node("tokens", "BytePairs", [0, 1], a, parameters)
    return Model(name, [("u8", [BYTES]), ("i32", [])], [node], [2]), vocabulary, merges


def word_piece(rng):
    """Lower case, accents apart and dropped, punctuation and Chinese alone."""
    listed, lists = [], {}
    for c in ALPHABET:
        parts = unicodedata.normalize("NFD", c.lower())
        entries = [ord(p) + (unicodedata.combining(p) << 21) + (1 << 30 if unicodedata.combining(p) else 0) for p in parts]
        if parts != c and (len(parts) > 1 or ord(parts) > 127):
            lists[c] = (4, 0, len(listed), len(entries))
            listed += entries

    def kind(c):
        if c is None:
            return 0, 0, 0, 0
        if c in lists:
            return lists[c]
        if c.isspace():
            return 1, 0, 0, 0
        category = unicodedata.category(c)
        if category[0] == "C":
            return 0, 0, 0, 0
        if unicodedata.combining(c):
            return 2, unicodedata.combining(c), 0, 0
        alone = category[0] in "PS" or 0x4E00 <= ord(c) < 0x9FFF
        return 3 if alone else 2, 0, ord(c.lower()) - ord(c), 0

    found = ranges(kind)
    pieces = "the light s are n t on we see what they ve found i d say two spaces and lines end 1 2 34 5 ##67 ##e ##s ##n ##er ##ing low new wid ! , . ' ; 你 好 naive ##ade fac a e x".split()
    starts = {tuple(map(ord, p)): at + 4 for at, p in enumerate(pieces) if not p.startswith("##")}
    inner = {tuple(map(ord, p[2:])): at + 4 for at, p in enumerate(pieces) if p.startswith("##")}
    children, keys, ends = tries([starts, inner], 2)
    a = dict(
        tokens=24, vocabulary=len(pieces) + 4, longest_word=9, before=1, behind=2, unknown=3, padding=0, ranges=len(found), listed=len(listed), nodes=len(ends),
        depth=max(map(len, [*starts, *inner])), expansion=max(value[3] for _, value in found),
    )
    parameters = [("i32", [start for start, _ in found])] + [
        (dtype, [value[at] for _, value in found]) for at, dtype in enumerate(["u8", "u8", "i32", "u8"])
    ] + [("i32", listed), ("i32", children), ("i32", keys), ("i32", ends)]
    return Model("word-piece", [("u8", [BYTES]), ("i32", [])], [Node("tokens", "WordPiece", [0, 1], a, parameters)], [2])


def texts(rng):
    drawn = ["".join(rng.choice(ALPHABET) for _ in range(rng.randrange(1, 30))) for _ in range(12)]
    return SENTENCES + drawn + ["".join(rng.choice(" '\n\r1aé.") for _ in range(40)) for _ in range(4)]


def inputs_of(rows):
    data = [byte for row, _ in rows for byte in [*row, *[33] * (BYTES - len(row))]]
    return [data, [count for _, count in rows]]


def vectors(model, about, rng):
    rows = [(text.encode(), len(text.encode())) for text in texts(rng)]
    values = inputs_of(rows)
    (outputs,) = model.run(values, len(rows))
    tensors = lambda values, batch: [tensor(edge, batch, data) for edge, data in zip(model.edges, values)]
    cases = [{"name": f"{len(rows)} texts", "inputs": tensors(values, len(rows)), "outputs": [tensor(model.edges[2], len(rows), outputs)]}]
    for name, row, count in [
        ("a count below 0", b"a", -1), ("a count beyond the text", b"a", BYTES + 1), ("half a character", "é".encode(), 1), ("not the shortest form", b"\xc0\x80", 2),
        ("a surrogate", b"\xed\xa0\x80", 3), ("above 10FFFF", b"\xf4\x90\x80\x80", 4), ("a byte of none", b"a\xff", 2),
    ]:
        values = inputs_of([(row, count)])
        try:
            model.run(values, 1)
            raise AssertionError(name)
        except Refused as refused:
            cases.append({"name": name, "inputs": tensors(values, 1), "status": str(refused)})
    costs = {str(batch): model.cost(batch) for batch in (1, 1000)}
    write(model.name, about, model.container(), cost=costs, memory={str(batch): batch * model.memory() for batch in (1, 1000)}, cases=cases)


def check(model, vocabulary, merges):
    """Our tokens against those of `tokenizers`, for texts of the alphabet."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    node, rng = model.nodes[0], random.Random(7)
    letters = {byte: chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]}
    letters |= {byte: chr(256 + at) for at, byte in enumerate(b for b in range(256) if b not in letters)}
    spell = lambda data: "".join(letters[byte] for byte in data)
    bpe = models.BPE({spell(word): token for word, token in vocabulary.items()}, [(spell(a), spell(b)) for a, b in merges], ignore_merges=node.a["nodes"] > 1)
    theirs = Tokenizer(bpe)
    level = lambda regex: pre_tokenizers.ByteLevel(add_prefix_space=bool(node.a["prefix_space"]), use_regex=regex)
    wide = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(wide), "isolated"), level(False)])
    theirs.pre_tokenizer = split if node.a["pattern"] else level(True)
    drawn = ["".join(rng.choice(ALPHABET if rng.random() < 0.5 else " '\n\rrResS1aé.") for _ in range(rng.randrange(30))) for _ in range(20_000)]
    different = [text for text in SENTENCES + drawn if BytePairs.tokens(node, text) != theirs.encode(text).ids]
    print(f"{model.name}: {len(drawn) + len(SENTENCES)} texts, {len(different)} different", *map(repr, different[:5]), sep="\n  ")


def main():
    made = [
        (byte_pairs("byte-pairs", 0, random.Random(20260106), tokens=60), "Byte pairs behind the words of GPT-2"),
        (byte_pairs("byte-pairs-framed", 0, random.Random(20260107), prefix_space=1, frame=(-3, -2)), "The same with a space in front and a token at each end, cut to what there is room for"),
        (byte_pairs("byte-pairs-wide", 1, random.Random(20260108), digits=3, ignore_merges=True, frame=(-3, None), tokens=60), "Byte pairs behind the words of GPT-4, whole words first"),
    ]
    for (model, vocabulary, merges), about in made:
        if "--check" in sys.argv:
            check(model, vocabulary, merges)
        else:
            vectors(model, about, random.Random(20260109))
    if "--check" not in sys.argv:
        vectors(word_piece(random.Random(20260110)), "Pieces of words: accents, lists, unknown words", random.Random(20260111))


if __name__ == "__main__":
    main()
