//! Rotates keys: new pepper, new vault key, new archive recipient.
//!
//! The new keys and the new vault are made beside the old ones; then every table nothing computes
//! is rewritten in one commit each, so that no table ever holds pseudonyms of two peppers; then
//! keys and vault change places; then everything computed is computed again and released; then what
//! holds old pseudonyms is removed: older versions, older releases, the old vault. How far it is
//! stands in the state database, and each stage can be done again, so a rotation goes on after
//! whatever interrupted it. Until it has ended nothing else writes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use goyong_cases::Renaming;
use goyong_intake::{
    Access, AuditAction, AuditLog, Keys, NEXT, NewKeys, PREVIOUS, RowChange, Vault, has_person,
    reseal_records, rewrite_table,
};
use goyong_store::Retention;
use serde::{Deserialize, Serialize};

use crate::project::OpenProject;
use crate::step::NightEvent;

/// Sealed records of quarantined rows, below the vault.
const RECORDS: &str = "records";
const SCOPE: &str = "rotation";
const CURRENT: &str = "current";
/// 9999-01-01: everything superseded so far lies before it.
const END_OF_TIME: i64 = 253_370_764_800;
/// Scope and key of the pepper that made the pseudonyms in the tables.
const PEPPER_ID: (&str, &str) = ("identity", "pepper_id");

/// What a rotation may be told.
#[derive(Debug, Clone, Default)]
pub struct RotateOptions {
    /// Which keys become others.
    pub new: NewKeys,
    /// Go on with the unfinished one.
    pub resume: bool,
}

/// Where a rotation stands; stages before it are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// The vault is written under the new keys.
    Vault,
    /// Tables nothing computes get the new pseudonyms.
    Tables,
    /// Keys and vault change places.
    Swap,
    /// Everything computed is computed again and released.
    Rebuild,
    /// What holds old pseudonyms or is sealed with old keys goes.
    Clean,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rotation {
    stage: Stage,
    changes_pepper: bool,
    changes_vault: bool,
    pepper_id: String,
    vault_key_id: String,
}

type Events<'a> = &'a (dyn Fn(NightEvent) + Sync + Send);
type Checkpoint<'a> = &'a (dyn Fn(&str) -> Result<()> + Sync + Send);

impl OpenProject {
    /// Rotates keys, or goes on with an unfinished rotation.
    pub async fn rotate_keys(
        &self,
        options: &RotateOptions,
        access: &Access,
        events: Events<'_>,
    ) -> Result<()> {
        self.rotate_with(options, access, events, &|_| Ok(())).await
    }

    pub(crate) async fn rotate_with(
        &self,
        options: &RotateOptions,
        access: &Access,
        events: Events<'_>,
        checkpoint: Checkpoint<'_>,
    ) -> Result<()> {
        let _lock = self.lock_vault_work()?;
        let mut rotation = match (self.unfinished_rotation().await?, options.resume) {
            (Some(rotation), true) => rotation,
            (Some(_), false) => {
                bail!("a rotation is unfinished; run `goyong vault rotate --resume`")
            }
            (None, true) => bail!("no rotation is unfinished"),
            (None, false) => self.begin_rotation(&options.new, access).await?,
        };
        checkpoint("begun")?;
        loop {
            events(NightEvent::Working(format!(
                "rotation, {:?}",
                rotation.stage
            )));
            let next = match rotation.stage {
                Stage::Vault => {
                    self.write_next_vault(&rotation)?;
                    Stage::Tables
                }
                Stage::Tables => {
                    if rotation.changes_pepper {
                        self.rename_pseudonyms(&rotation, events, checkpoint)
                            .await?;
                    }
                    Stage::Swap
                }
                Stage::Swap => {
                    self.swap(&rotation, checkpoint).await?;
                    Stage::Rebuild
                }
                Stage::Rebuild => {
                    if rotation.changes_pepper {
                        self.rebuild_without_ingest(true, events).await?;
                    }
                    Stage::Clean
                }
                Stage::Clean => {
                    self.clean(&rotation, checkpoint).await?;
                    break;
                }
            };
            checkpoint(&format!("{:?} done, not recorded", rotation.stage))?;
            rotation.stage = next;
            self.record(&rotation).await?;
            checkpoint(&format!("{next:?} recorded"))?;
        }
        let action = AuditAction {
            action: "rotate",
            person: None,
            note: format!(
                "finished: pepper {}, vault key {}",
                rotation.pepper_id, rotation.vault_key_id
            ),
        };
        AuditLog::of(self.warehouse())
            .append(access, &action)
            .await?;
        Ok(self.warehouse().memo_put(SCOPE, CURRENT, "").await?)
    }

