use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

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

    /// Keyed digest of a provider's opaque digest (account, device): 16 hexadecimal characters.
    pub fn opaque(&self, raw: &[u8]) -> [u8; 16] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut state = self.keyed.clone();
        state.update(b"opaque\0");
        state.update(raw);
        let digest = state.finalize().into_bytes();
        let mut text = [0; 16];
        for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        text
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

/// The person key of a digest: its first 64 bits.
pub fn person_key(digest: &PersonDigest) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(bytes)
}
