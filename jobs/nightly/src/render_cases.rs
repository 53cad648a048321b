//! Renders the pages of open cases for those who investigate them.
//!
//! A night renders as many pages as the centres take up cases in one: first those that are listed or worked on, then
//! the rest by urgency, then those that only a newer release makes older. What is left over keeps the page it has, and
//! every page says from which release it was computed.

use std::collections::BTreeSet;
use std::io;

use anyhow::{Context, Result};
use goyong_cases::{Case, CaseBook, CaseFilter, NIGHT, State};
use goyong_site::{CaseLine, CasesInputs, rendered_cases};
use sha2::{Digest, Sha256};

use crate::case_facts::Desk;
use crate::export_case::standing;
use crate::figures::{StepFigures, Totals};
use crate::plan::NightContext;
use crate::project::OpenProject;
use crate::step::StepOutcome;

/// Changes with anything that changes a page without changing its case.
const RENDERER: &str = concat!("cases/2/", env!("CARGO_PKG_VERSION"));
/// What the night's accesses are for, in the audit chain.
const PURPOSE: &str = "dossier pages for investigators";

/// Cases whose facts are read together.
const CASES_AT_ONCE: usize = 1_000;

/// Renders what changed.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let project = night.project;
    let Some(book) = project.existing_cases().await? else {
        return Ok(StepOutcome::nothing("there are no cases yet"));
    };
    let outcome = render(project, &book).await;
    book.close().await;
    outcome
}

async fn render(project: &OpenProject, book: &CaseBook) -> Result<StepOutcome> {
    let all = |is_listed| CaseFilter {
        is_listed,
        limit: u32::MAX,
        ..CaseFilter::default()
    };
    let listed: BTreeSet<i64> = book
        .cases(&all(true))
        .await?
        .iter()
        .map(|case| case.case_no)
        .collect();
    let mut open = book.cases(&all(false)).await?;
    open.retain(|case| case.state.state != State::Closed);
    let release = project.latest_release_id().await?;
    let rules = rules_digest(project);
    let out = project.configuration().case_pages();
    let rendered = rendered_cases(&out);

    let made_from = |case: &Case| MadeFrom {
        facts: format!("{RENDERER} {rules} {}", case.last_event_no),
        release: release.clone().unwrap_or_default(),
    };
    let pages: Vec<Page<'_>> = open
        .iter()
        .map(|case| Page {
            case,
            is_worked_on: listed.contains(&case.case_no) || case.state.state != State::Pending,
            rendered: rendered.get(&case.case_no).map(String::as_str),
            made_from: made_from(case),
        })
        .collect();
    let chosen = choose(&pages, capacity(project, &open));
    let mut dossiers = Vec::with_capacity(chosen.len());
    if !chosen.is_empty() {
        let desk = Desk::open(project, book).await?;
        for pages in chosen.chunks(CASES_AT_ONCE) {
            let mut cases = Vec::with_capacity(pages.len());
            for page in pages {
                let access = (NIGHT, PURPOSE);
                project
                    .audit_access(book, page.case, "render_case", access)
                    .await?;
                cases.push((page, book.evidence(page.case.case_no).await?));
            }
            let asked: Vec<_> = cases
                .iter()
                .map(|(page, evidence)| (page.case, evidence.as_slice()))
                .collect();
            let facts = desk.facts(&asked).await?;
            for (page, evidence) in &cases {
                let dossier = desk.dossier(page.case, evidence, &facts).await;
                let dossier = dossier.with_context(|| format!("case {}", page.case.case_no))?;
                dossiers.push((dossier, page.made_from.text()));
            }
        }
    }
    let written: BTreeSet<i64> = chosen.iter().map(|page| page.case.case_no).collect();
    let kept: Vec<i64> = pages
        .iter()
        .filter(|page| page.rendered.is_some() && !written.contains(&page.case.case_no))
        .map(|page| page.case.case_no)
        .collect();
    let without = open.len() - written.len() - kept.len();
    let inputs = CasesInputs {
        project: project.configuration().project.clone(),
        notice: project.simulated_notice(),
        release,
        lines: open
            .iter()
            .map(|case| CaseLine {
                case_no: case.case_no,
                about: case.pivot_kind.clone(),
                standing: standing(&case.state),
                is_listed: listed.contains(&case.case_no),
            })
            .collect(),
        dossiers,
        kept,
    };
    let summary =
        tokio::task::spawn_blocking(move || goyong_site::render_cases(&inputs, &out)).await??;
    let said = format!(
        "{} open cases, {} dossiers rendered, {} without a page so far, {} pages removed",
        open.len(),
        summary.dossiers,
        without,
        summary.removed
    );
    if summary.written == 0 && summary.removed == 0 {
        return Ok(StepOutcome::nothing(said));
    }
    let figures = StepFigures {
        total: Totals {
            pages: Some(2 * summary.dossiers as u64),
            files_changed: Some(summary.written as u64),
            ..Totals::default()
        },
        ..StepFigures::default()
    };
    Ok(StepOutcome::done(said).with_figures(figures))
}

