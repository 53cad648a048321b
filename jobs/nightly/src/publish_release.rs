//! Publishes a release of the latest version of every table.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use goyong_scheduler::instant;
use goyong_store::{Release, ReleaseRequest, StoreError, Warehouse};
use goyong_types::TableName;

use crate::check_freshness::FRESHNESS_HEADER;
use crate::figures::{GateResult, SourceFigures, StepFigures, Totals};
use crate::plan::NightContext;
use crate::step::StepOutcome;

/// Records one consistent set of table versions, after every file of it was hashed; the same set twice is one release.
/// A set that an operator rolled back stays unpublished until its tables change.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let warehouse = night.project.warehouse();
    let before = warehouse.latest_release().await?;
    let tables = newest_versions(warehouse).await?;
    if let Some(current) = &before
        && let Some(withdrawn) = withdrawn_by(warehouse, current).await?
        && is_same_content(warehouse, &tables, &withdrawn).await?
    {
        return Ok(StepOutcome::nothing(format!(
            "the tables are still those of release {}, which was rolled back ({}): readers stay on {}; \
             `goyong releases publish` publishes them by hand",
            withdrawn.id, current.note, current.id
        )));
    }
    let published = warehouse
        .publish(ReleaseRequest {
            business_date: night.as_of().await?,
            tables,
            note: "night".to_owned(),
            ..ReleaseRequest::default()
        })
        .await;
    let release = match published {
        Ok(release) => release,
        Err(StoreError::Unsound { problems }) => {
            let lines = problems.iter().map(ToString::to_string).collect();
            let count = problems.len();
            let figures = StepFigures {
                gates: vec![files_sound(count)],
                ..StepFigures::default()
            };
            return Ok(StepOutcome::failed(format!(
                "{count} files are damaged, nothing published: run `goyong repair`"
            ))
            .with_details(lines)
            .with_figures(figures));
        }
        Err(error) => return Err(error.into()),
    };
    let rows: u64 = release.tables.values().map(|table| table.rows).sum();
    let summary = format!(
        "release {}: {} tables, {rows} rows, content {}",
        release.id,
        release.tables.len(),
        release.content_hash.get(..12).unwrap_or_default()
    );
    let figures = StepFigures {
        sources: freshness(night).await,
        total: Totals {
            tables_released: Some(release.tables.len() as u64),
            rows_released: Some(rows),
            ..Totals::default()
        },
        gates: vec![files_sound(0)],
        ..StepFigures::default()
    };
    Ok(if before.is_some_and(|before| before.id == release.id) {
        StepOutcome::nothing(summary)
    } else {
        StepOutcome::done(summary)
    }
    .with_figures(figures))
}

/// How fresh each source is on the night's day. What cannot be asked is left out: it holds no release back.
async fn freshness(night: &NightContext<'_>) -> BTreeMap<String, SourceFigures> {
    let asked = async {
        let as_of = night.as_of().await?;
        night.project.check_freshness(Some(as_of)).await
    };
    match asked.await {
        Ok(summary) => summary.rows.iter().map(|row| of_source(row)).collect(),
        Err(error) => {
            tracing::warn!("how fresh the sources are is not known: {error:#}");
            BTreeMap::new()
        }
    }
}

/// The figures of a row of the check; an empty cell is a figure that is not known.
fn of_source(row: &[String]) -> (String, SourceFigures) {
    let cell = |name: &str| {
        let column = FRESHNESS_HEADER.iter().position(|known| *known == name);
        column
            .and_then(|column| row.get(column))
            .map_or("", String::as_str)
    };
    let known_on: Option<NaiveDate> = cell("last_known_on").parse().ok();
    let known_on = known_on.and_then(|day| instant(Tz::Asia__Seoul, day.and_time(NaiveTime::MIN)));
    let figures = SourceFigures {
        last_known_on_s: known_on.and_then(|at| u64::try_from(at.timestamp()).ok()),
        periods_missing: cell("periods_missing").parse().ok(),
        days_late: cell("days_late").parse().ok(),
        is_overdue: Some(u64::from(cell("state") == "overdue")),
        ..SourceFigures::default()
    };
    (cell("source").to_owned(), figures)
}

/// The gate every release passes: each of its files was hashed.
fn files_sound(damaged: usize) -> GateResult {
    GateResult {
        name: "files_sound".to_owned(),
        passed: damaged == 0,
        detail: format!("{damaged} files damaged"),
    }
}

/// The newest version of every table.
pub(crate) async fn newest_versions(warehouse: &Warehouse) -> Result<Vec<(TableName, i64)>> {
    let mut tables = Vec::new();
    for table in warehouse.table_names().await? {
        if let Some(snapshot) = warehouse.snapshot(&table).await? {
            tables.push((table, snapshot.version));
        }
    }
    Ok(tables)
}

/// The release an operator took back, when the current one is a rollback.
async fn withdrawn_by(warehouse: &Warehouse, current: &Release) -> Result<Option<Release>> {
    if current.republishes.is_none() {
        return Ok(None);
    }
    let releases = warehouse.releases().await?;
    let earlier = releases
        .into_iter()
        .take_while(|release| release.id != current.id);
    // Several rollbacks in a row all took back the one release before the first.
    Ok(earlier
        .filter(|release| release.republishes.is_none())
        .last())
}

async fn is_same_content(
    warehouse: &Warehouse,
    tables: &[(TableName, i64)],
    release: &Release,
) -> Result<bool> {
    if tables.len() != release.tables.len() {
        return Ok(false);
    }
    for (table, _) in tables {
        let newest = warehouse.snapshot(table).await?;
        let released = release.tables.get(table).map(|table| &table.content_hash);
        if newest.map(|newest| newest.content_hash()).as_ref() != released {
            return Ok(false);
        }
    }
    Ok(true)
}
