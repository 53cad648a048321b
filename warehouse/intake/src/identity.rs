//! Pseudonyms, keys and the vault.

mod hash;
mod keys;
mod runs;
mod vault;

pub use hash::{PersonDigest, PersonHasher, person_key};
pub use keys::Keys;
pub(crate) use keys::{hex, sync_folder};
pub use vault::{Vault, VaultBatch, VaultReceipt};
