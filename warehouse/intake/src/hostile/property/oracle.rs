//! What stands in a file, read as plainly as possible: the whole of it at once, byte by byte.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::Value;

use super::generator::{Column, Delivery, Dialect, Kind, Layout};

/// Stands where bytes are no text.
const LOST: char = '\u{FFFD}';

pub enum Reading {
    /// What becomes of every record; `None` when the file has to be refused.
    Exact(Option<Exact>),
    /// Every row that the file can be said to hold.
    Possible(BTreeSet<Vec<String>>),
}

#[derive(Default)]
pub struct Exact {
    /// Place in the file, from 0, and values as stored.
    pub accepted: Vec<(u64, Vec<String>)>,
    /// Place in the file and column, empty when the whole record is broken.
    pub quarantined: Vec<(u64, String)>,
    pub won_accepted: i128,
    pub won_quarantined: i128,
    pub unreadable: u64,
}

pub fn read(delivery: &Delivery, bytes: &[u8]) -> Reading {
    match delivery.layout {
        Layout::Csv => Reading::Exact(delimited(delivery, bytes)),
        Layout::Fixed => Reading::Exact(fixed(delivery, bytes)),
        Layout::Json | Layout::Lines => {
            Reading::Possible(objects(delivery, &text(bytes, delivery.dialect.encoding)))
        }
        Layout::Xml => {
            Reading::Possible(elements(delivery, &text(bytes, delivery.dialect.encoding)))
        }
    }
}

/// The row as it has to be stored, or the column that breaks a rule.
pub fn stored(delivery: &Delivery, row: &[Option<String>]) -> Result<Vec<String>, usize> {
    let trims =
        delivery.dialect.trim && delivery.layout == Layout::Csv || delivery.layout == Layout::Fixed;
    let mut values = Vec::new();
    for (index, (column, text)) in delivery.columns.iter().zip(row).enumerate() {
        let is_text = matches!(column.kind, Kind::Text | Kind::Code);
        let mut text = text.as_deref().unwrap_or_default();
        if trims || !is_text {
            text = text.trim_matches([' ', '\t', '\n', '\r', '\u{C}']);
        }
        let value = match text {
            "" if column.nullable => Some(String::new()),
            "" => None,
            text if text.contains(LOST) => None,
            text => converted(column.kind, text),
        };
        values.push(value.ok_or(index)?);
    }
    Ok(values)
}

/// A value as it is shown once stored.
fn converted(kind: Kind, text: &str) -> Option<String> {
    let number = |text: &str| -> Option<String> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_number =
            (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return None;
        }
        text.parse::<i64>().ok().map(|number| number.to_string())
    };
    match kind {
        Kind::Text => Some(text.to_owned()),
        Kind::Code => ["A1", "B2", "가"].contains(&text).then(|| text.to_owned()),
        Kind::Int => number(text).filter(|text| text.parse::<i32>().is_ok()),
        Kind::Bigint => number(text),
        Kind::Won => {
            let won = scaled(text, 0)?;
            (won.unsigned_abs() < 10u128.pow(18)).then(|| won.to_string())
        }
        Kind::Decimal => {
            let value = scaled(text, 2)?;
            let cents = value.unsigned_abs();
            let sign = if value < 0 { "-" } else { "" };
            (cents < 10u128.pow(12)).then(|| format!("{sign}{}.{:02}", cents / 100, cents % 100))
        }
        Kind::Float => {
            let is_plain = text
                .chars()
                .all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
            let number: f64 = text.parse().ok()?;
            (is_plain && number.is_finite()).then(|| number.to_string())
        }
        Kind::Date => day(text).map(|day| day.to_string()),
        Kind::Month => {
            let is_month = text.len() == 6 && text.is_ascii();
            is_month
                .then(|| day(&format!("{}-{}-01", &text[..4], &text[4..])))?
                .map(|day| day.to_string())
        }
        Kind::Timestamp => {
            let (date, time) = text.split_at_checked(10)?;
            let parts: Vec<&str> = time.strip_prefix(' ')?.split(':').collect();
            let [hour, minute, second] = parts.as_slice() else {
                return None;
            };
            let part = |text: &str, end: u32| {
                let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                is_two
                    .then(|| text.parse::<u32>().ok())?
                    .filter(|part| *part < end)
            };
            let moment =
                day(date)?.and_hms_opt(part(hour, 24)?, part(minute, 60)?, part(second, 60)?)?;
            Some(moment.to_string())
        }
        Kind::Boolean => match text {
            "Y" | "y" | "1" | "true" | "TRUE" | "True" | "예" => Some("true".to_owned()),
            "N" | "n" | "0" | "false" | "FALSE" | "False" | "아니오" | "아니요" => {
                Some("false".to_owned())
            }
            _ => None,
        },
    }
}

