"""Writes the scenarios whose expected bytes come from elsewhere than the Rust code: hashes and signatures. Needs
nothing but Python.

    python3 conformance-tests/scripts/host_vectors.py

The other scenarios are written by hand. Those with long lists of contracts or models are written here too."""

import hashlib
import json
import pathlib

import ed25519
import keccak
import secp256k1

OUT = pathlib.Path(__file__).parent.parent / "vectors" / "scenarios"


def seeded(*name):
    """32 bytes that look random and are always the same."""
    return hashlib.sha256("/".join(str(part) for part in name).encode()).digest()


def data_of(length, *name):
    """Bytes of any length, likewise."""
    blocks = (seeded(*name, i) for i in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def case(name, steps, **more):
    return {"name": name, "contracts": [{"name": "main", "call": steps}], **more}


def write(name, about, cases):
    """One step a line."""
    steps = []

    def hold(value):
        if isinstance(value, dict):
            if "call" in value and isinstance(value["call"], str):
                steps.append(json.dumps(value))
                return f"step {len(steps) - 1}"
            return {key: hold(inner) for key, inner in value.items()}
        return [hold(inner) for inner in value] if isinstance(value, list) else value

    text = json.dumps(hold({"about": about, "cases": cases}), indent=2)
    for index, step in enumerate(steps):
        text = text.replace(f'"step {index}"', step, 1)
    (OUT / name).write_text(text + "\n")


def hashes():
    lengths = [0, 1, 31, 32, 33, 55, 56, 57, 63, 64, 65, 111, 112, 119, 120, 127, 128, 135, 136, 137, 199, 200, 201, 271, 272, 273, 1000, 4096]
    cases = []
    for name, oracle in (("keccak256", keccak.keccak256), ("sha256", lambda data: hashlib.sha256(data).digest())):
        steps = [
            {"call": f"crypto.{name}", "args": {"data": f"text:{text}"}, "result": 0, "out": {"digest": oracle(text.encode()).hex()}}
            for text in ("abc", "transfer(address,uint256)", "The quick brown fox jumps over the lazy dog")
        ]
        for length in lengths:
            data = data_of(length, name, length)
            steps.append({"call": f"crypto.{name}", "args": {"data": data.hex()}, "result": 0, "out": {"digest": oracle(data).hex()}})
        million = oracle(b"a" * 1_000_000).hex()
        steps.append({"call": f"crypto.{name}", "args": {"data": "fill:61:1000000"}, "result": 0, "out": {"digest": million}})
        cases.append(case(f"{name} of all sorts of lengths", steps))
    write("crypto-hashes.json", "crypto.keccak256 (oracle: Keccak in Python integers, checked against hashlib's SHA3) and crypto.sha256 (oracle: hashlib)", cases)


def ed25519_step(key, signature, message):
    valid = int(ed25519.verify(key, signature, message))
    args = {"key": key.hex(), "signature": signature.hex(), "message": message.hex()}
    return {"call": "crypto.ed25519_verify", "args": args, "result": valid}


def flip(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def signatures_ed25519():
    steps = []
    for i in range(12):
        message = data_of([0, 1, 2, 31, 32, 64, 100, 128, 200, 255, 1000, 2048][i], "ed25519 message", i)
        key, signature = ed25519.sign(seeded("ed25519 secret", i), message)
        steps.append(ed25519_step(key, signature, message))
        assert steps[-1]["result"] == 1
        for wrong in (
            (key, flip(signature, 37 * i % 256), message),
            (key, flip(signature, 256 + 41 * i % 250), message),
            (flip(key, 53 * i % 256), signature, message),
            (key, signature, message + b"\0"),
        ):
            steps.append(ed25519_step(*wrong))
            assert steps[-1]["result"] == 0
        # s + L: the same number modulo the order of the group, and not reduced.
        unreduced = int.from_bytes(signature[32:], "little") + ed25519.L
        steps.append(ed25519_step(key, signature[:32] + unreduced.to_bytes(32, "little"), message))
        assert steps[-1]["result"] == 0
    cases = [case("signatures, and one thing wrong with them", steps)]

    small = ed25519.small_order_encodings()
    assert len(small) == 14
    steps = [ed25519_step(a, r + bytes(32), b"Zcash") for a in small for r in small]
    assert all(step["result"] == 1 for step in steps)
    for start in range(0, len(steps), 49):
        cases.append(case(f"points of small order in every encoding, from {start}", steps[start : start + 49]))

    # Keys and nonces with a part of small order: only the cofactored equation takes them.
    steps = []
    torsion = [ed25519.decode(encoding) for encoding in small]
    for i, point in enumerate(torsion):
        secret, nonce = (int.from_bytes(seeded("mixed", which, i), "little") % ed25519.L for which in ("a", "r"))
        message = data_of(20, "mixed message", i)
        key = ed25519.encode(ed25519.add(ed25519.multiply(secret, ed25519.B), point))
        r = ed25519.encode(ed25519.add(ed25519.multiply(nonce, ed25519.B), torsion[(i * 5 + 3) % 14]))
        k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % ed25519.L
        s = (nonce + k * secret) % ed25519.L
        steps.append(ed25519_step(key, r + s.to_bytes(32, "little"), message))
        assert steps[-1]["result"] == 1
        steps.append(ed25519_step(key, r + ((s + 1) % ed25519.L).to_bytes(32, "little"), message))
        assert steps[-1]["result"] == 0
    # Encodings of nothing.
    for i in range(2, 40):
        encoding = i.to_bytes(32, "little")
        if ed25519.decode(encoding) is None:
            steps.append(ed25519_step(encoding, small[2] + bytes(32), b"Zcash"))
            steps.append(ed25519_step(small[2], encoding + bytes(32), b"Zcash"))
    cases.append(case("parts of small order, and no points at all", steps))
    write("crypto-ed25519.json", "crypto.ed25519_verify (oracle: RFC 8032 and ZIP-215 in Python integers)", cases)


def secp256k1_step(digest, r, s, recovery_id):
    key = secp256k1.recover(digest, r, s, recovery_id)
    step = {
        "call": "crypto.secp256k1_recover",
        "args": {"digest": f"{digest:064x}", "signature": f"{r:064x}{s:064x}", "recovery_id": recovery_id},
    }
    if key is None:
        return {**step, "status": "InvalidSignature"}
    return {**step, "result": 0, "out": {"public_key": f"{key[0]:064x}{key[1]:064x}"}}


def signatures_secp256k1():
    n = secp256k1.N
    steps = []
    for i in range(12):
        secret, digest, nonce = (int.from_bytes(seeded("secp256k1", what, i), "big") for what in ("secret", "digest", "nonce"))
        secret, nonce = secret % (n - 1) + 1, nonce % (n - 1) + 1
        if i == 10:
            digest = 0
        if i == 11:
            digest = 2**256 - 1
        r, s, recovery_id = secp256k1.sign(secret, digest, nonce)
        steps.append(secp256k1_step(digest, r, s, recovery_id))
        assert steps[-1]["out"]["public_key"] == "%064x%064x" % secp256k1.multiply(secret, secp256k1.G)
        # The other parity, the other sign of s, and both: another key, another key, the same key.
        steps += [secp256k1_step(digest, r, s, recovery_id ^ 1), secp256k1_step(digest, r, n - s, recovery_id)]
        steps.append(secp256k1_step(digest, r, n - s, recovery_id ^ 1))
        assert steps[-1]["out"] == steps[-4]["out"]
        steps += [secp256k1_step(digest, r, s, recovery_id | 2), secp256k1_step(digest ^ 1, r, s, recovery_id)]
    cases = [case("recovered keys", steps)]

    digest = int.from_bytes(seeded("secp256k1 edge"), "big")
    s = int.from_bytes(seeded("secp256k1 edge s"), "big") % n
    steps = []
    # Points whose x is at least the order: only recovery ids 2 and 3 find them.
    found = 0
    for small in range(1, 200):
        point = secp256k1.lift(n + small, 0)
        if point is not None:
            steps += [secp256k1_step(digest, small, s, recovery_id) for recovery_id in range(4)]
            found += 1
            if found == 3:
                break
    # x + n beyond the field.
    steps += [secp256k1_step(digest, secp256k1.P - n + extra, s, 2) for extra in (-1, 0, 1)]
    for r, s_edge in ((0, s), (1, 0), (n, s), (n + 1, s), (n - 1, s), (1, n), (1, n - 1), (2**256 - 1, s), (1, 2**256 - 1), (1, 1), (5, s)):
        steps += [secp256k1_step(digest, r, s_edge, recovery_id) for recovery_id in (0, 1)]
    for recovery_id in (4, 5, 27, 28, 255, 256, 2**31, 2**32 - 1):
        steps.append(secp256k1_step(digest, 1, s, recovery_id))
    # s R = z G: the key would be the point at infinity.
    nonce = 12345
    point = secp256k1.multiply(nonce, secp256k1.G)
    steps.append(secp256k1_step(digest, point[0] % n, digest * pow(nonce, -1, n) % n, point[1] & 1))
    assert steps[-1]["status"] == "InvalidSignature"
    cases.append(case("edges", steps))
    # The example of EIP-155.
    eip = secp256k1_step(
        0xDAF5A779AE972F972197303D7B574746C7EF83EADAC0F2791AD23DB92E4C8E53,
        0x28EF61340BD939BC2195FE537567866003E1A15D3C71FF63E1590620AA636276,
        0x67CBE9D8997F761AECB703304B3800CCF555C9F3DC64214B297FB1966A3B6D83,
        0,
    )
    assert eip["out"]["public_key"] == "%064x%064x" % secp256k1.multiply(int("46" * 32, 16), secp256k1.G)
    assert keccak.keccak256(bytes.fromhex(eip["out"]["public_key"]))[12:].hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
    cases.append(case("the transaction of EIP-155", [eip]))
    write("crypto-secp256k1.json", "crypto.secp256k1_recover (oracle: SEC 1 in Python integers)", cases)


def call_of(target, **expected):
    args = {"target": target, "value": "u128:0", "gas": 900_000_000_000, "input": "", "output": 0}
    return {"call": "call.contract", "args": args, "work": target, **expected}


def call_depth():
    contracts = [{"name": "level11", "call": []}]
    for level in range(10, 0, -1):
        expected = {"status": "CallDepth"} if level == 10 else {"result": 0}
        contracts.append({"name": f"level{level}", "call": [call_of(f"@level{level + 1}", **expected)]})
    write("call-depth.json", "The deepest nesting of calls", [{"name": "ten contracts call each other, the eleventh is one too many", "contracts": contracts}])


def open_models():
    models = ["two-scores"] + [f"two-scores#{i}" for i in range(2, 66)]
    steps = [{"call": "model.open", "args": {"id": f"model:{name}"}, "result": i + 1} for i, name in enumerate(models[:64])]
    steps.append({"call": "model.open", "args": {"id": "model:two-scores#65"}, "status": "LimitExceeded"})
    steps.append({"call": "model.open", "args": {"id": "model:two-scores#64"}, "result": 64})
    write("open-models.json", "The most open models of a frame", [case("64 models", steps, models=models)])


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    hashes()
    signatures_ed25519()
    signatures_secp256k1()
    call_depth()
    open_models()
