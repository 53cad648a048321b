//! Checks: queries of the project that must return no row.

use goyong_catalog::{Check, Severity, Vars, normalise_sql};

use crate::engine::Inner;
use crate::error::{EngineError, Result};
use crate::failing_rows::Failing;
use crate::inputs::{Inputs, Readable};
use crate::memo::{Fingerprint, passed_check, remember_check};
use crate::planning;
use crate::planning_errors::{Written, explain};
use crate::report::{BuildReport, TestFailure, TestResult};
use crate::tables::TableCache;
use crate::test_log::TestRecord;

/// Runs a check unless it passed on the same rows; `can_run` is false where something it reads failed.
pub(crate) async fn run_check(
    inner: &Inner,
    cache: &TableCache,
    check: &Check,
    vars: &Vars,
    can_run: bool,
    report: &mut BuildReport,
) -> Result<()> {
    let project = &inner.project;
    let inputs = Inputs::of_tables(project, &check.inputs);
    let mut record = TestRecord {
        is_warning: check.header.severity == Severity::Warn,
        ..TestRecord::passed(&check.name, &check.file, "check", String::new())
    };
    let opened = match inputs.open_tables(project, cache, None).await {
        Ok(opened) if can_run => opened,
        Ok(_) | Err(EngineError::MissingTable { .. }) => {
            record.result = TestResult::Skipped;
            report.checked.push(record);
            report.checks_skipped.push(check.name.clone());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let outcome = async {
        let compiled = project
            .compile_check(check, vars)
            .map_err(EngineError::Compile)?;
        let views = inputs.compile_views(project, vars)?;
        let readable = Readable::new(opened, views);
        let mut digest = Fingerprint::new().with("check", &normalise_sql(&compiled.sql));
        readable.add_to(&mut digest, None);
        let digest = digest.finish();
        let passed = passed_check(&inner.warehouse, &check.name).await?;
        if passed.as_ref() == Some(&digest) {
            return Ok((None, digest));
        }
        let found = rows_of(inner, cache, &readable, check, &compiled.sql, vars).await?;
        Ok((Some(found), digest))
    };
    let mut failure = TestFailure {
        subject: check.name.clone(),
        test: format!("check {}", check.file),
        failing_rows: 0,
        examples: Vec::new(),
        warning: record.is_warning,
    };
    match outcome.await {
        Ok((None, digest)) => {
            report.checks_fresh += 1;
            record.fingerprint = digest;
        }
        Ok((Some(failing), digest)) => {
            report.checks_run += 1;
            if failing.rows == 0 {
                remember_check(&inner.warehouse, &check.name, &digest).await?;
            } else {
                record.result = TestResult::Fail;
                record.failing_rows = failing.rows;
                record.rows = failing.kept;
                failure.failing_rows = failing.rows;
                failure.examples = failing.examples;
                report.check_failures.push(failure);
            }
            record.fingerprint = digest;
        }
        Err(error @ EngineError::Store(_)) => return Err(error),
        Err(error) => {
            report.checks_run += 1;
            record.result = TestResult::Error;
            record.message = error.to_string();
            failure.examples = vec![error.to_string()];
            report.check_failures.push(failure);
        }
    }
    report.checked.push(record);
    Ok(())
}

async fn rows_of(
    inner: &Inner,
    cache: &TableCache,
    readable: &Readable,
    check: &Check,
    sql: &str,
    vars: &Vars,
) -> Result<Failing> {
    let root = inner.warehouse.lake_base();
    let session = readable
        .session(&inner.factory, root, None, None, false)
        .await?;
    let found = async {
        let query = planning::query(&session, sql).await?;
        Failing::of(inner, cache, query).await
    };
    match found.await {
        Ok(failing) => Ok(failing),
        Err(error) => {
            let written = Written {
                project: &inner.project,
                file: &check.file,
                body: &check.body,
                vars,
            };
            Err(explain(&session, sql, written, error).await)
        }
    }
}
