//! What a spell function does, and which columns come out of it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use serde::{Deserialize, Serialize};

/// Name, arguments and meaning of every function, for the documentation and for suggestions.
pub(crate) const FUNCTIONS: [(&str, &str, &str); 6] = [
    (
        "spell_gaps",
        "spell_gaps(table, key, start, end [, next_within_days => n | next_within_months => n])",
        "every row with the gap before it, the days covered so far and the start of the next spell",
    ),
    (
        "spell_merge",
        "spell_merge(table, key, start, end [, join_gap_days => 0])",
        "one row for each stretch of overlapping or adjacent spells",
    ),
    (
        "spell_depth",
        "spell_depth(table, key, start, end)",
        "one row for each longest stretch with the same number of concurrent spells",
    ),
    (
        "spell_episodes",
        "spell_episodes(table, key, start, end [, continues => column])",
        "every row once for each stretch in which the set of concurrent spells stays the same",
    ),
    (
        "spell_join",
        "spell_join(left, right, key, left_start, left_end, right_start, right_end [, kind => 'inner' | 'left'])",
        "pairs of rows of one key whose intervals overlap, with the days they share",
    ),
    (
        "spell_at",
        "spell_at(points, spells, key, point, start, end [, kind => 'inner' | 'left'])",
        "rows of one key whose day lies inside an interval",
    ),
];

/// A function with its options. Travels to executors as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub operation: Operation,
    pub end_is: EndIs,
    pub invalid: Invalid,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Operation {
    Gaps { label: Option<Within> },
    Merge { join_gap_days: i32 },
    Depth,
    Episodes,
    Join { kind: JoinKind, point: bool },
}

/// How soon after the end of a spell the next one has to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Within {
    Days(i32),
    Months(i32),
}

/// Whether the end date is the last day of the interval or the day after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum EndIs {
    Inclusive,
    Exclusive,
}

/// What happens to rows without a start or with an end before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Invalid {
    Error,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum JoinKind {
    Inner,
    Left,
}

/// Positions of the columns of one input. A point has the same column as start and end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Positions {
    pub key: Vec<usize>,
    pub start: usize,
    pub end: usize,
    /// Rows of the same value here that follow each other without a gap go on as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<usize>,
}

impl Positions {
    /// Every column the operator looks at.
    pub fn all(&self) -> impl Iterator<Item = usize> + '_ {
        let key = self.key.iter().copied();
        key.chain([self.start, self.end]).chain(self.continues)
    }
}

/// Where the values of an output column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The values of a column of an input, unchanged; rows may be left out or repeated.
    Column { input: usize, column: usize },
    /// Computed from these columns of inputs; which rows are looked at depends on the key.
    Computed { from: Vec<(usize, usize)> },
}

/// A column of the result.
#[derive(Debug, Clone)]
pub(crate) struct OutputColumn {
    pub field: FieldRef,
    pub origin: Origin,
}

