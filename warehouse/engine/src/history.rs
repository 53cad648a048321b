//! Slowly changing history: the rows of a select are the present, the table keeps every version.
//!
//! Stored are the select's columns and `valid_from`, `valid_to` (exclusive, null while it holds) and
//! `is_current`. A row that differs from its current version closes it on the day the new one begins;
//! a row that is gone is closed on the day of the build. Whatever was said of days on or after the day
//! a correction begins is replaced by it. The same present twice changes nothing.

use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use chrono::NaiveDate;
use datafusion::catalog::MemoryCatalogProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::view::ViewTable;
use goyong_catalog::{Model, SnapshotHeader};
use goyong_store::TableSnapshot;
use goyong_types::TableName;

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::inputs::register;
use crate::provider::SnapshotTable;
use crate::session::queries_only;
use crate::storage::stored_schema;

/// Columns the history adds.
const ADDED: [&str; 3] = ["valid_from", "valid_to", "is_current"];

/// The history with the present taken in.
pub(crate) async fn with_history(
    inner: &Inner,
    model: &Model,
    snapshot: &SnapshotHeader,
    stored: Option<&TableSnapshot>,
    as_of: NaiveDate,
    present: DataFrame,
) -> Result<DataFrame> {
    let name = model.table.to_string();
    let failed = |error| EngineError::of(error, &name);
    let schema = stored_schema(&model.table, present.schema().as_arrow())?;
    check_columns(model, snapshot, &schema)?;
    let schemas = Arc::new(MemoryCatalogProvider::new());
    let table = |table: &str| {
        TableName::new("history", table).map_err(|error| EngineError::Plan(error.to_string()))
    };
    let plan = present.logical_plan().clone();
    register(
        &schemas,
        &table("present")?,
        Arc::new(ViewTable::new(plan, None)),
    )?;
    if let Some(stored) = stored {
        let versions = SnapshotTable::new(stored, inner.warehouse.lake_base(), &[], |_| true)
            .map_err(failed)?;
        register(&schemas, &table("version")?, Arc::new(versions))?;
    }
    let sql = history_sql(
        snapshot,
        stored.map(|stored| &stored.schema),
        as_of,
        &schema,
    );
    inner
        .factory
        .session(schemas, false)
        .sql_with_options(&sql, queries_only())
        .await
        .map_err(failed)
}

/// Refuses to tell the history of a day before the last one that was taken in.
pub(crate) fn check_day(model: &Model, until: Option<NaiveDate>, as_of: NaiveDate) -> Result<()> {
    match until {
        Some(until) if as_of < until => Err(EngineError::Refused(format!(
            "{}: its history is kept up to {until}, what held on {as_of} cannot be added any more; \
             build it with --as-of {until} or later",
            model.table
        ))),
        _ => Ok(()),
    }
}

fn check_columns(model: &Model, snapshot: &SnapshotHeader, schema: &SchemaRef) -> Result<()> {
    let wrong = |column: &str, problem: String| EngineError::Column {
        table: model.table.clone(),
        column: column.to_owned(),
        problem,
    };
    for column in ADDED {
        if schema.index_of(column).is_ok() {
            return Err(wrong(
                column,
                "is added by the history; call the select's column otherwise".into(),
            ));
        }
    }
    for column in snapshot.key.iter().chain(&snapshot.valid_from) {
        if schema.index_of(column).is_err() {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let advice = goyong_types::nearest_name(column, names)
                .map(|nearest| format!("; did you mean `{nearest}`?"))
                .unwrap_or_default();
            return Err(wrong(
                column,
                format!("is named in `snapshot` but not selected{advice}"),
            ));
        }
    }
    if let Some(column) = &snapshot.valid_from {
        let data_type = schema.field_with_name(column)?.data_type();
        if *data_type != DataType::Date32 {
            return Err(wrong(
                column,
                format!("says since when a row holds and must be a date, not {data_type}"),
            ));
        }
    }
    Ok(())
}

