use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::hex;

/// The first 128 bits of the keyed hash of a resident number; the vault's key for a person.
pub type PersonDigest = [u8; 16];

/// Turns resident numbers into pseudonyms under the pepper key.
///
/// The key's share of the hash is computed once and copied for each number.
#[derive(Clone)]
pub struct PersonHasher {
    keyed: Hmac<Sha256>,
}

impl PersonHasher {
    pub(super) fn from_state(keyed: Hmac<Sha256>) -> Self {
        Self { keyed }
    }

    /// A hasher under a key nobody keeps: its pseudonyms mean nothing outside this process.
    pub fn to_throw_away() -> Self {
        use chacha20poly1305::Key;
        use chacha20poly1305::aead::Generate;
        let key = Zeroizing::new(<[u8; 32]>::from(Key::generate()));
        // HMAC takes keys of any length, so the empty state is never used.
        let keyed = Hmac::new_from_slice(&*key).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { keyed }
    }

    /// HMAC-SHA-256 of the 13 digits, cut to 128 bits.
    pub fn person(&self, digits: &[u8; 13]) -> PersonDigest {
        let mut state = self.keyed.clone();
        state.update(digits);
        let mut digest = [0; 16];
        digest.copy_from_slice(&state.finalize().into_bytes()[..16]);
        digest
    }

    /// Keyed digest of a provider's opaque digest (account, device).
    pub fn opaque(&self, raw: &OpaqueInput) -> OpaqueDigest {
        let mut state = self.keyed.clone();
        state.update(b"opaque\0");
        state.update(raw.as_bytes());
        let mut digest = [0; 8];
        digest.copy_from_slice(&state.finalize().into_bytes()[..8]);
        digest
    }

    /// A secret for a purpose, from which nobody gets back to the key.
    pub fn secret(&self, purpose: &str) -> String {
        let mut state = self.keyed.clone();
        state.update(b"secret\0");
        state.update(purpose.as_bytes());
        hex(&state.finalize().into_bytes())
    }

    /// Keyed digest of a name or contact of a person, cut to 128 bits.
    pub fn detail(&self, kind: u8, value: &[u8]) -> [u8; 16] {
        let mut state = self.keyed.clone();
        state.update(b"detail\0");
        state.update(&[kind]);
        state.update(value);
        let mut digest = [0; 16];
        digest.copy_from_slice(&state.finalize().into_bytes()[..16]);
        digest
    }
}

/// The first 64 bits of the keyed hash of a provider's opaque digest.
pub type OpaqueDigest = [u8; 8];

/// Longest opaque digest that is hashed as it was delivered; a longer one is cut down by SHA-256.
const OPAQUE_BYTES: usize = 64;

/// A provider's opaque digest as it is hashed and kept in the vault: at most 64 bytes, so that the
/// vault can hash it again under another key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OpaqueInput {
    length: u8,
    bytes: [u8; OPAQUE_BYTES],
}

/// Bytes of an [`OpaqueInput`] in the vault.
pub(super) const OPAQUE_PAYLOAD: usize = OPAQUE_BYTES + 1;

impl OpaqueInput {
    /// From the bytes delivered.
    pub fn new(raw: &[u8]) -> Self {
        let mut bytes = [0; OPAQUE_BYTES];
        if raw.len() <= OPAQUE_BYTES {
            bytes[..raw.len()].copy_from_slice(raw);
            return Self {
                length: raw.len() as u8,
                bytes,
            };
        }
        bytes[..32].copy_from_slice(&Sha256::digest(raw));
        Self { length: 32, bytes }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length).min(OPAQUE_BYTES)]
    }

    pub(super) fn to_payload(self) -> [u8; OPAQUE_PAYLOAD] {
        let mut payload = [0; OPAQUE_PAYLOAD];
        payload[0] = self.length;
        payload[1..].copy_from_slice(&self.bytes);
        payload
    }

    pub(super) fn from_payload(payload: &[u8; OPAQUE_PAYLOAD]) -> Self {
        let mut bytes = [0; OPAQUE_BYTES];
        bytes.copy_from_slice(&payload[1..]);
        Self {
            length: payload[0],
            bytes,
        }
    }
}

/// An opaque digest as tables hold it: 16 hexadecimal characters.
pub fn opaque_text(digest: &OpaqueDigest) -> [u8; 16] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    text
}

/// The person key of a digest: its first 64 bits.
pub fn person_key(digest: &PersonDigest) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(bytes)
}
