//! Comparisons as compiled from the settings: conditions on numbered columns.

use crate::error::LinkageError;
use crate::settings::{ComparisonSettings, LevelSettings, Settings, When};

/// A packed vector of levels holds this many comparisons, four bits each.
pub(crate) const MOST_COMPARISONS: usize = 16;
/// Levels of a comparison, "nothing agrees" included.
const MOST_LEVELS: usize = 15;
/// The level of a comparison that is null, in packed vectors.
pub(crate) const NULL_LEVEL: u8 = 15;

/// One comparison.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) name: String,
    /// Null if one of these holds.
    pub(crate) nulls: Vec<Condition>,
    /// Strongest first; "nothing agrees" has the number after the last.
    pub(crate) levels: Vec<Level>,
    pub(crate) term_frequency: Option<TermColumn>,
    /// All columns that are looked at.
    pub(crate) columns: Vec<usize>,
    /// Cheap comparisons are made first.
    pub(crate) cost: u32,
}

/// Whose frequencies adjust the weight.
#[derive(Debug)]
pub(crate) struct TermColumn {
    pub(crate) column: usize,
    pub(crate) minimum_u: f64,
}

/// One level.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) label: String,
    pub(crate) condition: Condition,
    /// How strongly the term frequency adjusts.
    pub(crate) term_weight: f64,
}

/// A condition on a pair of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Exact(usize),
    JaroWinkler {
        slot: usize,
        at_least: f64,
    },
    Jaro {
        slot: usize,
        at_least: f64,
    },
    Levenshtein {
        slot: usize,
        at_most: u32,
    },
    DamerauLevenshtein {
        slot: usize,
        at_most: u32,
    },
    DateWithin {
        column: usize,
        days: f64,
    },
    NumberWithin {
        column: usize,
        difference: f64,
        ratio: f64,
    },
    Overlap {
        set: usize,
        at_least: f64,
    },
    Prefix {
        column: usize,
        length: usize,
    },
    OneIsPrefix {
        column: usize,
        length: usize,
    },
    Reversed {
        column: usize,
        other: usize,
    },
    Null(usize),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// A column whose texts are compared letter by letter.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) column: usize,
    /// The least Jaro or Jaro–Winkler similarity that any level asks for.
    pub(crate) least_jaro: f64,
}

/// What the texts of a column are cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Words,
    Qgrams(usize),
}

/// Numbers columns, slots and sets while settings are compiled.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) columns: Vec<String>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) sets: Vec<(usize, Cut)>,
    pub(crate) dates: Vec<usize>,
    pub(crate) numbers: Vec<usize>,
    pub(crate) starts: Vec<usize>,
}

impl Registry {
    pub(crate) fn column(&mut self, name: &str) -> usize {
        position_or_push(&mut self.columns, |held| held == name, || name.to_owned())
    }

    fn slot(&mut self, column: usize, least_jaro: Option<f64>) -> usize {
        let slot = position_or_push(
            &mut self.slots,
            |slot| slot.column == column,
            || Slot {
                column,
                least_jaro: 1.0,
            },
        );
        if let Some(least) = least_jaro {
            self.slots[slot].least_jaro = self.slots[slot].least_jaro.min(least);
        }
        slot
    }

    fn starts(&mut self, column: usize) {
        position_or_push(&mut self.starts, |held| *held == column, || column);
    }

    fn set(&mut self, column: usize, cut: Cut) -> usize {
        position_or_push(
            &mut self.sets,
            |held| *held == (column, cut),
            || (column, cut),
        )
    }
}

fn position_or_push<T>(
    items: &mut Vec<T>,
    is_it: impl Fn(&T) -> bool,
    make: impl FnOnce() -> T,
) -> usize {
    items.iter().position(is_it).unwrap_or_else(|| {
        items.push(make());
        items.len() - 1
    })
}

/// Compiles all comparisons of the settings.
pub(crate) fn compile(
    settings: &Settings,
    registry: &mut Registry,
) -> Result<Vec<Comparison>, LinkageError> {
    if settings.comparisons.is_empty() || settings.comparisons.len() > MOST_COMPARISONS {
        return Err(LinkageError::settings(
            "comparisons",
            format!("write 1 to {MOST_COMPARISONS} of them"),
        ));
    }
    settings
        .comparisons
        .iter()
        .map(|comparison| compile_one(comparison, registry))
        .collect()
}

