//! JSON as a stream: walks the envelope, hands out the records of one array as raw text.

use std::io::{BufReader, Read};

use crate::error::{IntakeError, Refusal, RefusalRule};

/// Deepest nesting that is followed.
const DEPTH: usize = 64;

/// Most fields of an object of a record.
const MOST_FIELDS: usize = 1 << 16;

/// What the walk reports.
pub(crate) enum JsonEvent<'a> {
    /// One record, as written, with what each `*` of the path to it stood for.
    Record(&'a [String], &'a [u8]),
    /// A number, text, boolean or null of the envelope with the keys that lead to it.
    Scalar(&'a [String], &'a [u8]),
}

/// Walks one JSON document.
pub(crate) struct JsonWalk<'r, R> {
    reader: BufReader<R>,
    record_path: &'r [String],
    path: Vec<String>,
    raw: Vec<u8>,
    longest_record: usize,
    peeked: Option<u8>,
    /// What each `*` of the record path stands for here.
    keys: Vec<String>,
    /// Whether `NaN` is read as null.
    pub nan_is_missing: bool,
    /// How often it was.
    pub nans: u64,
    /// Whether the record path was found.
    pub found_records: bool,
}

type Visit<'v> = dyn FnMut(JsonEvent<'_>) -> Result<(), IntakeError> + 'v;

