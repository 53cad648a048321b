//! Samples with nested records: XML and JSON. The record is what repeats most.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

use super::profile::Profile;
use super::sample::{Kind, Sample};
use super::{Layout, ROWS, Seen, unreadable};
use crate::error::IntakeError;

/// Deepest nesting that is followed.
const DEPTH: usize = 32;
/// Most fields of a record.
const FIELDS: usize = 2000;

/// The fields of records in the order in which they were first seen.
#[derive(Default)]
struct Fields {
    positions: BTreeMap<String, usize>,
    columns: Vec<(String, Profile)>,
    records: u64,
}

impl Fields {
    fn add(&mut self, path: &str, text: &str) {
        let position = match self.positions.get(path) {
            Some(position) => *position,
            None if self.columns.len() >= FIELDS => return,
            None => {
                let position = self.columns.len();
                self.positions.insert(path.to_owned(), position);
                self.columns.push((path.to_owned(), Profile::new()));
                position
            }
        };
        self.columns[position].1.add(text);
    }

    /// Counts the record's absent fields as missing.
    fn end_record(&mut self) {
        self.records += 1;
        for (_, profile) in &mut self.columns {
            while profile.rows < self.records {
                profile.add_missing();
            }
        }
    }

    fn into_layout(self, options: Vec<(String, String, String)>, notes: Vec<String>) -> Layout {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (from, mut profile) in self.columns {
            // A field first seen late was missing before.
            while profile.rows < self.records {
                profile.add_missing();
            }
            columns.push(Seen {
                from,
                at: None,
                profile,
            });
        }
        Layout {
            options,
            columns,
            rows: self.records,
            odd_rows: 0,
            notes,
        }
    }
}

/// Reads events until the text ends or breaks off; a sample of a long file always does.
fn walk_xml(text: &str, visit: &mut dyn FnMut(XmlStep<'_>) -> bool) {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut content = String::new();
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) => return,
        };
        let (start, is_empty) = match event {
            Event::Eof => return,
            Event::Text(part) => {
                content.push_str(&part.into_inner());
                continue;
            }
            Event::CData(part) => {
                content.push_str(&part.into_inner());
                continue;
            }
            Event::End(_) => {
                if !visit(XmlStep::Close(&path, &content)) {
                    return;
                }
                content.clear();
                path.pop();
                continue;
            }
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            _ => continue,
        };
        if path.len() >= DEPTH {
            return;
        }
        let name = start.name();
        let name: &[u8] = name.as_ref().as_ref();
        path.push(String::from_utf8_lossy(name).into_owned());
        content.clear();
        let mut attributes = Vec::new();
        for attribute in start.attributes().flatten() {
            let key: &[u8] = attribute.key.as_ref().as_ref();
            let Ok(value) = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0) else {
                continue;
            };
            attributes.push((
                String::from_utf8_lossy(key).into_owned(),
                value.into_owned(),
            ));
        }
        if !visit(XmlStep::Open(&path, &attributes)) {
            return;
        }
        if is_empty {
            if !visit(XmlStep::Close(&path, "")) {
                return;
            }
            path.pop();
        }
    }
}

enum XmlStep<'a> {
    Open(&'a [String], &'a [(String, String)]),
    Close(&'a [String], &'a str),
}

pub(super) fn xml(sample: &Sample) -> Result<Layout, IntakeError> {
    // How often each path occurs, and whether it holds something.
    let mut seen: BTreeMap<Vec<String>, (u64, bool)> = BTreeMap::new();
    walk_xml(&sample.text, &mut |step| {
        if let XmlStep::Open(path, attributes) = step {
            let entry = seen.entry(path.to_vec()).or_default();
            entry.0 += 1;
            entry.1 |= !attributes.is_empty();
            if let Some((_, parent)) = path.split_last()
                && let Some(entry) = seen.get_mut(parent)
            {
                entry.1 = true;
            }
        }
        true
    });
    let record = seen
        .iter()
        .filter(|(path, (_, holds))| *holds && path.len() > 1)
        .max_by_key(|(path, (count, _))| (*count, std::cmp::Reverse(path.len())))
        .map(|(path, _)| path.clone())
        .ok_or_else(|| unreadable("no element of it holds fields".to_owned()))?;
    let mut fields = Fields::default();
    walk_xml(&sample.text, &mut |step| {
        match step {
            XmlStep::Open(path, attributes) if path.starts_with(&record) => {
                for (name, value) in attributes {
                    let mut relative = path[record.len()..].to_vec();
                    relative.push(format!("@{name}"));
                    fields.add(&relative.join("/"), value);
                }
            }
            XmlStep::Close(path, text) if path.starts_with(&record) => {
                if path.len() == record.len() {
                    fields.end_record();
                } else if !holds_fields(&seen, path) {
                    fields.add(&path[record.len()..].join("/"), text);
                }
            }
            _ => {}
        }
        (fields.records as usize) < ROWS
    });
    let options = vec![
        ("kind".to_owned(), "xml".to_owned(), String::new()),
        (
            "record".to_owned(),
            quoted_path(&record),
            format!(
                "the element that repeats most, {} in the sample",
                fields.records
            ),
        ),
    ];
    let notes = repeated(&fields);
    Ok(fields.into_layout(options, notes))
}

