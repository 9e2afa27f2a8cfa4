"""The operators of models that take text, in Python: what docs/spec/text.md says, nothing else. Written as those in `model_operators` are."""

import struct

BLANK, BREAK = 3, 4
LETTER, NUMBER, OTHER = 1, 2, 0


class Refused(Exception):
    """A run that ends with a status, which is the argument."""


def pack(numbers):
    return struct.pack(f"<{len(numbers)}I", *numbers)


def optional(token):
    return b"\0" if token is None else b"\1" + pack([token])


def text_of(data, count):
    if not 0 <= count <= len(data):
        raise Refused("IndexOutOfRange")
    try:
        return bytes(data[:count]).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("BadArgument") from None


def range_of(starts, point):
    return max(at for at, start in enumerate(starts) if start <= point)


def child(trie, node, key):
    """The child of a node behind this key, or nothing."""
    begins, keys = trie
    found = [at for at in range(begins[node], begins[node + 1]) if keys[at] == key]
    return found[0] if found else None


class Tokenizer:
    def edge(a, inputs):
        return "i32", [1 + a["tokens"]]

    def bound(node, inputs, bounds, out):
        high = max(node.a["tokens"], node.a["vocabulary"] - 1)
        return 0, high, high

    @classmethod
    def run_rows(kind, node, inputs, values):
        """Element 0, what stands around the tokens, and as many of these as there is room for."""
        a, result = node.a, []
        (data, counts), (row,) = values, inputs[0][1]
        frame = lambda key: [] if a[key] is None else [a[key]]
        for at, count in enumerate(counts):
            text = text_of(data[at * row : (at + 1) * row], count)
            room = a["tokens"] - len(frame("before")) - len(frame("behind"))
            tokens = frame("before") + kind.tokens(node, text)[:room] + frame("behind")
            result += [len(tokens)] + tokens + [a["padding"]] * (a["tokens"] - len(tokens))
        return result


class WordPiece(Tokenizer):
    code = 28

    def attributes(a):
        keys = ["tokens", "vocabulary", "longest_word", "before", "behind", "unknown", "padding", "ranges", "listed", "nodes", "depth", "expansion"]
        return pack([a[key] for key in keys])

    def work(a, inputs):
        return {"word_piece": a["tokens"] + inputs[0][1][0] * (max(a["expansion"], 1) * (a["depth"] + 4) + 16)}

    def run(node, inputs, values, out, batch):
        return WordPiece.run_rows(node, inputs, values)

    def marks(node, text):
        """Code point, class, and whether it stands alone, is a space, is dropped."""
        starts, kinds, classes, added, counts, listed = (values for _, values in node.parameters[:6])
        for point in map(ord, text):
            at = range_of(starts, point)
            if kinds[at] == 1:
                yield ord(" "), 0, "space"
            elif kinds[at] in (2, 3):
                yield point + added[at], classes[at], "alone" if kinds[at] == 3 else "inside"
            elif kinds[at] == 4:
                for entry in listed[added[at] : added[at] + counts[at]]:
                    kind = "dropped" if entry >> 30 & 1 else "alone" if entry >> 29 & 1 else "inside"
                    yield entry & (1 << 21) - 1, entry >> 21 & 255, kind

    def words(node, text):
        marks = list(WordPiece.marks(node, text))
        at = 0
        while at < len(marks):
            end = at
            while end < len(marks) and marks[end][1]:
                end += 1
            marks[at:end] = sorted(marks[at:end], key=lambda mark: mark[1])
            at = end + 1
        word = []
        for point, _, kind in marks:
            if kind == "inside":
                word.append(point)
            elif kind != "dropped":
                if word:
                    yield word
                word = []
                if kind == "alone":
                    yield [point]
        if word:
            yield word

    def pieces(node, word):
        trie, ends = (node.parameters[6][1], node.parameters[7][1]), node.parameters[8][1]
        found, at = [], 0
        while at < len(word):
            here, best = 1 if at else 0, None
            for end in range(at, len(word)):
                here = child(trie, here, word[end])
                if here is None:
                    break
                if ends[here] >= 0:
                    best = end + 1, ends[here]
            if best is None:
                return [node.a["unknown"]]
            at = best[0]
            found.append(best[1])
        return found

    def tokens(node, text):
        longest = node.a["longest_word"]
        return [piece for word in WordPiece.words(node, text) for piece in (WordPiece.pieces(node, word) if len(word) <= longest else [node.a["unknown"]])]


