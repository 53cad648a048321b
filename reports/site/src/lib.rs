//! The static report site: safe tables in, a bilingual folder out.
//!
//! [`render`] takes a release's figures ([`SiteInputs`]), passes every table through disclosure control and writes one
//! folder that opens from `file://` on a machine without a network: Korean and English pages, SVG charts each with the
//! table behind it, CSV, XLSX and JSON beside every table, the catalogue, releases, revisions, methods and glossary.
//!
//! Reasons of the design:
//!
//! - **The bytes are a function of the inputs.** No clock, no hash order, no random id: the same release gives the same
//!   folder, so two sites can be compared file by file.
//! - **A template sees safe tables only.** Charts, headlines and downloads are computed from
//!   [`goyong_disclosure::SafeTable`]; the raw rows are consumed on the way.
//! - **No markup from data.** Everything is escaped by the template engine, charts included: Rust computes the geometry,
//!   a macro draws it. No `safe` filter and no safe string exists in this crate; a test looks for them.
//! - **Published addresses never change.** A period's page stays where it is when the next one appears; new figures for
//!   the same period get a folder of their own (`r2`), and the revisions page lists them.
//! - **One script.** Only the catalogue's list may run one, from this folder: its search. The list is complete without
//!   it, and the content security policy of every other page allows no script at all.
//!
//! A report is a YAML file in `sql/reports`; the caller runs its queries and hands the rows to [`render`]:
//!
//! ```
//! use goyong_site::{ReferenceKind, ReportDefinition};
//!
//! let report = ReportDefinition::parse(
//!     "
//! slug: claims
//! title: {ko: 구직급여, en: Job-seeking benefit}
//! summary: {ko: 월별 수급자., en: Recipients by month.}
//! tables:
//!   - name: months
//!     title: {ko: 수급자, en: Recipients}
//!     sql: select month, recipients from {{ ref('claims_monthly') }} order by month
//!     dimensions: [month]
//!     counts: [recipients]
//!     period: month
//!     disclosure: {min_count: 5}
//!     chart: {kind: line, x: month, series: [recipients]}
//! ",
//!     "claims.yml",
//! )?;
//! let reference = &report.tables[0].references()[0];
//! assert_eq!((reference.kind, reference.name.as_str()), (ReferenceKind::Model, "claims_monthly"));
//! # Ok::<(), goyong_site::DefinitionError>(())
//! ```

mod analyse;
mod built_in;
mod catalog;
mod chart;
mod context;
mod definition;
mod dictionary;
mod dossier;
mod download;
mod edition;
mod folder;
mod frame;
mod inputs;
mod language;
mod models;
mod number;
mod pages;
mod period;
mod private_folder;
mod render;
mod runs;
mod templates;
mod texts;

pub use catalog::{
    Catalog, CatalogChange, CatalogCheck, CatalogColumn, CatalogDefinition, CatalogTable,
    CatalogTest, Declassification, Freshness, LineageEdge, PartitionSize, StoredTable, TestResult,
};
pub use definition::{
    ChartDefinition, ChartKind, ColumnText, DefinitionError, DisclosureDefinition, Edition,
    HeadlineDefinition, Members, PageKind, Reference, ReferenceKind, ReportDefinition,
    TableDefinition, Unit,
};
pub use dossier::{
    AnomalyPlace, CaseLine, CaseStanding, CasesInputs, CasesSummary, ClearedRow, Clearing,
    ClosedCase, Count, DeliveredRow, Dossier, DossierEvent, DossierEvidence, DossierRule, Lane,
    Letter, NamedFact, Reason, RiskPlace, RiskTheme, SimilarCases, SimilarRow, Stretch, ThemeFact,
    render_cases, rendered_cases, similar_cases,
};
pub use folder::RUN_PAGES;
pub use goyong_disclosure::CellValue;
pub use inputs::{
    CalibrationBin, FairnessGroup, FeatureEffect, Gate, MetricRow, ModelCardPage, ReleaseEntry,
    ReleasePage, ReportInput, SiteInputs, TableInput,
};
pub use language::{Bilingual, Language};
pub use models::{
    CalibrationGroup, Interval, ModelCandidate, ModelDecisionLine, ModelFeature, ModelGate,
    ModelGroup, ModelMetric, ModelStanding, ModelVersionPage, ModelWindow, RealisedMonth,
    TrainedTable,
};
pub use render::{SiteError, SiteSummary, TableNotice, render};
pub use runs::{
    Attempt, DeadlineState, Figure, GateLine, LateSource, LocalTime, LogTail, NotRunReason,
    Occurrence, Outcome, PlanRuns, ReleaseChange, RunPage, RunsInputs, RunsSummary, StepPage,
    TableChange, has_word, render_runs, rendered_runs,
};
