//! What a model would be computed from right now, partition by partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use chrono::NaiveDate;
use goyong_catalog::{Materialized, Model, Project, Vars, normalise_sql};
use goyong_types::{Month, TableName};

use crate::error::{EngineError, Result};
use crate::inputs::{Inputs, Readable};
use crate::meaning::meaning_of;
use crate::memo::{Fingerprint, InputMemo, ReadMemo, WHOLE};
use crate::tables::{KnownTable, TableCache};

/// One partition of a model, or a whole table, as it would be computed.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Partition value, [`WHOLE`] for an unpartitioned table.
    pub key: String,
    pub month: Option<Month>,
    pub sql: String,
    /// The variables the text used.
    pub vars: Vars,
    pub fingerprint: String,
    pub readable: Readable,
    /// The rows it reads.
    pub inputs: BTreeMap<TableName, InputMemo>,
    /// Digest of variables and header.
    settings: Fingerprint,
    text: OnceLock<String>,
}

impl Target {
    /// Digest of all but the rows. Parses, so it is asked for only where something changed.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let mut text = self.settings.clone();
            text.add("meaning", &meaning_of(&self.sql));
            self.readable.add_schemas_to(&mut text, meaning_of);
            text.finish()
        })
    }

    /// What it is computed from.
    pub fn read(&self) -> ReadMemo {
        ReadMemo {
            text: self.text().to_owned(),
            inputs: self.inputs.clone(),
        }
    }
}

/// A model and everything it would be computed from.
#[derive(Debug)]
pub(crate) struct Targets {
    pub targets: Vec<Target>,
    /// Where no month exists: a month without rows, planned for its columns only, so that whoever
    /// reads the model finds an empty table.
    pub probe: Option<Target>,
}

/// How much of what is stale, or not, is to be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The day up to which things are known.
    pub as_of: NaiveDate,
    /// Fresh partitions as well.
    pub forced: bool,
    /// Only months from the first to before the second.
    pub months: Option<(Month, Month)>,
}

impl Scope {
    /// Whether tables without months are computed again even where they are fresh.
    pub fn refreshes_tables(&self) -> bool {
        self.forced && self.months.is_none()
    }

    /// Whether a month is to be looked at; a table without months always is.
    pub fn holds(&self, month: Option<Month>) -> bool {
        match (self.months, month) {
            (Some((from, to)), Some(month)) => from <= month && month < to,
            _ => true,
        }
    }
}

/// Month of a probe: any, and always the same.
const PROBE_MONTH: &str = "2000-01-01";

impl Targets {
    /// Compiles a model for each of its months; nothing is planned.
    pub async fn of(
        project: &Project,
        cache: &TableCache,
        model: &Model,
        vars: &Vars,
    ) -> Result<Self> {
        let inputs = Inputs::of_model(project, model);
        let tables = inputs.open_tables(project, cache, Some(model)).await?;
        let mut months: Vec<Option<Month>> = match model.header.materialized {
            Materialized::Partitioned => {
                let mut values = BTreeSet::new();
                for input in &model.partitions_from {
                    if let Some(table) = tables.get(input) {
                        values.extend(table.months());
                    }
                }
                values
                    .iter()
                    .map(|value| month_of(model, value).map(Some))
                    .collect::<Result<_>>()?
            }
            _ => vec![None],
        };

        let is_probe = months.is_empty();
        if is_probe {
            months.push(Some(month_of(model, PROBE_MONTH)?));
        }
        let uses_month = uses_month(project, model, &inputs);
        let mut readable: Option<Readable> = None;
        let mut compiled_once = None;
        let mut targets = Vec::with_capacity(months.len());
        for month in months {
            let vars = vars_of(vars, month);
            if uses_month || readable.is_none() {
                let views = inputs.compile_views(project, &vars)?;
                readable = Some(Readable::new(tables.clone(), views));
                let compiled = project
                    .compile(model, &vars)
                    .map_err(EngineError::Compile)?;
                let normalised = normalise_sql(&compiled.sql);
                compiled_once = Some((compiled, normalised));
            }
            let (Some(readable), Some((compiled, normalised))) = (&readable, &compiled_once) else {
                continue;
            };
            let mut settings = Fingerprint::new();
            for (name, value) in &compiled.vars {
                settings.add(name, value);
            }
            add_header(&mut settings, model);
            let mut fingerprint = settings.clone().with("sql", normalised);
            readable.add_to(&mut fingerprint, month);
            targets.push(Target {
                key: month.map_or(WHOLE.to_owned(), |month| month.first_day().to_string()),
                month,
                sql: compiled.sql.clone(),
                vars: compiled.vars.clone(),
                fingerprint: fingerprint.finish(),
                inputs: readable.memos(month),
                readable: readable.clone(),
                settings,
                text: OnceLock::new(),
            });
        }
        let probe = if is_probe { targets.pop() } else { None };
        Ok(Self { targets, probe })
    }

