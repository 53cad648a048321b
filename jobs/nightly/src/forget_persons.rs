//! Erases persons: their rows leave the tables at once, older versions and originals by the
//! horizon, and rows delivered again or restored are recognised.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chrono::{Datelike, Days, NaiveDate};
use goyong_intake::{
    Access, AuditAction, AuditLog, ForgetSubject, Keys, PersonDigest, RowChange, Vault,
    forget_records, has_person, person_key, rewrite_table,
};
use goyong_types::TableName;

use crate::plan::{NightContext, NightOptions, PLAN};
use crate::project::OpenProject;
use crate::step::{NightEvent, StepStatus};

/// Columns of the list of requests.
pub const FORGET_HEADER: [&str; 4] = [
    "requested_on",
    "persons",
    "history_gone_on",
    "archive_gone_on",
];

const SCOPE: &str = "forget";
/// Set while an erasure is under way: the number of the run.
const PENDING: &str = "pending";
/// Runs so far; each names its rewritings apart.
const RUNS: &str = "runs";
/// Persons on the list when the last run ended.
const LISTED: &str = "listed";
/// The first release without any of the forgotten.
const CLEARED: &str = "cleared_release";
/// Days between 0001-01-01, where chrono counts from, and 1970-01-01.
const EPOCH: i32 = 719_163;

