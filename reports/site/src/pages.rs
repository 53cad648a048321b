//! The pages and downloads of a site, as bytes by address.

use serde_json::{Value, json};

use crate::analyse::{Report, Table};
use crate::catalog::{CatalogGraph, CatalogPages, search_script};
use crate::context::{HeadlineView, TableView, headline_view, table_view};
use crate::definition::PageKind;
use crate::download;
use crate::edition::EditionRecord;
use crate::folder::Files;
use crate::frame::Frame;
use crate::inputs::SiteInputs;
use crate::language::{Bilingual, Language};
use crate::models::{self, ModelPage};
use crate::number::grouped;
use crate::period::period_text;
use crate::render::SiteError;
use crate::texts::Texts;

/// Everything a page may need.
pub(crate) struct Site<'a> {
    pub inputs: &'a SiteInputs,
    pub reports: &'a [Report],
    pub editions: &'a [EditionRecord],
    pub history: &'a [EditionRecord],
    pub models: &'a [ModelPage<'a>],
    pub graph: &'a CatalogGraph<'a>,
    pub catalog: CatalogPages<'a>,
    pub frame: Frame<'a>,
    pub texts: Texts,
}

impl Site<'_> {
    pub(crate) fn write_downloads(&self, files: &mut Files) -> Result<(), SiteError> {
        for (report, edition) in self.reports.iter().zip(self.editions) {
            let folder = format!("data/{}/{}", edition.slug, edition.folder());
            self.write_tables(report, &folder, files)?;
            let mut record = serde_json::to_vec(edition).unwrap_or_default();
            record.push(b'\n');
            files.insert(format!("{folder}/edition.json"), record);
        }
        for model in self.models {
            self.write_tables(&model.report, &model.data(), files)?;
        }
        files.insert(
            "assets/catalog-search.js".into(),
            include_bytes!("../assets/catalog-search.js").to_vec(),
        );
        files.insert(
            "assets/catalog-index.js".into(),
            search_script(&self.inputs.catalog, self.graph),
        );
        Ok(())
    }

    /// Every table of a report in each format.
    fn write_tables(
        &self,
        report: &Report,
        folder: &str,
        files: &mut Files,
    ) -> Result<(), SiteError> {
        for table in &report.tables {
            let name = &table.definition.name;
            let notes = self.notes(table);
            let workbook =
                download::xlsx(report, table, self.inputs.as_of, &notes).map_err(|source| {
                    SiteError::Workbook {
                        table: name.clone(),
                        source,
                    }
                })?;
            files.insert(format!("{folder}/{name}.csv"), download::csv(table));
            files.insert(
                format!("{folder}/{name}.json"),
                download::json(report, table),
            );
            files.insert(format!("{folder}/{name}.xlsx"), workbook);
        }
        Ok(())
    }

    /// The notes sheet of a workbook.
    fn notes(&self, table: &Table) -> Vec<(&'static str, String, String)> {
        let same = |text: &str| (text.to_owned(), text.to_owned());
        let message = |key: &str| {
            let text = |language| self.frame.messages.get(language, key).to_owned();
            (text(Language::Ko), text(Language::En))
        };
        let pair = |text: &Bilingual| (text.ko.clone(), text.en.clone());
        let mut notes = vec![
            ("title", pair(&table.definition.title)),
            ("data as of", same(&self.inputs.as_of.to_string())),
            ("release", same(&self.inputs.release.id)),
            ("publisher", pair(&self.inputs.publisher)),
            ("x", message("mark_suppressed")),
            ("..", message("mark_not_available")),
        ];
        if let Some(note) = &table.definition.note {
            notes.push(("note", pair(note)));
        }
        if let Some(notice) = &self.inputs.notice {
            notes.push(("notice", pair(notice)));
        }
        notes
            .into_iter()
            .map(|(item, (ko, en))| (item, ko, en))
            .collect()
    }

    pub(crate) fn write_pages(&self, files: &mut Files) -> Result<(), SiteError> {
        self.frame.add_start(files, "public_language.html")?;
        for language in Language::ALL {
            let mut add = |path: String, template: &str, title: &str, data: Value| {
                self.frame
                    .add(files, language, &path, template, title, data)
            };
            let word = |key: &str| self.frame.messages.get(language, key);
            add(
                "index.html".into(),
                "home.html",
                word("site_title"),
                self.home(language),
            )?;
            add(
                "reports/index.html".into(),
                "reports.html",
                word("reports"),
                self.report_list(language),
            )?;
            for (report, edition) in self.reports.iter().zip(self.editions) {
                let title = report.definition.title.get(language);
                let slug = &report.definition.slug;
                let data = || self.report(report, edition, language);
                add(
                    format!("reports/{slug}/index.html"),
                    "report.html",
                    title,
                    data(),
                )?;
                let path = format!("reports/{slug}/{}/index.html", edition.folder());
                add(path, "report.html", title, data())?;
            }
            add(
                "catalog/index.html".into(),
                "catalog.html",
                word("catalog"),
                self.catalog.index(language),
            )?;
            add(
                "catalog/checks/index.html".into(),
                "catalog_checks.html",
                word("checks"),
                self.catalog.checks(language),
            )?;
            add(
                "catalog/storage/index.html".into(),
                "catalog_storage.html",
                word("storage"),
                self.catalog.storage(),
            )?;
            for (index, path, name) in self.catalog.tables() {
                let data = self.catalog.table(index, language);
                add(path, "catalog_table.html", name, data)?;
            }
            let versions: Vec<Value> = self
                .models
                .iter()
                .map(|model| model.line(language))
                .collect();
            add(
                "models/index.html".into(),
                "models.html",
                word("models"),
                json!({ "versions": versions }),
            )?;
            for model in self.models {
                let title = format!("{} {}", model.page.model, model.page.version);
                let data = model.view(self.graph, language);
                add(model.path(), "model_version.html", &title, data)?;
            }
            add(
                "releases/index.html".into(),
                "releases.html",
                word("releases"),
                self.releases(),
            )?;
            add(
                "revisions/index.html".into(),
                "revisions.html",
                word("revisions"),
                self.revisions(language),
            )?;
            for (name, template) in [
                ("methods", "standing.html"),
                ("glossary", "glossary.html"),
                ("accessibility", "standing.html"),
            ] {
                let data = json!({ "sections": self.texts.sections(name, language) });
                add(format!("{name}/index.html"), template, word(name), data)?;
            }
        }
        Ok(())
    }

    fn home(&self, language: Language) -> Value {
        let headlines: Vec<Value> = self
            .reports
            .iter()
            .flat_map(|report| {
                report
                    .headlines()
                    .into_iter()
                    .filter(|headline| headline.definition.home)
                    .map(|headline| {
                        json!({
                            "slug": report.definition.slug,
                            "report": report.definition.title.get(language),
                            "figure": headline_view(&headline, language),
                        })
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        {
            let mut data = self.report_list(language);
            data["headlines"] = json!(headlines);
            data
        }
    }

    fn report_list(&self, language: Language) -> Value {
        let reports: Vec<Value> = self
            .reports
            .iter()
            .zip(self.editions)
            .map(|(report, edition)| {
                json!({
                    "slug": report.definition.slug,
                    "title": report.definition.title.get(language),
                    "summary": report.definition.summary.get(language),
                    "period": period_text(&edition.period, language),
                    "folder": edition.folder(),
                    "tables": report.tables.len(),
                })
            })
            .collect();
        json!({ "reports": reports })
    }

    fn report(&self, report: &Report, edition: &EditionRecord, language: Language) -> Value {
        let headlines: Vec<HeadlineView> = report
            .headlines()
            .iter()
            .map(|headline| headline_view(headline, language))
            .collect();
        let tables: Vec<TableView> = report
            .tables
            .iter()
            .map(|table| {
                let data = format!(
                    "data/{}/{}/{}",
                    edition.slug,
                    edition.folder(),
                    table.definition.name
                );
                table_view(report, table, &data, self.graph, language)
            })
            .collect();
        let texts = |paragraphs: &[Bilingual]| -> Vec<String> {
            paragraphs
                .iter()
                .map(|text| text.get(language).to_owned())
                .collect()
        };
        let history: Vec<Value> = self
            .history
            .iter()
            .filter(|record| record.slug == edition.slug)
            .map(|record| {
                json!({
                    "period": period_text(&record.period, language),
                    "revision": record.revision,
                    "folder": record.folder(),
                    "as_of": record.as_of,
                    "release": record.release,
                    "current": record.folder() == edition.folder(),
                })
            })
            .collect();
        let cards: Vec<Value> = match report.definition.page {
            PageKind::ModelCard => self
                .inputs
                .model_cards
                .iter()
                .map(|card| {
                    json!({
                        "card": card,
                        "target": card.target.get(language),
                        "intended_use": card.intended_use.get(language),
                        "algorithm": card.algorithm.get(language),
                        "training_rows": grouped(i128::from(card.training_rows)),
                        "evaluation_rows": grouped(i128::from(card.evaluation_rows)),
                        "base_rate": crate::number::fixed(card.base_rate * 100.0, 1),
                        "limits": texts(&card.limits),
                        "page": self.address_of_card(&card.name, &card.version),
                    })
                })
                .collect(),
            PageKind::Standard | PageKind::DataQuality => Vec::new(),
        };
        json!({
            "slug": edition.slug,
            "summary": report.definition.summary.get(language),
            "edition": period_text(&edition.period, language),
            "revision": edition.revision,
            "folder": edition.folder(),
            "headlines": headlines,
            "tables": tables,
            "cards": cards,
            "history": history,
            "method": texts(&report.definition.method),
            "limits": texts(&report.definition.limits),
        })
    }

    /// Address below a language of the page of a model's version, where it has one.
    fn address_of_card(&self, model: &str, version: &str) -> Option<String> {
        let mut known = self.models.iter().map(|known| known.page);
        let has_page = known.any(|page| page.model == model && page.version == version);
        has_page.then(|| models::path(model, version))
    }

    fn releases(&self) -> Value {
        let release = &self.inputs.release;
        let mut releases = vec![json!({
            "id": release.id,
            "business_date": release.business_date.to_string(),
            "content_hash": release.content_hash,
            "note": "",
            "current": true,
        })];
        releases.extend(release.earlier.iter().map(|earlier| {
            json!({
                "id": earlier.id,
                "business_date": earlier.business_date.to_string(),
                "content_hash": earlier.content_hash,
                "note": earlier.note,
                "current": false,
            })
        }));
        json!({ "releases": releases })
    }

    fn revisions(&self, language: Language) -> Value {
        let editions: Vec<Value> = self
            .history
            .iter()
            .map(|record| {
                let title = self
                    .reports
                    .iter()
                    .find(|report| report.definition.slug == record.slug)
                    .map_or(record.slug.as_str(), |report| {
                        report.definition.title.get(language)
                    });
                json!({
                    "slug": record.slug,
                    "title": title,
                    "period": period_text(&record.period, language),
                    "revision": record.revision,
                    "folder": record.folder(),
                    "as_of": record.as_of,
                    "release": record.release,
                })
            })
            .collect();
        json!({ "editions": editions })
    }
}