/// The query over `history.present` and, where there is one, `history.version`.
fn history_sql(
    snapshot: &SnapshotHeader,
    stored: Option<&SchemaRef>,
    as_of: NaiveDate,
    schema: &SchemaRef,
) -> String {
    let today = format!("date '{as_of}'");
    let since = match &snapshot.valid_from {
        Some(column) => format!("present.{}", quoted(column)),
        None => today.clone(),
    };
    let columns: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let of = |alias: &str| -> String {
        let all: Vec<String> = columns
            .iter()
            .map(|column| format!("{alias}.{}", quoted(column)))
            .collect();
        all.join(", ")
    };
    let Some(stored) = stored else {
        return format!(
            "select {}, {since} as valid_from, cast(null as date) as valid_to, true as is_current \
             from history.present as present",
            of("present")
        );
    };
    // A column the history does not have yet is null in its versions.
    let versions: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let column = quoted(field.name());
            match stored.field_with_name(field.name()) {
                Ok(known) if known.data_type() == field.data_type() => format!("version.{column}"),
                Ok(_) => format!(
                    "arrow_cast(version.{column}, '{}') as {column}",
                    field.data_type()
                ),
                Err(_) => format!("arrow_cast(null, '{}') as {column}", field.data_type()),
            }
        })
        .collect();
    let on = |one: &str, other: &str| -> String {
        let pairs: Vec<String> = snapshot
            .key
            .iter()
            .map(|key| format!("{one}.{key} = {other}.{key}", key = quoted(key)))
            .collect();
        pairs.join(" and ")
    };
    let key: Vec<String> = snapshot.key.iter().map(|key| quoted(key)).collect();
    let key = key.join(", ");
    let same: Vec<String> = columns
        .iter()
        .filter(|column| {
            !snapshot.key.contains(column) && snapshot.valid_from.as_ref() != Some(**column)
        })
        .map(|column| {
            format!(
                "(holding.{c} is not distinct from present.{c})",
                c = quoted(column)
            )
        })
        .collect();
    let same = if same.is_empty() {
        "true".to_owned()
    } else {
        same.join(" and ")
    };
    let is_held = on("holding", "present");
    format!(
        "with version as (
           select {versions}, version.valid_from, version.valid_to, version.is_current
           from history.version as version
         ),
         present as (select {present}, {since} as _since from history.present as present),
         holding as (select * from version where is_current),
         closed as (select * from version where not is_current),
         last_closed as (select {key}, max(valid_to) as closed_on from closed group by {key}),
         changed as (
           select {present},
             -- what was gone and is back begins anew
             case when holding.is_current is null and last_closed.closed_on > present._since
                  then {today} else present._since end as _starts
           from present
           left join holding on {is_held}
           left join last_closed on {was_closed}
           where holding.is_current is null or not ({same})
         )
         select {closed}, closed.valid_from,
           case when changed._starts < closed.valid_to then changed._starts else closed.valid_to end as valid_to,
           false as is_current
         from closed left join changed on {closed_changed}
         where changed._starts is null or closed.valid_from < changed._starts
         union all
         select {holding}, holding.valid_from, holding.valid_to, true as is_current
         from holding inner join present on {is_held}
         where {same}
         union all
         select {holding}, holding.valid_from, changed._starts as valid_to, false as is_current
         from holding inner join changed on {holding_changed}
         where holding.valid_from < changed._starts
         union all
         select {holding}, holding.valid_from, {today} as valid_to, false as is_current
         from holding
         where holding.valid_from < {today}
           and not exists (select 1 from present where {is_held})
         union all
         select {changed}, changed._starts as valid_from, cast(null as date) as valid_to, true as is_current
         from changed",
        versions = versions.join(", "),
        present = of("present"),
        holding = of("holding"),
        closed = of("closed"),
        changed = of("changed"),
        was_closed = on("last_closed", "present"),
        closed_changed = on("closed", "changed"),
        holding_changed = on("holding", "changed"),
    )
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}
