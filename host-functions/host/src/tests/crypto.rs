//! Hashes and signatures against published vectors.

use noema_abi::{Status, find};

use super::fake::Caller;
use super::scene::{OUT, call, hex, scene};

/// Where the inputs of these tests lie.
const IN: usize = 0x1000;

fn place(guest: &mut Caller, at: usize, bytes: &[u8]) -> i64 {
    guest.memory[at..at + bytes.len()].copy_from_slice(bytes);
    i64::try_from(at).unwrap()
}

fn run(guest: &mut Caller, name: &str, raw: &[i64]) -> Result<u64, Status> {
    Status::from_return(call(guest, find("crypto", name).unwrap(), raw).unwrap())
}

fn hash(name: &str, data: &[u8]) -> Vec<u8> {
    let mut guest = scene();
    guest.memory.resize(IN + data.len(), 0);
    guest.memory.resize(guest.memory.len().max(0x1_0000), 0);
    let pointer = place(&mut guest, IN, data);
    let length = i64::try_from(data.len()).unwrap();
    run(&mut guest, name, &[pointer, length, 0x20]).unwrap();
    guest.memory[0x20..0x40].to_vec()
}

#[test]
fn keccak256_is_the_one_of_ethereum() {
    // The empty string, whose hash marks an account without code, and what a function selector starts with.
    assert_eq!(hash("keccak256", b""), hex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"));
    assert_eq!(hash("keccak256", b"abc"), hex("4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"));
    assert_eq!(hash("keccak256", b"transfer(address,uint256)")[..4], hex("a9059cbb"));
}

#[test]
fn sha256_of_fips_180() {
    assert_eq!(hash("sha256", b""), hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_eq!(hash("sha256", b"abc"), hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_eq!(
        hash("sha256", b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        hex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    );
    assert_eq!(
        hash("sha256", &vec![b'a'; 1_000_000]),
        hex("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    );
}

fn ed25519(key: &[u8], signature: &[u8], message: &[u8]) -> u64 {
    let mut guest = scene();
    let key = place(&mut guest, IN, key);
    let signature = place(&mut guest, IN + 32, signature);
    let message_at = place(&mut guest, IN + 96, message);
    run(&mut guest, "ed25519_verify", &[key, signature, message_at, i64::try_from(message.len()).unwrap()]).unwrap()
}

#[test]
fn ed25519_of_rfc_8032() {
    for (key, message, signature) in [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            concat!(
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
                "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            concat!(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            concat!(
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
                "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ] {
        let (key, message, signature) = (hex(key), hex(message), hex(signature));
        assert_eq!(ed25519(&key, &signature, &message), 1);
        for bit in [0, 255, 256, 511] {
            let mut wrong = signature.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ed25519(&key, &wrong, &message), 0, "bit {bit}");
        }
        assert_eq!(ed25519(&key, &signature, &[&message[..], b"!"].concat()), 0);
    }
}

/// ZIP-215 fixes what implementations of RFC 8032 disagree about: non-canonical encodings of points
/// and points of small order are accepted, the cofactored equation decides, `s` must be reduced.
#[test]
fn ed25519_by_the_rules_of_zip_215() {
    let identity = hex("0100000000000000000000000000000000000000000000000000000000000000");
    // y = p + 1, which is 1 not reduced, and the same with the sign bit of x = 0 set.
    let unreduced = hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    let unreduced_negative = hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
    // A point of order 8.
    let order_8 = hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
    let zero = [0; 32];
    let points = [&identity, &unreduced, &unreduced_negative, &order_8];
    for key in points {
        for r in points {
            assert_eq!(ed25519(key, &[&r[..], &zero].concat(), b"Zcash"), 1);
        }
    }
    // s = l, the order of the group: as good as 0 in the equation, and not allowed.
    let l = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    assert_eq!(ed25519(&identity, &[&identity[..], &l].concat(), b"Zcash"), 0);
    // y = 2 is on no point of the curve.
    let mut none = zero;
    none[0] = 2;
    assert_eq!(ed25519(&none, &[&identity[..], &zero].concat(), b"Zcash"), 0);
    assert_eq!(ed25519(&identity, &[&none[..], &zero].concat(), b"Zcash"), 0);
}

fn recover(digest: &[u8], signature: &[u8], recovery_id: i64) -> Result<Vec<u8>, Status> {
    let mut guest = scene();
    let digest = place(&mut guest, IN, digest);
    let signature = place(&mut guest, IN + 32, signature);
    run(&mut guest, "secp256k1_recover", &[digest, signature, recovery_id, OUT])?;
    Ok(guest.memory[OUT as usize..OUT as usize + 64].to_vec())
}

/// The example transaction of EIP-155, signed with the private key 0x4646...46.
#[test]
fn secp256k1_recovers_the_sender_of_eip_155() {
    let digest = hex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    let r = hex("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276");
    let s = hex("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83");
    let signature = [r.clone(), s.clone()].concat();
    let key = recover(&digest, &signature, 0).unwrap();
    assert_eq!(
        key,
        hex(concat!(
            "4bc2a31265153f07e70e0bab08724e6b85e217f8cd628ceb62974247bb493382",
            "ce28cab79ad7119ee1ad3ebcdb98a16805211530ecc6cfefa1b88e6dff99232a"
        ))
    );
    assert_eq!(hash("keccak256", &key)[12..], hex("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"), "the sender's address");
    assert_ne!(recover(&digest, &signature, 1).unwrap(), key);

    // The same signature with s negated and the other parity is as good: Ethereum's precompile takes it.
    let n = hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    let mut negated = vec![0; 32];
    let mut borrow = 0i32;
    for i in (0..32).rev() {
        let difference = i32::from(n[i]) - i32::from(s[i]) - borrow;
        borrow = i32::from(difference < 0);
        negated[i] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    assert_eq!(recover(&digest, &[r.clone(), negated].concat(), 1).unwrap(), key);

    let zero = vec![0; 32];
    for (signature, recovery_id) in [
        (signature.clone(), 2),
        (signature.clone(), 3),
        (signature.clone(), 4),
        (signature.clone(), 27),
        (signature.clone(), 256),
        (signature, -1),
        ([zero.clone(), s.clone()].concat(), 0),
        ([r.clone(), zero].concat(), 0),
        ([n.clone(), s].concat(), 0),
        ([r, n].concat(), 0),
    ] {
        assert_eq!(recover(&digest, &signature, recovery_id), Err(Status::InvalidSignature), "{recovery_id}");
    }
}
