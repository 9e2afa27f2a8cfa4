use noema_vm::{Address, ReceiptStatus, Rejection};

use super::*;

fn receipt() -> TransactionReceipt {
    TransactionReceipt {
        transaction: [1; 32],
        height: 5,
        index: 0,
        sender: Address([2; 32]),
        fee: 70,
        receipt: Receipt {
            version: 1,
            status: ReceiptStatus::Success,
            gas_limit: 100,
            gas: GasUsed { wasm: 1, host: 2, tensor: 3, state: 4, code: 5, forfeited: 6 },
            output: vec![9; 100],
            events: vec![Event { contract: Address([3; 32]), topic: b"t".to_vec(), data: b"d".to_vec() }],
            write_hash: [4; 32],
            depth: 7,
            tensor_bytes: 8,
        },
    }
}

/// Every field of a receipt, changed alone, is found under its name.
#[test]
fn every_field_of_a_receipt_is_compared() {
    type Change = fn(&mut TransactionReceipt);
    let changes: [(&str, Change); 21] = [
        ("transaction hash", |r| r.transaction[31] ^= 1),
        ("height", |r| r.height = 6),
        ("index", |r| r.index = 1),
        ("sender", |r| r.sender.0[0] ^= 1),
        ("fee", |r| r.fee += 1),
        ("version", |r| r.receipt.version = 2),
        ("status", |r| r.receipt.status = ReceiptStatus::Fault),
        ("status", |r| r.receipt.status = ReceiptStatus::Rejected { reason: Rejection::NoContract }),
        ("gas limit", |r| r.receipt.gas_limit = 101),
        ("gas of wasm", |r| r.receipt.gas.wasm += 1),
        ("gas of host functions", |r| r.receipt.gas.host += 1),
        ("gas of tensors and models", |r| r.receipt.gas.tensor += 1),
        ("gas of state", |r| r.receipt.gas.state += 1),
        ("gas of code", |r| r.receipt.gas.code += 1),
        ("forfeited gas", |r| r.receipt.gas.forfeited += 1),
        ("output", |r| r.receipt.output[80] = 8),
        ("contract of event 0", |r| r.receipt.events[0].contract.0[0] ^= 1),
        ("data of event 0", |r| r.receipt.events[0].data.push(0)),
        ("number of events", |r| r.receipt.events.clear()),
        ("write hash", |r| r.receipt.write_hash[0] ^= 1),
        ("depth", |r| r.receipt.depth += 1),
    ];
    for (field, change) in changes {
        let mut got = receipt();
        change(&mut got);
        let mut comparison = Comparison { height: 5, difference: None };
        comparison.receipts(&[receipt(), receipt()], &[receipt(), got]);
        let difference = comparison.difference.unwrap_or_else(|| panic!("{field} is not compared"));
        assert_eq!((difference.field.as_str(), difference.transaction), (field, Some(1)));
        assert_ne!(difference.expected, difference.got);
    }
    let mut comparison = Comparison { height: 5, difference: None };
    comparison.receipts(&[receipt()], &[receipt()]);
    assert_eq!(comparison.difference, None);
    comparison.receipts(&[receipt()], &[]);
    assert_eq!(comparison.difference.unwrap().field, "number of receipts");
}

#[test]
fn long_bytes_are_shown_where_they_differ() {
    let mut comparison = Comparison { height: 0, difference: None };
    comparison.bytes(None, "output", &[&[0; 90][..], &[1, 2]].concat(), &[&[0; 90][..], &[1, 3]].concat());
    let difference = comparison.difference.unwrap();
    assert_eq!(difference.expected, "from byte 91 on 0x02 (1 of 92 bytes)");
    assert_eq!(
        difference.to_string(),
        "block 0, output: the chain has from byte 91 on 0x02 (1 of 92 bytes), the replay got from byte 91 on 0x03 (1 of 92 bytes)"
    );
}