class BytePairs(Tokenizer):
    code = 31

    def attributes(a):
        head = pack([a["tokens"], a["vocabulary"]]) + optional(a["before"]) + optional(a["behind"]) + pack([a["padding"]])
        return head + bytes([a["pattern"]]) + pack([a["digits"]]) + bytes([a["prefix_space"]]) + pack([a["ranges"], a["pairs"], a["widest"], a["nodes"]])

    def work(a, inputs):
        n = inputs[0][1][0]
        return {"byte_pairs": a["tokens"] + n * (32 + 3 * (a["widest"].bit_length() + n.bit_length()))}

    def run(node, inputs, values, out, batch):
        return BytePairs.run_rows(node, inputs, values)

    def word_end(a, marks, at):
        """Where the word ends that begins at mark `at`: marks are code points with their classes."""
        point = lambda i: marks[i][0] if i < len(marks) else None
        cls = lambda i: marks[i][1] if i < len(marks) else None

        def run(begin, *classes):
            while cls(begin) in classes:
                begin += 1
            return begin

        wide = a["pattern"] == 1
        if point(at) == ord("'"):
            fold = lambda c: c if c is None else "s" if wide and c == 0x17F else chr(c).lower() if wide and c < 128 else chr(c)
            one, two = fold(point(at + 1)), fold(point(at + 2))
            if one is not None:
                if one in "stmd":
                    return at + 2
                if two is not None and one + two in ("re", "ve", "ll"):
                    return at + 3
        after_space = at + (point(at) == ord(" "))
        if wide:
            after_any = at + (cls(at) in (OTHER, BLANK))
            if cls(after_any) == LETTER:
                return run(after_any, LETTER)
            if cls(at) == NUMBER:
                end = run(at, NUMBER)
                return min(end, at + a["digits"]) if a["digits"] else end
            if cls(after_space) == OTHER:
                return run(run(after_space, OTHER), BREAK)
        else:
            for wanted in (LETTER, NUMBER, OTHER):
                if cls(after_space) == wanted:
                    return run(after_space, wanted)
        end = run(at, BLANK, BREAK)
        breaks = [i for i in range(at, end) if cls(i) == BREAK]
        if wide and breaks:
            return breaks[-1] + 1
        return end - 1 if end < len(marks) and end - at > 1 else end

    def merged(node, word):
        """The tokens of the bytes of a word."""
        bytes_of, begins, rights, ranks, made = (values for _, values in node.parameters[2:7])
        trie, ends, here = (node.parameters[7][1], node.parameters[8][1]), node.parameters[9][1], 0
        for byte in word:
            here = None if here is None else child(trie, here, byte)
        if here is not None and ends[here] >= 0:
            return [ends[here]]
        tokens = [bytes_of[byte] for byte in word]
        while True:
            found = []
            for at, (left, right) in enumerate(zip(tokens, tokens[1:])):
                found += [(ranks[i], at, made[i]) for i in range(begins[left], begins[left + 1]) if rights[i] == right]
            if not found:
                return tokens
            _, at, token = min(found)
            tokens[at : at + 2] = [token]

    def tokens(node, text):
        a, (starts, classes) = node.a, (values for _, values in node.parameters[:2])
        if a["prefix_space"] and text and not text.startswith(" "):
            text = " " + text
        marks = [(ord(c), classes[range_of(starts, ord(c))]) for c in text]
        found, at = [], 0
        while at < len(marks):
            end = BytePairs.word_end(a, marks, at)
            found += BytePairs.merged(node, text[at:end].encode())
            at = end
        return found


ALL = {"WordPiece": WordPiece, "BytePairs": BytePairs}
