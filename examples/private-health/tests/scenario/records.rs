//! Records, keys, consent, and the trail.

use noema_testing::Hash;
use private_health::HealthError;
use private_health::records::{Line, Purpose, Record, Request, SealedKey, What};
use private_health_client::sealed::{Sealed, decrypt, encrypt, open, seal};
use private_health_client::{Bytes32, Secret, hash};

use crate::world::{World, address, refused, secret};

const RECORD: &[u8] = b"2026-11-27 mammography: no finding";

/// What a seal is about: so that a sealed key is of no use for another record or reader.
fn about(owner: &str, reader: &str) -> Bytes32 {
    hash(&[owner.as_bytes(), reader.as_bytes()])
}

fn to_chain(sealed: Sealed) -> SealedKey {
    SealedKey { ephemeral: Hash(sealed.ephemeral), ciphertext: sealed.ciphertext.try_into().unwrap() }
}

fn from_chain(key: SealedKey) -> Sealed {
    Sealed { ephemeral: key.ephemeral.0, ciphertext: key.ciphertext.to_vec() }
}

fn record_key() -> Bytes32 {
    hash(&[b"a key for one record"])
}

/// Dora, whose doctor has added a record.
fn treated() -> World {
    let mut world = World::new();
    for name in ["dora", "doctor", "eve"] {
        world.call::<()>(name, "set_key", &(Hash(secret(name).public()),)).unwrap();
    }
    let until = world.chain.time_ms() + 1_000_000;
    world.call::<()>("dora", "consent", &(address("doctor"), Purpose::Treatment, until)).unwrap();
    let ciphertext = encrypt(&record_key(), RECORD, b"dora");
    let key = world.view::<Option<Hash>>("key", &(address("dora"),)).unwrap();
    let sealed = seal(&Secret::new([1; 32]), &key.0, &record_key(), &about("dora", "dora"));
    let done = world.call::<u32>("doctor", "add_record", &(address("dora"), ciphertext, to_chain(sealed)));
    assert_eq!(done.unwrap().value, 0);
    world
}

fn record(world: &mut World) -> Record {
    world.view::<Option<Record>>("record", &(address("dora"), 0u32)).unwrap()
}

fn release(world: &mut World, reader: &str, request: u32) -> Result<noema_testing::Done<()>, noema_testing::Failure> {
    let to = world.view::<Option<Hash>>("key", &(address(reader),)).unwrap();
    let sealed = seal(&Secret::new([2; 32]), &to.0, &record_key(), &about("dora", reader));
    world.call("dora", "release", &(request, to_chain(sealed)))
}

#[test]
fn only_the_owner_opens_a_record() {
    let mut world = treated();
    let record = record(&mut world);
    let key: Bytes32 =
        open(&secret("dora"), &from_chain(record.key), &about("dora", "dora")).unwrap().try_into().unwrap();
    assert_eq!(decrypt(&key, &record.ciphertext, b"dora").as_deref(), Some(RECORD));
    // All that everybody sees.
    assert_eq!(open(&secret("eve"), &from_chain(record.key), &about("dora", "dora")), None);
    assert!(!record.ciphertext.windows(8).any(|part| RECORD.windows(8).any(|plain| plain == part)));
}

