//! What a build did, model by model.

use chrono::NaiveDate;
use goyong_catalog::Project;
use goyong_types::TableName;
use serde::Serialize;

use crate::engine::Inner;
use crate::error::Result;
use crate::model_tests::Tested;
use crate::tables::TableCache;
use crate::test_log::{self, TestRecord};
use crate::unit_tests::UNIT;

/// What happened to one model, seed or check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Rows were computed.
    Built,
    /// Nothing it depends on changed.
    Fresh,
    /// It is a view: its text is inlined where it is used.
    View,
    /// A table it reads is written by a job that has not run yet.
    InputMissing,
    /// It could not be computed, or a test of it failed.
    Failed,
    /// Something it reads failed.
    HeldBack,
}

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    /// No row broke it.
    Pass,
    /// Some rows break it.
    Fail,
    /// It could not run.
    Error,
    /// What it tests was not there or was held back.
    Skipped,
}

impl TestResult {
    /// The word in `ops.test_results`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

/// One test that did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestFailure {
    /// The model or check.
    pub subject: String,
    /// The test, with its columns.
    pub test: String,
    /// How many rows fail.
    pub failing_rows: u64,
    /// A few of them, person columns masked.
    pub examples: Vec<String>,
    /// Whether it is reported only.
    pub warning: bool,
}

/// What happened to one model or seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelReport {
    /// The table.
    pub table: TableName,
    /// What happened.
    pub outcome: Outcome,
    /// Why: what changed, what failed, what held it back.
    pub reason: String,
    /// Months (or 1 for a whole table) computed.
    pub partitions_built: usize,
    /// Of those, how many came out as they were.
    pub partitions_unchanged: usize,
    /// Months (or 1) left as they were.
    pub partitions_fresh: usize,
    /// Keys computed again where not all rows were, summed over the months.
    pub keys_touched: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Rows in the table afterwards.
    pub rows: u64,
    /// Bytes of the table's files afterwards.
    pub bytes: u64,
    /// Version of the table afterwards.
    pub version: Option<i64>,
    /// Tests run; tests whose rows did not change since they passed are not.
    pub tests_run: usize,
    /// Tests that failed.
    pub test_failures: Vec<TestFailure>,
    /// Of the months (or 1) computed, how many ran on a cluster; the others ran in this process.
    pub ran_on_cluster: usize,
    /// The result of every test, for `ops.test_results`.
    #[serde(skip)]
    pub(crate) tested: Vec<TestRecord>,
    /// Wall time.
    pub elapsed_ms: u64,
}

/// What a build did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BuildReport {
    /// Seeds and models in the order of the graph.
    pub models: Vec<ModelReport>,
    /// Checks run.
    pub checks_run: usize,
    /// Checks unchanged since they passed.
    pub checks_fresh: usize,
    /// Checks not run because something they read failed or is missing.
    pub checks_skipped: Vec<String>,
    /// Checks that returned rows.
    pub check_failures: Vec<TestFailure>,
    /// The result of every check, for `ops.test_results`.
    #[serde(skip)]
    pub(crate) checked: Vec<TestRecord>,
    /// Wall time.
    pub elapsed_ms: u64,
}

