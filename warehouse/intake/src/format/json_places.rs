//! Where the values of a JSON record stand: in it, in the objects around it, in the keys to it.

use std::collections::{BTreeSet, HashSet};

use super::json_stream::{array_elements, entries, object_entries};
use crate::plan::{ColumnPlan, Plan};
use crate::rows::Cell;

/// Where a value may stand.
enum Place {
    /// Keys that lead to it, from the record.
    Field(Vec<String>),
    /// Objects above the record, and keys from there.
    Above(usize, Vec<String>),
    /// The record itself.
    Whole,
    /// The key or position that a `*` of the record path stands for.
    Key(usize),
}

impl Place {
    fn of(from: &str) -> Self {
        let keys = |path: &str| path.split('/').map(str::to_owned).collect();
        if from == "." {
            return Self::Whole;
        }
        if let Some(Ok(number)) = from.strip_prefix("$key").map(str::parse::<usize>) {
            return Self::Key(number.saturating_sub(1));
        }
        let mut rest = from;
        let mut level = 0;
        while let Some(above) = rest.strip_prefix("../") {
            rest = above;
            level += 1;
        }
        match level {
            0 => Self::Field(keys(rest)),
            level => Self::Above(level, keys(rest)),
        }
    }
}

/// The places of every column, aliases in their order.
pub(super) struct Places {
    columns: Vec<Vec<Place>>,
    /// How many objects above the record the highest value stands.
    pub highest: usize,
}

impl Places {
    pub fn of(plan: &Plan) -> Self {
        let places = |column: &ColumnPlan| -> Vec<Place> {
            column.from.iter().map(|from| Place::of(from)).collect()
        };
        let columns: Vec<Vec<Place>> = plan.columns.iter().map(places).collect();
        let highest = columns
            .iter()
            .flatten()
            .map(|place| match place {
                Place::Above(level, _) => *level,
                _ => 0,
            })
            .max()
            .unwrap_or(0);
        Self { columns, highest }
    }

    /// Columns that take the field at a path of the record.
    fn taking(&self, path: &[String]) -> impl Iterator<Item = usize> {
        self.columns
            .iter()
            .enumerate()
            .filter(move |(_, places)| {
                places
                    .iter()
                    .any(|place| matches!(place, Place::Field(keys) if keys == path))
            })
            .map(|(column, _)| column)
    }

    fn leads_on(&self, path: &[String]) -> bool {
        self.columns.iter().flatten().any(|place| {
            matches!(place, Place::Field(keys) if keys.len() > path.len() && keys.starts_with(path))
        })
    }

    /// Column of a field at the top of the records.
    pub fn column_of(&self, field: &str) -> impl Iterator<Item = usize> {
        let path = [field.to_owned()];
        let columns: Vec<usize> = self.taking(&path).collect();
        columns.into_iter()
    }
}

/// Steps from an object above the records to them: the record path is cut behind the object that
/// holds the last named step, as often as columns reach up.
pub(super) fn split_record_path(record: &[String], levels: usize) -> (&[String], &[String]) {
    let mut cut = record.len();
    for _ in 0..levels {
        while cut > 0 && record[cut - 1] == "*" {
            cut -= 1;
        }
        cut = cut.saturating_sub(1);
    }
    record.split_at(cut)
}

/// A record with what leads to it.
pub(super) struct Found<'a> {
    pub raw: &'a [u8],
    /// Objects passed on the way, the nearest last.
    pub above: Vec<&'a [u8]>,
    /// What each `*` stood for.
    pub keys: Vec<String>,
}

/// Finds the records below a value; what is not there holds none.
pub(super) fn find_records<'a>(
    raw: &'a [u8],
    steps: &[String],
    above: &mut Vec<&'a [u8]>,
    keys: &mut Vec<String>,
    visit: &mut dyn FnMut(Found<'a>) -> Result<(), crate::error::IntakeError>,
) -> Result<(), crate::error::IntakeError> {
    let Some((step, rest)) = steps.split_first() else {
        let mut found = |raw| {
            visit(Found {
                raw,
                above: above.clone(),
                keys: keys.clone(),
            })
        };
        return match raw.first() {
            Some(b'[') => match array_elements(raw) {
                Some(elements) => elements.into_iter().try_for_each(found),
                None => found(raw),
            },
            _ if raw == b"null" || raw == b"\"\"" => Ok(()),
            _ => found(raw),
        };
    };
    let is_object = raw.first() == Some(&b'{');
    let Some(entries) = entries(raw) else {
        return Ok(());
    };
    if is_object {
        above.push(raw);
    }
    for (key, value) in entries {
        if step == "*" {
            keys.push(key);
            find_records(value, rest, above, keys, visit)?;
            keys.pop();
        } else if is_object && key == *step {
            find_records(value, rest, above, keys, visit)?;
        }
    }
    if is_object {
        above.pop();
    }
    Ok(())
}

/// Values of the objects around records; those of an object are looked up once for all records in
/// it, however many there are.
#[derive(Default)]
pub(super) struct AboveValues {
    known: Vec<(usize, usize, Vec<Option<Value>>)>,
}