fn compile_one(
    settings: &ComparisonSettings,
    registry: &mut Registry,
) -> Result<Comparison, LinkageError> {
    let place = format!("comparison {}", settings.name);
    let mut compiler = Compiler {
        registry,
        default_column: settings.column.as_deref(),
        columns: Vec::new(),
        cost: 0,
    };
    let mut nulls = Vec::new();
    if let Some(column) = &settings.column {
        let column = compiler.note(column);
        nulls.push(Condition::Null(column));
    }
    let states_weights = settings.levels.iter().any(|l| l.term_frequency.is_some());
    let mut levels = Vec::new();
    for (number, level) in settings.levels.iter().enumerate() {
        let place = format!("{place}, level {}", number + 1);
        let condition = compiler.condition(level, &place)?;
        if level.when == When::Null {
            nulls.push(condition);
            continue;
        }
        let by_default = match condition {
            Condition::Exact(_) if !states_weights => 1.0,
            _ => 0.0,
        };
        levels.push(Level {
            label: match &level.label {
                Some(label) => label.clone(),
                None => describe(level, settings.column.as_deref()),
            },
            condition,
            term_weight: match settings.term_frequency {
                Some(_) => level.term_frequency.unwrap_or(by_default),
                None => 0.0,
            },
        });
    }
    if levels.is_empty() || levels.len() >= MOST_LEVELS {
        return Err(LinkageError::settings(
            place,
            format!("write 1 to {} levels", MOST_LEVELS - 1),
        ));
    }
    let term_frequency = match &settings.term_frequency {
        None => None,
        Some(term) => {
            let Some(name) = term.column.as_deref().or(settings.column.as_deref()) else {
                return Err(LinkageError::settings(
                    place,
                    "term_frequency needs a column, here or at the comparison",
                ));
            };
            Some(TermColumn {
                column: compiler.note(name),
                minimum_u: term.minimum_u.max(0.0),
            })
        }
    };
    let (columns, cost) = (compiler.columns, compiler.cost);
    Ok(Comparison {
        name: settings.name.clone(),
        nulls,
        levels,
        term_frequency,
        columns,
        cost,
    })
}

struct Compiler<'a> {
    registry: &'a mut Registry,
    default_column: Option<&'a str>,
    columns: Vec<usize>,
    cost: u32,
}