/// `YYYY-MM-DD`, a day that exists.
fn day(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let is_shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !is_shaped || text.starts_with('0') {
        return None;
    }
    NaiveDate::from_ymd_opt(
        text[..4].parse().ok()?,
        text[5..7].parse().ok()?,
        text[8..].parse().ok()?,
    )
}

/// A decimal number in units of its scale; what stands behind the scale must be zero.
fn scaled(text: &str, scale: usize) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(scale));
    if beyond.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let magnitude: i128 = format!("0{whole}{kept:0<scale$}").parse().ok()?;
    Some(if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    })
}

/// Bytes as text, [`LOST`] where they are none.
fn text(bytes: &[u8], encoding: &str) -> String {
    let units = |read: fn([u8; 2]) -> u16| -> String {
        let pairs = bytes.chunks(2).map(|pair| match pair {
            [one, other] => read([*one, *other]),
            // Half a unit.
            _ => 0xD800,
        });
        char::decode_utf16(pairs)
            .map(|letter| letter.unwrap_or(LOST))
            .collect()
    };
    match encoding {
        "cp949" => encoding_rs::EUC_KR
            .decode_without_bom_handling(bytes)
            .0
            .into_owned(),
        "utf-16le" => units(u16::from_le_bytes),
        "utf-16be" => units(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

impl Exact {
    /// Takes down one record; `None` when it cannot be divided into values.
    fn add(&mut self, delivery: &Delivery, place: u64, row: Option<&[Option<String>]>) {
        let Some(row) = row else {
            self.quarantined.push((place, String::new()));
            self.unreadable += 1;
            return;
        };
        // Column 1 is `won`.
        let won = row[1]
            .as_deref()
            .unwrap_or_default()
            .trim_matches([' ', '\t', '\n', '\r', '\u{C}']);
        let won = if won.is_empty() {
            Some(0)
        } else {
            scaled(won, 0)
        };
        match stored(delivery, row) {
            Ok(values) => {
                self.won_accepted += won.unwrap();
                self.accepted.push((place, values));
            }
            Err(column) => {
                self.quarantined
                    .push((place, delivery.columns[column].name.clone()));
                match won {
                    Some(won) if won.unsigned_abs() < 10u128.pow(27) => self.won_quarantined += won,
                    _ => self.unreadable += 1,
                }
            }
        }
    }
}

/// A record of delimited text.
struct Record {
    fields: Vec<Vec<u8>>,
    /// Something stands between a closing quote and the next delimiter.
    is_malformed: bool,
}

fn delimited(delivery: &Delivery, bytes: &[u8]) -> Option<Exact> {
    let dialect = &delivery.dialect;
    let encoding = dialect.encoding;
    if bytes.starts_with(b"\xFF\xFE") && encoding != "utf-16le"
        || bytes.starts_with(b"\xFE\xFF") && encoding != "utf-16be"
        || bytes.starts_with(b"\xEF\xBB\xBF") && encoding == "cp949"
    {
        return None;
    }
    // Sixteen-bit units have to be put together before anything can be looked for.
    let is_wide = encoding.starts_with("utf-16");
    let whole = if is_wide {
        text(bytes, encoding).into_bytes()
    } else {
        bytes.to_vec()
    };
    let mut rest = whole.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&whole);
    let decoded = |raw: &[u8]| text(raw, if is_wide { "utf-8" } else { encoding });
    let columns: Vec<usize>;
    let mut fields = delivery.columns.len();
    if dialect.header {
        let header = next_record(dialect, &mut rest)??;
        if header.is_malformed {
            return None;
        }
        let names: Vec<String> = header
            .fields
            .iter()
            .map(|raw| decoded(raw).trim().to_owned())
            .collect();
        let named: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
        let distinct: BTreeSet<&&String> = named.iter().collect();
        if names.iter().any(|name| name.contains(LOST)) || distinct.len() < named.len() {
            return None;
        }
        columns = delivery
            .columns
            .iter()
            .map(|column: &Column| names.iter().position(|name| *name == column.name))
            .collect::<Option<_>>()?;
        fields = names.len();
    } else {
        columns = (0..fields).collect();
    }
    let mut exact = Exact::default();
    let mut place = 0;
    while let Some(record) = next_record(dialect, &mut rest)? {
        let is_whole = !record.is_malformed && record.fields.len() == fields;
        let row: Option<Vec<Option<String>>> = is_whole.then(|| {
            columns
                .iter()
                .map(|field| Some(decoded(&record.fields[*field])))
                .collect()
        });
        exact.add(delivery, place, row.as_deref());
        place += 1;
    }
    Some(exact)
}

/// Takes the next record off; `Some(None)` at the end, `None` when a quote never closes.
fn next_record(dialect: &Dialect, rest: &mut &[u8]) -> Option<Option<Record>> {
    loop {
        match rest.first() {
            None => return Some(None),
            Some(b'\n' | b'\r') => *rest = &rest[1..],
            Some(byte) if Some(*byte) == dialect.comment => {
                while !matches!(rest.first(), None | Some(b'\n' | b'\r')) {
                    *rest = &rest[1..];
                }
            }
            Some(_) => break,
        }
    }
    let mut record = Record {
        fields: Vec::new(),
        is_malformed: false,
    };
    loop {
        let mut field = Vec::new();
        let is_quoted = !rest.is_empty() && rest.first().copied() == dialect.quote;
        if is_quoted {
            *rest = &rest[1..];
            loop {
                let (byte, next) = (*rest.first()?, rest.get(1).copied());
                let is_escape = match dialect.backslash {
                    true => byte == b'\\',
                    false => Some(byte) == dialect.quote && next == dialect.quote,
                };
                if is_escape {
                    field.push(next?);
                    *rest = &rest[2..];
                    continue;
                }
                *rest = &rest[1..];
                if Some(byte) == dialect.quote {
                    break;
                }
                field.push(byte);
            }
        }
        loop {
            match rest.split_first() {
                None => {
                    record.fields.push(field);
                    return Some(Some(record));
                }
                Some((b'\n' | b'\r', _)) => {
                    let is_pair = rest.starts_with(b"\r\n");
                    *rest = &rest[1 + usize::from(is_pair)..];
                    record.fields.push(field);
                    return Some(Some(record));
                }
                Some((byte, tail)) => {
                    *rest = tail;
                    if *byte == dialect.delimiter {
                        record.fields.push(field);
                        break;
                    }
                    record.is_malformed |= is_quoted;
                    field.push(*byte);
                }
            }
        }
    }
}

fn fixed(delivery: &Delivery, bytes: &[u8]) -> Option<Exact> {
    let dialect = &delivery.dialect;
    if bytes.starts_with(b"\xFF\xFE")
        || bytes.starts_with(b"\xFE\xFF")
        || bytes.starts_with(b"\xEF\xBB\xBF") && dialect.encoding == "cp949"
    {
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let length = delivery.record_bytes();
    let records: Vec<&[u8]> = if dialect.newline.is_empty() {
        bytes.chunks(length).collect()
    } else {
        bytes
            .split(|byte| *byte == b'\n')
            .map(|line| match line.strip_suffix(b"\r") {
                Some(line) if line.len() == length => line,
                _ => line,
            })
            .filter(|line| !matches!(*line, b"" | b"\r" | b"\x1a"))
            .collect()
    };
    let mut exact = Exact::default();
    for (place, record) in records.into_iter().enumerate() {
        let row: Option<Vec<Option<String>>> = (record.len() == length).then(|| {
            let mut rest = record;
            delivery
                .columns
                .iter()
                .map(|column| {
                    let (field, behind) = rest.split_at(column.width);
                    rest = behind;
                    Some(text(field.trim_ascii(), dialect.encoding))
                })
                .collect()
        });
        exact.add(delivery, place as u64, row.as_deref());
    }
    Some(exact)
}

/// Rows of every JSON object that begins anywhere in the text.
fn objects(delivery: &Delivery, text: &str) -> BTreeSet<Vec<String>> {
    let mut rows = BTreeSet::new();
    for (at, _) in text.match_indices('{') {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        let Some(Ok(Value::Object(object))) = values.next() else {
            continue;
        };
        let row: Vec<Option<String>> = delivery
            .columns
            .iter()
            .map(|column| match object.get(&column.name) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
            .collect();
        rows.extend(stored(delivery, &row));
    }
    rows
}

/// Rows of every element `item`; right for well-formed text, which is all that is accepted.
fn elements(delivery: &Delivery, text: &str) -> BTreeSet<Vec<String>> {
    let mut rows = BTreeSet::new();
    let mut path: Vec<String> = Vec::new();
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut content = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        content.push_str(before);
        if behind.starts_with(['?', '!']) {
            rest = behind.split_once('>').map_or("", |(_, rest)| rest);
            continue;
        }
        let Some((tag, behind)) = behind.split_once('>') else {
            break;
        };
        rest = behind;
        let name = tag
            .trim_matches('/')
            .split_ascii_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        if !tag.starts_with('/') {
            content.clear();
            path.push(name.clone());
        }
        if tag.starts_with('/') || tag.ends_with('/') {
            path.pop();
            if name == "item" {
                let row: Vec<Option<String>> = delivery
                    .columns
                    .iter()
                    .map(|column| values.get(&column.name).cloned())
                    .collect();
                rows.extend(stored(delivery, &row));
                values.clear();
            } else {
                values.insert(name, unescaped(&content));
            }
            content.clear();
        }
    }
    rows
}

fn unescaped(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        result.push_str(before);
        let (name, behind) = behind.split_once(';').unwrap_or((behind, ""));
        let letter = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => name
                .strip_prefix('#')
                .and_then(|number| number.parse().ok())
                .and_then(char::from_u32),
        };
        result.push(letter.unwrap_or(LOST));
        rest = behind;
    }
    result + rest
}
