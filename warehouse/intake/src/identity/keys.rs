use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use chacha20poly1305::aead::Generate;
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305};
use goyong_store::files;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::hash::PersonHasher;
use crate::error::IntakeError;

/// The keys of a warehouse: pepper, vault key, forget key, archive recipient.
///
/// They live outside the warehouse folder; whoever has only one of the two can name no person.
/// Deliberately neither `Debug` nor `Clone`.
pub struct Keys {
    pepper: Zeroizing<[u8; 32]>,
    vault: Zeroizing<[u8; 32]>,
    forget: Zeroizing<[u8; 32]>,
    recipient: age::x25519::Recipient,
    folder: PathBuf,
}

/// No key file is longer.
const KEY_FILE_BYTES: u64 = 4096;
const PRIVATE_FILE_BYTES: u64 = 64 << 20;
pub(super) const PEPPER: &str = "pepper.key";
pub(super) const VAULT: &str = "vault.key";
pub(super) const FORGET: &str = "forget.key";
pub(super) const RECIPIENT: &str = "archive.recipient";
/// Opens the archive; nothing here reads it.
pub const ARCHIVE_IDENTITY: &str = "archive.identity";
/// The files that make a set of keys.
pub(super) const KEY_FILES: [&str; 4] = [PEPPER, VAULT, FORGET, RECIPIENT];

impl Keys {
    /// Makes new keys, with a new pair for the archive: [`Keys::create_for`].
    pub fn create(folder: &Path) -> Result<Self, IntakeError> {
        Self::create_for(folder, None)
    }

    /// Makes new keys, readable by their owner only. Existing keys are never overwritten.
    ///
    /// Originals are encrypted to `recipient`. Without one a pair is made and its secret half is
    /// written to `archive.identity`: nothing here reads it, and it belongs off the machine.
    pub fn create_for(folder: &Path, recipient: Option<&str>) -> Result<Self, IntakeError> {
        create_private_folder(folder)?;
        let mut names = KEY_FILES.to_vec();
        names.push(ARCHIVE_IDENTITY);
        for name in names {
            if folder.join(name).exists() {
                return Err(IntakeError::Keys {
                    message: format!(
                        "{} already exists: keys are never overwritten, load them or choose another folder",
                        folder.join(name).display()
                    ),
                });
            }
        }
        for name in [PEPPER, VAULT, FORGET] {
            write_new_key(&folder.join(name))?;
        }
        write_recipient(folder, recipient)?;
        sync_folder(folder)?;
        Self::load(folder)
    }

    /// Reads the keys; refuses missing ones and those that others may read.
    pub fn load(folder: &Path) -> Result<Self, IntakeError> {
        Self::load_files(folder, |name| folder.join(name))
    }