/// What a page is a function of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MadeFrom {
    /// Renderer, rules, and the newest event of the case.
    facts: String,
    /// The release.
    release: String,
}

impl MadeFrom {
    fn text(&self) -> String {
        format!("{} | {}", self.facts, self.release)
    }

    fn has_same_facts(&self, rendered: &str) -> bool {
        rendered
            .split_once(" | ")
            .is_some_and(|(facts, _)| facts == self.facts)
    }
}

/// An open case and the page it may have.
struct Page<'a> {
    case: &'a Case,
    is_worked_on: bool,
    /// What its page was made from.
    rendered: Option<&'a str>,
    made_from: MadeFrom,
}

impl Page<'_> {
    /// How early its page is rendered; none where it is of today.
    fn rank(&self) -> Option<u8> {
        match (self.rendered, self.is_worked_on) {
            (Some(rendered), _) if rendered == self.made_from.text() => None,
            (Some(rendered), true) if self.made_from.has_same_facts(rendered) => Some(2),
            (Some(rendered), false) if self.made_from.has_same_facts(rendered) => Some(3),
            (_, true) => Some(0),
            (_, false) => Some(1),
        }
    }
}

/// The pages to render, at most `capacity`; those of one rank in the order they come in, which is by urgency.
fn choose<'a, 'b>(pages: &'b [Page<'a>], capacity: usize) -> Vec<&'b Page<'a>> {
    let mut stale: Vec<(u8, &Page<'a>)> = pages
        .iter()
        .filter_map(|page| Some((page.rank()?, page)))
        .collect();
    stale.sort_by_key(|(rank, _)| *rank);
    stale.truncate(capacity);
    stale.into_iter().map(|(_, page)| page).collect()
}

/// Cases that the centres with open ones take up in a night, together.
fn capacity(project: &OpenProject, open: &[Case]) -> usize {
    let capacity = project.configuration().cases.capacity();
    let centres: BTreeSet<&str> = open.iter().map(|case| case.state.centre.as_str()).collect();
    let places = centres.iter().map(|centre| u64::from(capacity.of(centre)));
    usize::try_from(places.sum::<u64>()).unwrap_or(usize::MAX)
}

/// The texts of the rules: a page shows them.
fn rules_digest(project: &OpenProject) -> String {
    let mut hasher = Sha256::new();
    for (path, text) in project.project().files().below("detect", "sql") {
        hasher.update(path);
        hasher.update(text);
    }
    let digest = hasher.finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl OpenProject {
    /// Removes every page of a case: they hold what pseudonyms and digests stood for. The next night renders them anew.
    pub(crate) fn remove_case_pages(&self) -> Result<()> {
        let folder = self.configuration().case_pages();
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.with_context(|| format!("read {}", folder.display()))?,
        };
        for entry in entries {
            let path = entry?.path();
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.with_context(|| format!("remove {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use goyong_cases::{Appeal, CaseState, Severity};

    pub(crate) fn case(case_no: i64) -> Case {
        Case {
            case_no,
            pivot_kind: "person".into(),
            pivot_key: String::new(),
            person_key: None,
            opened_on: "2025-12-31".into(),
            state: CaseState {
                state: State::Pending,
                centre: "110".into(),
                severity: Severity::High,
                rules: "F01".into(),
                evidence_count: 1,
                undecided_count: 1,
                evidence_sum: 1,
                amount_at_risk_won: 1,
                first_on: None,
                last_on: None,
                known_on: None,
                investigator: None,
                worked_by: String::new(),
                verifier: None,
                snoozed_until: None,
                notice_sent_on: None,
                reply_due_on: None,
                reply_received_on: None,
                outcome: None,
                closed_on: None,
                decision_no: None,
                appeal: Appeal::None,
            },
            last_event_no: case_no,
        }
    }

    fn made_from(event: i64, release: &str) -> MadeFrom {
        MadeFrom {
            facts: format!("renderer {event}"),
            release: release.into(),
        }
    }

    #[test]
    fn what_is_worked_on_comes_first_and_a_page_of_today_is_left_alone() {
        let cases: Vec<Case> = (1..=5).map(case).collect();
        let today = |case: &Case| made_from(case.last_event_no, "two").text();
        let rendered = [
            Some(today(&cases[0])),
            None,
            Some(made_from(3, "one").text()),
            Some(made_from(0, "two").text()),
            None,
        ];
        let pages: Vec<Page<'_>> = cases
            .iter()
            .zip(&rendered)
            .map(|(case, rendered)| Page {
                case,
                is_worked_on: [3, 5].contains(&case.case_no),
                rendered: rendered.as_deref(),
                made_from: made_from(case.last_event_no, "two"),
            })
            .collect();
        let chosen = |capacity| -> Vec<i64> {
            let chosen = choose(&pages, capacity);
            chosen.iter().map(|page| page.case.case_no).collect()
        };
        // 5 is listed and has no page; 2 has none; an event changed 4; of 3 only the release is older; 1 is of today.
        assert_eq!(chosen(9), [5, 2, 4, 3]);
        assert_eq!(chosen(2), [5, 2], "capacity bounds a night");
        assert!(chosen(0).is_empty());
    }
}