impl AboveValues {
    /// Forgets everything: the bytes of other objects may stand in the same place.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Makes the values of the objects around a record known.
    fn learn(&mut self, places: &Places, above: &[&[u8]]) {
        self.known.truncate(above.len());
        for (depth, raw) in above.iter().enumerate() {
            let (at, length) = (raw.as_ptr() as usize, raw.len());
            let is_known = self
                .known
                .get(depth)
                .is_some_and(|known| (known.0, known.1) == (at, length));
            if is_known {
                continue;
            }
            self.known.truncate(depth);
            let level = above.len() - depth;
            let values = places
                .columns
                .iter()
                .map(|places| {
                    places.iter().find_map(|place| match place {
                        Place::Above(wanted, path) if *wanted == level => look_up(raw, path),
                        _ => None,
                    })
                })
                .collect();
            self.known.push((at, length, values));
        }
    }

    fn value(&self, column: usize) -> Option<&Value> {
        self.known
            .iter()
            .rev()
            .find_map(|(_, _, values)| values[column].as_ref())
    }
}

fn look_up(raw: &[u8], path: &[String]) -> Option<Value> {
    let Some((key, rest)) = path.split_first() else {
        return Value::of(raw);
    };
    let (_, value) = entries(raw)?.into_iter().find(|(name, _)| name == key)?;
    look_up(value, rest)
}

/// A value as bytes to read, or the rule it breaks.
#[derive(Clone)]
pub(super) enum Value {
    Text(Vec<u8>),
    Broken(&'static str, Vec<u8>),
}

impl Value {
    /// `None` for null.
    fn of(raw: &[u8]) -> Option<Self> {
        match raw.first() {
            Some(b'"') => Some(match serde_json::from_slice::<String>(raw) {
                Ok(text) => Self::Text(text.into_bytes()),
                Err(_) => Self::Broken("encoding", raw.to_vec()),
            }),
            Some(b'n') => None,
            Some(b'{' | b'[') => Some(Self::Broken("nested", raw.to_vec())),
            _ => Some(Self::Text(raw.to_vec())),
        }
    }
}

/// The values of one record, by column.
pub(super) struct Fields {
    values: Vec<Option<Value>>,
}

impl Fields {
    /// A record without values.
    pub fn empty(columns: usize) -> Self {
        Self {
            values: vec![None; columns],
        }
    }

    /// Reads a record; an error is the rule it breaks as a whole.
    pub fn parse(
        found: &Found<'_>,
        places: &Places,
        above: &mut AboveValues,
        known: &mut BTreeSet<usize>,
        unknown: &mut BTreeSet<String>,
    ) -> Result<Self, &'static str> {
        let mut fields = Self::empty(places.columns.len());
        let is_whole = places
            .columns
            .iter()
            .flatten()
            .any(|place| matches!(place, Place::Whole));
        if !is_whole || found.raw.first() == Some(&b'{') {
            fields.read_object(found.raw, &mut Vec::new(), places, known, unknown)?;
        }
        above.learn(places, &found.above);
        for (column, places) in places.columns.iter().enumerate() {
            if fields.values[column].is_some() {
                continue;
            }
            fields.values[column] = places.iter().find_map(|place| match place {
                Place::Field(_) => None,
                Place::Above(..) => above.value(column).cloned(),
                Place::Whole => {
                    known.insert(column);
                    Value::of(found.raw)
                }
                Place::Key(number) => found
                    .keys
                    .get(*number)
                    .map(|key| Value::Text(key.clone().into_bytes())),
            });
        }
        Ok(fields)
    }

    fn read_object(
        &mut self,
        raw: &[u8],
        prefix: &mut Vec<String>,
        places: &Places,
        known: &mut BTreeSet<usize>,
        unknown: &mut BTreeSet<String>,
    ) -> Result<(), &'static str> {
        let is_object = raw.first() == Some(&b'{') || prefix.is_empty();
        let entries = match is_object {
            true => object_entries(raw).ok_or("json")?,
            false => entries(raw).ok_or("json")?,
        };
        let mut keys = HashSet::new();
        for (key, value) in &entries {
            if is_object && !keys.insert(key.as_str()) {
                return Err("repeated_field");
            }
            prefix.push(key.clone());
            let mut is_known = false;
            for column in places.taking(prefix) {
                is_known = true;
                known.insert(column);
                self.set(column, value);
            }
            let leads_on = places.leads_on(prefix);
            if !is_known && leads_on && value.starts_with(b"{")
                || leads_on && value.starts_with(b"[")
            {
                self.read_object(value, prefix, places, known, unknown)?;
            } else if !is_known && is_object && unknown.len() < 64 {
                unknown.insert(prefix.join("/"));
            }
            prefix.pop();
        }
        Ok(())
    }

    /// Stores the value of a column that has none yet.
    pub fn set(&mut self, column: usize, raw: &[u8]) {
        if self.values[column].is_none() {
            self.values[column] = Value::of(raw);
        }
    }

    pub fn cell(&self, column: usize) -> Cell<'_> {
        match &self.values[column] {
            None => Cell::Missing,
            Some(Value::Text(raw)) => Cell::Raw(raw),
            Some(Value::Broken(rule, raw)) => Cell::Broken(rule, raw),
        }
    }
}
