//! Renders the report site of the latest release.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goyong_engine::ReadSession;
use goyong_learn::ModelCard;
use goyong_site::{
    Bilingual, ReleaseEntry, ReleasePage, ReportDefinition, ReportInput, SiteInputs, SiteSummary,
    TableInput,
};
use goyong_store::Release;
use sha2::{Digest, Sha256};

use crate::catalog_pages::describe_catalog;
use crate::figures::{StepFigures, Totals};
use crate::model_pages::model_versions;
use crate::model_registry::newest_cards;
use crate::plan::NightContext;
use crate::project::OpenProject;
use crate::render_run_pages::{lock_site, render_after_a_run};
use crate::report_pages::{cell_rows, model_card_page};
use crate::step::StepOutcome;

/// Changes with anything that changes a page without changing its inputs.
const RENDERER: &str = concat!("site/3/", env!("CARGO_PKG_VERSION"));

/// Renders when the release, a report definition or the renderer changed.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let project = night.project;
    let release = project.release(None).await?;
    let out = project.site();
    let fingerprint = fingerprint(project, &release);
    let memo = project.warehouse().memo_get("report", "site").await?;
    if memo.as_deref() == Some(fingerprint.as_str()) && out.join("index.html").is_file() {
        return Ok(StepOutcome::nothing("site is of this release already"));
    }
    let summary = render(project, &release, &out).await?;
    project
        .warehouse()
        .memo_put("report", "site", &fingerprint)
        .await?;
    let figures = StepFigures {
        total: Totals {
            pages: Some(summary.pages as u64),
            files_changed: Some(summary.written as u64),
            cells_suppressed: Some(summary.suppressed_cells as u64),
            ..Totals::default()
        },
        ..StepFigures::default()
    };
    Ok(StepOutcome::done(format!(
        "{} pages, {} files ({} changed), {} small cells suppressed",
        summary.pages, summary.files, summary.written, summary.suppressed_cells
    ))
    .with_details(
        summary
            .notices
            .iter()
            .map(|notice| {
                format!(
                    "not published: {} {}: {}",
                    notice.report, notice.table, notice.reason
                )
            })
            .collect(),
    )
    .with_figures(figures))
}

impl OpenProject {
    /// Renders the site of the latest release into a folder, the warehouse's own when none is named. Only the
    /// warehouse's own has run pages: what is copied out is for the public.
    pub async fn render_reports(&self, out: Option<&Path>) -> Result<PathBuf> {
        let release = self.release(None).await?;
        let out = out.map_or_else(|| self.site(), Path::to_path_buf);
        render(self, &release, &out).await?;
        if out == self.site() {
            render_after_a_run(self.folder()).await;
        }
        Ok(out)
    }
}

fn fingerprint(project: &OpenProject, release: &Release) -> String {
    let mut hasher = Sha256::new();
    hasher.update(RENDERER);
    hasher.update(&release.id);
    hasher.update(&release.content_hash);
    hasher.update(format!("{:?}", project.configuration()));
    // The catalogue shows the project's texts, so a changed comment changes a page. Code tables change the release.
    let texts = project.project().files().iter();
    for (path, text) in texts.filter(|(path, _)| !path.ends_with(".csv")) {
        hasher.update(path);
        hasher.update(text);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn render(project: &OpenProject, release: &Release, out: &Path) -> Result<SiteSummary> {
    let lineage = project.engine().lineage().await?;
    let problems = lineage.problems_of_reports();
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    let (session, _) = project.read_session(Some(&release.id)).await?;
    let mut reports = Vec::new();
    for (path, text) in project.project().files().below("reports", "yml") {
        let definition = ReportDefinition::parse(text, path)?;
        let tables = query_tables(project, release, &session, &definition).await?;
        reports.push(ReportInput { definition, tables });
    }
    let mut model_cards = Vec::new();
    for (model, card) in newest_cards(project).await? {
        let Some(declared) = project.project().declared_models().get(&model) else {
            continue;
        };
        let card = ModelCard::from_json(&card)?;
        model_cards.push(model_card_page(release, declared, &card)?);
    }
    let releases = project.warehouse().releases().await?;
    let inputs = SiteInputs {
        release: release_page(release, &releases),
        as_of: release.business_date,
        reports,
        catalog: describe_catalog(project, release, &releases, &session).await?,
        model_cards,
        model_versions: model_versions(project, &session, release).await?,
        notice: project.configuration().simulated.then(|| {
            Bilingual::new(
                "모의 국가의 자료입니다. 공개자료 쪽에서 다른 기관이 공표한 통계만 실제입니다.",
                "Figures of a simulated country; only statistics that others published, on the open-data page, are real.",
            )
        }),
        publisher: Bilingual::same(&project.configuration().publisher),
        contact: Bilingual::same(&project.configuration().contact),
    };
    let folder = out.to_path_buf();
    let _lock = lock_site(&project.configuration().warehouse).await?;
    let summary =
        tokio::task::spawn_blocking(move || goyong_site::render(&inputs, &folder)).await??;
    Ok(summary)
}

/// Answers the queries of a report; a table that reads what was never delivered is left out.
async fn query_tables(
    project: &OpenProject,
    release: &Release,
    session: &ReadSession,
    definition: &ReportDefinition,
) -> Result<Vec<TableInput>> {
    let mut tables = Vec::new();
    let vars = [("as_of".to_owned(), release.business_date.to_string())].into();
    for table in &definition.tables {
        let what = || format!("report {} table {}", definition.slug, table.name);
        let compiled = project
            .project()
            .compile_text(&what(), &table.sql, &vars)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        if !compiled
            .inputs
            .iter()
            .all(|input| release.tables.contains_key(input))
        {
            continue;
        }
        let batches = session.query(&compiled.sql).await.with_context(what)?;
        let (columns, rows) = cell_rows(&batches)?;
        tables.push(TableInput {
            name: table.name.clone(),
            columns,
            rows,
            reads: compiled.inputs.iter().map(ToString::to_string).collect(),
            compiled_sql: compiled.sql,
        });
    }
    Ok(tables)
}

fn release_page(release: &Release, releases: &[Release]) -> ReleasePage {
    let mut earlier: Vec<ReleaseEntry> = releases
        .iter()
        .filter(|other| other.id != release.id)
        .map(|other| ReleaseEntry {
            id: other.id.clone(),
            business_date: other.business_date,
            content_hash: other.content_hash.clone(),
            note: other.note.clone(),
        })
        .collect();
    earlier.reverse();
    ReleasePage {
        id: release.id.clone(),
        business_date: release.business_date,
        content_hash: release.content_hash.clone(),
        earlier,
    }
}
