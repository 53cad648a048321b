//! Publishes a release of the latest version of every table.

use anyhow::Result;
use goyong_store::ReleaseRequest;

use crate::plan::NightContext;
use crate::step::StepOutcome;

/// Records one consistent set of table versions; the same set twice is one release.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let warehouse = night.project.warehouse();
    let before = night.project.latest_release_id().await?;
    let mut tables = Vec::new();
    for table in warehouse.table_names().await? {
        if let Some(snapshot) = warehouse.snapshot(&table).await? {
            tables.push((table, snapshot.version));
        }
    }
    let release = warehouse
        .publish(ReleaseRequest {
            business_date: night.as_of().await?,
            tables,
            note: "night".to_owned(),
        })
        .await?;
    let rows: u64 = release.tables.values().map(|table| table.rows).sum();
    let summary = format!(
        "release {}: {} tables, {rows} rows, content {}",
        release.id,
        release.tables.len(),
        release.content_hash.get(..12).unwrap_or_default()
    );
    Ok(if before.as_deref() == Some(release.id.as_str()) {
        StepOutcome::nothing(summary)
    } else {
        StepOutcome::done(summary)
    })
}