    /// Reads the keys of a folder, or those a service manager or the environment puts in their
    /// place: `GOYONG_PEPPER_KEY_FILE` and its like name a file, `CREDENTIALS_DIRECTORY` a folder
    /// of systemd credentials `goyong.pepper.key` and its like.
    pub fn find(
        folder: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, IntakeError> {
        Self::load_files(folder, |name| key_path(folder, name, &environment))
    }

    /// Whether a service manager or the environment gives every key, so that the folder is not looked into.
    pub fn are_given(folder: &Path, environment: impl Fn(&str) -> Option<String>) -> bool {
        let own = |name: &str| key_path(folder, name, &environment) == folder.join(name);
        !KEY_FILES.into_iter().any(own)
    }

    fn load_files(folder: &Path, path: impl Fn(&str) -> PathBuf) -> Result<Self, IntakeError> {
        let recipient_path = path(RECIPIENT);
        let recipient = parse_recipient(
            &read_private(&recipient_path)?,
            &recipient_path.display().to_string(),
        )?;
        Ok(Self {
            pepper: read_key(&path(PEPPER))?,
            vault: read_key(&path(VAULT))?,
            forget: read_key(&path(FORGET))?,
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

    /// Names the forget key without telling it.
    pub fn forget_key_id(&self) -> String {
        key_id(&self.forget)
    }

    /// Names whom originals are encrypted to.
    pub fn recipient_id(&self) -> String {
        self.recipient.to_string()
    }

    /// Whether the secret half of the archive's pair lies beside the keys, where it must not stay.
    pub fn has_archive_identity(&self) -> bool {
        self.folder.join(ARCHIVE_IDENTITY).exists()
    }

    /// Recognises persons on the list of the forgotten.
    pub(super) fn forget_hasher(&self) -> PersonHasher {
        PersonHasher::from_state(keyed(&self.forget))
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

/// The file a key is read from.
fn key_path(folder: &Path, name: &str, environment: impl Fn(&str) -> Option<String>) -> PathBuf {
    let variable = format!("GOYONG_{}_FILE", name.replace('.', "_").to_uppercase());
    if let Some(file) = environment(&variable).filter(|file| !file.is_empty()) {
        return PathBuf::from(file);
    }
    if let Some(credentials) = environment("CREDENTIALS_DIRECTORY") {
        let credential = Path::new(&credentials).join(format!("goyong.{name}"));
        if credential.exists() {
            return credential;
        }
    }
    folder.join(name)
}

fn parse_recipient(text: &str, place: &str) -> Result<age::x25519::Recipient, IntakeError> {
    text.trim().parse().map_err(|error| IntakeError::Keys {
        message: format!("{place} is no age recipient (age1…): {error}"),
    })
}

pub(super) fn write_new_key(path: &Path) -> Result<(), IntakeError> {
    let key = Zeroizing::new(<[u8; 32]>::from(Key::generate()));
    let text = Zeroizing::new(format!("{}\n", hex(&*key)));
    write_private(path, text.as_bytes())
}

/// Writes whom originals are encrypted to; without a recipient a new pair.
pub(super) fn write_recipient(folder: &Path, recipient: Option<&str>) -> Result<(), IntakeError> {
    let public = match recipient {
        Some(text) => parse_recipient(text, "the archive recipient")?,
        None => {
            let identity = age::x25519::Identity::generate();
            let secret = identity.to_string();
            let text = Zeroizing::new(format!("{}\n", secret.expose_secret()));
            write_private(&folder.join(ARCHIVE_IDENTITY), text.as_bytes())?;
            identity.to_public()
        }
    };
    write_private(&folder.join(RECIPIENT), format!("{public}\n").as_bytes())
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

/// Reads a file that holds secrets, such as a list of resident numbers; refuses one that others may
/// read.
pub fn read_private_file(path: &Path) -> Result<Zeroizing<String>, IntakeError> {
    read_private_up_to(path, PRIVATE_FILE_BYTES)
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, IntakeError> {
    read_private_up_to(path, KEY_FILE_BYTES)
}

fn read_private_up_to(path: &Path, limit: u64) -> Result<Zeroizing<String>, IntakeError> {
    let error = |source| IntakeError::file("read key file", path, source);
    let target = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
            return Err(IntakeError::Keys {
                message: format!(
                    "file {} is missing: name one that exists; keys are made by `goyong init`, and the configuration says where",
                    path.display()
                ),
            });
        }
        Err(other) => return Err(error(other)),
    };
    // A link within its folder is how a service manager mounts secrets.
    if target.is_symlink() {
        let folder = path.parent().unwrap_or(Path::new("."));
        let resolved = fs::canonicalize(path).map_err(error)?;
        if !resolved.starts_with(fs::canonicalize(folder).map_err(error)?) {
            return Err(IntakeError::Keys {
                message: format!(
                    "file {} is a link to {}: put the file itself there",
                    path.display(),
                    resolved.display()
                ),
            });
        }
    }
    let mut file = fs::File::open(path).map_err(error)?;
    // Asked of the open file, so that no other can take its place in between.
    refuse_open_to_others(path, &file.metadata().map_err(error)?)?;
    let mut text = Zeroizing::new(String::new());
    (&mut file)
        .take(limit)
        .read_to_string(&mut text)
        .map_err(error)?;
    Ok(text)
}

#[cfg(unix)]
fn refuse_open_to_others(path: &Path, metadata: &fs::Metadata) -> Result<(), IntakeError> {
    use std::os::unix::fs::MetadataExt;
    let refuse = |problem: &str| {
        Err(IntakeError::Keys {
            message: format!("file {} {problem}", path.display()),
        })
    };
    if !metadata.is_file() {
        return refuse("is no plain file: put the file itself there");
    }
    // systemd shows the access list it gives a service as rights of the group.
    let is_credential = std::env::var_os("CREDENTIALS_DIRECTORY")
        .is_some_and(|folder| path.parent() == Some(Path::new(&folder)));
    let forbidden = if is_credential { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return refuse("can be read by others: run chmod 600 on it");
    }
    let owner = metadata.uid();
    let own = fs::metadata("/proc/self").map(|process| process.uid());
    if let Ok(own) = own
        && owner != own
        && owner != 0
    {
        return refuse("belongs to another user: run chown on it, or run as its owner");
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_to_others(_path: &Path, _metadata: &fs::Metadata) -> Result<(), IntakeError> {
    Ok(())
}

pub(super) fn create_private_folder(folder: &Path) -> Result<(), IntakeError> {
    files::create_folders(folder)
        .map_err(|error| IntakeError::file("create key folder", folder, error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .map_err(|error| IntakeError::file("protect key folder", folder, error))?;
    }
    Ok(())
}

pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), IntakeError> {
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
        files::sync(&file, path)
    };
    write().map_err(|error| IntakeError::file("write key file", path, error))
}

/// Makes renames and new files of a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), IntakeError> {
    files::sync_folder(folder).map_err(|error| IntakeError::file("sync folder", folder, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::{OpaqueInput, person_key};

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

    #[cfg(unix)]
    #[test]
    fn link_out_of_the_key_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        Keys::create(&keys).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(keys.join(VAULT), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, keys.join(VAULT)).unwrap();
        let message = Keys::load(&keys).err().unwrap().to_string();
        assert!(message.contains("is a link"), "{message}");
    }

    #[test]
    fn service_credential_takes_the_place_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, other) = (folder.path().join("keys"), folder.path().join("other"));
        let first = Keys::create(&keys).unwrap();
        let second = Keys::create(&other).unwrap();
        fs::rename(other.join(PEPPER), other.join("goyong.pepper.key")).unwrap();
        let find = |variable: &str, value: &Path| {
            let value = value.display().to_string();
            Keys::find(&keys, |asked| (asked == variable).then(|| value.clone())).unwrap()
        };
        let by_credential = find("CREDENTIALS_DIRECTORY", &other);
        assert_eq!(by_credential.pepper_id(), second.pepper_id());
        assert_eq!(by_credential.vault_key_id(), first.vault_key_id());
        let given = |folder: &Path| {
            let value = folder.display().to_string();
            Keys::are_given(&keys, |asked| {
                (asked == "CREDENTIALS_DIRECTORY").then(|| value.clone())
            })
        };
        assert!(!given(&other), "the pepper alone is not every key");
        let all = folder.path().join("all");
        Keys::create(&all).unwrap();
        for name in KEY_FILES {
            fs::rename(all.join(name), all.join(format!("goyong.{name}"))).unwrap();
        }
        assert!(given(&all));
        let by_file = find("GOYONG_VAULT_KEY_FILE", &other.join(VAULT));
        assert_eq!(by_file.vault_key_id(), second.vault_key_id());
        assert_eq!(by_file.pepper_id(), first.pepper_id());
    }

    #[test]
    fn own_recipient_leaves_no_secret_beside_the_keys() {
        let folder = tempfile::tempdir().unwrap();
        let recipient = age::x25519::Identity::generate().to_public().to_string();
        Keys::create_for(folder.path(), Some(&recipient)).unwrap();
        assert!(!folder.path().join(ARCHIVE_IDENTITY).exists());
        let other = folder.path().join("other");
        let message = Keys::create_for(&other, Some("age1nonsense"))
            .err()
            .unwrap();
        assert!(
            message.to_string().contains("no age recipient"),
            "{message}"
        );
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
        let opaque = |raw| hasher.opaque(&OpaqueInput::new(raw));
        assert_ne!(opaque(b"x"), opaque(b"y"));
        let long = [b'x'; 65];
        assert_ne!(opaque(&long), opaque(&long[..64]));
    }

    const EXPECTED: &str = "69323a4674fd1eaa68d8a3f40037b1d2";
}
