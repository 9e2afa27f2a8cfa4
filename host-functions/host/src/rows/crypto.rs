//! `crypto.*`: hashes and signatures.

use ed25519_zebra::{Signature as Ed25519Signature, VerificationKey};
use k256::ecdsa::{RecoveryId, Signature as Secp256k1Signature, VerifyingKey};
use noema_abi::Status;
use sha2::{Digest, Sha256};
use tiny_keccak::{Hasher, Keccak};

use crate::HostContext;
use crate::outcome::Reply;

pub(crate) fn keccak256<C: HostContext>(_: &mut C, data: &[u8], digest: &mut [u8; 32]) -> Reply<()> {
    let mut keccak = Keccak::v256();
    keccak.update(data);
    keccak.finalize(digest);
    Ok(())
}

pub(crate) fn sha256<C: HostContext>(_: &mut C, data: &[u8], digest: &mut [u8; 32]) -> Reply<()> {
    *digest = Sha256::digest(data).into();
    Ok(())
}

pub(crate) fn ed25519_verify<C: HostContext>(
    _: &mut C,
    key: &[u8; 32],
    signature: &[u8; 64],
    message: &[u8],
) -> Reply<u64> {
    let valid = VerificationKey::try_from(*key)
        .and_then(|key| key.verify(&Ed25519Signature::from_bytes(signature), message))
        .is_ok();
    Ok(u64::from(valid))
}

pub(crate) fn secp256k1_recover<C: HostContext>(
    _: &mut C,
    digest: &[u8; 32],
    signature: &[u8; 64],
    recovery_id: u32,
    public_key: &mut [u8; 64],
) -> Reply<()> {
    let point = u8::try_from(recovery_id)
        .ok()
        .and_then(RecoveryId::from_byte)
        .and_then(|recovery_id| {
            let signature = Secp256k1Signature::from_slice(signature).ok()?;
            VerifyingKey::recover_from_prehash(digest, &signature, recovery_id).ok()
        })
        .map(|key| key.to_sec1_point(false))
        .ok_or(Status::InvalidSignature)?;
    // Uncompressed: the byte 4, then x and y.
    let [4, coordinates @ ..] = point.as_bytes() else {
        return Err(Status::InvalidSignature.into());
    };
    *public_key = *coordinates.first_chunk().ok_or(Status::InvalidSignature)?;
    Ok(())
}
