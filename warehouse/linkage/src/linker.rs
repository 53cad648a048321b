//! Settings and records put together.

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use crate::compare::{Comparer, Derived};
use crate::comparison::{self, Comparison, Registry};
use crate::error::LinkageError;
use crate::keys::Keys;
use crate::pairs::{self, PairBatch};
use crate::records::{Records, SourceNo};
use crate::rule::{self, Rule};
use crate::settings::Settings;

/// Settings compiled: columns have numbers, rules and levels are understood.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) registry: Registry,
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) deterministic: Vec<Rule>,
    pub(crate) blocking: Vec<Rule>,
    pub(crate) prior_rules: Vec<Rule>,
    pub(crate) em_rules: Vec<Rule>,
    pub(crate) identifying: Vec<usize>,
}

/// Takes in the records of the sources, one source after the other.
#[derive(Debug)]
pub struct LinkerBuilder {
    settings: Settings,
    plan: Plan,
    records: Records,
}

impl LinkerBuilder {
    /// Compiles the settings.
    ///
    /// # Errors
    /// A level or a rule is not understood; the message names it.
    pub fn new(settings: Settings) -> Result<Self, LinkageError> {
        settings.check()?;
        let mut registry = Registry::default();
        let comparisons = comparison::compile(&settings, &mut registry)?;
        let mut rules = |texts: &[String]| -> Result<Vec<Rule>, LinkageError> {
            let parse = |text: &String| rule::parse(text, &mut registry);
            texts.iter().map(parse).collect()
        };
        let passes: Vec<String> = settings
            .deterministic
            .iter()
            .map(|pass| pass.rule.clone())
            .collect();
        let deterministic = rules(&passes)?;
        let blocking = rules(&settings.blocking)?;
        let prior_rules = rules(&settings.estimate.prior.rules)?;
        let em_rules = rules(settings.em_rules())?;
        let identifying = &settings.cluster.identifying;
        let identifying = identifying
            .iter()
            .map(|name| registry.column(name))
            .collect();
        let records = Records::new(settings.id.clone(), registry.columns.clone());
        Ok(Self {
            settings,
            plan: Plan {
                registry,
                comparisons,
                deterministic,
                blocking,
                prior_rules,
                em_rules,
                identifying,
            },
            records,
        })
    }

    /// The columns every source must have, the identifier first.
    pub fn columns(&self) -> Vec<&str> {
        let names = self.plan.registry.columns.iter().map(String::as_str);
        std::iter::once(self.settings.id.as_str())
            .chain(names)
            .collect()
    }

    /// Begins a source; batches pushed from now on are its records.
    pub fn add_source(&mut self, name: &str) -> SourceNo {
        self.records.add_source(name)
    }

    /// Takes in records of the source begun last. Columns are found by name, whatever their type
    /// they become text; blank text is null. Columns the settings do not name are ignored.
    ///
    /// # Errors
    /// The source is not the one begun last, a column is missing, or a record has no identifier.
    pub fn push(&mut self, source: SourceNo, batch: &RecordBatch) -> Result<(), LinkageError> {
        if usize::from(source) + 1 != self.records.sources.len() {
            return Err(LinkageError::Parameters(
                "push the batches of a source before adding the next source".to_owned(),
            ));
        }
        self.records.push(batch)
    }

    /// Ends the intake. `threads` changes how fast pairs are found, never which.
    ///
    /// # Errors
    /// An identifier stands twice in a source.
    pub fn finish(mut self, threads: usize) -> Result<Linker, LinkageError> {
        self.records.freeze()?;
        let derived = Derived::of(&self.records, &self.plan.registry);
        Ok(Linker {
            settings: self.settings,
            plan: self.plan,
            records: self.records,
            derived,
            threads: threads.max(1),
        })
    }
}

/// Records ready to be linked.
#[derive(Debug)]
pub struct Linker {
    pub(crate) settings: Settings,
    pub(crate) plan: Plan,
    pub(crate) records: Records,
    pub(crate) derived: Derived,
    pub(crate) threads: usize,
}

impl Linker {
    pub(crate) fn comparer(&self) -> Comparer<'_> {
        Comparer::new(
            &self.records,
            &self.derived,
            &self.plan.comparisons,
            &self.plan.registry,
        )
    }

    /// The keys of rules, worked out on the linker's threads.
    pub(crate) fn keys_of(&self, rules: &[Rule]) -> Vec<Keys> {
        let mut keys = Vec::with_capacity(rules.len());
        let done: Result<(), std::convert::Infallible> = crate::parallel::run_ordered(
            self.threads,
            rules.len(),
            || |rule: usize| Keys::of(&rules[rule], &self.records),
            |found| {
                keys.push(found);
                Ok(())
            },
        );
        match done {
            Ok(()) => keys,
            Err(never) => match never {},
        }
    }

    /// The settings in use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Number of records of all sources.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// The row of a record.
    pub fn row(&self, source: SourceNo, id: &str) -> Option<u32> {
        self.records.row(source, id)
    }

    /// The identifier of a row, empty for a row that is not there.
    pub fn id(&self, row: u32) -> &str {
        match self.records.check_row(row) {
            Ok(()) => self.records.ids.text(row).unwrap_or_default(),
            Err(_) => "",
        }
    }

    /// The source of a row.
    pub fn source_of(&self, row: u32) -> SourceNo {
        self.records.source_of(row)
    }

    /// The name of a source, empty for a number that is not there.
    pub fn source_name(&self, source: SourceNo) -> &str {
        let source = self.records.sources.get(usize::from(source));
        source.map_or("", |source| source.name.as_str())
    }

    /// What a row holds in a column the settings name.
    pub fn value(&self, row: u32, column: &str) -> Option<&str> {
        let column = self.records.names.iter().position(|name| name == column)?;
        self.records.check_row(row).ok()?;
        self.records.columns[column].text(row)
    }

    /// Pairs as an Arrow batch with [`Linker::schema`].
    ///
    /// # Errors
    /// The pairs are not of this linker.
    pub fn record_batch(&self, pairs: &PairBatch) -> Result<RecordBatch, LinkageError> {
        pairs::record_batch(pairs, &self.records, &self.plan.comparisons)
    }

    /// `left_source, left_id, right_source, right_id, match_weight, probability, pass, rule` and
    /// one `level_<comparison>` per comparison (-1 null, 0 nothing agrees, higher is stronger).
    pub fn schema(&self) -> Schema {
        pairs::schema(&self.plan.comparisons)
    }
}
