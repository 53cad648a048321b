//! Report definitions: `sql/reports/<slug>.yml`.
//!
//! A definition says which queries a report asks, what each column is, how its figures are protected, drawn and named.
//! The caller executes the SQL (with `{{ ref('…') }}` and `{{ source('…') }}` resolved) and hands the rows back.

use std::collections::BTreeMap;

use goyong_disclosure::{DEFAULT_MIN_COUNT, Derived, Dimension, Measure, Rules};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::language::Bilingual;

/// Why a report definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DefinitionError {
    /// Not the YAML this crate reads.
    #[error("{file}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// Well-formed, but it contradicts itself.
    #[error("{file}: table {table}: {reason}")]
    Contradiction {
        /// The file.
        file: String,
        /// The table of the report.
        table: String,
        /// What to correct.
        reason: String,
    },
}

/// A report: one slug, its texts and its tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportDefinition {
    /// Name in addresses: `labour-market`.
    pub slug: String,
    /// Title.
    pub title: Bilingual,
    /// One or two sentences under the title.
    pub summary: Bilingual,
    /// Position in lists; smaller is earlier.
    #[serde(default)]
    pub order: i32,
    /// What the page shows beside its tables.
    #[serde(default)]
    pub page: PageKind,
    /// Which period names an edition of this report.
    #[serde(default)]
    pub edition: Edition,
    /// The figures the bulletin opens with.
    #[serde(default)]
    pub headlines: Vec<HeadlineDefinition>,
    /// The tables, in reading order.
    #[serde(default)]
    pub tables: Vec<TableDefinition>,
    /// How the figures were measured; paragraphs.
    #[serde(default)]
    pub method: Vec<Bilingual>,
    /// What they can and cannot be used for; paragraphs.
    #[serde(default)]
    pub limits: Vec<Bilingual>,
}

/// What a report page shows beside its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// Tables only.
    #[default]
    Standard,
    /// The checks of the release as well.
    DataQuality,
    /// The model cards handed in.
    ModelCard,
}

/// Which period names an edition of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// The latest period in its tables.
    #[default]
    LatestPeriod,
    /// The month of the day up to which data were known.
    AsOf,
}

/// A figure at the head of a page: the value of one column in the latest period, with its change on the year.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadlineDefinition {
    /// Name of the table.
    pub table: String,
    /// Name of the column.
    pub column: String,
    /// What the figure is.
    pub label: Bilingual,
    /// Dimension values that pick one row per period.
    #[serde(default)]
    pub filter: BTreeMap<String, String>,
    /// Columns with the ends of an interval around the figure.
    #[serde(default)]
    pub interval: Option<[String; 2]>,
    /// Whether it also stands on the home page.
    #[serde(default)]
    pub home: bool,
}

/// One table of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDefinition {
    /// Name in addresses and downloads.
    pub name: String,
    /// Title.
    pub title: Bilingual,
    /// A sentence or two below the title.
    #[serde(default)]
    pub note: Option<Bilingual>,
    /// The query; `{{ ref('…') }}` and `{{ source('…') }}` name what it reads. A query that needs an order states it.
    pub sql: String,
    /// Key columns, in order.
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// Columns that count units, each its own number of contributors.
    #[serde(default)]
    pub counts: Vec<String>,
    /// Magnitudes with the column that counts their contributors.
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// Rates and means of other columns.
    #[serde(default)]
    pub derived: Vec<Derived>,
    /// Columns used for control only.
    #[serde(default)]
    pub hidden: Vec<String>,
    /// What each column is called.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnText>,
    /// Unit of each column; counts are persons unless said otherwise.
    #[serde(default)]
    pub units: BTreeMap<String, Unit>,
    /// The dimension that holds the period, if any.
    #[serde(default)]
    pub period: Option<String>,
    /// Show only the latest period on the page (all stay in the downloads).
    #[serde(default)]
    pub latest_only: bool,
    /// Total member of a dimension, where the query returns total rows.
    #[serde(default)]
    pub totals: BTreeMap<String, String>,
    /// Texts for the codes of a column: the name of a code list (`sido`) or the members themselves.
    #[serde(default)]
    pub members: BTreeMap<String, Members>,
    /// Protection of small cells. Absent only for `public` tables.
    #[serde(default)]
    pub disclosure: Option<DisclosureDefinition>,
    /// Not about persons, or already published by its provider: the reason, shown to readers.
    #[serde(default)]
    pub public: Option<Bilingual>,
    /// The chart above the table.
    #[serde(default)]
    pub chart: Option<ChartDefinition>,
    /// Leave the table out when the query returns no row (a source that was never delivered).
    #[serde(default)]
    pub hide_when_empty: bool,
}