    /// Refused while a rotation is unfinished: a build would mix old and new pseudonyms.
    pub(crate) async fn refuse_unfinished_rotation(&self) -> Result<()> {
        match self.unfinished_rotation().await? {
            Some(_) => bail!(
                "a rotation of the keys is unfinished; run `goyong vault rotate --resume`, it goes on where it stopped"
            ),
            None => Ok(()),
        }
    }

    /// Compares the pepper with the one that made the pseudonyms in the tables; the first time it
    /// is remembered.
    pub(crate) async fn check_key_id(&self, keys: &Keys) -> Result<()> {
        let (scope, key) = PEPPER_ID;
        match self.warehouse().memo_get(scope, key).await? {
            None => Ok(self
                .warehouse()
                .memo_put(scope, key, &keys.pepper_id())
                .await?),
            Some(id) if id == keys.pepper_id() => Ok(()),
            Some(id) => bail!(
                "the pepper in {} is {}, the tables were made with {id}: use the right key folder",
                keys.folder().display(),
                keys.pepper_id()
            ),
        }
    }

    async fn unfinished_rotation(&self) -> Result<Option<Rotation>> {
        match self.warehouse().memo_get(SCOPE, CURRENT).await? {
            Some(text) if !text.is_empty() => Ok(Some(
                serde_json::from_str(&text).context("read how far the rotation is")?,
            )),
            _ => Ok(None),
        }
    }

    async fn record(&self, rotation: &Rotation) -> Result<()> {
        let text = serde_json::to_string(rotation)?;
        Ok(self.warehouse().memo_put(SCOPE, CURRENT, &text).await?)
    }

    async fn begin_rotation(&self, new: &NewKeys, access: &Access) -> Result<Rotation> {
        if !new.pepper && !new.vault && new.recipient.is_none() {
            bail!("nothing to rotate: name --pepper, --vault-key or an archive recipient");
        }
        // Sealed records carry digests under the pepper and are recognised by their vault key, so the
        // two change together.
        let new = &NewKeys {
            vault: new.vault || new.pepper,
            ..new.clone()
        };
        self.refuse_unfinished_erasure().await?;
        let folder = &self.configuration().keys;
        let keys = self.keys()?;
        let in_folder = Keys::load(folder).context(
            "a rotation replaces the files of the key folder, so all keys must lie there",
        )?;
        if in_folder.pepper_id() != keys.pepper_id()
            || in_folder.vault_key_id() != keys.vault_key_id()
        {
            bail!(
                "the keys in use come from credentials, not from {}: rotate with the key folder alone",
                folder.display()
            );
        }
        if folder.join(PREVIOUS).exists() {
            bail!(
                "{} holds the keys of an earlier rotation: move them off this machine or destroy them first",
                folder.join(PREVIOUS).display()
            );
        }
        let vault = self.vault(&keys)?;
        self.check_vault(&keys, &vault).await?;
        remove_folder(&self.previous_vault())?;
        let next = Keys::create_next(folder, new)?;
        let action = AuditAction {
            action: "rotate",
            person: None,
            note: format!(
                "begun: pepper {} to {}, vault key {} to {}",
                keys.pepper_id(),
                next.pepper_id(),
                keys.vault_key_id(),
                next.vault_key_id()
            ),
        };
        AuditLog::of(self.warehouse())
            .append(access, &action)
            .await?;
        let rotation = Rotation {
            stage: if new.pepper || new.vault {
                Stage::Vault
            } else {
                Stage::Swap
            },
            changes_pepper: new.pepper,
            changes_vault: new.pepper || new.vault,
            pepper_id: next.pepper_id(),
            vault_key_id: next.vault_key_id(),
        };
        self.record(&rotation).await?;
        Ok(rotation)
    }

    fn next_keys(&self, rotation: &Rotation) -> Result<Keys> {
        let keys = Keys::load(&self.configuration().keys.join(NEXT))?;
        if keys.pepper_id() != rotation.pepper_id || keys.vault_key_id() != rotation.vault_key_id {
            bail!(
                "the keys in {} are not those the rotation began with: bring them back",
                keys.folder().display()
            );
        }
        Ok(keys)
    }

    fn next_vault(&self) -> PathBuf {
        self.configuration().warehouse.join("vault.next")
    }

    fn previous_vault(&self) -> PathBuf {
        self.configuration().warehouse.join("vault.previous")
    }