    /// The probe, where the stored columns were not taken from the same.
    pub fn stale_probe(&self, known: &KnownTable) -> Option<&Target> {
        self.probe.as_ref().filter(|probe| {
            known.snapshot.is_none() || known.memo.probe.as_ref() != Some(&probe.fingerprint)
        })
    }

    /// The targets that are to be computed: those whose stored partition is not what they would
    /// give, or all where that is asked for.
    pub fn to_compute(&self, known: &KnownTable, scope: &Scope) -> Vec<&Target> {
        self.targets
            .iter()
            .filter(|target| scope.holds(target.month))
            .filter(|target| {
                // A table without months cannot be refreshed for some of them only.
                let forced = scope.refreshes_tables() || (scope.forced && target.month.is_some());
                let (memo, snapshot) = (&known.memo, known.snapshot.as_ref());
                forced
                    || !(memo.is_fresh(snapshot, &target.key, &target.fingerprint)
                        || memo.means_the_same(snapshot, target))
            })
            .collect()
    }

    /// Stored partitions with rows that no target would make any more.
    pub fn vanished(&self, known: &KnownTable, scope: &Scope) -> Vec<String> {
        let wanted: BTreeSet<&str> = self
            .targets
            .iter()
            .map(|target| target.key.as_str())
            .collect();
        known
            .snapshot
            .iter()
            .flat_map(|snapshot| &snapshot.partitions)
            .filter(|(_, state)| state.rows > 0)
            .filter_map(|(value, _)| value.clone())
            .filter(|value| !wanted.contains(value.as_str()))
            .filter(|value| {
                let month = value.get(..7).and_then(|month| month.parse().ok());
                scope.holds(month)
            })
            .collect()
    }
}

/// The parts of the header that change rows or their layout; tests and texts do not.
fn add_header(fingerprint: &mut Fingerprint, model: &Model) {
    let header = &model.header;
    fingerprint.add("materialized", &format!("{:?}", header.materialized));
    fingerprint.add(
        "partition_by",
        header.partition_by.as_deref().unwrap_or_default(),
    );
    fingerprint.add("sort_by", &model.sort_by.join(","));
    if !model.during.is_empty() {
        fingerprint.add("during", &format!("{:?}", model.during));
    }
    if let Some(snapshot) = &header.snapshot {
        fingerprint.add("snapshot", &format!("{snapshot:?}"));
    }
    if let Some(rows) = header.rows_per_file {
        fingerprint.add("rows_per_file", &rows.to_string());
    }
}

/// Whether a text differs from month to month.
fn uses_month(project: &Project, model: &Model, inputs: &Inputs) -> bool {
    let named = |vars: &BTreeSet<String>| {
        vars.contains("partition_start") || vars.contains("partition_end")
    };
    named(&model.vars)
        || inputs
            .views
            .iter()
            .filter_map(|view| project.models().get(view))
            .any(|view| named(&view.vars))
}

fn vars_of(vars: &Vars, month: Option<Month>) -> Vars {
    let mut vars = vars.clone();
    if let Some(month) = month {
        vars.insert("partition_start".into(), month.first_day().to_string());
        vars.insert("partition_end".into(), month.next().first_day().to_string());
    }
    vars
}

fn month_of(model: &Model, value: &str) -> Result<Month> {
    // A partition value is the first day of a month.
    let month = value
        .strip_suffix("-01")
        .and_then(|month| month.parse::<Month>().ok());
    month.ok_or_else(|| {
        EngineError::Plan(format!(
            "{}: an input has the partition `{value}`, which is no month",
            model.table
        ))
    })
}

/// Every table behind some models, to be opened together.
pub(crate) fn tables_behind<'a>(
    project: &Project,
    models: impl IntoIterator<Item = &'a TableName>,
) -> BTreeSet<TableName> {
    let mut tables = BTreeMap::new();
    for table in models {
        if let Some(model) = project.models().get(table) {
            tables.append(&mut Inputs::of_model(project, model).tables);
            tables.insert(table.clone(), None);
        }
    }
    tables.into_keys().collect()
}