/// What an erasure may be told.
#[derive(Default)]
pub struct ForgetOptions {
    /// Who is to be forgotten; nobody when the list is only applied again.
    pub subjects: Vec<ForgetSubject>,
    /// A vault folder, made with the same keys, whose list counts too: the vault as it was before
    /// a restore.
    pub list: Option<PathBuf>,
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetSummary {
    /// Persons newly on the list.
    pub new_on_list: u64,
    /// Persons whose entries in the vault went now.
    pub erased: u64,
    /// Rows that went from tables nothing computes.
    pub rows_removed: u64,
    /// Files still in the landing folder, which may hold the persons' rows in the clear.
    pub landing_files: u64,
    /// From when no superseded version of a table holds them.
    pub history_gone_on: NaiveDate,
    /// From when no original holds them.
    pub archive_gone_on: NaiveDate,
}

impl OpenProject {
    /// Puts persons on the list and applies it: rows, derived tables, release, vault, in this
    /// order, so that whatever interrupts it, running it again finds the rest.
    pub async fn forget_persons(
        &self,
        options: &ForgetOptions,
        access: &Access,
        today: NaiveDate,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<ForgetSummary> {
        self.forget_with(options, access, today, events, &|_| Ok(()))
            .await
    }

    pub(crate) async fn forget_with(
        &self,
        options: &ForgetOptions,
        access: &Access,
        today: NaiveDate,
        events: &(dyn Fn(NightEvent) + Sync + Send),
        checkpoint: &(dyn Fn(&str) -> Result<()> + Sync + Send),
    ) -> Result<ForgetSummary> {
        let _lock = self.lock_vault_work()?;
        self.refuse_unfinished_rotation().await?;
        let keys = self.keys()?;
        let vault = self.vault(&keys)?;
        let action = AuditAction {
            action: "forget",
            person: None,
            note: format!("{} persons named", options.subjects.len()),
        };
        AuditLog::of(self.warehouse())
            .append(access, &action)
            .await?;
        let was_unfinished = self.refuse_unfinished_erasure().await.is_err();
        let run = self.start_run().await?;
        checkpoint("started")?;
        let day = today.num_days_from_ce() - EPOCH;
        let mut new_on_list = match vault.put_on_forget_list(&options.subjects, day) {
            Ok(count) => count,
            Err(error) => {
                // Nobody was put on the list, so nothing is under way.
                if !was_unfinished {
                    self.remember(PENDING, "").await?;
                }
                return Err(error.into());
            }
        };
        if let Some(folder) = &options.list {
            let other = Vault::open_to_read(folder, &keys)?;
            new_on_list += vault.merge_forget_list(&other)?;
        }
        checkpoint("listed")?;
        let persons = vault.forgotten_keys()?;
        let (mut rows_removed, mut erased) = (0, 0);
        if !persons.is_empty() {
            rows_removed = self.remove_rows(&persons, &run, events, checkpoint).await?;
            if let Some(book) = self.existing_cases().await? {
                book.forget(&persons).await?;
                // Its journal goes with the last connection, and with it what stood there before.
                book.close().await;
                self.remove_case_pages()?;
                checkpoint("cases")?;
            }
            self.rebuild_without_ingest(false, events).await?;
            checkpoint("rebuilt")?;
            self.remove_left_rows(&persons, &run).await?;
            let is_forgotten = |digest: &PersonDigest| persons.contains(&person_key(digest));
            forget_records(&self.configuration().vault(), &keys, &is_forgotten)?;
            erased = vault.remove_persons(&persons)?;
        }
        checkpoint("erased")?;
        if let Some(release) = self.latest_release_id().await? {
            self.remember(CLEARED, &release).await?;
        }
        self.remember(LISTED, &listed(&vault)?.to_string()).await?;
        self.remember(PENDING, "").await?;
        let (history_gone_on, archive_gone_on) = self.horizons(today)?;
        Ok(ForgetSummary {
            new_on_list,
            erased,
            rows_removed,
            landing_files: count_files(&self.landing())?,
            history_gone_on,
            archive_gone_on,
        })
    }

    /// The requests so far, with the days by which the last copy is gone.
    pub fn forget_status(&self) -> Result<Vec<Vec<String>>> {
        let vault = Vault::open_to_read(&self.configuration().vault(), &self.keys()?)?;
        vault
            .forget_requests()?
            .into_iter()
            .map(|(day, persons)| {
                let day = NaiveDate::from_num_days_from_ce_opt(day + EPOCH)
                    .context("a day on the forget list lies outside the calendar")?;
                let (history, archive) = self.horizons(day)?;
                Ok(vec![
                    day.to_string(),
                    persons.to_string(),
                    history.to_string(),
                    archive.to_string(),
                ])
            })
            .collect()
    }

    /// Refused while an erasure is unfinished: a build would publish what is half erased.
    pub(crate) async fn refuse_unfinished_erasure(&self) -> Result<()> {
        match self.warehouse().memo_get(SCOPE, PENDING).await? {
            Some(run) if !run.is_empty() => bail!(
                "an erasure is unfinished; run `goyong vault forget --replay`, it goes on where it stopped"
            ),
            _ => Ok(()),
        }
    }

    /// The first release without any of the forgotten, `None` where nobody was.
    pub(crate) async fn cleared_release(&self) -> Result<Option<String>> {
        Ok(self.warehouse().memo_get(SCOPE, CLEARED).await?)
    }

    /// Compares key and forget list of the vault with what the warehouse remembers: one of the two
    /// may come from a backup.
    pub(crate) async fn check_vault(&self, keys: &Keys, vault: &Vault) -> Result<()> {
        self.check_key_id(keys).await?;
        let known = self.warehouse().memo_get(SCOPE, LISTED).await?;
        let known: u64 = known.and_then(|text| text.parse().ok()).unwrap_or_default();
        let found = listed(vault)?;
        if found > known {
            bail!(
                "the vault's list of the forgotten has {found} persons, the tables were cleared of {known}: \
                 a backup was restored, run `goyong vault forget --replay`"
            );
        }
        if found < known {
            bail!(
                "the vault's list of the forgotten has {found} persons, {known} are known: the vault comes from \
                 a backup, run `goyong vault forget --replay --list FOLDER` with the vault of before"
            );
        }
        Ok(())
    }

    async fn start_run(&self) -> Result<String> {
        let runs = self.warehouse().memo_get(SCOPE, RUNS).await?;
        let runs: u64 = runs.and_then(|text| text.parse().ok()).unwrap_or_default();
        let run = (runs + 1).to_string();
        self.remember(RUNS, &run).await?;
        self.remember(PENDING, &run).await?;
        Ok(run)
    }

    async fn remember(&self, key: &str, value: &str) -> Result<()> {
        Ok(self.warehouse().memo_put(SCOPE, key, value).await?)
    }

    async fn remove_rows(
        &self,
        persons: &HashSet<i64>,
        run: &str,
        events: &(dyn Fn(NightEvent) + Sync + Send),
        checkpoint: &(dyn Fn(&str) -> Result<()> + Sync + Send),
    ) -> Result<u64> {
        let mut removed = 0;
        for table in self.stored_tables().await? {
            events(NightEvent::Working(format!("removing rows from {table}")));
            removed += self.remove_from(&table, persons, run).await?;
            checkpoint(&table.to_string())?;
        }
        Ok(removed)
    }

    async fn remove_from(
        &self,
        table: &TableName,
        persons: &HashSet<i64>,
        run: &str,
    ) -> Result<u64> {
        let rewritten = rewrite_table(
            self.warehouse(),
            self.contract_of(table),
            table,
            RowChange::Remove(persons),
            &format!("forget/{run}"),
        )
        .await?;
        Ok(rewritten.rows_removed)
    }

    /// Tables whose model no longer exists, or that did not follow their inputs.
    async fn remove_left_rows(&self, persons: &HashSet<i64>, run: &str) -> Result<()> {
        let mut is_changed = false;
        for table in self.warehouse().table_names().await? {
            let contract = self.contract_of(&table);
            let sought = |key| persons.contains(&key);
            if has_person(self.warehouse(), contract, &table, sought).await? {
                self.remove_from(&table, persons, run).await?;
                is_changed = true;
            }
        }
        if is_changed {
            // The release must pin the versions without them.
            self.rebuild_without_ingest(false, &|_| ()).await?;
        }
        Ok(())
    }

    /// Tables no model computes.
    pub(crate) async fn stored_tables(&self) -> Result<Vec<TableName>> {
        let mut tables = self.warehouse().table_names().await?;
        tables.retain(|table| !self.project().models().contains_key(table));
        Ok(tables)
    }

    pub(crate) fn contract_of(
        &self,
        table: &TableName,
    ) -> Option<&goyong_catalog::contract::Contract> {
        (table.schema() == "staging")
            .then(|| self.project().contracts().get(table.table()))
            .flatten()
    }

    /// Every step of the night after intake; nothing when nothing was ever delivered.
    pub(crate) async fn rebuild_without_ingest(
        &self,
        full_refresh: bool,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<()> {
        if self.latest_known_on().await?.is_none() {
            return Ok(());
        }
        let options = NightOptions {
            as_of: None,
            full_refresh,
        };
        let night = NightContext {
            project: self,
            options: &options,
            events,
        };
        for step in PLAN.iter().filter(|step| step.name != "ingest_deliveries") {
            let outcome = (step.run)(&night)
                .await
                .with_context(|| format!("step {}", step.name))?;
            if outcome.status == StepStatus::Failed {
                bail!(
                    "step {} failed: {}; {}",
                    step.name,
                    outcome.summary,
                    outcome.details.join("; ")
                );
            }
        }
        Ok(())
    }

    fn horizons(&self, day: NaiveDate) -> Result<(NaiveDate, NaiveDate)> {
        let after = |days: u32| {
            // The day on which everything is older than the days it is kept.
            day.checked_add_days(Days::new(u64::from(days) + 1))
                .context("the horizon lies behind the calendar")
        };
        let configuration = self.configuration();
        Ok((
            after(configuration.history_days)?,
            after(configuration.archive_days)?,
        ))
    }
}

fn listed(vault: &Vault) -> Result<u64> {
    Ok(vault
        .forget_requests()?
        .into_iter()
        .map(|(_, persons)| persons)
        .sum())
}

fn count_files(folder: &std::path::Path) -> Result<u64> {
    let mut count = 0;
    if !folder.is_dir() {
        return Ok(0);
    }
    let listed = || format!("list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(listed)? {
        let path = entry.with_context(listed)?.path();
        count += if path.is_dir() {
            count_files(&path)?
        } else {
            1
        };
    }
    Ok(count)
}