impl Compiler<'_> {
    fn note(&mut self, name: &str) -> usize {
        let column = self.registry.column(name);
        if !self.columns.contains(&column) {
            self.columns.push(column);
        }
        column
    }

    fn condition(&mut self, level: &LevelSettings, place: &str) -> Result<Condition, LinkageError> {
        let lacks = |what: &str| LinkageError::settings(place, format!("needs {what}"));
        if matches!(level.when, When::All | When::Any) {
            if level.of.is_empty() {
                return Err(lacks("'of' with at least one condition"));
            }
            let parts: Vec<Condition> = level
                .of
                .iter()
                .map(|part| self.condition(part, place))
                .collect::<Result<_, _>>()?;
            return Ok(match level.when {
                When::All => Condition::All(parts),
                _ => Condition::Any(parts),
            });
        }
        let Some(name) = level.column.as_deref().or(self.default_column) else {
            return Err(lacks("'column', here or at the comparison"));
        };
        let column = self.note(name);
        let share = || match level.at_least {
            Some(value) if (0.0..=1.0).contains(&value) => Ok(value),
            _ => Err(lacks("'at_least' from 0 to 1")),
        };
        let at_most = || level.at_most.ok_or_else(|| lacks("'at_most'"));
        let length = || match level.length {
            Some(length) if length > 0 => Ok(length as usize),
            _ => Err(lacks("'length' above 0")),
        };
        let (cost, condition) = match level.when {
            When::Exact => (1, Condition::Exact(column)),
            When::Null => (1, Condition::Null(column)),
            When::JaroWinkler => {
                let at_least = share()?;
                // Winkler's boost adds at most four tenths of what is missing, above 0.7 only
                let least = ((at_least - 0.4) / 0.6).max(at_least.min(0.7));
                let slot = self.registry.slot(column, Some(least));
                (20, Condition::JaroWinkler { slot, at_least })
            }
            When::Jaro => {
                let at_least = share()?;
                let slot = self.registry.slot(column, Some(at_least));
                (20, Condition::Jaro { slot, at_least })
            }
            When::Levenshtein => {
                let (slot, at_most) = (self.registry.slot(column, None), at_most()?);
                (20, Condition::Levenshtein { slot, at_most })
            }
            When::DamerauLevenshtein => {
                let (slot, at_most) = (self.registry.slot(column, None), at_most()?);
                (30, Condition::DamerauLevenshtein { slot, at_most })
            }
            When::DateWithin => {
                let days = match (level.days, level.months, level.years) {
                    (Some(days), None, None) => days,
                    (None, Some(months), None) => months * 365.25 / 12.0,
                    (None, None, Some(years)) => years * 365.25,
                    _ => return Err(lacks("one of 'days', 'months', 'years'")),
                };
                position_or_push(&mut self.registry.dates, |held| *held == column, || column);
                (2, Condition::DateWithin { column, days })
            }
            When::NumberWithin => {
                if level.difference.is_some() == level.ratio.is_some() {
                    return Err(lacks("one of 'difference', 'ratio'"));
                }
                position_or_push(
                    &mut self.registry.numbers,
                    |held| *held == column,
                    || column,
                );
                let condition = Condition::NumberWithin {
                    column,
                    difference: level.difference.unwrap_or(-1.0),
                    ratio: level.ratio.unwrap_or(-1.0),
                };
                (2, condition)
            }
            When::TokenOverlap => {
                let (set, at_least) = (self.registry.set(column, Cut::Words), share()?);
                (15, Condition::Overlap { set, at_least })
            }
            When::QgramOverlap => {
                let cut = Cut::Qgrams(length()?);
                let (set, at_least) = (self.registry.set(column, cut), share()?);
                (25, Condition::Overlap { set, at_least })
            }
            When::Prefix => {
                let length = length()?;
                self.registry.starts(column);
                (3, Condition::Prefix { column, length })
            }
            When::OneIsPrefix => {
                let length = length()?;
                self.registry.starts(column);
                (3, Condition::OneIsPrefix { column, length })
            }
            When::Reversed => {
                let Some(other) = &level.other else {
                    return Err(lacks("'other', the column that may have changed places"));
                };
                let other = self.note(other);
                (5, Condition::Reversed { column, other })
            }
            When::All | When::Any => return Err(lacks("'of'")),
        };
        self.cost += cost;
        Ok(condition)
    }
}

/// A level in words.
fn describe(level: &LevelSettings, default_column: Option<&str>) -> String {
    let column = level.column.as_deref().or(default_column).unwrap_or("");
    let join = |word: &str| {
        let parts: Vec<String> = level
            .of
            .iter()
            .map(|l| describe(l, default_column))
            .collect();
        parts.join(word)
    };
    let share = level.at_least.unwrap_or_default();
    let most = level.at_most.unwrap_or_default();
    let length = level.length.unwrap_or_default();
    match level.when {
        When::Exact => format!("{column} equal"),
        When::JaroWinkler => format!("Jaro–Winkler of {column} ≥ {share}"),
        When::Jaro => format!("Jaro of {column} ≥ {share}"),
        When::Levenshtein => format!("Levenshtein of {column} ≤ {most}"),
        When::DamerauLevenshtein => format!("Damerau–Levenshtein of {column} ≤ {most}"),
        When::DateWithin => match (level.days, level.months, level.years) {
            (Some(days), ..) => format!("{column} within {days} days"),
            (_, Some(months), _) => format!("{column} within {months} months"),
            (.., years) => format!("{column} within {} years", years.unwrap_or_default()),
        },
        When::NumberWithin => match level.difference {
            Some(difference) => format!("{column} within {difference}"),
            None => format!(
                "{column} within {} %",
                100.0 * level.ratio.unwrap_or_default()
            ),
        },
        When::TokenOverlap => format!("word overlap of {column} ≥ {share}"),
        When::QgramOverlap => format!("{length}-gram overlap of {column} ≥ {share}"),
        When::Prefix => format!("first {length} of {column} equal"),
        When::OneIsPrefix => format!("one {column} begins the other, {length} or more"),
        When::Reversed => format!(
            "{column} and {} swapped",
            level.other.as_deref().unwrap_or("")
        ),
        When::Null => format!("{column} missing"),
        When::All => join(" and "),
        When::Any => join(" or "),
    }
}