impl Settings {
    /// The name in SQL.
    pub fn name(&self) -> &'static str {
        match self.operation {
            Operation::Gaps { .. } => "spell_gaps",
            Operation::Merge { .. } => "spell_merge",
            Operation::Depth => "spell_depth",
            Operation::Episodes => "spell_episodes",
            Operation::Join { point: false, .. } => "spell_join",
            Operation::Join { point: true, .. } => "spell_at",
        }
    }

    /// The columns of the result, in order. Key and dates have been checked.
    pub fn output(
        &self,
        inputs: &[&[FieldRef]],
        positions: &[Positions],
    ) -> Result<Vec<OutputColumn>> {
        let first = &positions[0];
        let dates = |input: usize, at: &Positions| vec![(input, at.start), (input, at.end)];
        let computed = |name: &str, data_type: DataType, from: Vec<(usize, usize)>| OutputColumn {
            field: Arc::new(Field::new(name, data_type, true)),
            origin: Origin::Computed { from },
        };
        let taken = |input: usize, column: usize, nullable: bool| OutputColumn {
            field: nullable_as(&inputs[input][column], nullable),
            origin: Origin::Column { input, column },
        };
        let whole = |input: usize| {
            inputs[input]
                .iter()
                .enumerate()
                .map(move |(column, field)| (column, field.is_nullable()))
        };
        let mut columns = Vec::new();
        match &self.operation {
            Operation::Gaps { label } => {
                columns.extend(whole(0).map(|(column, nullable)| taken(0, column, nullable)));
                columns.push(computed("spell_no", DataType::Int64, dates(0, first)));
                columns.push(computed("previous_end", DataType::Date32, dates(0, first)));
                columns.push(computed("gap_days", DataType::Int32, dates(0, first)));
                columns.push(computed("tenure_days", DataType::Int32, dates(0, first)));
                columns.push(computed(
                    "next_start",
                    DataType::Date32,
                    vec![(0, first.start)],
                ));
                if label.is_some() {
                    columns.push(computed("next_within", DataType::Boolean, dates(0, first)));
                }
            }
            Operation::Merge { .. } => {
                self.keys_and_dates(&mut columns, inputs, first);
                columns.push(computed("spells", DataType::Int64, dates(0, first)));
            }
            Operation::Depth => {
                self.keys_and_dates(&mut columns, inputs, first);
                columns.push(computed("depth", DataType::Int64, dates(0, first)));
            }
            Operation::Episodes => {
                columns.extend(whole(0).map(|(column, nullable)| taken(0, column, nullable)));
                let mut cuts = dates(0, first);
                cuts.extend(first.continues.map(|column| (0, column)));
                columns.push(computed("episode_no", DataType::Int64, cuts.clone()));
                columns.push(computed("episode_start", DataType::Date32, cuts.clone()));
                columns.push(computed("episode_end", DataType::Date32, cuts.clone()));
                columns.push(computed("concurrent", DataType::Int64, cuts));
            }
            Operation::Join { kind, point } => {
                let second = &positions[1];
                let padded = *kind == JoinKind::Left;
                columns.extend(whole(0).map(|(column, nullable)| taken(0, column, nullable)));
                columns.extend(
                    whole(1)
                        .filter(|(column, _)| !second.key.contains(column))
                        .map(|(column, nullable)| taken(1, column, nullable || padded)),
                );
                if !point {
                    let both = [dates(0, first), dates(1, second)].concat();
                    columns.push(computed("overlap_start", DataType::Date32, both.clone()));
                    columns.push(computed("overlap_end", DataType::Date32, both.clone()));
                    columns.push(computed("overlap_days", DataType::Int32, both));
                }
            }
        }
        self.refuse_repeated_names(&columns)?;
        Ok(columns)
    }

    fn keys_and_dates(
        &self,
        columns: &mut Vec<OutputColumn>,
        inputs: &[&[FieldRef]],
        at: &Positions,
    ) {
        for &column in &at.key {
            columns.push(OutputColumn {
                field: Arc::clone(&inputs[0][column]),
                origin: Origin::Column { input: 0, column },
            });
        }
        for column in [at.start, at.end] {
            columns.push(OutputColumn {
                field: nullable_as(&inputs[0][column], true),
                origin: Origin::Computed {
                    from: vec![(0, at.start), (0, at.end)],
                },
            });
        }
    }

    /// Columns of a single input keep their qualifiers, so only what is added or joined can clash.
    fn refuse_repeated_names(&self, columns: &[OutputColumn]) -> Result<()> {
        let is_join = matches!(self.operation, Operation::Join { .. });
        for (position, column) in columns.iter().enumerate() {
            let from_input = matches!(column.origin, Origin::Column { .. });
            if from_input && !is_join {
                continue;
            }
            let name = column.field.name();
            if columns[..position]
                .iter()
                .any(|earlier| earlier.field.name() == name)
            {
                let advice = if from_input {
                    "is in both tables: rename it in a subquery, `(select …, name as other_name from …)`"
                } else {
                    "is a column of the result already: rename it in a subquery"
                };
                return plan_err!("{}: `{name}` {advice}", self.name());
            }
        }
        Ok(())
    }
}

fn nullable_as(field: &FieldRef, nullable: bool) -> FieldRef {
    if field.is_nullable() == nullable {
        return Arc::clone(field);
    }
    Arc::new(field.as_ref().clone().with_nullable(nullable))
}
