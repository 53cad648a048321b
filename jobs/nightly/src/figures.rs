//! What steps did, in figures. They come from the step's process, are kept with its run and shown to whoever watches
//! the night; no step reads them. A figure that a step does not compute is absent.

use std::collections::BTreeMap;

use goyong_catalog::Project;
use goyong_engine::{BuildReport, Outcome};
use goyong_intake::DeliveryOutcome;
use goyong_scheduler::{Finding, StepAccount};
use goyong_store::{TableActivity, Warehouse};
use serde::{Deserialize, Serialize};

/// Stands before the name of a source among the parts of an account; tables stand there by their own names.
pub(crate) const SOURCE_PREFIX: &str = "source/";

/// The figures of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepFigures {
    /// Figures of the whole step.
    #[serde(flatten)]
    pub total: Totals,
    /// Conditions it decided: gates of a model, tests that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateResult>,
    /// The tables it wrote or computed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, TableFigures>,
    /// The sources it took deliveries of.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourceFigures>,
}

macro_rules! figures {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<u64>,
            )*
        }

        impl $name {
            /// The names of the figures.
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// The figures there are, by name.
            fn named(&self) -> BTreeMap<String, i64> {
                [$((stringify!($field), self.$field)),*]
                    .into_iter()
                    .filter_map(|(name, figure)| Some((name.to_owned(), i64::try_from(figure?).ok()?)))
                    .collect()
            }
        }
    };
}

figures! {
    /// Figures of a whole step.
    Totals {
        /// Rows delivered, or read from stored files.
        rows_in,
        /// Rows accepted, or written to tables.
        rows_out,
        /// Bytes of the files delivered.
        bytes_in,
        /// Bytes of the data files written.
        bytes_written,
        /// Data files written.
        files_written,
        /// Partitions (or whole tables) computed.
        partitions_rebuilt,
        /// Of those, how many came out as they were.
        partitions_unchanged,
        /// Partitions left as they were.
        partitions_fresh,
        /// Tables computed.
        tables_built,
        /// Tables left as they were.
        tables_fresh,
        /// Tests and checks run.
        tests_run,
        /// Tests and checks that failed.
        tests_failed,
        /// Deliveries accepted.
        deliveries_accepted,
        /// Deliveries refused.
        deliveries_refused,
        /// Rows put into quarantine.
        rows_quarantined,
        /// Rows put into quarantine of a thousand delivered.
        rows_quarantined_per_mille,
        /// Rows refused with their delivery.
        rows_rejected,
        /// Persons the vault had not known.
        persons_new,
        /// Pairs compared.
        pairs_compared,
        /// Pairs linked.
        pairs_linked,
        /// Tables of the release.
        tables_released,
        /// Rows of the release.
        rows_released,
        /// Pages rendered.
        pages,
        /// Files of the site that changed.
        files_changed,
        /// Cells suppressed by disclosure control.
        cells_suppressed,
    }
}

figures! {
    /// Figures of one table.
    TableFigures {
        /// Rows read from stored files to compute it.
        rows_in,
        /// Rows written.
        rows_out,
        /// Rows of the table afterwards.
        rows,
        /// Bytes of the data files written.
        bytes_written,
        /// Partitions (or the whole table) computed.
        partitions_rebuilt,
        /// Of those, how many came out as they were.
        partitions_unchanged,
        /// 1 for a table that was read to compute others.
        read,
    }
}

figures! {
    /// Figures of the deliveries of one source.
    SourceFigures {
        /// Deliveries accepted.
        deliveries_accepted,
        /// Deliveries refused.
        deliveries_refused,
        /// Rows delivered.
        rows_in,
        /// Rows accepted.
        rows_out,
        /// Rows put into quarantine.
        rows_quarantined,
        /// Rows refused with their delivery.
        rows_rejected,
        /// The day the newest delivery became known, its beginning in Seoul in seconds since 1970.
        last_known_on_s,
        /// Periods that were due and have not come.
        periods_missing,
        /// Days the next period is late.
        days_late,
        /// 1 where it is overdue.
        is_overdue,
    }
}

/// A condition with what it was decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateResult {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub passed: bool,
    /// The figure and its limits, one line. Never a value of a row.
    pub detail: String,
}

fn add(figure: &mut Option<u64>, more: u64) {
    *figure = Some(figure.unwrap_or_default() + more);
}

impl StepFigures {
    /// Figures of an intake.
    pub(crate) fn of_intake(outcomes: &[DeliveryOutcome]) -> Self {
        let mut figures = Self::default();
        let total = &mut figures.total;
        // An intake that met no delivery has counted nothing, and says so.
        for figure in [
            &mut total.deliveries_accepted,
            &mut total.deliveries_refused,
            &mut total.rows_in,
            &mut total.rows_out,
            &mut total.rows_quarantined,
            &mut total.rows_rejected,
        ] {
            add(figure, 0);
        }
        for outcome in outcomes {
            let source = figures.sources.entry(outcome.source.clone()).or_default();
            let is_accepted = outcome.status.is_accepted();
            let is_refused = outcome.status == goyong_intake::DeliveryStatus::Refused;
            add(&mut source.deliveries_accepted, u64::from(is_accepted));
            add(&mut source.deliveries_refused, u64::from(is_refused));
            add(&mut total.deliveries_accepted, u64::from(is_accepted));
            add(&mut total.deliveries_refused, u64::from(is_refused));
            if !is_accepted && !is_refused {
                // A delivery known from before: its rows were counted then.
                continue;
            }
            add(&mut total.bytes_in, outcome.bytes);
            add(&mut total.persons_new, outcome.new_persons);
            add(&mut total.rows_in, outcome.rows_delivered);
            add(&mut total.rows_out, outcome.rows_accepted);
            add(&mut total.rows_quarantined, outcome.rows_quarantined);
            add(&mut total.rows_rejected, outcome.rows_rejected);
            add(&mut source.rows_in, outcome.rows_delivered);
            add(&mut source.rows_out, outcome.rows_accepted);
            add(&mut source.rows_quarantined, outcome.rows_quarantined);
            add(&mut source.rows_rejected, outcome.rows_rejected);
        }
        if let (Some(rows), Some(quarantined)) = (total.rows_in, total.rows_quarantined)
            && rows > 0
        {
            total.rows_quarantined_per_mille = Some(quarantined.saturating_mul(1000) / rows);
        }
        figures
    }

