//! The run pages: what ran, what did not and why, for whoever is on duty.
//!
//! A little site of its own in one folder (`site/ops`), so that a web server can guard it by its address and a copy of
//! the public site can be made without it. Unlike the public pages these hold wall times: they are rendered from the
//! ledger of runs whenever a run has ended. Pages of runs that ended stay as they are; lists are written anew.

mod gantt;
mod inputs;
mod time;
mod views;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

pub use inputs::{
    Attempt, DeadlineState, Figure, GateLine, LateSource, LocalTime, LogTail, NotRunReason,
    Occurrence, Outcome, PlanRuns, ReleaseChange, RunPage, RunsInputs, StepPage, TableChange,
};
pub use words::has_word;

use crate::folder::Files;
use crate::frame::Frame;
use crate::language::{Bilingual, Language, Messages};
use crate::private_folder::PrivateFolder;
use crate::render::SiteError;
use crate::templates::environment;

use time::stamp;

/// Occurrences of a plan on its first page, and on each page of its list.
const OVERVIEW_ROWS: usize = 15;
const LIST_ROWS: usize = 100;

/// What was done to the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunsSummary {
    /// Pages of runs written in this call, in each language.
    pub runs: usize,
    /// Files that are new or changed.
    pub written: usize,
    /// Files that are gone.
    pub removed: usize,
}

/// The runs that have a page in a folder, with the fingerprint each was rendered from. A file that cannot be read
/// counts as none: every page is rendered again then.
#[must_use]
pub fn rendered_runs(out: &Path) -> BTreeMap<String, String> {
    folder(out).rendered()
}

fn folder(path: &Path) -> PrivateFolder<'_> {
    PrivateFolder {
        path,
        fingerprints: "runs.json",
    }
}

/// Writes the run pages to `out`. Every file is exchanged as a whole and lists come after the pages they lead to, so a
/// reader, or the next call after a crash, finds no half page.
///
/// # Errors
/// When a template cannot be filled or the folder cannot be written.
pub fn render_runs(inputs: &RunsInputs, out: &Path) -> Result<RunsSummary, SiteError> {
    let book = Book {
        inputs,
        frame: Frame {
            folder: "ops/",
            environment: environment()?,
            messages: Messages::of_runs()?,
            publisher: Bilingual::same(&inputs.project),
            notice: inputs.notice.as_ref(),
            known: json!({
                "site": inputs.site,
                "listed_as_of": stamp(inputs.as_of),
            }),
        },
        pages: inputs
            .runs
            .iter()
            .map(|run| run.run.as_str())
            .chain(inputs.kept.iter().map(String::as_str))
            .collect(),
    };
    let folder = folder(out);
    let (runs, lists) = (book.runs()?, book.lists()?);
    let summary = RunsSummary {
        runs: inputs.runs.len(),
        written: folder.write(&runs)? + folder.write(&lists)?,
        removed: book.remove_others(folder, &lists)?,
    };
    let fresh = inputs.runs.iter();
    folder.remember(
        |run: &String| book.pages.contains(run.as_str()),
        fresh.map(|run| (run.run.clone(), run.fingerprint.clone())),
    )?;
    Ok(summary)
}

/// Everything a page may need.
struct Book<'a> {
    inputs: &'a RunsInputs,
    frame: Frame<'a>,
    /// Runs that have a page.
    pages: BTreeSet<&'a str>,
}

impl Book<'_> {
    fn runs(&self) -> Result<Files, SiteError> {
        let mut files = Files::new();
        for run in &self.inputs.runs {
            for language in Language::ALL {
                let path = format!("runs/{}/index.html", run.run);
                let chart_title = format!(
                    "{}: {}",
                    self.frame.messages.get(language, "gantt"),
                    run.run
                );
                let data = views::run(run, &chart_title, language);
                self.frame
                    .add(&mut files, language, &path, "run.html", &run.run, data)?;
            }
        }
        Ok(files)
    }

    fn lists(&self) -> Result<Files, SiteError> {
        let mut files = Files::new();
        self.frame.add_start(&mut files, "language.html")?;
        for language in Language::ALL {
            let plans: Vec<Value> = self
                .inputs
                .plans
                .iter()
                .map(|plan| {
                    let rows = self.rows(plan, 0..OVERVIEW_ROWS, language);
                    let mut view = views::plan(plan);
                    view["rows"] = json!(rows);
                    view["total"] = json!(plan.occurrences.len() as u64 + plan.left_out);
                    view
                })
                .collect();
            let title = self.frame.messages.get(language, "runs");
            let data = json!({ "plans": plans });
            self.frame
                .add(&mut files, language, "index.html", "runs.html", title, data)?;
            for plan in &self.inputs.plans {
                self.plan_pages(&mut files, plan, language)?;
            }
        }
        Ok(files)
    }

    fn plan_pages(
        &self,
        files: &mut Files,
        plan: &PlanRuns,
        language: Language,
    ) -> Result<(), SiteError> {
        let count = plan.occurrences.len().div_ceil(LIST_ROWS).max(1);
        let title = format!(
            "{}: {}",
            self.frame.messages.get(language, "plan"),
            plan.name
        );
        for number in 1..=count {
            let from = (number - 1) * LIST_ROWS;
            let mut data = views::plan(plan);
            data["rows"] = json!(self.rows(plan, from..from + LIST_ROWS, language));
            data["page"] = json!(number);
            data["pages"] = json!(count);
            let path = match number {
                1 => format!("plans/{}/index.html", plan.name),
                _ => format!("plans/{}/{number}/index.html", plan.name),
            };
            self.frame
                .add(files, language, &path, "runs_plan.html", &title, data)?;
        }
        Ok(())
    }

    fn rows(
        &self,
        plan: &PlanRuns,
        range: std::ops::Range<usize>,
        language: Language,
    ) -> Vec<Value> {
        let listed = plan.occurrences.iter().skip(range.start).take(range.len());
        listed
            .map(|row| views::occurrence(row, |run| self.pages.contains(run), language))
            .collect()
    }

    /// Removes pages of runs that are no longer kept and pages of lists that have become shorter.
    fn remove_others(&self, folder: PrivateFolder<'_>, lists: &Files) -> Result<usize, SiteError> {
        let mut removed = 0;
        for code in Language::ALL.map(Language::code) {
            let plans = format!("{code}/plans");
            let is_listed = |path: &str| lists.contains_key(&format!("{plans}/{path}/index.html"));
            removed +=
                folder.remove_others(&format!("{code}/runs"), |run| self.pages.contains(run))?;
            removed += folder.remove_others(&plans, is_listed)?;
            for plan in folder.names(&plans)? {
                removed += folder.remove_others(&format!("{plans}/{plan}"), |number| {
                    number == "index.html" || is_listed(&format!("{plan}/{number}"))
                })?;
            }
        }
        Ok(removed)
    }
}
