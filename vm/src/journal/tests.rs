//! The journal against a plain map whose checkpoints are copies.

use std::collections::BTreeMap;

use noema_state::suite::counting::Counting;
use proptest::prelude::*;

use super::{Journal, Scan};
use crate::{Address, Event};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    Get(Vec<u8>),
    Scan(Vec<u8>, Vec<u8>, usize),
    Emit(u8),
    /// A nested frame: its steps, and whether it fails.
    Frame(Vec<Step>, bool),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few and short, so that steps meet each other; 0xff and the empty key among them.
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xff]), 0..4)
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![
        (key(), prop::collection::vec(any::<u8>(), 0..3)).prop_map(|(key, value)| Step::Set(key, value)),
        key().prop_map(Step::Remove),
        key().prop_map(Step::Get),
        (key(), key(), 0usize..6).prop_map(|(prefix, start, limit)| Step::Scan(prefix, start, limit)),
        any::<u8>().prop_map(Step::Emit),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        (prop::collection::vec(inner, 0..8), any::<bool>()).prop_map(|(steps, fails)| Step::Frame(steps, fails))
    })
}

fn event(number: u8) -> Event {
    Event { contract: Address([0; 32]), topic: vec![number], data: vec![] }
}

fn play(base: &Map, journal: &mut Journal, model: &mut Map, events: &mut Vec<Event>, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Set(key, value) => {
                journal.set(key.clone(), Some(value.clone()));
                model.insert(key.clone(), value.clone());
            }
            Step::Remove(key) => {
                journal.set(key.clone(), None);
                model.remove(key);
            }
            Step::Get(key) => {
                assert_eq!(journal.get(base, key).unwrap(), model.get(key).cloned());
            }
            Step::Scan(prefix, start, limit) => {
                let expected: Vec<_> = model
                    .iter()
                    .filter(|(key, _)| key.starts_with(prefix) && *key >= start)
                    .take(*limit)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                match journal.scan(base, prefix, start, *limit, u64::MAX).unwrap() {
                    Scan::Found(found, _) => assert_eq!(found, expected),
                    Scan::TooManyRemoved => panic!("there is no limit here"),
                }
            }
            Step::Emit(number) => {
                journal.emit(event(*number));
                events.push(event(*number));
            }
            Step::Frame(steps, fails) => {
                let (old_model, old_events) = (model.clone(), events.clone());
                let point = journal.checkpoint();
                play(base, journal, model, events, steps);
                if *fails {
                    journal.rollback(point);
                    (*model, *events) = (old_model, old_events);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn behaves_like_a_map_with_copies(
        base in prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..3), 0..12),
        steps in prop::collection::vec(step(), 0..24),
    ) {
        let mut journal = Journal::default();
        let (mut model, mut events) = (base.clone(), Vec::new());
        play(&base, &mut journal, &mut model, &mut events, &steps);
        let effects = journal.finish();
        let mut state = base.clone();
        for (key, value) in effects.writes {
            match value {
                Some(value) => state.insert(key, value),
                None => state.remove(&key),
            };
        }
        prop_assert_eq!(state, model);
        prop_assert_eq!(effects.events, events);
    }
}

#[test]
fn removed_keys_on_the_way_are_counted() {
    let base: Map = (0..10u8).map(|number| (vec![number], vec![number])).collect();
    let mut journal = Journal::default();
    for number in 0..5 {
        journal.set(vec![number], None);
    }
    assert_eq!(journal.scan(&base, b"", b"", 1, 5).unwrap(), Scan::Found(vec![(vec![5], vec![5])], 5));
    assert_eq!(journal.scan(&base, b"", b"", 1, 4).unwrap(), Scan::TooManyRemoved);
    assert_eq!(journal.scan(&base, b"", &[5], 1, 0).unwrap(), Scan::Found(vec![(vec![5], vec![5])], 0));
}

#[test]
fn a_scan_sees_what_was_written_before_it_and_nothing_later() {
    let base: Map = BTreeMap::from([(b"k1".to_vec(), vec![1]), (b"k3".to_vec(), vec![3])]);
    let mut journal = Journal::default();
    let Scan::Found(first, _) = journal.scan(&base, b"k", b"", 1, 0).unwrap() else { panic!("nothing is removed") };
    assert_eq!(first, [(b"k1".to_vec(), vec![1])]);
    // The contract changes keys on both sides of where its iterator stands.
    journal.set(b"k0".to_vec(), Some(vec![0]));
    journal.set(b"k2".to_vec(), Some(vec![2]));
    journal.set(b"k3".to_vec(), None);
    let Scan::Found(rest, _) = journal.scan(&base, b"k", b"k1\0", 9, 9).unwrap() else { panic!("few are removed") };
    assert_eq!(rest, [(b"k2".to_vec(), vec![2])]);
}

#[test]
fn reads_of_the_base_are_remembered_also_when_taken_back() {
    let base: Map = BTreeMap::from([(b"a".to_vec(), vec![1])]);
    let mut journal = Journal::default();
    let point = journal.checkpoint();
    journal.get(&base, b"a").unwrap();
    journal.get(&base, b"missing").unwrap();
    journal.set(b"own".to_vec(), Some(vec![]));
    journal.get(&base, b"own").unwrap();
    journal.rollback(point);
    let effects = journal.finish();
    assert_eq!(effects.reads.into_iter().collect::<Vec<_>>(), [b"a".to_vec(), b"missing".to_vec()]);
    assert!(effects.writes.is_empty());
}

/// The price of passing over a removed entry does not know how large it is.
#[test]
fn removed_entries_are_read_once() {
    let base = Counting::new((0..100u8).map(|number| (vec![number], vec![7])).collect::<Map>());
    let mut journal = Journal::default();
    let scan = |journal: &mut Journal, expected: u8, removed: u64| {
        base.take();
        let found = journal.scan(&base, b"", b"", 1, removed).unwrap();
        assert_eq!(found, Scan::Found(vec![(vec![expected], vec![7])], removed), "the price is that of every scan");
        base.take().entries
    };
    (0..60).for_each(|number| journal.set(vec![number], None));
    assert_eq!(scan(&mut journal, 60, 60), 61);
    assert_eq!(scan(&mut journal, 60, 60), 1);
    // A frame that fails shows what it has removed again, and nothing else.
    let point = journal.checkpoint();
    (60..80).for_each(|number| journal.set(vec![number], None));
    assert_eq!(scan(&mut journal, 80, 80), 21);
    assert_eq!(scan(&mut journal, 80, 80), 1);
    journal.rollback(point);
    assert_eq!(scan(&mut journal, 60, 60), 1);
    let point = journal.checkpoint();
    journal.set(vec![30], Some(vec![1]));
    journal.set(vec![70], None);
    journal.rollback(point);
    assert_eq!(scan(&mut journal, 60, 60), 1);
}
