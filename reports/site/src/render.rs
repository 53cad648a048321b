//! From inputs to the folder.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::analyse::{Report, Table};
use crate::built_in;
use crate::catalog::{CatalogGraph, CatalogPages};
use crate::definition::DefinitionError;
use crate::download;
use crate::edition::{EditionRecord, published};
use crate::folder::{self, Files};
use crate::frame::Frame;
use crate::inputs::SiteInputs;
use crate::language::Messages;
use crate::models::ModelPage;
use crate::pages::Site;
use crate::templates::environment;
use crate::texts::Texts;

/// Why a site could not be written.
#[derive(Debug, Error)]
pub enum SiteError {
    /// A file that comes with this crate is broken; a test should have caught it.
    #[error("embedded {name}: {reason}")]
    Embedded {
        /// The file.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A template cannot be filled.
    #[error("page {page}: {source}")]
    Template {
        /// The page.
        page: String,
        /// The engine's message.
        source: minijinja::Error,
    },
    /// A workbook cannot be written.
    #[error("workbook of table {table}: {source}")]
    Workbook {
        /// The table.
        table: String,
        /// The writer's message.
        source: rust_xlsxwriter::XlsxError,
    },
    /// The folder cannot be read or written.
    #[error("site folder {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// Counts of closed cases cannot be protected.
    #[error("protect the counts of similar cases")]
    Similar(#[source] goyong_disclosure::DisclosureError),
    /// A report definition contradicts itself.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSummary {
    /// The page to open first.
    pub start_page: PathBuf,
    /// HTML pages of this release.
    pub pages: usize,
    /// All files of this release.
    pub files: usize,
    /// Files that are new or changed.
    pub written: usize,
    /// Files that were already there with the same bytes.
    pub unchanged: usize,
    /// Tables published.
    pub tables: usize,
    /// Cells suppressed in them.
    pub suppressed_cells: usize,
    /// Tables that disclosure control refused.
    pub notices: Vec<TableNotice>,
}

/// A table that was not published, and why. Holds no figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNotice {
    /// The report.
    pub report: String,
    /// The table.
    pub table: String,
    /// The reason.
    pub reason: String,
}

/// Writes the site of a release to `out`, all of it or nothing.
///
/// Editions published there earlier keep their addresses; unchanged files stay untouched.
///
/// # Errors
/// When a template cannot be filled or the folder cannot be written. A table that cannot be published is not an error:
/// it is left out and noted in the summary.
pub fn render(inputs: &SiteInputs, out: &Path) -> Result<SiteSummary, SiteError> {
    let folder_error = |source| SiteError::Folder {
        path: out.to_owned(),
        source,
    };
    folder::recover_interrupted(out).map_err(folder_error)?;

    let mut notices = Vec::new();
    let mut reports = Vec::new();
    for input in &inputs.reports {
        let mut input = input.clone();
        built_in::complete(&mut input, &inputs.model_cards, &inputs.catalog)?;
        let report = Report::from_input(input, inputs.as_of, &mut notices);
        // A report none of whose sources was delivered has nothing to say.
        if !report.tables.is_empty() {
            reports.push(report);
        }
    }
    reports.sort_by(|left, right| {
        (left.definition.order, &left.definition.slug)
            .cmp(&(right.definition.order, &right.definition.slug))
    });

    let mut models = Vec::with_capacity(inputs.model_versions.len());
    for version in &inputs.model_versions {
        models.push(ModelPage::new(version, inputs.as_of, &mut notices)?);
    }

    let mut editions = Vec::new();
    for report in &reports {
        let record = edition_record(inputs, report);
        editions.push(record.decide(out).map_err(folder_error)?);
    }
    let mut history: Vec<EditionRecord> = published(out).map_err(folder_error)?;
    history.retain(|record| {
        !editions
            .iter()
            .any(|new| new.folder() == record.folder() && new.slug == record.slug)
    });
    history.extend(editions.iter().cloned());
    history.sort_by(|left, right| {
        (&right.as_of, &left.slug, &right.period, right.revision).cmp(&(
            &left.as_of,
            &right.slug,
            &left.period,
            left.revision,
        ))
    });

    let graph = CatalogGraph::new(&inputs.catalog, &reports);
    let site = Site {
        inputs,
        reports: &reports,
        editions: &editions,
        history: &history,
        models: &models,
        graph: &graph,
        catalog: CatalogPages::new(&inputs.catalog, &graph, &reports),
        frame: Frame {
            folder: "",
            environment: environment()?,
            messages: Messages::embedded()?,
            publisher: inputs.publisher.clone(),
            notice: inputs.notice.as_ref(),
            known: json!({
                "release": inputs.release.id,
                "as_of": inputs.as_of.to_string(),
                "contact": inputs.contact,
            }),
        },
        texts: Texts::embedded()?,
    };
    let mut files = Files::new();
    site.write_downloads(&mut files)?;
    site.write_pages(&mut files)?;

    let written = folder::replace(out, &files).map_err(folder_error)?;
    let of_models = models.iter().map(|model| &model.report);
    let tables: Vec<&Table> = reports
        .iter()
        .chain(of_models)
        .flat_map(|report| &report.tables)
        .collect();
    Ok(SiteSummary {
        start_page: out.join("index.html"),
        pages: files
            .keys()
            .filter(|address| address.ends_with(".html"))
            .count(),
        files: files.len(),
        written: written.written,
        unchanged: written.unchanged,
        tables: tables.len(),
        suppressed_cells: tables
            .iter()
            .map(|table| table.safe.report().suppressed.len())
            .sum(),
        notices,
    })
}

fn edition_record(inputs: &SiteInputs, report: &Report) -> EditionRecord {
    EditionRecord {
        slug: report.definition.slug.clone(),
        period: report.edition.clone(),
        revision: 1,
        release: inputs.release.id.clone(),
        as_of: inputs.as_of.to_string(),
        tables: report
            .tables
            .iter()
            .map(|table| {
                let digest = Sha256::digest(download::csv(table));
                let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                (table.definition.name.clone(), hex)
            })
            .collect(),
    }
}
