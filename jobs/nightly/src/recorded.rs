//! What builds recorded about the tables of a release: results of tests, lineage, deliveries.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;
use goyong_engine::ReadSession;
use goyong_site::{CatalogTest, CellValue, Declassification, Freshness, LineageEdge, TestResult};
use goyong_store::Release;
use goyong_types::TableName;

use crate::report_pages::cell_rows;

/// Stands in the lineage for every column of a target.
const EVERY_COLUMN: &str = "*";

/// Results and edges by table. What was not recorded yet is empty.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Whether results are kept: before they were, a release existed only when every test had passed.
    keeps_results: bool,
    tests: BTreeMap<String, Vec<CatalogTest>>,
    declassified: BTreeMap<(String, String), Declassification>,
    tags: BTreeMap<(String, String), Vec<String>>,
    /// Columns of a table in the order of their names, as the lineage knows them.
    pub columns: BTreeMap<String, Vec<String>>,
    pub lineage: Vec<LineageEdge>,
    /// By source.
    pub freshness: BTreeMap<String, Freshness>,
}

impl Recorded {
    /// The results of a table's tests, by name; those that the project has and that never ran say so.
    pub(crate) fn tests(
        &self,
        subject: &str,
        names: &[String],
        is_built: bool,
    ) -> Vec<CatalogTest> {
        let mut tests = self.tests.get(subject).cloned().unwrap_or_default();
        for name in names {
            if !tests.iter().any(|test| test.name == *name) {
                let passed = is_built && !self.keeps_results;
                tests.push(CatalogTest {
                    name: name.clone(),
                    result: if passed {
                        TestResult::Passed
                    } else {
                        TestResult::NotRun
                    },
                    ..CatalogTest::default()
                });
            }
        }
        tests
    }

    pub(crate) fn declassified(&self, table: &str, column: &str) -> Option<Declassification> {
        let key = (table.to_owned(), column.to_owned());
        self.declassified.get(&key).cloned()
    }

    /// Effective tags of a column that is stored nowhere.
    pub(crate) fn tags(&self, table: &str, column: &str) -> Vec<String> {
        let key = (table.to_owned(), column.to_owned());
        self.tags.get(&key).cloned().unwrap_or_default()
    }
}

/// Reads them from the tables of the release.
pub(crate) async fn recorded(session: &ReadSession, release: &Release) -> Result<Recorded> {
    let mut known = Recorded::default();
    if let Some(rows) = rows(session, release, "ops.test_results", "subject, test").await? {
        known.keeps_results = true;
        for row in rows.iter() {
            let test = CatalogTest {
                name: row.text("test"),
                result: result(&row.text("result"), &row.text("severity")),
                failing_rows: row.number("failing_rows"),
                as_of: row.day("as_of"),
            };
            known
                .tests
                .entry(row.text("subject"))
                .or_default()
                .push(test);
        }
    }
    let order = "target_table, target_column, source_table, source_column, subtype, expression";
    if let Some(rows) = rows(session, release, "ops.lineage", order).await? {
        for row in rows.iter() {
            let edge = LineageEdge {
                target_table: row.text("target_table"),
                target_column: row.text("target_column"),
                source_table: row.text("source_table"),
                source_column: row.text("source_column"),
                influence: row.text("kind") == "influence",
                subtype: row.text("subtype"),
                expression: row.text("expression"),
            };
            let key = (edge.target_table.clone(), edge.target_column.clone());
            if edge.target_column != EVERY_COLUMN {
                let columns = known.columns.entry(edge.target_table.clone()).or_default();
                if !columns.contains(&edge.target_column) {
                    columns.push(edge.target_column.clone());
                }
                let tags = row.text("target_tags");
                let tags = tags.split(',').filter(|tag| !tag.is_empty());
                known.tags.insert(key, tags.map(str::to_owned).collect());
            }
            known.lineage.push(edge);
        }
    }
    if let Some(rows) = rows(
        session,
        release,
        "ops.declassifications",
        "table_name, column_name, tag",
    )
    .await?
    {
        for row in rows.iter() {
            let key = (row.text("table_name"), row.text("column_name"));
            let lowered = known.declassified.entry(key).or_default();
            lowered.removed.push(row.text("tag"));
            lowered.reason = row.text("reason");
        }
    }
    freshness(session, release, &mut known).await?;
    Ok(known)
}

