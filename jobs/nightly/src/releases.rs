//! Releases for a person at the command line: listed, compared, published by hand, rolled back.

use anyhow::{Context, Result, bail};
use chrono::{NaiveDate, SecondsFormat};
use goyong_catalog::Selection;
use goyong_engine::{BuildMode, BuildScope};
use goyong_store::{Release, ReleaseRequest, ReleasedTable, TableDifference, TableSnapshot};
use goyong_types::{TableName, nearest_name};

use crate::build_tables::{build, failures};
use crate::project::OpenProject;
use crate::publish_release::newest_versions;
use crate::step::NightEvent;

/// Columns of the list of releases.
pub const RELEASES_HEADER: [&str; 10] = [
    "release",
    "current",
    "published_at",
    "tables",
    "rows",
    "bytes",
    "content_hash",
    "account",
    "republishes",
    "note",
];

/// Columns of one release.
pub const RELEASE_HEADER: [&str; 5] = ["table", "version", "rows", "commit_sha256", "content_hash"];

/// Columns of a comparison, one row per table that differs.
pub const DIFFERENCE_HEADER: [&str; 9] = [
    "table",
    "change",
    "rows_before",
    "rows_after",
    "rows_added",
    "rows_removed",
    "rows_changed",
    "partitions",
    "columns",
];

/// Columns of a comparison by partition.
pub const PARTITION_DIFFERENCE_HEADER: [&str; 4] =
    ["table", "partition", "rows_before", "rows_after"];

/// Rows that a comparison reads of one table, 32 bytes of memory each; a table with more is compared by its
/// partitions alone.
const ROWS_COMPARED: u64 = 40_000_000;

/// What is compared.
#[derive(Debug, Clone, Default)]
pub struct DifferenceOptions {
    /// The earlier release; the one before `to` when absent.
    pub from: Option<String>,
    /// The later release; the current one when absent.
    pub to: Option<String>,
    /// Only these tables; all when empty.
    pub tables: Vec<String>,
    /// Rows of a table that are compared one by one; a table with more is compared by its partitions alone.
    pub rows_compared: Option<u64>,
}

/// What differs between two releases.
#[derive(Debug, Clone, Default)]
pub struct DifferenceSummary {
    /// The earlier release.
    pub from: String,
    /// The later release.
    pub to: String,
    /// One row per table that differs, as [`DIFFERENCE_HEADER`].
    pub tables: Vec<Vec<String>>,
    /// One row per partition that differs, as [`PARTITION_DIFFERENCE_HEADER`].
    pub partitions: Vec<Vec<String>>,
    /// Tables with the same rows and columns.
    pub unchanged: usize,
}

/// Who publishes, and why.
#[derive(Debug, Clone, Default)]
pub struct Act {
    /// An account of the system.
    pub account: String,
    /// The reason, without any personal value.
    pub reason: String,
}

/// How a publication by hand ended.
#[derive(Debug, Clone)]
pub enum Publication {
    /// This release is the current one now.
    Published(Box<Release>),
    /// The current release has these tables already.
    Unchanged(Box<Release>),
    /// Something checked did not hold; readers stay where they are.
    Refused(Vec<String>),
}

impl OpenProject {
    /// Rows for `goyong releases ls`, newest first.
    pub async fn list_releases(&self) -> Result<Vec<Vec<String>>> {
        let bytes = self.warehouse().release_bytes().await?;
        let releases = self.warehouse().releases().await?;
        let current = releases.last().map(|release| release.id.clone());
        Ok(releases
            .iter()
            .rev()
            .map(|release| {
                let rows: u64 = release.tables.values().map(|table| table.rows).sum();
                let is_current = current.as_ref() == Some(&release.id);
                vec![
                    release.id.clone(),
                    if is_current { "yes" } else { "" }.to_owned(),
                    release
                        .published_at
                        .to_rfc3339_opts(SecondsFormat::Secs, true),
                    release.tables.len().to_string(),
                    rows.to_string(),
                    bytes.get(&release.id).copied().unwrap_or(0).to_string(),
                    release.content_hash.clone(),
                    release.account.clone(),
                    release.republishes.clone().unwrap_or_default(),
                    release.note.clone(),
                ]
            })
            .collect())
    }

    /// Rows for `goyong releases show`.
    pub async fn show_release(&self, id: Option<&str>) -> Result<Vec<Vec<String>>> {
        let release = self.release(id).await?;
        let row = |(name, table): (&TableName, &ReleasedTable)| {
            vec![
                name.to_string(),
                table.version.to_string(),
                table.rows.to_string(),
                table.commit_sha256.clone(),
                table.content_hash.clone(),
            ]
        };
        Ok(release.tables.iter().map(row).collect())
    }