/// A column's heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnText {
    /// Korean heading.
    pub ko: String,
    /// English heading.
    pub en: String,
}

/// Texts for the codes of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Members {
    /// A code list that comes with this crate: `sido`.
    Dictionary(String),
    /// The members themselves.
    List(BTreeMap<String, Bilingual>),
}

/// How small cells are protected.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureDefinition {
    /// Least number of contributors; 5 unless said.
    #[serde(default)]
    pub min_count: Option<u64>,
    /// Dimensions whose totals readers know, here or from another table.
    #[serde(default)]
    pub additive_over: Vec<String>,
}

/// What a number counts; decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Persons (명).
    Persons,
    /// Cases, deliveries, vacancies, rows (건).
    Cases,
    /// Workplaces, institutions (개소).
    Places,
    /// Won (원).
    Won,
    /// Days (일).
    Days,
    /// A share between 0 and 1, shown in per cent.
    Share,
    /// Already in per cent.
    Percent,
    /// A plain number.
    Number,
    /// A year: no thousands separator.
    Year,
    /// A calendar month: `2025-12`.
    Month,
    /// Text, codes, days.
    Text,
}

/// A chart above its table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartDefinition {
    /// How it is drawn.
    pub kind: ChartKind,
    /// The dimension along the axis (period of a line, categories of a bar chart).
    pub x: String,
    /// The columns drawn. One series each.
    #[serde(default)]
    pub series: Vec<String>,
    /// Instead: one series for each member of this dimension, of the single column in `series`.
    #[serde(default)]
    pub split_by: Option<String>,
    /// Dimension values that are drawn; others are left out.
    #[serde(default)]
    pub filter: BTreeMap<String, String>,
    /// Columns with the ends of an interval around the single series.
    #[serde(default)]
    pub interval: Option<[String; 2]>,
    /// Bars: the largest first, at most so many.
    #[serde(default)]
    pub largest: Option<usize>,
}

/// Kind of chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartKind {
    /// Values over time.
    Line,
    /// Values by category in the latest period, horizontal.
    Bar,
    /// Predicted (first column) against observed shares (second).
    Calibration,
}

/// A table that a query names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// `ref`, `source` or `seed`.
    pub kind: ReferenceKind,
    /// The name in the call.
    pub name: String,
}

/// The call by which a query names a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// `ref('…')`.
    Model,
    /// `source('…')`.
    Source,
    /// `seed('…')`.
    Seed,
    /// `model('…')`: a table written by a job.
    Learned,
}

impl ReportDefinition {
    /// Reads a definition and checks that it is consistent. `file` is only for messages.
    ///
    /// # Errors
    /// When the text is not a definition or contradicts itself.
    pub fn parse(yaml: &str, file: &str) -> Result<Self, DefinitionError> {
        let report: Self =
            serde_yaml_ng::from_str(yaml).map_err(|source| DefinitionError::Syntax {
                file: file.to_owned(),
                reason: source.to_string(),
            })?;
        report.check(file)?;
        Ok(report)
    }

    /// The definition of a table.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TableDefinition> {
        self.tables.iter().find(|table| table.name == name)
    }

    fn check(&self, file: &str) -> Result<(), DefinitionError> {
        let contradiction = |table: &str, reason: String| DefinitionError::Contradiction {
            file: file.to_owned(),
            table: table.to_owned(),
            reason,
        };
        let plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
                })
        };
        if !plain(&self.slug) {
            return Err(contradiction(
                "-",
                format!("slug {:?} is not a name for an address", self.slug),
            ));
        }
        for table in &self.tables {
            if !plain(&table.name) {
                return Err(contradiction(
                    &table.name,
                    "the name is not a name for an address".into(),
                ));
            }
            table
                .check()
                .map_err(|reason| contradiction(&table.name, reason))?;
        }
        for headline in &self.headlines {
            if self.table(&headline.table).is_none() {
                return Err(contradiction(
                    &headline.table,
                    "a headline names it, and there is no such table".into(),
                ));
            }
        }
        Ok(())
    }
}

