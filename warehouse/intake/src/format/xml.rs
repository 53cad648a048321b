//! XML answers and exports: a repeating element inside an envelope.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::rc::Rc;

use goyong_catalog::contract::XmlFormat;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Batches, Envelope};
use crate::encoding::declared_encoding;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::plan::Plan;
use crate::rows::Cell as FieldCell;

/// Deepest nesting that is followed.
const DEPTH: usize = 64;
/// Most attributes of an element.
const MOST_ATTRIBUTES: usize = 1000;

/// Reads an XML document of UTF-8 text, or of text transcoded to it.
pub(crate) fn read(
    plan: &Plan,
    format: &XmlFormat,
    reader: impl Read,
    longest_record: usize,
    batches: &mut Batches<'_, '_>,
) -> Result<Envelope, IntakeError> {
    let places = places(plan);
    let highest = places
        .iter()
        .flatten()
        .map(|(level, _)| *level)
        .max()
        .unwrap_or(0);
    let mut walk = Walk {
        plan,
        places,
        highest,
        around: Vec::new(),
        waiting: Vec::new(),
        waiting_bytes: 0,
        format,
        longest_record,
        path: Vec::new(),
        record: None,
        text: String::new(),
        envelope: Envelope::default(),
        code: vec![None; format.errors.len()],
        message: vec![None; format.errors.len()],
        known: BTreeSet::new(),
        unknown: BTreeSet::new(),
        has_root: false,
        found_records: false,
    };
    let walked = walk.run(reader, batches);
    // An error answer explains more than the damage behind it.
    let is_empty_answer = walk.answer()?;
    walked?;
    let may_be_absent = is_empty_answer || plan.contract.child_of.is_some();
    if !walk.found_records && !may_be_absent && !walk.root_is_right() {
        return Err(Refusal::new(
            RefusalRule::Malformed,
            format!(
                "nothing stands at `/{}`: this is not an answer of the contract's kind",
                format.record.join("/")
            ),
        )
        .into());
    }
    let mut envelope = walk.envelope;
    envelope.describe_fields(plan, batches.records(), &walk.known, &walk.unknown)?;
    Ok(envelope)
}

/// Passes on at most so many bytes for one tag or text, which the parser holds as a whole.
struct EventReader<R> {
    inner: BufReader<R>,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for EventReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for EventReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left.get() == 0 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.left.set(self.left.get().saturating_sub(amount));
        self.inner.consume(amount);
    }
}

/// For each column, where its value may stand: how many elements above the record, and the path
/// from there.
fn places(plan: &Plan) -> Vec<Vec<(usize, String)>> {
    let place = |from: &String| {
        let mut rest = from.as_str();
        let mut level = 0;
        while let Some(above) = rest.strip_prefix("../") {
            rest = above;
            level += 1;
        }
        (level, rest.to_owned())
    };
    plan.columns
        .iter()
        .map(|column| column.from.iter().map(place).collect())
        .collect()
}

struct Walk<'a> {
    plan: &'a Plan,
    places: Vec<Vec<(usize, String)>>,
    /// How far above the record the highest value stands.
    highest: usize,
    /// Open elements around the record that columns reach up to, the outermost first.
    around: Vec<Around>,
    /// Records whose elements around them are not complete.
    waiting: Vec<Record>,
    waiting_bytes: usize,
    format: &'a XmlFormat,
    longest_record: usize,
    path: Vec<String>,
    record: Option<Record>,
    text: String,
    envelope: Envelope,
    code: Vec<Option<String>>,
    message: Vec<Option<String>>,
    known: BTreeSet<usize>,
    unknown: BTreeSet<String>,
    has_root: bool,
    found_records: bool,
}

/// An open element around records.
struct Around {
    /// Elements above the record.
    level: usize,
    /// Position in the waiting records of the first inside it.
    first: usize,
    values: Vec<Option<String>>,
    repeated: Option<usize>,
}

/// The record under work.
struct Record {
    values: Vec<Option<String>>,
    repeated: Option<usize>,
    /// Text stands beside an element in it: half of a value would be lost.
    is_mixed: bool,
    bytes: usize,
}

