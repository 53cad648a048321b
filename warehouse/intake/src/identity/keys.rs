use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use chacha20poly1305::aead::Generate;
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::hash::PersonHasher;
use crate::error::IntakeError;

/// The keys of a warehouse: pepper, vault key, archive recipient.
///
/// They live in a folder of their own outside the warehouse folder; whoever has only one of the
/// two can name no person. Deliberately neither `Debug` nor `Clone`.
pub struct Keys {
    pepper: Zeroizing<[u8; 32]>,
    vault: Zeroizing<[u8; 32]>,
    recipient: age::x25519::Recipient,
    folder: PathBuf,
}

const PEPPER: &str = "pepper.key";
const VAULT: &str = "vault.key";
const RECIPIENT: &str = "archive.recipient";
const IDENTITY: &str = "archive.identity";

impl Keys {
    /// Makes new keys, readable by their owner only. Existing keys are never overwritten.
    ///
    /// `archive.identity` opens the archive; nothing here reads it, and it belongs off the machine.
    pub fn create(folder: &Path) -> Result<Self, IntakeError> {
        create_private_folder(folder)?;
        for name in [PEPPER, VAULT, RECIPIENT, IDENTITY] {
            if folder.join(name).exists() {
                return Err(IntakeError::Keys {
                    message: format!(
                        "{} already exists: keys are never overwritten, load them or choose another folder",
                        folder.join(name).display()
                    ),
                });
            }
        }
        for name in [PEPPER, VAULT] {
            let key = Zeroizing::new(<[u8; 32]>::from(Key::generate()));
            let text = Zeroizing::new(format!("{}\n", hex(&*key)));
            write_private(&folder.join(name), text.as_bytes())?;
        }
        let identity = age::x25519::Identity::generate();
        let secret = identity.to_string();
        let text = Zeroizing::new(format!("{}\n", secret.expose_secret()));
        write_private(&folder.join(IDENTITY), text.as_bytes())?;
        let public = format!("{}\n", identity.to_public());
        write_private(&folder.join(RECIPIENT), public.as_bytes())?;
        sync_folder(folder)?;
        Self::load(folder)
    }

    /// Reads the keys; refuses missing ones and those that others may read.
    pub fn load(folder: &Path) -> Result<Self, IntakeError> {
        let recipient_path = folder.join(RECIPIENT);
        let recipient = read_private(&recipient_path)?
            .trim()
            .parse()
            .map_err(|error| IntakeError::Keys {
                message: format!("{} is no age recipient: {error}", recipient_path.display()),
            })?;
        Ok(Self {
            pepper: read_key(&folder.join(PEPPER))?,
            vault: read_key(&folder.join(VAULT))?,
            recipient,
            folder: folder.to_owned(),
        })
    }

    /// The folder the keys were read from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Turns resident numbers into pseudonyms.
    pub fn hasher(&self) -> PersonHasher {
        PersonHasher::from_state(keyed(&self.pepper))
    }

    /// Names the pepper without telling it; a warehouse remembers which one made its keys.
    pub fn pepper_id(&self) -> String {
        key_id(&self.pepper)
    }

    /// Names the vault key without telling it.
    pub fn vault_key_id(&self) -> String {
        key_id(&self.vault)
    }

    pub(super) fn vault_cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.vault))
    }

    /// A key for another purpose than the vault's own rows.
    pub(super) fn derived(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut state = keyed(&self.vault);
        state.update(purpose);
        Zeroizing::new(state.finalize().into_bytes().into())
    }

    /// A keyed hash for another purpose.
    pub(super) fn keyed_by_derived(&self, purpose: &[u8]) -> Hmac<Sha256> {
        keyed(&self.derived(purpose))
    }

    /// To whom original files are encrypted.
    pub(crate) fn recipient(&self) -> &age::x25519::Recipient {
        &self.recipient
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC takes a key of any length; the constructor's error cannot occur with 32 bytes.
    match <Hmac<Sha256> as Mac>::new_from_slice(key) {
        Ok(state) => state,
        Err(_) => <Hmac<Sha256> as hmac::digest::KeyInit>::new(&Default::default()),
    }
}

