//! Records in, typed columns out: every check on a row happens here, whatever the file's format.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, RecordBatchOptions};
use goyong_catalog::contract::{ColumnType, Derived, OnFail};
use goyong_catalog::manifest::Period;
use goyong_types::{BusinessNumber, ResidentNumber, ResidentNumberError};

mod checks;
mod forget;
mod original;
mod parsed;
mod raw_cells;
mod set_aside;

use crate::buffer::{ColumnBuffer, Values};
use crate::encoding::TextDecoder;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::identity::{Forgotten, OpaqueInput, PersonHasher, opaque_text, person_key};
use crate::plan::{ColumnPlan, Plan, RangePlan};
use crate::unique::key_hashes;
use crate::value::{self, MOST_CONTROL};
pub(crate) use checks::shown_value;
use checks::{
    BORN_TOO_LONG_AGO_BEFORE, NUMBERS_WITHOUT_CHECK_DIGIT_FROM, add_flag, check_exact, check_text,
    first_of_month, rewrite,
};
pub(crate) use original::{OriginalRecord, StoredRecord};
pub use parsed::{ControlSum, QuarantinedRow};
pub(crate) use parsed::{
    DETAIL_BYTES, DETAIL_CONTACT, DETAIL_NAME, DetailEntry, Identities, OpaqueEntry, ParsedRows,
    PersonEntry,
};
pub(crate) use raw_cells::RawCells;

/// What stands in the file for one column of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    /// Nothing: an absent element or field.
    Missing,
    /// Bytes in the encoding the plan decodes.
    Raw(&'a [u8]),
    /// Bytes that break a rule of the format itself.
    Broken(&'static str, &'a [u8]),
}

/// What checks need beside the contract.
#[derive(Clone)]
pub(crate) struct RowContext {
    /// Present when the contract has resident numbers or digests.
    pub hasher: Option<PersonHasher>,
    /// Persons whose rows are rejected; `None` when nobody is to be forgotten.
    pub forgotten: Option<Forgotten>,
    /// Day, since 1970-01-01, after which nobody in the file can be born.
    pub known_on: i32,
    /// First and last day of the delivery's period.
    pub period: Option<(i32, i32)>,
}

/// First and last day of a period since 1970-01-01.
pub(crate) fn period_days(period: &Period) -> (i32, i32) {
    (
        value::days_of(period.first_day()),
        value::days_of(period.last_day()),
    )
}

/// Builds [`ParsedRows`] record by record.
pub(crate) struct RowBuilder<'p> {
    plan: &'p Plan,
    context: &'p RowContext,
    buffers: Vec<ColumnBuffer>,
    rows: usize,
    records: Vec<u32>,
    flags: Vec<(u32, String)>,
    quarantined: Vec<QuarantinedRow>,
    control: Vec<ControlSum>,
    identities: Identities,
    identity_ends: Vec<[u32; 3]>,
    raw_cells: RawCells,
    /// Bytes of the quarantined rows' originals.
    original_bytes: usize,
    delivered: u64,
    scratch: Vec<u8>,
    row_flags: String,
    row_person: Option<PersonEntry>,
    row_is_forgotten: bool,
    forgotten: u64,
    persons_before_row: usize,
    details_before_row: usize,
    opaques_before_row: usize,
}

/// The rule a value breaks.
type Rule = &'static str;

/// Most bytes of text that rows held at once may have.
const MOST_TEXT_BYTES: usize = 256 << 20;

impl<'p> RowBuilder<'p> {
    pub fn new(plan: &'p Plan, context: &'p RowContext) -> Self {
        Self {
            plan,
            context,
            buffers: plan
                .value_schema
                .fields()
                .iter()
                .map(|field| ColumnBuffer::new(field.data_type()))
                .collect(),
            rows: 0,
            records: Vec::new(),
            flags: Vec::new(),
            quarantined: Vec::new(),
            control: vec![ControlSum::default(); plan.control.len()],
            identities: Identities::default(),
            identity_ends: Vec::new(),
            raw_cells: RawCells::default(),
            original_bytes: 0,
            delivered: 0,
            scratch: Vec::new(),
            row_flags: String::new(),
            row_person: None,
            row_is_forgotten: false,
            forgotten: 0,
            persons_before_row: 0,
            details_before_row: 0,
            opaques_before_row: 0,
        }
    }

    /// Rows accepted since the last [`finish`](Self::finish).
    pub fn accepted(&self) -> usize {
        self.rows
    }