impl TableDefinition {
    /// The tables the query names, each once, in order of kind and name.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        let calls = [
            ("ref(", ReferenceKind::Model),
            ("source(", ReferenceKind::Source),
            ("seed(", ReferenceKind::Seed),
            ("model(", ReferenceKind::Learned),
        ];
        let mut references = Vec::new();
        for block in self.sql.split("{{").skip(1) {
            let call = block.split("}}").next().unwrap_or_default().trim();
            for (prefix, kind) in calls {
                if let Some(argument) = call.strip_prefix(prefix) {
                    let name = argument
                        .trim_end_matches(')')
                        .trim()
                        .trim_matches(['\'', '"']);
                    references.push(Reference {
                        kind,
                        name: name.to_owned(),
                    });
                }
            }
        }
        references.sort();
        references.dedup();
        references
    }

    /// The rules of disclosure control; `None` for tables that are public as they are.
    #[must_use]
    pub fn rules(&self) -> Option<Rules> {
        let disclosure = self.disclosure.as_ref()?;
        Some(Rules {
            min_count: disclosure.min_count.unwrap_or(DEFAULT_MIN_COUNT),
            dimensions: self
                .dimensions
                .iter()
                .map(|column| Dimension {
                    column: column.clone(),
                    additive: disclosure.additive_over.contains(column),
                    total: self.totals.get(column).cloned(),
                })
                .collect(),
            counts: self.counts.clone(),
            measures: self.measures.clone(),
            derived: self.derived.clone(),
            hidden: self.hidden.clone(),
            ..Rules::default()
        })
    }

    /// The unit of a column.
    #[must_use]
    pub fn unit(&self, column: &str) -> Unit {
        if let Some(unit) = self.units.get(column) {
            return *unit;
        }
        if self.period.as_deref() == Some(column) {
            Unit::Month
        } else if self.counts.iter().any(|count| count == column) {
            Unit::Persons
        } else if column.ends_with("_won") || column.starts_with("won_") {
            Unit::Won
        } else if self.dimensions.iter().any(|dimension| dimension == column) {
            Unit::Text
        } else {
            Unit::Number
        }
    }

    fn check(&self) -> Result<(), String> {
        match (&self.disclosure, &self.public) {
            (None, None) => return Err("say `disclosure:` or `public:` with the reason".into()),
            (Some(_), Some(_)) => {
                return Err("`disclosure:` and `public:` exclude each other".into());
            }
            (None, Some(_)) if !self.hidden.is_empty() => {
                return Err(
                    "a public table has no hidden columns: leave them out of the query".into(),
                );
            }
            _ => {}
        }
        let dimension = |name: &str| self.dimensions.iter().any(|column| column == name);
        if let Some(period) = self.period.as_deref().filter(|period| !dimension(period)) {
            return Err(format!("period {period} is not one of the dimensions"));
        }
        let additive = self
            .disclosure
            .iter()
            .flat_map(|disclosure| &disclosure.additive_over);
        for column in additive
            .chain(self.totals.keys())
            .chain(self.members.keys())
        {
            if !dimension(column) {
                return Err(format!("{column} is not one of the dimensions"));
            }
        }
        if let Some(chart) = &self.chart {
            if !dimension(&chart.x) {
                return Err(format!(
                    "the chart's x {} is not one of the dimensions",
                    chart.x
                ));
            }
            if chart.series.is_empty() {
                return Err("the chart draws no series".into());
            }
            if (chart.split_by.is_some() || chart.interval.is_some()) && chart.series.len() != 1 {
                return Err("a chart with split_by or interval draws one column".into());
            }
        }
        Ok(())
    }
}