    fn write_next_vault(&self, rotation: &Rotation) -> Result<()> {
        let keys = self.keys()?;
        let vault = self.vault(&keys)?;
        let next_keys = self.next_keys(rotation)?;
        let folder = self.next_vault();
        // What a crash left is incomplete.
        remove_folder(&folder)?;
        let next = Vault::create(&folder, &next_keys)?;
        vault.copy_to(&next, &next_keys)?;
        copy_files(
            &self.configuration().vault().join(RECORDS),
            &folder.join(RECORDS),
        )?;
        let person = |digest: &_| vault.digest_under(digest, &next_keys).ok().flatten();
        reseal_records(&folder, &keys, &next_keys, &person)?;
        Ok(())
    }

    async fn rename_pseudonyms(
        &self,
        rotation: &Rotation,
        events: Events<'_>,
        checkpoint: Checkpoint<'_>,
    ) -> Result<()> {
        let vault = self.vault(&self.keys()?)?;
        let pseudonyms = vault.pseudonyms_under(&self.next_keys(rotation)?)?;
        let application = format!("rotate/{}", rotation.pepper_id);
        for table in self.stored_tables().await? {
            events(NightEvent::Working(format!("new pseudonyms in {table}")));
            rewrite_table(
                self.warehouse(),
                self.contract_of(&table),
                &table,
                RowChange::Rename(&pseudonyms),
                &application,
            )
            .await?;
            checkpoint(&table.to_string())?;
        }
        if let Some(book) = self.existing_cases().await? {
            let renaming = Renaming {
                person: &|key| pseudonyms.person(key),
                opaque: &|text| {
                    let renamed = pseudonyms.opaque(text)?;
                    String::from_utf8(renamed.to_vec()).ok()
                },
            };
            book.rename_pseudonyms(&renaming).await?;
            // Its journal goes with the last connection, and with it what stood there before.
            book.close().await;
            self.remove_case_pages()?;
            checkpoint("cases renamed")?;
        }
        Ok(())
    }

    async fn swap(&self, rotation: &Rotation, checkpoint: Checkpoint<'_>) -> Result<()> {
        let (vault, next, previous) = (
            self.configuration().vault(),
            self.next_vault(),
            self.previous_vault(),
        );
        if rotation.changes_vault && next.exists() {
            if !previous.exists() {
                rename(&vault, &previous)?;
                checkpoint("old vault moved")?;
            }
            rename(&next, &vault)?;
            checkpoint("new vault in place")?;
        }
        Keys::promote_next(&self.configuration().keys)?;
        checkpoint("new keys in place")?;
        let (scope, key) = PEPPER_ID;
        self.warehouse()
            .memo_put(scope, key, &rotation.pepper_id)
            .await?;
        Ok(())
    }

    async fn clean(&self, rotation: &Rotation, checkpoint: Checkpoint<'_>) -> Result<()> {
        if rotation.changes_pepper && self.previous_vault().exists() {
            self.rename_what_no_model_follows(rotation).await?;
            let everything =
                DateTime::from_timestamp(END_OF_TIME, 0).unwrap_or(DateTime::UNIX_EPOCH);
            let nothing_old = Retention {
                before: everything,
                orphans_before: everything,
                ..Retention::default()
            };
            self.warehouse().expire(&nothing_old).await?;
            checkpoint("old versions removed")?;
        }
        remove_folder(&self.previous_vault())
    }

    /// Looks at every live row before anything is removed: a table whose model was not computed
    /// again, because its inputs are gone, still holds old pseudonyms. It is rewritten too.
    async fn rename_what_no_model_follows(&self, rotation: &Rotation) -> Result<()> {
        let keys = self.keys()?;
        let old_keys = Keys::load(&self.configuration().keys.join(PREVIOUS))?;
        let old = Vault::open_to_read(&self.previous_vault(), &old_keys)?;
        let pseudonyms = old.pseudonyms_under(&keys)?;
        let mut is_changed = false;
        for table in self.warehouse().table_names().await? {
            let contract = self.contract_of(&table);
            let is_old = |key| pseudonyms.person(key).is_some();
            if has_person(self.warehouse(), contract, &table, is_old).await? {
                let application = format!("rotate/{}", rotation.pepper_id);
                let change = RowChange::Rename(&pseudonyms);
                rewrite_table(self.warehouse(), contract, &table, change, &application).await?;
                is_changed = true;
            }
        }
        if is_changed {
            // The release must pin the new versions.
            self.rebuild_without_ingest(false, &|_| ()).await?;
        }
        Ok(())
    }
}

/// Copies the files of a folder that may be absent.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    let failed = || format!("copy {} to {}", from.display(), to.display());
    std::fs::create_dir_all(to).with_context(failed)?;
    for entry in std::fs::read_dir(from).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        let name = path.file_name().with_context(failed)?;
        std::fs::copy(&path, to.join(name)).with_context(failed)?;
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)
        .with_context(|| format!("rename {} to {}", from.display(), to.display()))?;
    let folder = to.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("sync {}", folder.display()))
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}