#[test]
fn a_reader_with_consent_asks_and_the_owner_releases() {
    let mut world = treated();
    let request = world.call::<u32>("doctor", "request", &(address("dora"), 0u32, Purpose::Treatment)).unwrap().value;
    let asked = |world: &mut World| world.view::<Option<Request>>("requested", &(address("dora"), request)).unwrap();
    assert_eq!(asked(&mut world).key, None);
    release(&mut world, "doctor", request).unwrap();
    let sealed = from_chain(asked(&mut world).key.unwrap());
    let key: Bytes32 = open(&secret("doctor"), &sealed, &about("dora", "doctor")).unwrap().try_into().unwrap();
    let record = record(&mut world);
    assert_eq!(decrypt(&key, &record.ciphertext, b"dora").as_deref(), Some(RECORD));
    assert_eq!(open(&secret("eve"), &sealed, &about("dora", "doctor")), None);
    // Everything stands in the trail, in order.
    let trail: Vec<Line> = world.view("trail", &(address("dora"),));
    let told: Vec<_> = trail.iter().map(|line| (line.who, line.what)).collect();
    let until_ms = world.chain.time_ms() + 1_000_000;
    let (dora, doctor) = (address("dora"), address("doctor"));
    let consented = What::Consented { reader: doctor, purpose: Purpose::Treatment, until_ms };
    let requested = What::Requested { request };
    let expected = [
        (dora, consented),
        (doctor, What::Added { record: 0 }),
        (doctor, requested),
        (dora, What::Released { request }),
    ];
    assert_eq!(told, expected);
    refused(release(&mut world, "doctor", request), HealthError::Done);
}

#[test]
fn theft_without_consent_nobody_asks_or_adds() {
    let mut world = treated();
    let dora = address("dora");
    refused(world.call::<u32>("eve", "request", &(dora, 0u32, Purpose::Treatment)), HealthError::NoConsent);
    // Consent is for a purpose.
    refused(world.call::<u32>("doctor", "request", &(dora, 0u32, Purpose::Research)), HealthError::NoConsent);
    refused(world.call::<u32>("doctor", "request", &(dora, 1u32, Purpose::Treatment)), HealthError::NotThere);
    let key = record(&mut world).key;
    refused(world.call::<u32>("eve", "add_record", &(dora, vec![0u8; 40], key)), HealthError::NoConsent);
    refused(world.call::<u32>("dora", "add_record", &(dora, vec![0u8; 4097], key)), HealthError::TooLong);
    // Nobody but the owner releases: requests are found under who releases.
    world.call::<u32>("doctor", "request", &(dora, 0u32, Purpose::Treatment)).unwrap();
    refused(world.call::<()>("eve", "release", &(0u32, key)), HealthError::NotThere);
    refused(world.call::<()>("doctor", "release", &(0u32, key)), HealthError::NotThere);
}

#[test]
fn consent_ends() {
    let mut world = treated();
    let dora = address("dora");
    let ask = |world: &mut World| world.call::<u32>("doctor", "request", &(dora, 0u32, Purpose::Treatment));
    let request = ask(&mut world).unwrap().value;
    world.call::<()>("dora", "revoke", &(address("doctor"), Purpose::Treatment)).unwrap();
    // Also of what was asked for before, and not released.
    refused(release(&mut world, "doctor", request), HealthError::NoConsent);
    refused(ask(&mut world), HealthError::NoConsent);
    refused(world.call::<()>("dora", "revoke", &(address("doctor"), Purpose::Treatment)), HealthError::NoConsent);
    // By itself at its time.
    let until = world.chain.time_ms() + 500;
    world.call::<()>("dora", "consent", &(address("doctor"), Purpose::Treatment, until)).unwrap();
    world.chain.next_block(499);
    ask(&mut world).unwrap();
    world.chain.next_block(1);
    refused(ask(&mut world), HealthError::NoConsent);
    let past = world.chain.time_ms();
    refused(world.call::<()>("dora", "consent", &(address("doctor"), Purpose::Treatment, past)), HealthError::Past);
}

#[test]
fn a_hospital_trains_with_nobody_who_has_not_consented() {
    let mut world = World::new();
    let round = world.open();
    let patient = crate::world::patients("bergen")[1];
    let revoke = (address("bergen"), Purpose::Training);
    world.chain.at(world.contract).from(patient).call::<(), _>("revoke", &revoke).unwrap();
    refused(world.join("bergen", round), HealthError::NoConsent);
    world.join("astoria", round).unwrap();
    let trail: Vec<Line> = world.view("trail", &(crate::world::patients("astoria")[0],));
    assert_eq!(trail.last().unwrap().what, What::Trained { round });
}