fn key_id(key: &[u8; 32]) -> String {
    let mut state = Sha256::new();
    state.update(b"goyong key id\0");
    state.update(key);
    hex(&state.finalize()[..8])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, IntakeError> {
    let text = read_private(path)?;
    let digits = text.trim().as_bytes();
    let mut key = Zeroizing::new([0; 32]);
    let nibble = |byte: u8| (byte as char).to_digit(16).map(|value| value as u8);
    let mut complete = digits.len() == 64;
    if complete {
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            match (nibble(pair[0]), nibble(pair[1])) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => complete = false,
            }
        }
    }
    if complete {
        Ok(key)
    } else {
        Err(IntakeError::Keys {
            message: format!("{} is no key of 64 hexadecimal digits", path.display()),
        })
    }
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, IntakeError> {
    if !path.exists() {
        return Err(IntakeError::Keys {
            message: format!(
                "key file {} is missing: run `goyong init`, or point the configuration at the folder with the keys",
                path.display()
            ),
        });
    }
    refuse_readable_by_others(path)?;
    fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| IntakeError::file("read key file", path, error))
}

#[cfg(unix)]
fn refuse_readable_by_others(path: &Path) -> Result<(), IntakeError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        fs::metadata(path).map_err(|error| IntakeError::file("read key file", path, error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(IntakeError::Keys {
            message: format!(
                "key file {} can be read by others: run chmod 600 on it",
                path.display()
            ),
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_path: &Path) -> Result<(), IntakeError> {
    Ok(())
}

fn create_private_folder(folder: &Path) -> Result<(), IntakeError> {
    fs::create_dir_all(folder)
        .map_err(|error| IntakeError::file("create key folder", folder, error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .map_err(|error| IntakeError::file("protect key folder", folder, error))?;
    }
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), IntakeError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let write = || -> std::io::Result<()> {
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| IntakeError::file("write key file", path, error))
}

/// Makes renames and new files of a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), IntakeError> {
    fs::File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| IntakeError::file("sync folder", folder, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::person_key;

    #[test]
    fn keys_are_private_and_come_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let created = Keys::create(&keys).unwrap();
        let loaded = Keys::load(&keys).unwrap();
        let number = b"8001011000001";
        assert_eq!(
            created.hasher().person(number),
            loaded.hasher().person(number)
        );
        assert_eq!(created.pepper_id(), loaded.pepper_id());
        assert_ne!(loaded.pepper_id(), loaded.vault_key_id());
        assert!(Keys::create(&keys).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn keys_that_others_may_read_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Keys::create(folder.path()).unwrap();
        let pepper = folder.path().join(PEPPER);
        assert_eq!(
            fs::metadata(&pepper).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&pepper, fs::Permissions::from_mode(0o640)).unwrap();
        let message = Keys::load(folder.path()).err().unwrap().to_string();
        assert!(message.contains("chmod 600"), "{message}");
        fs::remove_file(&pepper).unwrap();
        let message = Keys::load(folder.path()).err().unwrap().to_string();
        assert!(message.contains("goyong init"), "{message}");
    }

    #[test]
    fn pseudonym_is_the_documented_hash() {
        let folder = tempfile::tempdir().unwrap();
        Keys::create(folder.path()).unwrap();
        let pepper = folder.path().join(PEPPER);
        fs::write(&pepper, "0b".repeat(32)).unwrap();
        let hasher = Keys::load(folder.path()).unwrap().hasher();
        // Computed with an independent HMAC implementation: key 32 × 0x0b, message 13 digits.
        let digest = hasher.person(b"8001011000001");
        assert_eq!(hex(&digest), EXPECTED);
        assert_eq!(
            person_key(&digest).to_be_bytes(),
            <[u8; 8]>::try_from(&digest[..8]).unwrap()
        );
        assert_eq!(hasher.opaque(b"x").len(), 16);
        assert_ne!(hasher.opaque(b"x"), hasher.opaque(b"y"));
    }

    const EXPECTED: &str = "69323a4674fd1eaa68d8a3f40037b1d2";
}