impl Walk<'_> {
    fn run(&mut self, reader: impl Read, batches: &mut Batches<'_, '_>) -> Result<(), IntakeError> {
        let left = Rc::new(Cell::new(0));
        let mut reader = Reader::from_reader(EventReader {
            inner: BufReader::with_capacity(1 << 16, reader),
            left: left.clone(),
        });
        reader.config_mut().check_end_names = true;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            left.set(self.longest_record.max(1 << 16));
            let event = match reader.read_event_into(&mut buffer) {
                Ok(event) => event,
                Err(quick_xml::Error::Io(error)) if error.kind() == ErrorKind::FileTooLarge => {
                    return Err(self.too_large());
                }
                Err(quick_xml::Error::Io(error)) => {
                    if let Some(refusal) = super::refusal_of(&error) {
                        return Err(refusal.into());
                    }
                    return Err(super::stream_error(io::Error::new(
                        error.kind(),
                        error.to_string(),
                    )));
                }
                Err(error) => return Err(self.malformed(&error.to_string())),
            };
            match event {
                Event::Decl(declaration) => {
                    if let Some(Ok(label)) = declaration.encoding() {
                        self.check_declaration(label.as_ref());
                    }
                }
                Event::Start(start) => self.open(&start)?,
                Event::Empty(start) => {
                    self.open(&start)?;
                    self.close(batches)?;
                }
                Event::End(_) => self.close(batches)?,
                Event::Text(text) => self.add(&text.into_inner())?,
                Event::CData(text) => self.add(&text.into_inner())?,
                Event::GeneralRef(reference) => {
                    let name = reference.into_inner();
                    let letter = entity(&name);
                    match letter {
                        Some(letter) => self.add(letter.encode_utf8(&mut [0; 4]))?,
                        None => return Err(self.malformed("an unknown entity is used")),
                    }
                }
                Event::Eof => break,
                Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        if !self.path.is_empty() || !self.has_root {
            return Err(Refusal::new(
                RefusalRule::Truncated,
                "the XML document ends before it is complete: ask the provider to send it again",
            )
            .into());
        }
        Ok(())
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), IntakeError> {
        if self.path.is_empty() && self.has_root {
            return Err(self.malformed("a second root element"));
        }
        if self.path.len() >= DEPTH {
            return Err(self.malformed("nesting is too deep"));
        }
        self.has_root = true;
        let name = start.name();
        let name: &[u8] = name.as_ref().as_ref();
        if !self.text.trim().is_empty()
            && let Some(record) = &mut self.record
        {
            record.is_mixed = true;
        }
        self.path.push(String::from_utf8_lossy(name).into_owned());
        self.text.clear();
        if self.record.is_none() {
            self.open_around();
        }
        if self.record.is_none() && self.path == self.format.record {
            self.found_records = true;
            self.record = Some(Record {
                values: vec![None; self.plan.columns.len()],
                repeated: None,
                is_mixed: false,
                bytes: 0,
            });
        }
        if self.record.is_some() || !self.around.is_empty() {
            // Each attribute is compared with all before it.
            for (position, attribute) in start.attributes().enumerate() {
                let (Ok(attribute), true) = (attribute, position < MOST_ATTRIBUTES) else {
                    return Err(self.malformed("an attribute is written wrongly"));
                };
                let key: &[u8] = attribute.key.as_ref().as_ref();
                let key = format!("@{}", String::from_utf8_lossy(key));
                let Ok(value) = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0)
                else {
                    return Err(self.malformed("an attribute is written wrongly"));
                };
                let value = value.into_owned();
                self.path.push(key);
                self.keep(value);
                self.path.pop();
            }
        }
        Ok(())
    }

    fn close(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), IntakeError> {
        let is_record = self.record.is_some() && self.path.len() == self.format.record.len();
        if is_record {
            if let Some(record) = self.record.take() {
                if self.highest == 0 {
                    self.push(&record, batches)?;
                } else {
                    self.wait(record)?;
                }
            }
        } else if self.record.is_some() {
            let text = std::mem::take(&mut self.text);
            self.keep(text);
        } else {
            self.keep_envelope();
            if !self.around.is_empty() {
                let text = std::mem::take(&mut self.text);
                self.keep(text);
            }
            self.close_around(batches)?;
        }
        self.text.clear();
        self.path.pop();
        Ok(())
    }

    fn push(&self, record: &Record, batches: &mut Batches<'_, '_>) -> Result<(), IntakeError> {
        batches.push(|builder, number| match record.repeated {
            Some(column) => {
                let name = self.plan.columns[column].from[0].clone();
                builder.push_broken(number, "repeated_element", Some(name), None, |column| {
                    record.cell(column)
                });
            }
            None if record.is_mixed => {
                builder.push_broken(number, "mixed_content", None, None, |column| {
                    record.cell(column)
                });
            }
            None => builder.push(number, |column| record.cell(column)),
        })
    }

    fn wait(&mut self, record: Record) -> Result<(), IntakeError> {
        self.waiting_bytes += record.bytes + size_of::<Record>();
        if self.waiting_bytes > self.longest_record {
            return Err(Refusal::new(
                RefusalRule::TooLarge,
                format!(
                    "the records inside one element are longer than {} MiB together",
                    self.longest_record >> 20
                ),
            )
            .into());
        }
        self.waiting.push(record);
        Ok(())
    }

    /// Starts to collect the values of an element around records.
    fn open_around(&mut self) {
        let above = self.format.record.len().checked_sub(self.path.len());
        let Some(level) = above.filter(|level| (1..=self.highest).contains(level)) else {
            return;
        };
        if self.format.record.starts_with(&self.path) {
            self.around.push(Around {
                level,
                first: self.waiting.len(),
                values: vec![None; self.plan.columns.len()],
                repeated: None,
            });
        }
    }

    /// Gives the values of an element that closes to the records inside it.
    fn close_around(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), IntakeError> {
        let depth = self.path.len();
        let is_around = self
            .around
            .last()
            .is_some_and(|around| depth + around.level == self.format.record.len());
        if !is_around {
            return Ok(());
        }
        let Some(around) = self.around.pop() else {
            return Ok(());
        };
        for record in &mut self.waiting[around.first..] {
            record.repeated = record.repeated.or(around.repeated);
            for (value, above) in record.values.iter_mut().zip(&around.values) {
                if value.is_none() {
                    value.clone_from(above);
                }
            }
        }
        if around.level == self.highest {
            self.waiting_bytes = 0;
            for record in std::mem::take(&mut self.waiting) {
                self.push(&record, batches)?;
            }
        }
        Ok(())
    }

    /// Stores a value of the record, or of an element around it, in the columns that name its path.
    fn keep(&mut self, value: String) {
        if self.record.is_none() {
            self.keep_around(value);
            return;
        }
        let relative = self.path[self.format.record.len()..].join("/");
        let has_children = value.trim().is_empty();
        let mut is_known = false;
        let Some(record) = &mut self.record else {
            return;
        };
        let mut leads_on = false;
        for (index, places) in self.places.iter().enumerate() {
            let mut inside = places.iter().filter(|(level, _)| *level == 0);
            leads_on |= inside.clone().any(|(_, path)| {
                path.strip_prefix(relative.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
            });
            if !inside.any(|(_, path)| *path == relative) {
                continue;
            }
            is_known = true;
            self.known.insert(index);
            if record.values[index].is_some() {
                record.repeated = Some(index);
            }
            record.values[index] = Some(value.clone());
        }
        if !is_known && !leads_on && !has_children && self.unknown.len() < 64 {
            self.unknown.insert(relative);
        }
    }

    fn keep_around(&mut self, value: String) {
        for around in &mut self.around {
            let depth = self.format.record.len() - around.level;
            if self.path.len() <= depth {
                continue;
            }
            let relative = self.path[depth..].join("/");
            for (index, places) in self.places.iter().enumerate() {
                let is_named = places
                    .iter()
                    .any(|(level, path)| *level == around.level && *path == relative);
                if !is_named {
                    continue;
                }
                if around.values[index].is_some() {
                    around.repeated = Some(index);
                }
                around.values[index] = Some(value.clone());
            }
        }
    }

    fn keep_envelope(&mut self) {
        let text = self.text.trim();
        if self.format.expected_count.as_deref() == Some(self.path.as_slice()) {
            self.envelope.expected = text.parse().ok();
        }
        if let Some(pages) = &self.plan.contract.pages {
            if pages.number.as_deref() == Some(self.path.as_slice()) {
                self.envelope.page = text.parse().ok();
            }
            if pages.size.as_deref() == Some(self.path.as_slice()) {
                self.envelope.page_size = text.parse().ok();
            }
        }
        for (index, answer) in self.format.errors.iter().enumerate() {
            if answer.code == self.path {
                self.code[index] = Some(text.to_owned());
            }
            if answer.message.as_deref() == Some(self.path.as_slice()) {
                self.message[index] = Some(text.to_owned());
            }
        }
    }

    fn add(&mut self, text: &str) -> Result<(), IntakeError> {
        if let Some(record) = &mut self.record {
            record.bytes += text.len();
            if record.bytes > self.longest_record {
                return Err(self.too_large());
            }
        }
        if self.text.len() > self.longest_record {
            return Err(self.too_large());
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Whether the answer says there is nothing; an error answer refuses the delivery.
    fn answer(&self) -> Result<bool, IntakeError> {
        for (index, answer) in self.format.errors.iter().enumerate() {
            let Some(code) = &self.code[index] else {
                continue;
            };
            if answer.empty.contains(code) {
                return Ok(true);
            }
            let text = match &self.message[index] {
                Some(message) => format!("code {code}: {message}"),
                None => code.clone(),
            };
            return Err(Refusal::new(
                RefusalRule::ErrorAnswer,
                format!("the provider answered with an error, {text}"),
            )
            .into());
        }
        Ok(false)
    }

    /// An answer without records has at least the root of one with records.
    fn root_is_right(&self) -> bool {
        self.envelope.expected == Some(0)
    }

    fn check_declaration(&mut self, label: &str) {
        let encoding = self.plan.contract.format.encoding;
        if declared_encoding(label) != Some(encoding) {
            self.envelope.notices.push(format!(
                "the header declares {label}, the contract reads {}; bytes decide",
                encoding.as_str()
            ));
        }
    }

    fn too_large(&self) -> IntakeError {
        Refusal::new(
            RefusalRule::TooLarge,
            format!(
                "a record, tag or text is longer than {} MiB",
                self.longest_record >> 20
            ),
        )
        .into()
    }

    fn malformed(&self, what: &str) -> IntakeError {
        Refusal::new(
            RefusalRule::Malformed,
            format!("not well-formed XML: {what}"),
        )
        .into()
    }
}

impl Record {
    fn cell(&self, column: usize) -> FieldCell<'_> {
        match &self.values[column] {
            None => FieldCell::Missing,
            Some(text) => FieldCell::Raw(text.as_bytes()),
        }
    }
}

/// The five entities of XML and character references; nothing is ever expanded.
fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|letter| *letter != '\0')
        }
    }
}

#[cfg(test)]
mod tests;