impl<'r, R: Read> JsonWalk<'r, R> {
    pub fn new(reader: R, record_path: &'r [String], longest_record: usize) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 16, reader),
            record_path,
            path: Vec::new(),
            raw: Vec::new(),
            longest_record,
            peeked: None,
            keys: Vec::new(),
            nan_is_missing: false,
            nans: 0,
            found_records: false,
        }
    }

    /// Walks the document; with `lines`, each of several documents is a record.
    pub fn run(&mut self, lines: bool, visit: &mut Visit<'_>) -> Result<(), IntakeError> {
        if self.peek()? == Some(0xEF) {
            for _ in 0..3 {
                self.next()?;
            }
        }
        if lines {
            self.found_records = true;
            while self.peek_token()?.is_some() {
                self.record(visit)?;
            }
            return Ok(());
        }
        self.value(visit)?;
        match self.peek_token()? {
            None => Ok(()),
            Some(_) => Err(malformed("text behind the end of the document")),
        }
    }

    fn value(&mut self, visit: &mut Visit<'_>) -> Result<(), IntakeError> {
        if self.path.len() > DEPTH {
            return Err(malformed("nesting is too deep"));
        }
        let Some(first) = self.peek_token()? else {
            return Err(truncated());
        };
        if self.is_on_the_way() && self.path.len() == self.record_path.len() {
            self.found_records = true;
            return self.records(first, visit);
        }
        match first {
            b'{' => self.object(visit),
            b'[' if self.is_on_the_way() && self.wildcard_follows() => self.array(visit),
            // Arrays beside the records hold nothing the contract names.
            b'[' => {
                self.raw.clear();
                self.skip_nested(false)
            }
            _ => {
                self.raw.clear();
                self.scalar()?;
                visit(JsonEvent::Scalar(&self.path, &self.raw))
            }
        }
    }

    /// Whether the path so far leads to records.
    fn is_on_the_way(&self) -> bool {
        self.path.len() <= self.record_path.len()
            && self
                .path
                .iter()
                .zip(self.record_path)
                .all(|(step, wanted)| wanted == "*" || step == wanted)
    }

    fn wildcard_follows(&self) -> bool {
        self.record_path
            .get(self.path.len())
            .is_some_and(|step| step == "*")
    }

    /// An array on the way to the records, each element a step.
    fn array(&mut self, visit: &mut Visit<'_>) -> Result<(), IntakeError> {
        self.next()?;
        if self.peek_token()? == Some(b']') {
            self.next()?;
            // An empty array on the way is an answer without records.
            self.found_records = true;
            return Ok(());
        }
        for position in 0u64.. {
            self.step(position.to_string(), visit)?;
            match self.next_token()? {
                Some(b',') => {}
                Some(b']') => return Ok(()),
                None => return Err(truncated()),
                Some(_) => return Err(malformed("elements are not separated by commas")),
            }
        }
        Ok(())
    }

    /// The value behind a key or position.
    fn step(&mut self, key: String, visit: &mut Visit<'_>) -> Result<(), IntakeError> {
        let is_wildcard = self.is_on_the_way() && self.wildcard_follows();
        if is_wildcard {
            self.keys.push(key.clone());
        }
        self.path.push(key);
        self.value(visit)?;
        self.path.pop();
        if is_wildcard {
            self.keys.pop();
        }
        Ok(())
    }

    /// The value at the record path: an array of records, a single record, or nothing.
    fn records(&mut self, first: u8, visit: &mut Visit<'_>) -> Result<(), IntakeError> {
        match first {
            b'[' => {
                self.next()?;
                if self.peek_token()? == Some(b']') {
                    self.next()?;
                    return Ok(());
                }
                loop {
                    self.record(visit)?;
                    match self.next_token()? {
                        Some(b',') => {}
                        Some(b']') => return Ok(()),
                        None => return Err(truncated()),
                        Some(_) => return Err(malformed("records are not separated by commas")),
                    }
                }
            }
            // Some providers write a single record without the array around it.
            b'{' => self.record(visit),
            _ => {
                self.raw.clear();
                self.scalar()?;
                match self.raw.as_slice() {
                    b"null" | b"\"\"" => Ok(()),
                    _ if self.record_path.iter().any(|step| step == "*") => {
                        visit(JsonEvent::Record(&self.keys, &self.raw))
                    }
                    _ => Err(malformed("the record path leads to a plain value")),
                }
            }
        }
    }

    fn record(&mut self, visit: &mut Visit<'_>) -> Result<(), IntakeError> {
        self.raw.clear();
        match self.peek_token()? {
            None => return Err(truncated()),
            Some(b'{' | b'[') => self.skip_nested(true)?,
            Some(_) => self.scalar()?,
        }
        visit(JsonEvent::Record(&self.keys, &self.raw))
    }

    fn object(&mut self, visit: &mut Visit<'_>) -> Result<(), IntakeError> {
        self.next()?;
        if self.peek_token()? == Some(b'}') {
            self.next()?;
            return Ok(());
        }
        loop {
            if self.peek_token()? != Some(b'"') {
                return Err(self.unexpected("a key is missing")?);
            }
            self.raw.clear();
            self.string(true)?;
            let key: String =
                serde_json::from_slice(&self.raw).map_err(|_| malformed("a key is not text"))?;
            if self.next_token()? != Some(b':') {
                return Err(self.unexpected("a colon is missing")?);
            }
            self.step(key, visit)?;
            match self.next_token()? {
                Some(b',') => {}
                Some(b'}') => return Ok(()),
                None => return Err(truncated()),
                Some(_) => return Err(malformed("a comma is missing")),
            }
        }
    }

    /// Passes over an object or array, keeping its text when it is a record.
    fn skip_nested(&mut self, keep: bool) -> Result<(), IntakeError> {
        let mut depth = 0usize;
        loop {
            let Some(byte) = self.peek()? else {
                return Err(truncated());
            };
            match byte {
                b'"' => {
                    self.string(keep)?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'N' if self.nan_is_missing => {
                    self.not_a_number(keep)?;
                    continue;
                }
                _ => {}
            }
            self.next()?;
            if keep {
                self.keep(byte)?;
            }
            if depth > DEPTH {
                return Err(malformed("nesting is too deep"));
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Reads a string with its quotes.
    fn string(&mut self, keep: bool) -> Result<(), IntakeError> {
        let mut escaped = false;
        let mut is_open = false;
        loop {
            let Some(byte) = self.next()? else {
                return Err(truncated());
            };
            if keep {
                self.keep(byte)?;
            }
            if !is_open {
                is_open = true;
            } else if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                return Ok(());
            }
        }
    }

    /// Reads a string, number or word into `raw`.
    fn scalar(&mut self) -> Result<(), IntakeError> {
        if self.peek()? == Some(b'"') {
            return self.string(true);
        }
        if self.peek()? == Some(b'N') && self.nan_is_missing {
            return self.not_a_number(true);
        }
        while let Some(byte) = self.peek()? {
            if matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace() {
                break;
            }
            self.next()?;
            self.keep(byte)?;
        }
        if serde_json::from_slice::<serde::de::IgnoredAny>(&self.raw).is_err() {
            return Err(self.unexpected("a value is not JSON")?);
        }
        Ok(())
    }

    /// Reads `NaN` and keeps null in its place.
    fn not_a_number(&mut self, keep: bool) -> Result<(), IntakeError> {
        for wanted in *b"NaN" {
            match self.next()? {
                Some(byte) if byte == wanted => {}
                None => return Err(truncated()),
                Some(_) => return Err(malformed("a value is not JSON")),
            }
        }
        self.nans += 1;
        if keep {
            for byte in *b"null" {
                self.keep(byte)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) -> Result<(), IntakeError> {
        if self.raw.len() >= self.longest_record {
            return Err(Refusal::new(
                RefusalRule::TooLarge,
                format!("a record is longer than {} MiB", self.longest_record >> 20),
            )
            .into());
        }
        self.raw.push(byte);
        Ok(())
    }

    /// The error for a document that is wrong here, or that simply ends here.
    fn unexpected(&mut self, what: &str) -> Result<IntakeError, IntakeError> {
        Ok(match self.peek_token()? {
            None => truncated(),
            Some(_) => malformed(what),
        })
    }

    fn peek_token(&mut self) -> Result<Option<u8>, IntakeError> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(Some(byte));
            }
            self.next()?;
        }
        Ok(None)
    }

    fn next_token(&mut self) -> Result<Option<u8>, IntakeError> {
        self.peek_token()?;
        self.next()
    }

    #[inline]
    fn peek(&mut self) -> Result<Option<u8>, IntakeError> {
        if self.peeked.is_none() {
            self.peeked = self.read_byte()?;
        }
        Ok(self.peeked)
    }

    #[inline]
    fn next(&mut self) -> Result<Option<u8>, IntakeError> {
        match self.peeked.take() {
            Some(byte) => Ok(Some(byte)),
            None => self.read_byte(),
        }
    }

    #[inline]
    fn read_byte(&mut self) -> Result<Option<u8>, IntakeError> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(byte[0])),
            Err(error) => Err(super::stream_error(error)),
        }
    }
}