    /// A release by id, the current one when none is named; a wrong id is answered with the nearest.
    pub async fn release(&self, id: Option<&str>) -> Result<Release> {
        let Some(id) = id else {
            return self
                .warehouse()
                .latest_release()
                .await?
                .context("no release yet; run `goyong night` first");
        };
        if let Some(release) = self.warehouse().release(id).await? {
            return Ok(release);
        }
        let releases = self.warehouse().releases().await?;
        let ids = releases.iter().map(|release| release.id.as_str());
        match nearest_name(id, ids) {
            Some(near) => {
                bail!("no release `{id}`, did you mean `{near}`? `goyong releases ls` lists them")
            }
            None => bail!("no release `{id}`; `goyong releases ls` lists them"),
        }
    }

    /// What differs between two releases, table by table. Tables with equal content hashes are not opened.
    pub async fn compare_releases(&self, options: &DifferenceOptions) -> Result<DifferenceSummary> {
        let to = self.release(options.to.as_deref()).await?;
        let from = match &options.from {
            Some(id) => self.release(Some(id)).await?,
            None => self.release_before(&to).await?,
        };
        let names = chosen_tables(&options.tables, &from, &to)?;
        let mut summary = DifferenceSummary {
            from: from.id.clone(),
            to: to.id.clone(),
            ..DifferenceSummary::default()
        };
        for table in names {
            match (from.tables.get(&table), to.tables.get(&table)) {
                (Some(was), Some(is)) if was.content_hash == is.content_hash => {
                    summary.unchanged += 1;
                }
                (Some(was), Some(is)) => {
                    let limit = options.rows_compared.unwrap_or(ROWS_COMPARED);
                    let difference = self
                        .compare_table(&table, (was.version, is.version), limit)
                        .await?;
                    summary
                        .tables
                        .push(difference_row(&table, was, is, &difference));
                    let shown = |rows: Option<u64>| rows.map(|rows| rows.to_string());
                    summary
                        .partitions
                        .extend(difference.partitions.iter().map(|partition| {
                            vec![
                                table.to_string(),
                                partition.partition.clone().unwrap_or_default(),
                                shown(partition.rows_before).unwrap_or_default(),
                                shown(partition.rows_after).unwrap_or_default(),
                            ]
                        }));
                }
                (was, is) => summary.tables.extend(whole_table_row(&table, was, is)),
            }
        }
        Ok(summary)
    }

    async fn release_before(&self, release: &Release) -> Result<Release> {
        let releases = self.warehouse().releases().await?;
        let place = releases.iter().position(|other| other.id == release.id);
        place
            .and_then(|place| releases.into_iter().nth(place.checked_sub(1)?))
            .with_context(|| {
                format!(
                    "no release before {}: name the one to compare it with",
                    release.id
                )
            })
    }

    async fn compare_table(
        &self,
        table: &TableName,
        (from, to): (i64, i64),
        rows_compared: u64,
    ) -> Result<TableDifference> {
        let (before, after) = (
            self.pinned(table, from).await?,
            self.pinned(table, to).await?,
        );
        let key = self.key_of(table);
        let warehouse = self.warehouse().clone();
        let compared = move || warehouse.compare(&before, &after, &key, rows_compared);
        Ok(tokio::task::spawn_blocking(compared).await??)
    }

    async fn pinned(&self, table: &TableName, version: i64) -> Result<TableSnapshot> {
        self.warehouse()
            .snapshot_at(table, version)
            .await?
            .with_context(|| format!("table {table} has no version {version}"))
    }

