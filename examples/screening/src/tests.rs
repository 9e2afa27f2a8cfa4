use crate::{Class, Policy, UNFIT_MODEL, decision};

#[test]
fn without_a_policy_the_likelier_class_decides() {
    assert_eq!(decision(None, &[0], &[40_000, 25_536]), Ok((Class::Benign, 25_536)));
    assert_eq!(decision(None, &[1], &[1, 65_535]), Ok((Class::Malignant, 65_535)));
}

#[test]
fn a_policy_sets_the_threshold() {
    let policy = Some(Policy { examine_from: 20_000 });
    assert_eq!(decision(policy, &[0], &[45_536, 20_000]), Ok((Class::Malignant, 20_000)));
    assert_eq!(decision(policy, &[0], &[45_537, 19_999]), Ok((Class::Benign, 19_999)));
}

#[test]
fn another_kind_of_model_is_refused() {
    for (class, probabilities) in
        [(&[2][..], &[1, 2][..]), (&[-1], &[1, 2]), (&[0, 1], &[1, 2]), (&[0], &[1, 2, 3]), (&[], &[])]
    {
        for policy in [None, Some(Policy { examine_from: 1 })] {
            assert_eq!(decision(policy, class, probabilities).unwrap_err().code(), UNFIT_MODEL);
        }
    }
}
