"""Writes the test vectors of the `op` rows and the known answers of the kernels' self-test.

    pip install -r requirements.txt
    python generate_vectors.py            # minutes; writes ../vectors, and the files of the kernels that say so
    python generate_vectors.py --check    # writes nothing, fails where a file would change
    python generate_vectors.py op.lookup  # only the vectors of some rows

Everything is seeded: the same files come out every time. `mpmath` gives the exponentials; `crfix`, a
library of other authors, gives a second softmax, norms and functions, and the script fails where the two are
further apart than the formula allows (functions: not at all); `*_against_crfix.txt` record what it found.
"""

import argparse
import json
import sys
from pathlib import Path

import composed
import function_constants
import functions
import norms
import ops
import self_test
import self_test_rows

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
TENSOR = HERE.parents[1] / "host-functions" / "tensor" / "src"
MAX_BYTES = 200_000
# Rows that take every tensor.
NEVER_REFUSED = {"op.relu", "op.neg", "op.abs", "op.bit_not", "op.tensor_hash"}


def vector_text(row, cases):
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), f"{row}: two cases of one name"
    assert any("status" in case for case in cases) and any("result" in case for case in cases) or row in NEVER_REFUSED
    return file_text(row, cases)


def file_text(row, cases):
    lines = ",\n".join("    " + json.dumps(case, separators=(",", ":")) for case in cases)
    text = f'{{\n  "row": "{row}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    assert len(text) < MAX_BYTES, f"{row}: {len(text)} bytes"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where a committed file differs")
    parser.add_argument("rows", nargs="*", help="only the vectors of these rows, and the known answers")
    arguments = parser.parse_args()
    check = arguments.check
    files = {VECTORS / f"{row}.json": vector_text(row, cases) for row, cases in ops.all_rows(arguments.rows)}
    files[TENSOR / "selftest" / "known.rs"] = self_test.rust_source()
    files[TENSOR / "selftest" / "known_rows.rs"] = self_test_rows.rust_source()
    files[TENSOR / "kernel" / "function" / "constants.rs"] = function_constants.rust_source()
    if not arguments.rows:
        files[VECTORS.parent / "checksums" / "functions.json"] = functions.every_16_bit_number()
        files[HERE / "softmax_against_crfix.txt"] = ops.comparison()
        files[HERE / "norms_against_crfix.txt"] = norms.comparison()
        files[HERE / "functions_against_crfix.txt"] = functions.comparison()
        files[HERE / "composed_against_mpmath.txt"] = composed.comparison()
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
