"""Writes the test vectors of the `op` rows and the known answers of the kernels' self-test.

    pip install -r requirements.txt
    python generate_vectors.py            # writes ../vectors and ../../host-functions/tensor/src/selftest/known.rs
    python generate_vectors.py --check    # writes nothing, fails where a file would change

Everything is seeded: the same files come out every time. `mpmath` gives the exponentials; `crfix`, a
library of other authors, gives a second softmax, and the script fails where the two are further apart
than the formula allows; `softmax_against_crfix.txt` records what it found.
"""

import argparse
import json
import sys
from pathlib import Path

import ops
import self_test

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
KNOWN = HERE.parents[1] / "host-functions" / "tensor" / "src" / "selftest" / "known.rs"
MAX_BYTES = 200_000


def vector_text(row, cases):
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), f"{row}: two cases of one name"
    assert any("status" in case for case in cases) and any("result" in case for case in cases) or row == "op.relu"
    lines = ",\n".join("    " + json.dumps(case, separators=(",", ":")) for case in cases)
    text = f'{{\n  "row": "{row}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    assert len(text) < MAX_BYTES, f"{row}: {len(text)} bytes"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where a committed file differs")
    check = parser.parse_args().check
    files = {VECTORS / f"{row}.json": vector_text(row, cases) for row, cases in ops.all_rows()}
    files[KNOWN] = self_test.rust_source()
    files[HERE / "softmax_against_crfix.txt"] = ops.comparison()
    stale = []
    for path, text in files.items():
        if check:
            if not path.exists() or path.read_text() != text:
                stale.append(str(path))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if stale:
        sys.exit("differ from what this script writes: " + ", ".join(stale))


if __name__ == "__main__":
    main()
