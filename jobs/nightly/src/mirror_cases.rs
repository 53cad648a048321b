//! The cases as tables for analysts: no person, no account, no written word, only what happened when.

use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use goyong_cases::{CaseBook, CaseFilter, CaseState, officer_pseudonym};
use goyong_store::{CommitDetails, CommitMode, WriteOptions};
use goyong_types::TableName;

use crate::project::OpenProject;

/// Scope and key of the event up to which the tables are.
const MIRRORED: (&str, &str) = ("cases", "mirrored");

/// A column of texts or whole numbers.
enum Column {
    Text(&'static str, Vec<Option<String>>),
    Number(&'static str, Vec<Option<i64>>),
}

impl OpenProject {
    /// Writes `alerts.case`, `alerts.case_event` and `alerts.case_label`, unless no event came since; answers whether it
    /// did.
    pub(crate) async fn mirror_cases(&self, book: &CaseBook) -> Result<bool> {
        let head = book.head().await?;
        let known = format!("{} {}", head.event_no, head.hash);
        let memo = self.warehouse().memo_get(MIRRORED.0, MIRRORED.1).await?;
        if memo.as_deref() == Some(known.as_str()) {
            return Ok(false);
        }
        self.write_mirror(
            "alerts.case",
            "cases of alerts, one row each; no person and no account",
            cases(book).await?,
        )
        .await?;
        self.write_mirror(
            "alerts.case_event",
            "what happened to cases, one row per event; officers are pseudonyms",
            events(book, &self.case_secret()?).await?,
        )
        .await?;
        self.write_mirror(
            "alerts.case_label",
            "what was decided, one row per decision and row of evidence; a decision that fell on appeal says so",
            labels(book).await?,
        )
        .await?;
        self.warehouse()
            .memo_put(MIRRORED.0, MIRRORED.1, &known)
            .await?;
        Ok(true)
    }

    async fn write_mirror(
        &self,
        table: &str,
        description: &str,
        columns: Vec<Column>,
    ) -> Result<()> {
        let table: TableName = table.parse()?;
        let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
        for column in columns {
            match column {
                Column::Text(name, values) => {
                    fields.push(Field::new(name, DataType::Utf8, true));
                    arrays.push(Arc::new(StringArray::from(values)));
                }
                Column::Number(name, values) => {
                    fields.push(Field::new(name, DataType::Int64, true));
                    arrays.push(Arc::new(Int64Array::from(values)));
                }
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let options = WriteOptions {
            description: Some(description.to_owned()),
            ..WriteOptions::default()
        };
        let mut writer = self
            .warehouse()
            .writer(&table, schema.clone(), options)
            .await?;
        writer.write(None, &RecordBatch::try_new(schema, arrays)?)?;
        let details = CommitDetails {
            operation: "mirror cases".to_owned(),
            ..CommitDetails::default()
        };
        writer.commit(CommitMode::ReplaceAll, details).await?;
        Ok(())
    }
}

fn column<T>(name: &'static str, rows: &[T], value: impl Fn(&T) -> Option<String>) -> Column {
    Column::Text(name, rows.iter().map(value).collect())
}

fn numbers<T>(name: &'static str, rows: &[T], value: impl Fn(&T) -> Option<i64>) -> Column {
    Column::Number(name, rows.iter().map(value).collect())
}

async fn cases(book: &CaseBook) -> Result<Vec<Column>> {
    let filter = CaseFilter {
        limit: u32::MAX,
        ..CaseFilter::default()
    };
    let mut rows = book.cases(&filter).await?;
    rows.sort_by_key(|case| case.case_no);
    let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string());
    Ok(vec![
        numbers("case_no", &rows, |case| Some(case.case_no)),
        column("pivot_kind", &rows, |case| Some(case.pivot_kind.clone())),
        column("opened_on", &rows, |case| Some(case.opened_on.clone())),
        column("state", &rows, |case| Some(case.state.state.to_string())),
        column("centre", &rows, |case| Some(case.state.centre.clone())),
        column("severity", &rows, |case| {
            Some(case.state.severity.to_string())
        }),
        column("rules", &rows, |case| Some(case.state.rules.clone())),
        numbers("evidence_count", &rows, |case| {
            Some(case.state.evidence_count)
        }),
        numbers("undecided_count", &rows, |case| {
            Some(case.state.undecided_count)
        }),
        numbers("amount_at_risk_won", &rows, |case| {
            Some(case.state.amount_at_risk_won)
        }),
        column("first_on", &rows, |case| day(case.state.first_on)),
        column("last_on", &rows, |case| day(case.state.last_on)),
        column("known_on", &rows, |case| day(case.state.known_on)),
        column("snoozed_until", &rows, |case| day(case.state.snoozed_until)),
        column("outcome", &rows, |case| {
            case.state.outcome.map(|outcome| outcome.to_string())
        }),
        column("closed_on", &rows, |case| day(case.state.closed_on)),
        column("appeal", &rows, |case| Some(case.state.appeal.to_string())),
    ])
}

async fn events(book: &CaseBook, secret: &str) -> Result<Vec<Column>> {
    let rows = book.events(None).await?;
    let state = |text: &str| {
        let state = serde_json::from_str::<CaseState>(text).ok();
        state.map(|state| state.state.to_string())
    };
    let on = |at_ms: i64| {
        chrono::DateTime::from_timestamp_millis(at_ms).map(|at| at.date_naive().to_string())
    };
    Ok(vec![
        numbers("event_no", &rows, |event| Some(event.event_no)),
        numbers("case_no", &rows, |event| event.case_no),
        column("on_day", &rows, |event| on(event.at_ms)),
        column("action", &rows, |event| Some(event.action.clone())),
        column("officer", &rows, |event| {
            Some(officer_pseudonym(secret, &event.account))
        }),
        column("state_before", &rows, |event| state(&event.before)),
        column("state_after", &rows, |event| state(&event.after)),
        column("hash", &rows, |event| Some(event.hash.clone())),
    ])
}

async fn labels(book: &CaseBook) -> Result<Vec<Column>> {
    let rows = book.labels().await?;
    Ok(vec![
        numbers("decision_no", &rows, |label| Some(label.decision_no)),
        numbers("case_no", &rows, |label| Some(label.case_no)),
        numbers("evidence_no", &rows, |label| label.evidence_no),
        column("rule_id", &rows, |label| Some(label.rule_id.clone())),
        column("subject_kind", &rows, |label| {
            Some(label.subject_kind.clone())
        }),
        column("subject_key", &rows, |label| {
            Some(label.subject_key.clone())
        }),
        column("outcome", &rows, |label| Some(label.outcome.clone())),
        column("decided_on", &rows, |label| Some(label.decided_on.clone())),
        column("appeal", &rows, |label| Some(label.appeal.clone())),
    ])
}