fn holds_fields(seen: &BTreeMap<Vec<String>, (u64, bool)>, path: &[String]) -> bool {
    seen.keys()
        .any(|other| other.len() == path.len() + 1 && other.starts_with(path))
}

fn repeated(fields: &Fields) -> Vec<String> {
    let count = fields
        .columns
        .iter()
        .filter(|(_, profile)| profile.rows > fields.records)
        .count();
    if count == 0 {
        return Vec::new();
    }
    vec![format!(
        "{count} fields stand more than once in a record: such a list needs a child table"
    )]
}

pub(super) fn json(sample: &Sample) -> Result<Layout, IntakeError> {
    let mut fields = Fields::default();
    let mut lists = 0;
    let mut options = vec![("kind".to_owned(), "json".to_owned(), String::new())];
    if sample.kind == Kind::JsonLines {
        options.push((
            "lines".to_owned(),
            "true".to_owned(),
            "each line is an object".to_owned(),
        ));
        for text in std::iter::once(&sample.text).chain(&sample.pieces) {
            for line in text.lines().take(ROWS) {
                if let Ok(value) = serde_json::from_str::<Value>(line) {
                    add_object(&mut fields, &value, "", 0, &mut lists);
                    fields.end_record();
                }
            }
        }
    } else {
        let value = match serde_json::from_str::<Value>(&sample.text) {
            Ok(value) => value,
            Err(_) => closed(&sample.text)
                .ok_or_else(|| unreadable("it is no JSON document that can be read".to_owned()))?,
        };
        let (path, records) = longest_list(&value, &mut Vec::new(), 0)
            .ok_or_else(|| unreadable("no list of objects stands in it".to_owned()))?;
        if !path.is_empty() {
            options.push((
                "record".to_owned(),
                quoted_path(&path),
                format!(
                    "the longest list of objects, {} in the sample",
                    records.len()
                ),
            ));
        }
        for record in records.iter().take(ROWS) {
            add_object(&mut fields, record, "", 0, &mut lists);
            fields.end_record();
        }
    }
    let mut notes = repeated(&fields);
    if lists > 0 {
        notes.push(format!(
            "{lists} lists inside records are left out: such a list needs a child table"
        ));
    }
    Ok(fields.into_layout(options, notes))
}

fn add_object(fields: &mut Fields, value: &Value, path: &str, depth: usize, lists: &mut u64) {
    let Value::Object(object) = value else {
        return;
    };
    for (key, value) in object {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}/{key}")
        };
        match value {
            Value::Object(_) if depth < DEPTH => add_object(fields, value, &path, depth + 1, lists),
            Value::Object(_) | Value::Array(_) => *lists += 1,
            Value::Null => fields.add(&path, ""),
            Value::String(text) => fields.add(&path, text),
            other => fields.add(&path, &other.to_string()),
        }
    }
}

type List<'v> = (Vec<String>, &'v [Value]);

fn longest_list<'v>(value: &'v Value, path: &mut Vec<String>, depth: usize) -> Option<List<'v>> {
    match value {
        Value::Array(values) if values.iter().any(Value::is_object) => {
            Some((path.clone(), values.as_slice()))
        }
        Value::Object(object) if depth < DEPTH => {
            let mut best: Option<List<'v>> = None;
            for (key, value) in object {
                path.push(key.clone());
                if let Some(found) = longest_list(value, path, depth + 1)
                    && best
                        .as_ref()
                        .is_none_or(|best| found.1.len() > best.1.len())
                {
                    best = Some(found);
                }
                path.pop();
            }
            best
        }
        _ => None,
    }
}

/// A document that breaks off, cut behind its last whole record and closed.
fn closed(text: &str) -> Option<Value> {
    let mut open = Vec::new();
    let (mut in_text, mut escaped) = (false, false);
    let mut best: Option<(usize, Vec<u8>)> = None;
    for (at, byte) in text.bytes().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' => {
                open.pop();
                // Behind an object in a list the document may end.
                if byte == b'}' && open.last() == Some(&b']') {
                    best = Some((at + 1, open.clone()));
                }
            }
            _ => {}
        }
        if open.len() > 128 {
            return None;
        }
    }
    let (end, open) = best?;
    let mut whole = text[..end].to_owned();
    whole.extend(open.iter().rev().map(|byte| char::from(*byte)));
    serde_json::from_str(&whole).ok()
}

/// A path as contracts write it, quoted for YAML.
fn quoted_path(path: &[String]) -> String {
    let text: String = path
        .iter()
        .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
        .collect();
    serde_json::to_string(&text).unwrap_or_default()
}