impl ModelReport {
    pub(crate) fn new(table: &TableName, outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            table: table.clone(),
            outcome,
            reason: reason.into(),
            partitions_built: 0,
            partitions_unchanged: 0,
            partitions_fresh: 0,
            keys_touched: 0,
            rows_written: 0,
            rows: 0,
            bytes: 0,
            version: None,
            tests_run: 0,
            test_failures: Vec::new(),
            ran_on_cluster: 0,
            tested: Vec::new(),
            elapsed_ms: 0,
        }
    }

    /// Where its rows were computed; `None` when none were.
    pub fn ran_on(&self) -> Option<&'static str> {
        match (self.partitions_built, self.ran_on_cluster) {
            (0, _) => None,
            (_, 0) => Some("this process"),
            (built, cluster) if cluster >= built => Some("cluster"),
            _ => Some("cluster and this process"),
        }
    }

    /// Adds what testing came to; a failing test that is no warning makes the model fail.
    pub(crate) fn take(&mut self, tested: Tested) {
        self.tests_run += tested.tests_run;
        self.test_failures.extend(tested.failures);
        self.tested.extend(tested.records);
        let first = self.test_failures.iter().find(|failure| !failure.warning);
        if let Some(first) = first {
            self.outcome = Outcome::Failed;
            self.reason = match (first.failing_rows, first.examples.first()) {
                (0, Some(message)) => format!("{} cannot run: {message}", first.test),
                (rows, _) => format!("{} fails on {rows} rows", first.test),
            };
        }
    }

    /// The results of its tests; those of the rows of a model that was not computed are skipped.
    fn test_records(&self, project: &Project) -> Vec<TestRecord> {
        let mut records = self.tested.clone();
        if !records.iter().any(|record| record.kind != UNIT) {
            records.extend(self.skipped_records(project));
        }
        records
    }

    fn skipped_records(&self, project: &Project) -> Vec<TestRecord> {
        let model = project.models().get(&self.table);
        match self.outcome {
            Outcome::Failed | Outcome::HeldBack | Outcome::InputMissing => model
                .into_iter()
                .flat_map(|model| &model.tests)
                .map(|test| TestRecord {
                    result: TestResult::Skipped,
                    is_warning: test.is_warning(),
                    message: self.reason.clone(),
                    ..TestRecord::passed(
                        &self.table.to_string(),
                        test,
                        test.kind.word(),
                        String::new(),
                    )
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether models that read this one may be built.
    pub fn is_usable(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Built | Outcome::Fresh | Outcome::View
        )
    }
}

impl BuildReport {
    /// Whether everything that was to be built is there and every test passed.
    pub fn succeeded(&self) -> bool {
        self.failures().next().is_none()
            && !self
                .models
                .iter()
                .any(|model| matches!(model.outcome, Outcome::Failed | Outcome::HeldBack))
    }

    /// Writes the results into `ops.test_results` and `ops.test_failures`.
    pub(crate) async fn keep_tests(
        &self,
        inner: &Inner,
        cache: &TableCache,
        as_of: NaiveDate,
    ) -> Result<()> {
        let models = self.models.iter();
        let mut records: Vec<TestRecord> = models
            .flat_map(|model| model.test_records(&inner.project))
            .collect();
        records.extend(self.checked.iter().cloned());
        test_log::keep(inner, cache, as_of, &records).await
    }

    /// Failed tests and checks that are more than warnings.
    pub fn failures(&self) -> impl Iterator<Item = &TestFailure> {
        self.models
            .iter()
            .flat_map(|model| &model.test_failures)
            .chain(&self.check_failures)
            .filter(|failure| !failure.warning)
    }

    /// Whether nothing was computed.
    pub fn did_nothing(&self) -> bool {
        self.models.iter().all(|model| {
            matches!(
                model.outcome,
                Outcome::Fresh | Outcome::View | Outcome::InputMissing
            )
        })
    }

    /// How many models had an outcome.
    pub fn count(&self, outcome: &Outcome) -> usize {
        self.models
            .iter()
            .filter(|model| model.outcome == *outcome)
            .count()
    }

    /// 0 when everything passed, 1 when something checked failed (CONVENTIONS, exit codes).
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.succeeded())
    }
}

/// The result of one test, for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestLine {
    /// The model or check.
    pub subject: String,
    /// The test, with its columns.
    pub test: String,
    /// What it came to.
    pub result: TestResult,
    /// Rows that break it.
    pub failing_rows: u64,
    /// Whether a failure is reported only.
    pub warning: bool,
    /// Why it could not run, or a failing row.
    pub detail: String,
}

impl BuildReport {
    /// Every test of every model and check, in the order of the graph.
    pub fn tests(&self) -> Vec<TestLine> {
        let models = self.models.iter().flat_map(|model| &model.tested);
        let failures = self
            .models
            .iter()
            .flat_map(|model| &model.test_failures)
            .chain(&self.check_failures);
        let failures: Vec<&TestFailure> = failures.collect();
        models
            .chain(&self.checked)
            .map(|record| {
                let example = failures
                    .iter()
                    .find(|failure| {
                        failure.subject == record.subject && failure.test.ends_with(&record.test)
                    })
                    .and_then(|failure| failure.examples.first());
                TestLine {
                    subject: record.subject.clone(),
                    test: record.test.clone(),
                    result: record.result,
                    failing_rows: record.failing_rows,
                    warning: record.is_warning,
                    detail: match record.message.is_empty() {
                        true => example.cloned().unwrap_or_default(),
                        false => record.message.clone(),
                    },
                }
            })
            .collect()
    }
}

/// What a build tells while it runs.
#[derive(Debug, Clone)]
pub enum BuildEvent<'a> {
    /// How many seeds and models there are.
    Planned {
        /// The number.
        models: usize,
    },
    /// A model with something to compute begins.
    Started {
        /// The model.
        table: &'a TableName,
        /// Months (or 1) to compute.
        partitions: usize,
    },
    /// One more month of it is computed.
    Partition {
        /// The model.
        table: &'a TableName,
        /// Months computed so far.
        done: usize,
        /// Months to compute.
        of: usize,
    },
    /// A model is done, whatever happened.
    Finished {
        /// What happened.
        report: &'a ModelReport,
    },
}

/// Receives what a build tells; called from several threads.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn event(&self, event: BuildEvent<'_>);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: BuildEvent<'_>) {}
}