/// Keys and values of an object as written, in order, repeated keys kept; `None` for what is no
/// object.
pub(crate) fn object_entries(raw: &[u8]) -> Option<Vec<(String, &[u8])>> {
    // The reference parser decides what is JSON; below only places are found.
    serde_json::from_slice::<serde::de::IgnoredAny>(raw).ok()?;
    let mut at = skip_spaces(raw, 0);
    if raw.get(at) != Some(&b'{') {
        return None;
    }
    let mut entries = Vec::new();
    at = skip_spaces(raw, at + 1);
    while raw.get(at) == Some(&b'"') {
        if entries.len() >= MOST_FIELDS {
            return None;
        }
        let key_end = value_end(raw, at);
        let key = serde_json::from_slice(raw.get(at..key_end)?).ok()?;
        let colon = skip_spaces(raw, key_end);
        let start = skip_spaces(raw, colon + 1);
        let end = value_end(raw, start);
        entries.push((key, raw.get(start..end)?));
        at = skip_spaces(raw, end);
        if raw.get(at) != Some(&b',') {
            break;
        }
        at = skip_spaces(raw, at + 1);
    }
    Some(entries)
}

/// Elements of an array as written; `None` for what is no array.
pub(crate) fn array_elements(raw: &[u8]) -> Option<Vec<&[u8]>> {
    serde_json::from_slice::<serde::de::IgnoredAny>(raw).ok()?;
    let mut at = skip_spaces(raw, 0);
    if raw.get(at) != Some(&b'[') {
        return None;
    }
    let mut elements = Vec::new();
    at = skip_spaces(raw, at + 1);
    while raw.get(at).is_some_and(|byte| *byte != b']') {
        let end = value_end(raw, at);
        elements.push(raw.get(at..end)?);
        at = skip_spaces(raw, end);
        if raw.get(at) != Some(&b',') {
            break;
        }
        at = skip_spaces(raw, at + 1);
    }
    Some(elements)
}

/// Keys and values of an object, or positions and elements of an array.
pub(crate) fn entries(raw: &[u8]) -> Option<Vec<(String, &[u8])>> {
    if raw.first() != Some(&b'[') {
        return object_entries(raw);
    }
    let elements = array_elements(raw)?.into_iter().enumerate();
    Some(
        elements
            .map(|(position, element)| (position.to_string(), element))
            .collect(),
    )
}

fn skip_spaces(raw: &[u8], mut at: usize) -> usize {
    while matches!(raw.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Position behind the value that starts at `start`, in valid JSON.
fn value_end(raw: &[u8], start: usize) -> usize {
    let (mut at, mut depth, mut in_string) = (start, 0usize, false);
    while let Some(byte) = raw.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => {
                in_string = !in_string;
                if !in_string && depth == 0 {
                    return at + 1;
                }
            }
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    raw.len()
}

fn malformed(what: &str) -> IntakeError {
    Refusal::new(
        RefusalRule::Malformed,
        format!("not well-formed JSON: {what}"),
    )
    .into()
}

fn truncated() -> IntakeError {
    Refusal::new(
        RefusalRule::Truncated,
        "the JSON document ends before it is complete: ask the provider to send it again",
    )
    .into()
}