    /// The columns that tell rows of a table apart, empty where nothing says so.
    fn key_of(&self, table: &TableName) -> Vec<String> {
        if let Some(model) = self.project().models().get(table) {
            return model.header.grain.clone();
        }
        match table.schema() {
            "staging" => self
                .project()
                .contracts()
                .get(table.table())
                .map(|contract| contract.key.clone())
                .unwrap_or_default(),
            "seed" => self
                .project()
                .seeds()
                .get(table.table())
                .map(|seed| seed.header.key.clone())
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Publishes the newest version of every table: refused unless everything is built, every test and check passes
    /// and every file is as it was written. One atomic act under the night's lock.
    pub async fn publish_by_hand(
        &self,
        as_of: Option<NaiveDate>,
        act: &Act,
        events: &(dyn Fn(NightEvent) + Sync + Send),
    ) -> Result<Publication> {
        let _lock = self.lock_night().await?;
        let as_of = self.as_of_or_latest(as_of).await?;
        let scope = BuildScope::default();
        let plan = self
            .engine()
            .plan_scope(&Selection::all(), as_of, scope)
            .await?;
        let unbuilt = plan.steps.iter().filter(|step| step.partitions_stale > 0);
        let unbuilt: Vec<String> = unbuilt
            .map(|step| {
                format!(
                    "{} is not built: {}; run `goyong build`",
                    step.table, step.reason
                )
            })
            .collect();
        if !unbuilt.is_empty() {
            return Ok(Publication::Refused(unbuilt));
        }
        let mode = BuildMode {
            run: false,
            test: true,
            fail_fast: false,
        };
        let report = build(self, &Selection::all(), as_of, scope, mode, events).await?;
        if !report.succeeded() {
            return Ok(Publication::Refused(failures(&report)));
        }
        let request = ReleaseRequest {
            business_date: as_of,
            tables: newest_versions(self.warehouse()).await?,
            note: act.reason.clone(),
            account: act.account.clone(),
            republishes: None,
        };
        self.publish_checked(request).await
    }

    /// Publishes an older release again, after all its files were hashed. One atomic act; readers see the older tables
    /// from then on, and the release that was current stays in the ledger.
    pub async fn roll_back(&self, id: &str, act: &Act) -> Result<Publication> {
        let _lock = self.lock_night().await?;
        let older = self.release(Some(id)).await?;
        let request = ReleaseRequest {
            business_date: older.business_date,
            tables: older
                .tables
                .iter()
                .map(|(table, released)| (table.clone(), released.version))
                .collect(),
            note: act.reason.clone(),
            account: act.account.clone(),
            republishes: Some(older.id),
        };
        self.publish_checked(request).await
    }

    async fn publish_checked(&self, request: ReleaseRequest) -> Result<Publication> {
        let before = self.latest_release_id().await?;
        match self.warehouse().publish(request).await {
            Ok(release) if before.as_deref() == Some(release.id.as_str()) => {
                // Nothing was published, so nothing was hashed yet; who publishes by hand wants to know.
                let report = self.warehouse().verify(Some(&release)).await?;
                if report.problems.is_empty() {
                    return Ok(Publication::Unchanged(Box::new(release)));
                }
                let lines = report.problems.iter().map(ToString::to_string);
                Ok(Publication::Refused(lines.collect()))
            }
            Ok(release) => Ok(Publication::Published(Box::new(release))),
            Err(goyong_store::StoreError::Unsound { problems }) => {
                let lines = problems.iter().map(ToString::to_string);
                Ok(Publication::Refused(lines.collect()))
            }
            Err(error @ goyong_store::StoreError::DamagedLog { .. }) => {
                Ok(Publication::Refused(vec![error.to_string()]))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The tables asked for, of both releases; a wrong name is answered with the nearest.
fn chosen_tables(asked: &[String], from: &Release, to: &Release) -> Result<Vec<TableName>> {
    let mut known: Vec<TableName> = from
        .tables
        .keys()
        .chain(to.tables.keys())
        .cloned()
        .collect();
    known.sort();
    known.dedup();
    if asked.is_empty() {
        return Ok(known);
    }
    let mut chosen = Vec::new();
    for name in asked {
        let texts: Vec<String> = known.iter().map(ToString::to_string).collect();
        match known.iter().find(|table| table.to_string() == *name) {
            Some(table) => chosen.push(table.clone()),
            None => match nearest_name(name, texts.iter().map(String::as_str)) {
                Some(near) => bail!("neither release has a table `{name}`, did you mean `{near}`?"),
                None => {
                    bail!("neither release has a table `{name}`; `goyong releases show` lists them")
                }
            },
        }
    }
    Ok(chosen)
}

fn whole_table_row(
    table: &TableName,
    was: Option<&ReleasedTable>,
    is: Option<&ReleasedTable>,
) -> Option<Vec<String>> {
    let (change, rows) = match (was, is) {
        (None, Some(is)) => ("added", is.rows),
        (Some(was), None) => ("removed", was.rows),
        _ => return None,
    };
    let number = |there: Option<&ReleasedTable>| {
        there
            .map(|table| table.rows.to_string())
            .unwrap_or_default()
    };
    let counted = |now: &str| if now == change { rows } else { 0 }.to_string();
    Some(vec![
        table.to_string(),
        change.to_owned(),
        number(was),
        number(is),
        counted("added"),
        counted("removed"),
        "0".to_owned(),
        String::new(),
        String::new(),
    ])
}

fn difference_row(
    table: &TableName,
    was: &ReleasedTable,
    is: &ReleasedTable,
    difference: &TableDifference,
) -> Vec<String> {
    let counted = |pick: fn(&goyong_store::RowDifference) -> u64| {
        difference
            .rows
            .as_ref()
            .map(|rows| pick(rows).to_string())
            .unwrap_or_default()
    };
    let signed = |sign: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{sign}{name}")).collect()
    };
    let columns = [
        signed("+", &difference.columns_added),
        signed("-", &difference.columns_removed),
        signed("~", &difference.columns_changed),
    ]
    .concat();
    let partitions = difference
        .partitions
        .iter()
        .filter_map(|partition| partition.partition.as_deref());
    let partitions: Vec<&str> = partitions.collect();
    vec![
        table.to_string(),
        "changed".to_owned(),
        was.rows.to_string(),
        is.rows.to_string(),
        counted(|rows| rows.added),
        counted(|rows| rows.removed),
        counted(|rows| rows.changed),
        span_in_words(&partitions),
        columns.join(" "),
    ]
}

/// A few values, or how many there are from which to which.
fn span_in_words(values: &[&str]) -> String {
    match values {
        [first, .., last] if values.len() > 3 => {
            format!("{} from {first} to {last}", values.len())
        }
        few => few.join(" "),
    }
}
