//! Pseudonyms, keys and the vault.

mod hash;
mod keys;
mod records;
mod runs;
mod vault;

pub use hash::{PersonDigest, PersonHasher, person_key};
pub use keys::Keys;
pub(crate) use keys::{hex, sync_folder};
pub(crate) use records::{RecordKeys, RecordReader, RecordWriter, open_record};
pub use records::{forget_records, reseal_records};
pub use vault::{Vault, VaultBatch, VaultReceipt};
