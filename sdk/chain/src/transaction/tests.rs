use proptest::prelude::*;

use super::*;
use crate::KeyPair;

fn actions() -> impl Strategy<Value = Action> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..50);
    let address = || any::<[u8; 32]>().prop_map(Address);
    prop_oneof![
        (bytes(), any::<u64>(), bytes()).prop_map(|(code, salt, input)| Action::Deploy { code, salt, input }),
        (address(), bytes()).prop_map(|(contract, input)| Action::Call { contract, input }),
        (address(), bytes(), bytes()).prop_map(|(contract, code, input)| Action::Migrate { contract, code, input }),
        address().prop_map(|to| Action::Transfer { to }),
        (any::<[u8; 32]>(), any::<u64>()).prop_map(|(top, total_len)| Action::BeginModel { total_len, top }),
        any::<[u8; 32]>().prop_map(|id| Action::WithdrawModel { id }),
        (any::<[u8; 32]>(), any::<u32>(), bytes(), prop::collection::vec(any::<[u8; 32]>(), 0..3))
            .prop_map(|(id, index, bytes, proof)| Action::ModelChunk { id, index, bytes, proof }),
        any::<[u8; 32]>().prop_map(|id| Action::FinishModel { id }),
    ]
}

fn transactions() -> impl Strategy<Value = Transaction> {
    ("[!-~]{0,20}", any::<u64>(), any::<u64>(), any::<u64>(), any::<u128>(), actions()).prop_map(
        |(chain_id, nonce, gas_limit, gas_price, value, action)| Transaction {
            chain_id,
            nonce,
            gas_limit,
            gas_price,
            value,
            action,
        },
    )
}

proptest! {
    /// There is one form of bytes, and no bit of it can be changed by somebody else.
    #[test]
    fn what_is_signed_cannot_be_changed(
        transaction in transactions(),
        seed in any::<[u8; 32]>(),
        position in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let signed = KeyPair::from_seed(seed).sign(transaction);
        prop_assert_eq!(signed.verify(), Ok(()));
        let bytes = signed.to_bytes();
        prop_assert_eq!(&SignedTransaction::from_bytes(&bytes).unwrap(), &signed);

        let mut changed = bytes.clone();
        changed[position.index(bytes.len())] ^= 1 << bit;
        if let Ok(changed) = SignedTransaction::from_bytes(&changed) {
            prop_assert!(changed.verify().is_err());
            prop_assert_ne!(changed.hash(), signed.hash());
            prop_assert_ne!(changed.to_bytes(), bytes.clone());
        }
        prop_assert!(SignedTransaction::from_bytes(&bytes[..position.index(bytes.len())]).is_err());
        prop_assert!(SignedTransaction::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    /// Bytes that are read are the canonical ones.
    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(read) = SignedTransaction::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}

fn transfer() -> SignedTransaction {
    KeyPair::from_seed([1; 32]).sign(Transaction {
        chain_id: "local".to_owned(),
        nonce: 0,
        gas_limit: 1,
        gas_price: 2,
        value: 3,
        action: Action::Transfer { to: Address([4; 32]) },
    })
}

/// A change of these values is a change of what every wallet signs.
#[test]
fn the_canonical_bytes_are_pinned() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let signed = transfer();
    assert_eq!(
        hex(&bytes(&signed.transaction)),
        [
            "05000000",
            "6c6f63616c",
            "0000000000000000",
            "0100000000000000",
            "0200000000000000",
            "03000000000000000000000000000000",
            "03",
            &"04".repeat(32),
        ]
        .concat()
    );
    assert_eq!(
        hex(&signed.transaction.signing_hash()),
        "d6c20111a5e71df363096212dbb3c3c37b803d2975da627ac99afd1b3a79245a"
    );
    assert_eq!(
        hex(&signed.signature),
        "a80bbc12833850276c318d586d8cddad62251b6f88c0a5f660d700fdd72ba8c5448397b987d77c0432001325c988870d1bbe00f04001ba5679e053ed751b5a0f"
    );
    assert_eq!(signed.sender().to_string(), "a4b89824c1ed6199bb65571d3cd283b5dc7cf61342c5f4d9618c31f31467a335");
    assert_eq!(hex(&signed.hash()), "f39c40966da172c2e2b2ca4dc0c8d6262951e2f96c4a0a852c70ab7de17bb92e");
}

#[test]
fn lengths_that_lie_are_refused_before_memory_is_taken() {
    let mut bytes = transfer().to_bytes();
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(SignedTransaction::from_bytes(&bytes), Err(TransactionError::Malformed { .. })));
    let huge = vec![0; MAX_TRANSACTION_BYTES + 1];
    assert!(matches!(SignedTransaction::from_bytes(&huge), Err(TransactionError::TooLarge { .. })));
}

/// ZIP-215: a key of small order is a key, and `s` has one form. Implementations that disagree here fork.
#[test]
fn signatures_follow_zip_215() {
    let mut signed = transfer();
    signed.public_key = [0; 32];
    signed.public_key[0] = 1;
    signed.signature = [0; 64];
    signed.signature[0] = 1;
    assert_eq!(signed.verify(), Ok(()), "the identity as key and as R, s = 0");

    // The same point with the encoding y = 1 + p, which RFC 8032 refuses.
    signed.public_key = [0xff; 32];
    signed.public_key[0] = 0xee;
    signed.public_key[31] = 0x7f;
    assert_eq!(signed.verify(), Ok(()));

    // s + L instead of s.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut signed = transfer();
    let mut carry = 0;
    for (byte, add) in signed.signature[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert!(matches!(signed.verify(), Err(TransactionError::Signature { .. })));
    assert_eq!(transfer().verify(), Ok(()));
}