    /// Rows quarantined since the last [`finish`](Self::finish).
    pub fn pending_quarantine(&self) -> usize {
        self.quarantined.len()
    }

    /// Bytes of text held since the last [`finish`](Self::finish), in rows and in originals of
    /// rows that are or may still be set aside.
    pub fn text_bytes(&self) -> usize {
        let rows: usize = self.buffers.iter().map(ColumnBuffer::text_bytes).sum();
        rows + self.raw_cells.bytes() + self.original_bytes
    }

    /// Whether [`finish`](Self::finish) will refuse what is held: a few bytes of a file may
    /// stand for many in its rows, where one record becomes several.
    pub fn is_overfull(&self) -> bool {
        self.text_bytes() > MOST_TEXT_BYTES
    }

    /// Checks one record; `cell` gives what stands there for a column of the contract.
    pub fn push<'r>(&mut self, record: u32, cell: impl Fn(usize) -> Cell<'r>) {
        self.delivered += 1;
        self.row_flags.clear();
        self.row_person = None;
        self.row_is_forgotten = false;
        self.opaques_before_row = self.identities.opaques.len();
        self.persons_before_row = self.identities.persons.len();
        self.details_before_row = self.identities.details.len();
        let plan = self.plan;
        for (index, column) in plan.columns.iter().enumerate() {
            if column.output.is_none() {
                continue;
            }
            let value = match &column.constant {
                Some(constant) => Cell::Raw(constant),
                None => cell(index),
            };
            if let Err(rule) = self.append(column, value) {
                match column.on_fail {
                    OnFail::Quarantine => {
                        self.quarantine(record, index, rule, &cell);
                        return;
                    }
                    OnFail::Flag => {
                        add_flag(&mut self.row_flags, &format!("{}:{rule}", column.name));
                        self.append_null(column);
                    }
                    OnFail::Null => self.append_null(column),
                }
            }
        }
        if let Some((index, rule)) = self.collect_identity(&cell).err() {
            self.quarantine(record, index, rule, &cell);
            return;
        }
        if self.row_is_forgotten {
            self.forget_row();
            return;
        }
        for (sum, index) in self.control.iter_mut().zip(&plan.control) {
            if let Some(output) = plan.columns[*index].output {
                sum.accepted += self.buffers[output].last_exact();
            }
        }
        if !self.row_flags.is_empty() {
            self.flags
                .push((self.rows as u32, std::mem::take(&mut self.row_flags)));
        }
        if plan.sets_rows_aside {
            self.raw_cells.push(plan.columns.len(), &cell);
            if plan.scrub {
                let identities = &self.identities;
                let ends = [
                    identities.persons.len(),
                    identities.details.len(),
                    identities.opaques.len(),
                ];
                self.identity_ends.push(ends.map(|end| end as u32));
            }
        }
        self.records.push(record);
        self.rows += 1;
    }

    /// Quarantines a record that breaks a rule as a whole. `whole` is its text, kept sealed;
    /// `cell` still serves control totals.
    pub fn push_broken<'r>(
        &mut self,
        record: u32,
        rule: Rule,
        raw_value: Option<String>,
        whole: Option<&[u8]>,
        cell: impl Fn(usize) -> Cell<'r>,
    ) {
        self.delivered += 1;
        let won = self.count_control_of_quarantined(&cell);
        let original = self.original(Some(rule), whole, &cell);
        self.quarantined.push(QuarantinedRow {
            record,
            column: String::new(),
            rule,
            raw_value,
            won,
            original,
        });
    }

    fn original<'r>(
        &mut self,
        broken: Option<Rule>,
        whole: Option<&[u8]>,
        cell: &impl Fn(usize) -> Cell<'r>,
    ) -> OriginalRecord {
        let hasher = self.context.hasher.as_ref();
        let original = OriginalRecord::new(self.plan, hasher, broken, whole, cell);
        self.original_bytes += original.plain.len();
        original
    }

    /// Hands out what was built and starts again empty.
    pub fn finish(&mut self) -> Result<ParsedRows, IntakeError> {
        if self.is_overfull() {
            return Err(Refusal::new(
                RefusalRule::TooLarge,
                format!(
                    "a part of the file becomes more than {} MiB of text: ask the provider for one row per record",
                    MOST_TEXT_BYTES >> 20
                ),
            )
            .into());
        }
        let source = self.plan.source();
        let arrow = |error| IntakeError::Arrow {
            source_name: source.to_owned(),
            source: error,
        };
        let arrays = self
            .buffers
            .iter_mut()
            .map(|buffer| buffer.finish().map_err(arrow))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch =
            RecordBatch::try_new_with_options(self.plan.value_schema.clone(), arrays, &options)
                .map_err(arrow)?;
        self.rows = 0;
        self.original_bytes = 0;
        let control = std::mem::replace(
            &mut self.control,
            vec![ControlSum::default(); self.plan.control.len()],
        );
        let mut rows = ParsedRows {
            batch,
            records: std::mem::take(&mut self.records),
            flags: std::mem::take(&mut self.flags),
            quarantined: std::mem::take(&mut self.quarantined),
            control,
            identities: std::mem::take(&mut self.identities),
            forgotten: std::mem::take(&mut self.forgotten),
            delivered: std::mem::take(&mut self.delivered),
            record_count: 0,
            outside_period: 0,
            key_hashes: Vec::new(),
            identity_ends: std::mem::take(&mut self.identity_ends),
            raw_cells: std::mem::take(&mut self.raw_cells),
        };
        if !self.plan.checks.is_empty() {
            rows = rows.checked(self.plan, self.context)?;
        }
        if self.plan.unique.is_empty() {
            rows.raw_cells = RawCells::default();
        } else {
            rows.key_hashes = key_hashes(self.plan, &rows.batch);
        }
        Ok(rows)
    }

    /// Reads one value into its buffer; on error the buffer is unchanged.
    fn append(&mut self, column: &ColumnPlan, cell: Cell<'_>) -> Result<(), Rule> {
        let raw = match cell {
            Cell::Missing => return self.append_missing(column),
            Cell::Broken(rule, _) => return Err(rule),
            Cell::Raw(raw) if column.trim => raw.trim_ascii(),
            Cell::Raw(raw) => raw,
        };
        let is_null = column.null_values.iter().any(|null| null == raw);
        if is_null || (raw.is_empty() && !column.kind.is_text()) {
            return self.append_missing(column);
        }
        if !column.is_rewritten() {
            return self.append_value(column, raw, self.plan.decoder);
        }
        let Some(text) = self.plan.decoder.decode(raw) else {
            return Err("encoding");
        };
        match rewrite(column, text) {
            Some(text) if !text.is_empty() => {
                self.append_value(column, text.as_bytes(), TextDecoder::Utf8)
            }
            _ => match self.append_missing(column) {
                Err(_) => Err("capture"),
                ok => ok,
            },
        }
    }

    fn append_missing(&mut self, column: &ColumnPlan) -> Result<(), Rule> {
        if !column.nullable {
            return Err("not_null");
        }
        self.append_null(column);
        Ok(())
    }

    fn append_null(&mut self, column: &ColumnPlan) {
        if let Some(output) = column.output {
            for buffer in &mut self.buffers[output..=output + column.derive.len()] {
                buffer.push_null();
            }
        }
    }

    #[inline]
    fn append_value(
        &mut self,
        column: &ColumnPlan,
        raw: &[u8],
        decoder: TextDecoder,
    ) -> Result<(), Rule> {
        let Some(output) = column.output else {
            return Ok(());
        };
        if column.kind == ColumnType::ResidentNumber {
            return self.append_resident_number(column, output, raw);
        }
        let buffer = &mut self.buffers[output];
        match (&mut buffer.values, column.kind) {
            (Values::Utf8 { ends, data }, ColumnType::BusinessNumber) => {
                let number = BusinessNumber::parse(raw).map_err(|_| "biz_no")?;
                if !number.check_digit_is_right() {
                    add_flag(&mut self.row_flags, "biz_no_checksum");
                }
                data.extend_from_slice(number.as_str().as_bytes());
                ends.push(data.len() as i32);
            }
            (Values::Utf8 { ends, data }, ColumnType::Digest) => {
                let hasher = self.context.hasher.as_ref().ok_or("type")?;
                let input = OpaqueInput::new(raw);
                let digest = hasher.opaque(&input);
                data.extend_from_slice(&opaque_text(&digest));
                ends.push(data.len() as i32);
                self.identities.opaques.push(OpaqueEntry { digest, input });
            }
            (Values::Utf8 { ends, data }, _) => {
                let before = data.len();
                if !decoder.append(raw, data) {
                    return Err("encoding");
                }
                if let Err(rule) = check_text(column, &data[before..]) {
                    data.truncate(before);
                    return Err(rule);
                }
                ends.push(data.len() as i32);
            }
            (Values::Int32(values), _) => {
                let number = value::integer(raw).ok_or("type")?;
                let number_32 = i32::try_from(number).map_err(|_| "range")?;
                check_exact(column, i128::from(number), raw)?;
                values.push(number_32);
            }
            (Values::Int64(values), _) => {
                let number = value::integer(raw).ok_or("type")?;
                check_exact(column, i128::from(number), raw)?;
                values.push(number);
            }
            (Values::Decimal(values, precision, scale), _) => {
                let number = value::decimal(raw, u32::from(scale.unsigned_abs())).ok_or("type")?;
                if number.unsigned_abs() >= 10u128.pow(u32::from(*precision)) {
                    return Err("range");
                }
                check_exact(column, number, raw)?;
                values.push(number);
            }
            (Values::Float64(values), _) => {
                let number = value::float(raw).ok_or("type")?;
                if let Some(RangePlan::Float(minimum, maximum)) = column.range
                    && !(minimum..=maximum).contains(&number)
                {
                    return Err("range");
                }
                values.push(number);
            }
            (Values::Date(values), kind) => {
                let mut days = column
                    .formats
                    .iter()
                    .find_map(|format| format.date(raw))
                    .ok_or("type")?;
                if kind == ColumnType::Month {
                    days = first_of_month(days);
                }
                check_exact(column, i128::from(days), raw)?;
                values.push(days);
            }
            (Values::Timestamp(values), _) => {
                let moment = column
                    .formats
                    .iter()
                    .find_map(|format| format.timestamp(raw))
                    .ok_or("type")?;
                check_exact(column, i128::from(moment), raw)?;
                values.push(moment);
            }
            (Values::Boolean(values), _) => {
                let answer = if raw.is_ascii() {
                    value::boolean(raw)
                } else {
                    self.scratch.clear();
                    if !decoder.append(raw, &mut self.scratch) {
                        return Err("encoding");
                    }
                    value::boolean(&self.scratch)
                };
                values.push(answer.ok_or("type")?);
            }
        }
        buffer.mark_valid();
        Ok(())
    }

    fn append_resident_number(
        &mut self,
        column: &ColumnPlan,
        output: usize,
        raw: &[u8],
    ) -> Result<(), Rule> {
        let number = ResidentNumber::parse(raw).map_err(|error| match error {
            ResidentNumberError::Shape => "rrn_shape",
            ResidentNumberError::BirthDate => "rrn_birth_date",
        })?;
        let birth = value::days_of(number.birth_date());
        if birth > self.context.known_on {
            return Err("rrn_birth_date");
        }
        let hasher = self.context.hasher.as_ref().ok_or("type")?;
        if birth < NUMBERS_WITHOUT_CHECK_DIGIT_FROM && !number.check_digit_is_right() {
            add_flag(&mut self.row_flags, "rrn_checksum");
        }
        if birth < BORN_TOO_LONG_AGO_BEFORE {
            add_flag(&mut self.row_flags, "rrn_century");
        }
        let digest = hasher.person(number.digits());
        let entry = PersonEntry {
            digest,
            number: number
                .digits()
                .iter()
                .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')),
        };
        if let Some(forgotten) = &self.context.forgotten {
            self.row_is_forgotten |= forgotten.contains(number.digits());
        }
        if self.row_person.is_none() {
            self.row_person = Some(entry);
        }
        self.identities.persons.push(entry);
        if let Values::Int64(values) = &mut self.buffers[output].values {
            values.push(person_key(&digest));
        }
        self.buffers[output].mark_valid();
        for (offset, derived) in column.derive.iter().enumerate() {
            let buffer = &mut self.buffers[output + 1 + offset];
            match (&mut buffer.values, derived) {
                (Values::Date(values), Derived::BirthDate) => values.push(birth),
                (Values::Utf8 { ends, data }, Derived::Sex) => {
                    data.extend_from_slice(number.sex().code().as_bytes());
                    ends.push(data.len() as i32);
                }
                (Values::Boolean(values), Derived::Foreigner) => {
                    values.push(number.is_foreigner());
                }
                _ => return Err("type"),
            }
            buffer.mark_valid();
        }
        Ok(())
    }

    /// Names and contacts of an otherwise accepted row.
    fn collect_identity<'r>(
        &mut self,
        cell: &impl Fn(usize) -> Cell<'r>,
    ) -> Result<(), (usize, Rule)> {
        let Some(person) = self.row_person else {
            return Ok(());
        };
        for (index, column) in self.plan.columns.iter().enumerate() {
            let kind = match column.kind {
                ColumnType::PersonName => DETAIL_NAME,
                ColumnType::Contact => DETAIL_CONTACT,
                _ => continue,
            };
            let raw = match cell(index) {
                Cell::Raw(raw) => raw.trim_ascii(),
                Cell::Missing => b"",
                Cell::Broken(rule, _) => return Err((index, rule)),
            };
            if raw.is_empty() || column.null_values.iter().any(|null| null == raw) {
                if column.nullable {
                    continue;
                }
                return Err((index, "not_null"));
            }
            let value = self.plan.decoder.decode(raw).ok_or((index, "encoding"))?;
            if value.len() > DETAIL_BYTES {
                return Err((index, "length"));
            }
            self.identities.details.push(DetailEntry {
                person: person.digest,
                kind,
                value,
            });
        }
        Ok(())
    }

    /// The vault must not learn a number whose row was not accepted.
    fn take_back_row(&mut self) {
        for buffer in &mut self.buffers {
            buffer.truncate(self.rows);
        }
        self.identities.persons.truncate(self.persons_before_row);
        self.identities.details.truncate(self.details_before_row);
        self.identities.opaques.truncate(self.opaques_before_row);
    }

    fn quarantine<'r>(
        &mut self,
        record: u32,
        index: usize,
        rule: Rule,
        cell: &impl Fn(usize) -> Cell<'r>,
    ) {
        self.take_back_row();
        if self.row_is_forgotten || self.names_forgotten(cell) {
            self.forget_broken_row(cell);
            return;
        }
        let won = self.count_control_of_quarantined(cell);
        let column = &self.plan.columns[index];
        let raw_value = match cell(index) {
            Cell::Missing => None,
            Cell::Raw(raw) | Cell::Broken(_, raw) => Some(self.shown(column, raw)),
        };
        let original = self.original(None, None, cell);
        self.quarantined.push(QuarantinedRow {
            record,
            column: column.name.clone(),
            rule,
            raw_value,
            won,
            original,
        });
    }

    /// Answers the row's value of the column whose sums are reconciled, when it can be read.
    fn count_control_of_quarantined<'r>(
        &mut self,
        cell: &impl Fn(usize) -> Cell<'r>,
    ) -> Option<i128> {
        let reconciled = self.plan.reconciled_column();
        let mut won = None;
        for (sum, index) in self.control.iter_mut().zip(&self.plan.control) {
            let column = &self.plan.columns[*index];
            let Cell::Raw(raw) = cell(*index) else {
                sum.unreadable += 1;
                continue;
            };
            let scale = match column.kind {
                ColumnType::Decimal(_, scale) => u32::from(scale.unsigned_abs()),
                _ => 0,
            };
            let raw = raw.trim_ascii();
            let value = if raw.is_empty() || column.null_values.iter().any(|null| null == raw) {
                Some(0)
            } else if column.is_rewritten() {
                self.plan
                    .decoder
                    .decode(raw)
                    .and_then(|text| rewrite(column, text))
                    .and_then(|text| value::decimal(text.as_bytes(), scale))
            } else {
                value::decimal(raw, scale)
            };
            let value = value.filter(|value| value.unsigned_abs() < MOST_CONTROL);
            match value {
                Some(value) => sum.quarantined += value,
                None => sum.unreadable += 1,
            }
            if reconciled == Some(*index) {
                won = value;
            }
        }
        won
    }

    /// The raw value as it may be stored and shown.
    fn shown(&self, column: &ColumnPlan, raw: &[u8]) -> String {
        if column.masked {
            return crate::shown::MASKED.to_owned();
        }
        shown_value(self.plan, raw)
    }
}

/// How often each rule was broken, for the sentence that explains a refusal.
pub(crate) fn rule_counts(counts: &BTreeMap<(String, &'static str), u64>) -> String {
    let mut ordered: Vec<_> = counts.iter().collect();
    ordered.sort_by(|left, right| right.1.cmp(left.1).then(left.0.cmp(right.0)));
    let mut text = String::new();
    for ((column, rule), count) in ordered.into_iter().take(3) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let place = if column.is_empty() { "record" } else { column };
        text.push_str(&format!("{place} {rule} in {count}"));
    }
    text
}

#[cfg(test)]
mod tests;
