//! Dossiers: a page for each open case, for whoever investigates it.
//!
//! A little site of its own in one folder that lies apart from the public one, so that no copy of the reports holds a
//! case. A page is a function of a case, a release and the rules; no clock stands on it. Reading a page opens no
//! evidence: what a decision may rest on is kept by `goyong alerts show`, in the name of who looked.

mod inputs;
mod similar;
mod timeline;
mod views;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

pub use inputs::{
    AnomalyPlace, CaseLine, CaseStanding, CasesInputs, ClearedRow, Clearing, DeliveredRow, Dossier,
    DossierEvent, DossierEvidence, DossierRule, Lane, Letter, NamedFact, Reason, RiskPlace,
    RiskTheme, Stretch, ThemeFact,
};
pub use similar::{ClosedCase, Count, SimilarCases, SimilarRow, similar_cases};

use crate::folder::Files;
use crate::frame::Frame;
use crate::language::{Bilingual, Language, Messages};
use crate::private_folder::PrivateFolder;
use crate::render::SiteError;
use crate::templates::environment;

/// Open cases on a page of the list.
const LIST_ROWS: usize = 100;

/// What was done to the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CasesSummary {
    /// Dossiers written in this call, in each language.
    pub dossiers: usize,
    /// Files that are new or changed.
    pub written: usize,
    /// Pages that are gone.
    pub removed: usize,
}

/// The cases that have a page in a folder, with what each was made from. A file that cannot be read counts as none:
/// every page is rendered again then.
#[must_use]
pub fn rendered_cases(out: &Path) -> BTreeMap<i64, String> {
    folder(out).rendered()
}

fn folder(path: &Path) -> PrivateFolder<'_> {
    PrivateFolder {
        path,
        fingerprints: "cases.json",
    }
}

/// Writes the pages of cases to `out`, which only its owner may enter when it is made here. Every file is exchanged as
/// a whole, and lists come after the pages they lead to; a page of a case that is neither rendered nor kept goes.
///
/// # Errors
/// When a template cannot be filled or the folder cannot be written.
pub fn render_cases(inputs: &CasesInputs, out: &Path) -> Result<CasesSummary, SiteError> {
    let book = Book {
        inputs,
        frame: Frame {
            folder: "cases/",
            environment: environment()?,
            messages: Messages::of_cases()?,
            publisher: Bilingual::same(&inputs.project),
            notice: inputs.notice.as_ref(),
            known: json!({ "computed_from": inputs.release }),
        },
        pages: inputs
            .dossiers
            .iter()
            .map(|(dossier, _)| dossier.case_no)
            .chain(inputs.kept.iter().copied())
            .collect(),
    };
    let folder = folder(out);
    make_private(out).map_err(|source| folder.error(source))?;
    let (dossiers, lists) = (book.dossiers()?, book.lists()?);
    let summary = CasesSummary {
        dossiers: inputs.dossiers.len(),
        written: folder.write(&dossiers)? + folder.write(&lists)?,
        removed: book.remove_others(folder, &lists)?,
    };
    let fresh = inputs.dossiers.iter();
    folder.remember(
        |case_no| book.pages.contains(case_no),
        fresh.map(|(dossier, made_from)| (dossier.case_no, made_from.clone())),
    )?;
    Ok(summary)
}

/// Makes the folder for its owner alone. One that is there keeps the permissions somebody gave it.
fn make_private(out: &Path) -> io::Result<()> {
    if out.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(out)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(out, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Everything a page may need.
struct Book<'a> {
    inputs: &'a CasesInputs,
    frame: Frame<'a>,
    /// Cases that have a page.
    pages: BTreeSet<i64>,
}

impl Book<'_> {
    fn dossiers(&self) -> Result<Files, SiteError> {
        let mut files = Files::new();
        for (dossier, _) in &self.inputs.dossiers {
            for language in Language::ALL {
                let case_no = dossier.case_no;
                let title = format!("{} {case_no}", self.frame.messages.get(language, "case"));
                let picture = format!(
                    "{}: {title}",
                    self.frame.messages.get(language, "days_of_case")
                );
                let data = views::dossier(dossier, picture, language);
                let path = format!("{case_no}/index.html");
                self.frame
                    .add(&mut files, language, &path, "dossier.html", &title, data)?;
            }
        }
        Ok(files)
    }

    fn lists(&self) -> Result<Files, SiteError> {
        let mut files = Files::new();
        self.frame.add_start(&mut files, "language.html")?;
        let lines = &self.inputs.lines;
        let count = lines.len().div_ceil(LIST_ROWS).max(1);
        for language in Language::ALL {
            let title = self.frame.messages.get(language, "open_cases");
            for number in 1..=count {
                let rows: Vec<Value> = lines
                    .iter()
                    .skip((number - 1) * LIST_ROWS)
                    .take(LIST_ROWS)
                    .map(|line| views::line(line, self.pages.contains(&line.case_no), language))
                    .collect();
                let without_page = lines
                    .iter()
                    .filter(|line| !self.pages.contains(&line.case_no));
                let data = json!({
                    "rows": rows,
                    "total": lines.len(),
                    "without_page": without_page.count(),
                    "page": number,
                    "pages": count,
                    "release": self.inputs.release,
                });
                self.frame.add(
                    &mut files,
                    language,
                    &list(number),
                    "cases.html",
                    title,
                    data,
                )?;
            }
        }
        Ok(files)
    }

    /// Removes pages of cases that are closed and pages of a list that has become shorter.
    fn remove_others(&self, folder: PrivateFolder<'_>, lists: &Files) -> Result<usize, SiteError> {
        let has_page = |case_no: &str| {
            let case_no = case_no.parse::<i64>();
            case_no.is_ok_and(|case_no| self.pages.contains(&case_no))
        };
        let mut removed = 0;
        for code in Language::ALL.map(Language::code) {
            removed += folder.remove_others(code, |name| {
                matches!(name, "index.html" | "list") || has_page(name)
            })?;
            removed += folder.remove_others(&format!("{code}/list"), |number| {
                lists.contains_key(&format!("{code}/list/{number}/index.html"))
            })?;
        }
        Ok(removed)
    }
}

/// Address of a page of the list.
fn list(number: usize) -> String {
    match number {
        1 => "index.html".to_owned(),
        _ => format!("list/{number}/index.html"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// A case about a person, without evidence.
    pub(super) fn dossier() -> Dossier {
        Dossier {
            case_no: 12,
            about: "person".into(),
            opened_on: "2025-12-31".into(),
            state: CaseStanding::default(),
            release: Some("2025-12-31.1".into()),
            reasons: Vec::new(),
            risk: None,
            no_risk: None,
            anomaly: None,
            no_anomaly: None,
            scores_say: Bilingual::default(),
            rules: Vec::new(),
            evidence: Vec::new(),
            cleared: Vec::new(),
            window: None,
            days: Vec::new(),
            days_not_told: Vec::new(),
            events: Vec::new(),
            similar: similar_cases("person", &BTreeSet::new(), &[], &[]).unwrap(),
            letters: Vec::new(),
        }
    }
}