    /// Figures of a build.
    pub(crate) fn of_build(report: &BuildReport, project: &Project) -> Self {
        let mut figures = Self::default();
        let total = &mut figures.total;
        let count = |of: fn(&goyong_engine::ModelReport) -> usize| {
            Some(report.models.iter().map(|model| of(model) as u64).sum())
        };
        total.partitions_rebuilt = count(|model| model.partitions_built);
        total.partitions_unchanged = count(|model| model.partitions_unchanged);
        total.partitions_fresh = count(|model| model.partitions_fresh);
        total.tables_built = Some(report.count(&Outcome::Built) as u64);
        total.tables_fresh = Some(report.count(&Outcome::Fresh) as u64);
        let tests: usize = report.models.iter().map(|model| model.tests_run).sum();
        total.tests_run = Some((tests + report.checks_run) as u64);
        total.tests_failed = Some(report.failures().count() as u64);
        figures.gates = report
            .failures()
            .map(|failure| GateResult {
                name: format!("{} {}", failure.subject, failure.test),
                passed: false,
                detail: format!("{} rows fail", failure.failing_rows),
            })
            .collect();
        for model in &report.models {
            if model.outcome != Outcome::Built {
                continue;
            }
            let table = TableFigures {
                rows: Some(model.rows),
                partitions_rebuilt: Some(model.partitions_built as u64),
                partitions_unchanged: Some(model.partitions_unchanged as u64),
                ..TableFigures::default()
            };
            figures.tables.insert(model.table.to_string(), table);
        }
        let built = report
            .models
            .iter()
            .filter(|model| model.outcome == Outcome::Built);
        let read = built
            .filter_map(|model| project.models().get(&model.table))
            .flat_map(|model| &model.inputs);
        for table in read {
            figures.tables.entry(table.to_string()).or_default().read = Some(1);
        }
        figures
    }

    /// Begins to count what the warehouse reads and writes.
    pub(crate) fn begin(warehouse: &Warehouse) {
        warehouse.take_activity();
    }

    /// Adds what the warehouse read and wrote since the beginning; what the step computed itself stays.
    pub(crate) fn with_activity(mut self, warehouse: &Warehouse) -> Self {
        let activity = warehouse.take_activity();
        let sum = |of: fn(&TableActivity) -> u64| Some(activity.values().map(of).sum::<u64>());
        let total = &mut self.total;
        total.rows_out = total.rows_out.or(sum(|table| table.rows_written));
        total.bytes_written = sum(|table| table.bytes_written);
        total.files_written = sum(|table| table.files_written);
        let read: Option<u64> = activity.values().map(|table| table.rows_read).sum();
        total.rows_in = total.rows_in.or(read.filter(|rows| *rows > 0));
        for (table, activity) in &activity {
            let figures = self.tables.entry(table.to_string()).or_default();
            figures.rows_in = activity.rows_read.filter(|rows| *rows > 0);
            figures.rows_out = Some(activity.rows_written);
            figures.bytes_written = Some(activity.bytes_written);
        }
        self
    }
}

impl From<StepFigures> for StepAccount {
    fn from(figures: StepFigures) -> Self {
        let tables = figures.tables.iter();
        let sources = figures.sources.iter();
        let parts = tables
            .map(|(name, figures)| (name.clone(), figures.named()))
            .chain(
                sources.map(|(name, figures)| (format!("{SOURCE_PREFIX}{name}"), figures.named())),
            )
            .collect();
        Self {
            figures: figures.total.named(),
            parts,
            findings: figures
                .gates
                .into_iter()
                .map(|gate| Finding {
                    name: gate.name,
                    passed: gate.passed,
                    detail: gate.detail,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn figures_cross_the_pipe_and_keep_what_was_not_computed_absent() {
        let figures = StepFigures {
            total: Totals {
                rows_in: Some(7),
                rows_quarantined: Some(0),
                ..Totals::default()
            },
            sources: BTreeMap::from([(
                "pension".to_owned(),
                SourceFigures {
                    rows_in: Some(7),
                    ..SourceFigures::default()
                },
            )]),
            gates: vec![GateResult {
                name: "slope".to_owned(),
                passed: false,
                detail: "0.7, above 0.8 wanted".to_owned(),
            }],
            ..StepFigures::default()
        };
        let line = serde_json::to_string(&figures).unwrap();
        let read: StepFigures = serde_json::from_str(&line).unwrap();
        assert_eq!(read, figures);
        let account = StepAccount::from(read);
        let expected = BTreeMap::from([
            ("rows_in".to_owned(), 7),
            ("rows_quarantined".to_owned(), 0),
        ]);
        assert_eq!(account.figures, expected);
        assert_eq!(account.parts["source/pension"]["rows_in"], 7);
        assert_eq!(account.findings[0].name, "slope");
    }
}