async fn freshness(session: &ReadSession, release: &Release, known: &mut Recorded) -> Result<()> {
    let accepted = "(select source, count(*) as deliveries, max(period) as last_period, max(known_on) as last_known_on \
         from ops.deliveries where status in ('accepted', 'accepted_with_quarantine', 'superseded') group by source)";
    if contains(release, "ops.deliveries")? {
        let batches = session
            .query(&format!(
                "select * from {accepted} as accepted order by source"
            ))
            .await?;
        for row in Records::of(&batches)?.iter() {
            let freshness = Freshness {
                deliveries: row.number("deliveries"),
                last_period: row.text("last_period"),
                last_known_on: row.text("last_known_on"),
                ..Freshness::default()
            };
            known.freshness.insert(row.text("source"), freshness);
        }
    }
    if let Some(rows) = rows(session, release, "marts.source_freshness", "source").await? {
        for row in rows.iter() {
            let freshness = known.freshness.entry(row.text("source")).or_default();
            freshness.state = row.text("state");
            freshness.due_on = row.text("due_on");
            freshness.days_late = row.number("days_late");
            freshness.periods_missing = row.number("periods_missing");
        }
    }
    Ok(())
}

/// Tags lowered by a header: a reason alone, or the tags with the reason.
pub(crate) fn declassification(said: &serde_json::Value) -> Option<Declassification> {
    if let Some(reason) = said.as_str() {
        return Some(Declassification {
            removed: Vec::new(),
            reason: reason.to_owned(),
        });
    }
    let removed = said.get("remove")?.as_array()?;
    Some(Declassification {
        removed: removed
            .iter()
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect(),
        reason: said.get("reason")?.as_str()?.to_owned(),
    })
}

fn result(word: &str, severity: &str) -> TestResult {
    match word {
        "pass" => TestResult::Passed,
        "fail" if severity == "warn" => TestResult::Warned,
        "fail" => TestResult::Failed,
        "error" => TestResult::Error,
        _ => TestResult::NotRun,
    }
}

fn contains(release: &Release, table: &str) -> Result<bool> {
    Ok(release.tables.contains_key(&table.parse::<TableName>()?))
}

/// All rows of a table, `None` where the release does not have it.
async fn rows(
    session: &ReadSession,
    release: &Release,
    table: &str,
    order: &str,
) -> Result<Option<Records>> {
    if !contains(release, table)? {
        return Ok(None);
    }
    let batches = session
        .query(&format!("select * from {table} order by {order}"))
        .await?;
    Records::of(&batches).map(Some)
}

/// Rows whose cells are asked for by name; a column that is not there reads as empty.
struct Records {
    columns: Vec<String>,
    rows: Vec<Vec<CellValue>>,
}

struct Record<'a> {
    columns: &'a [String],
    cells: &'a [CellValue],
}

impl Records {
    fn of(batches: &[arrow_array::RecordBatch]) -> Result<Self> {
        let (columns, rows) = cell_rows(batches)?;
        Ok(Self { columns, rows })
    }

    fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.rows.iter().map(|cells| Record {
            columns: &self.columns,
            cells,
        })
    }
}

impl Record<'_> {
    fn cell(&self, name: &str) -> Option<&CellValue> {
        let place = self.columns.iter().position(|column| column == name)?;
        self.cells.get(place)
    }

    fn text(&self, name: &str) -> String {
        match self.cell(name) {
            Some(CellValue::Text(text)) => text.clone(),
            Some(CellValue::Date(day)) => day.to_string(),
            Some(CellValue::Integer(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    fn number(&self, name: &str) -> u64 {
        match self.cell(name) {
            Some(CellValue::Integer(number)) => u64::try_from(*number).unwrap_or_default(),
            _ => 0,
        }
    }

    fn day(&self, name: &str) -> Option<NaiveDate> {
        match self.cell(name) {
            Some(CellValue::Date(day)) => Some(*day),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_test_that_never_ran_says_so_once_results_are_kept() {
        let names = ["not_null(a)".to_owned()];
        let before = Recorded::default();
        assert_eq!(
            before.tests("core.x", &names, true)[0].result,
            TestResult::Passed
        );
        assert_eq!(
            before.tests("core.x", &names, false)[0].result,
            TestResult::NotRun
        );
        let kept = Recorded {
            keeps_results: true,
            ..Recorded::default()
        };
        assert_eq!(
            kept.tests("core.x", &names, true)[0].result,
            TestResult::NotRun
        );
    }

    #[test]
    fn a_failure_that_only_warns_is_a_warning() {
        assert_eq!(result("fail", "error"), TestResult::Failed);
        assert_eq!(result("fail", "warn"), TestResult::Warned);
        assert_eq!(result("skipped", "error"), TestResult::NotRun);
    }

    #[test]
    fn a_declassification_is_a_reason_or_tags_with_a_reason() {
        let reason = declassification(&serde_json::json!("only the year")).unwrap();
        assert!(reason.removed.is_empty());
        let tags =
            declassification(&serde_json::json!({"remove": ["sensitive"], "reason": "a sum"}));
        assert_eq!(tags.unwrap().removed, ["sensitive"]);
        assert_eq!(declassification(&serde_json::json!(3)), None);
    }
}
