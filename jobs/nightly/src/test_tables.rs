//! Runs tests without building: unit tests on the project alone, the others on what is stored.

use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::NaiveDate;
use goyong_catalog::Selection;
use goyong_engine::{BuildMode, BuildScope, TestResult, run_unit_tests};

use crate::build_tables::{BuildOptions, build, selection};
use crate::project::{OpenProject, load_project_with};
use crate::step::NightEvent;

/// Columns of the results of tests.
pub const TEST_HEADER: [&str; 5] = ["subject", "test", "result", "failing_rows", "detail"];

/// What `goyong test` may be told.
#[derive(Debug, Clone, Default)]
pub struct TestOptions {
    /// Models to test, in graph syntax; all when empty.
    pub select: Vec<String>,
    /// Models to leave out.
    pub exclude: Vec<String>,
    /// As known on this day.
    pub as_of: Option<NaiveDate>,
    /// Values of variables, each as `name=value`.
    pub vars: Vec<String>,
    /// A project folder that `state:` compares with instead of the last build.
    pub state: Option<PathBuf>,
    /// Only tests on rows written by hand, which need no warehouse.
    pub unit_only: bool,
    /// Begin nothing more once something failed.
    pub fail_fast: bool,
}

/// Tests that ended.
#[derive(Debug, Clone, Default)]
pub struct TestSummary {
    /// One row per test, in the order of the graph.
    pub rows: Vec<Vec<String>>,
    /// Whether a test failed that is more than a warning.
    pub failed: bool,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// Tests the models of the project in a folder. A folder without a warehouse has its unit tests only.
pub async fn test_project(
    folder: &Path,
    threads: Option<usize>,
    options: &TestOptions,
    events: &(dyn Fn(NightEvent) + Sync + Send),
) -> Result<TestSummary> {
    let mut summary = TestSummary::default();
    let opened = if options.unit_only {
        None
    } else if has_warehouse(folder) {
        Some(OpenProject::open_with(folder, threads, &options.vars).await?)
    } else {
        summary.notes.push(format!(
            "{} has no warehouse: only unit tests run; `goyong init` makes one",
            folder.display()
        ));
        None
    };
    let build_options = BuildOptions {
        select: options.select.clone(),
        exclude: options.exclude.clone(),
        as_of: options.as_of,
        state: options.state.clone(),
        mode: BuildMode {
            run: false,
            test: true,
            fail_fast: options.fail_fast,
        },
        ..BuildOptions::default()
    };
    let Some(opened) = opened else {
        let (project, _) = load_project_with(folder, &options.vars)?;
        let selection = Selection {
            select: options.select.clone(),
            exclude: options.exclude.clone(),
            state: None,
        };
        let models = selection.resolve(&project)?;
        summary.add_unit_tests(run_unit_tests(&project, &models, threads.unwrap_or(1)).await?);
        return Ok(summary);
    };
    let selection = selection(&opened, &build_options).await?;
    let models = selection.resolve(opened.project())?;
    let as_of = match opened.as_of_or_latest(options.as_of).await {
        Ok(as_of) => as_of,
        Err(nothing) => {
            let workers = opened.configuration().worker_threads();
            summary.add_unit_tests(run_unit_tests(opened.project(), &models, workers).await?);
            summary
                .notes
                .push(format!("only unit tests run: {nothing}"));
            return Ok(summary);
        }
    };
    let _lock = opened.lock_night().await?;
    let report = build(
        &opened,
        &selection,
        as_of,
        BuildScope::default(),
        build_options.mode,
        events,
    )
    .await?;
    for test in report.tests() {
        let is_bad = matches!(test.result, TestResult::Fail | TestResult::Error);
        summary.failed |= is_bad && !test.warning;
        let result = match (is_bad, test.warning) {
            (true, true) => "warn",
            _ => test.result.word(),
        };
        summary.rows.push(vec![
            test.subject,
            test.test,
            result.to_owned(),
            test.failing_rows.to_string(),
            test.detail,
        ]);
    }
    for model in &report.models {
        if !model.is_usable() && model.test_failures.is_empty() {
            summary
                .notes
                .push(format!("{} was not tested: {}", model.table, model.reason));
        }
    }
    Ok(summary)
}

impl TestSummary {
    fn add_unit_tests(&mut self, reports: Vec<goyong_engine::UnitTestReport>) {
        for report in reports {
            self.failed |= !report.passed;
            let result = if report.passed { "pass" } else { "fail" };
            let detail = if report.passed {
                String::new()
            } else {
                format!("{}: {}", report.place, report.differences.join("\n"))
            };
            self.rows.push(vec![
                report.model.to_string(),
                format!("unit: {}", report.name),
                result.to_owned(),
                report.differences.len().to_string(),
                detail,
            ]);
        }
    }
}

fn has_warehouse(folder: &Path) -> bool {
    crate::Configuration::load(folder)
        .is_ok_and(|configuration| configuration.warehouse.join("state").is_dir())
}
