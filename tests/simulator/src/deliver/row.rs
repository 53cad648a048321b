use std::collections::BTreeMap;

use crate::calendar::{Day, text};
use crate::deliver::errors::{ErrorKind, draw, strike};
use crate::deliver::layout::{Cadence, Format, Source, period_of};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::truth::Truth;

/// Rows of one delivery from one block.
#[derive(Default)]
pub(crate) struct Buffer {
    pub bytes: Vec<u8>,
    pub rows: u64,
    /// Control sum in units of its last decimal.
    pub control: i128,
    /// Input errors injected so far.
    pub struck: u64,
}

/// Everything one block delivers.
pub(crate) struct BlockOutput {
    periods: usize,
    /// By source and period.
    pub buffers: Vec<Buffer>,
    /// The incomplete first revision of the source's corrected period.
    pub drafts: Vec<Buffer>,
    pub injected: BTreeMap<(Source, usize, ErrorKind), u64>,
    pub truth: Truth,
    /// Input errors of the registers, and of the employment services.
    errors: [Random; 2],
}

/// Fewest rows of a block's part of a delivery for each input error in it.
const ROWS_PER_ERROR: u64 = 40;

/// Share of rows missing from the first revision of a corrected period.
const MISSING_FROM_DRAFT: f64 = 0.03;

impl BlockOutput {
    pub(crate) fn new(scenario: &Scenario, block: u32) -> Self {
        Self {
            periods: scenario.months,
            buffers: (0..Source::COUNT * scenario.months)
                .map(|_| Buffer::default())
                .collect(),
            drafts: (0..Source::COUNT).map(|_| Buffer::default()).collect(),
            injected: BTreeMap::new(),
            truth: Truth::new(scenario),
            errors: [0x0e77_0000_0000, 0x0e78_0000_0000]
                .map(|stream| Random::new(scenario.seed, stream + u64::from(block))),
        }
    }

    /// Position of a delivery in `buffers`.
    pub(crate) fn slot(&self, source: Source, period: usize) -> usize {
        source as usize * self.periods + period
    }

    /// Starts a row in the delivery of a month, or nothing when that month is not delivered.
    /// Months before the first belong to it when `opening`.
    pub(crate) fn row(
        &mut self,
        scenario: &Scenario,
        source: Source,
        month: i32,
        opening: bool,
    ) -> Option<Row<'_>> {
        let cadence: Cadence = source.layout().cadence;
        let period = period_of(scenario, cadence, month, opening)?;
        let slot = self.slot(source, period);
        let buffer = &mut self.buffers[slot];
        if source.layout().format == Format::Json && buffer.rows > 0 {
            buffer.bytes.extend_from_slice(b",\n");
        }
        let start = buffer.bytes.len();
        Some(Row {
            output: self,
            source,
            period,
            slot,
            start,
            separate: false,
        })
    }
}

/// A row being written.
pub(crate) struct Row<'o> {
    output: &'o mut BlockOutput,
    source: Source,
    period: usize,
    slot: usize,
    start: usize,
    separate: bool,
}

/// Writes a whole number in decimal.
pub(crate) fn push_number(bytes: &mut Vec<u8>, number: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        bytes.push(b'-');
    }
    bytes.extend_from_slice(&digits[at..]);
}

impl Row<'_> {
    /// The bytes written so far in this delivery, for formats other than CSV.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.output.buffers[self.slot].bytes
    }

    fn next(&mut self) -> &mut Vec<u8> {
        let bytes = &mut self.output.buffers[self.slot].bytes;
        if self.separate {
            bytes.push(b',');
        }
        self.separate = true;
        bytes
    }

    /// A field already in the encoding of the file.
    pub(crate) fn text(mut self, value: &[u8]) -> Self {
        self.next().extend_from_slice(value);
        self
    }

    /// A whole number.
    pub(crate) fn number(mut self, value: i64) -> Self {
        push_number(self.next(), value);
        self
    }

    /// A date, `YYYYMMDD`.
    pub(crate) fn day(mut self, value: Day) -> Self {
        self.next().extend_from_slice(text(value));
        self
    }

    /// A date or nothing.
    pub(crate) fn day_or_empty(mut self, value: Option<Day>) -> Self {
        let bytes = self.next();
        if let Some(value) = value {
            bytes.extend_from_slice(text(value));
        }
        self
    }

    /// A month, `YYYYMM`, counted from year 0.
    pub(crate) fn month(mut self, value: i32) -> Self {
        push_number(
            self.next(),
            i64::from(value.div_euclid(12) * 100 + value.rem_euclid(12) + 1),
        );
        self
    }

    /// Ends the row; `control` is its part of the manifest's control sum.
    pub(crate) fn finish(mut self, control: i64) {
        if self.source.layout().format == Format::Csv {
            self.bytes().push(b'\n');
        }
        let mut rows = 1;
        let mut control = i128::from(control);
        let buffer = &self.output.buffers[self.slot];
        // Never so many that a small delivery would be refused.
        let room = (buffer.struck + 1) * ROWS_PER_ERROR <= buffer.rows;
        let errors = &mut self.output.errors[usize::from(self.source.layout().service)];
        let kind = draw(errors, self.source).filter(|_| room);
        if let Some(kind) = kind {
            let bytes = &mut self.output.buffers[self.slot].bytes;
            let struck = if kind == ErrorKind::Duplicate {
                bytes.extend_from_within(self.start..);
                rows = 2;
                control *= 2;
                true
            } else {
                strike(bytes, self.start, self.source, kind)
            };
            if struck {
                if kind == ErrorKind::NegativeMoney {
                    control = -control;
                }
                self.output.buffers[self.slot].struck += 1;
                *self
                    .output
                    .injected
                    .entry((self.source, self.period, kind))
                    .or_default() += 1;
            }
        }
        let corrected = self.source.layout().corrected_period == Some(self.period);
        if corrected && !self.output.errors[0].chance(MISSING_FROM_DRAFT) {
            let output = &mut *self.output;
            let draft = &mut output.drafts[self.source as usize];
            draft
                .bytes
                .extend_from_slice(&output.buffers[self.slot].bytes[self.start..]);
            draft.rows += rows;
            draft.control += control;
        }
        let buffer = &mut self.output.buffers[self.slot];
        buffer.rows += rows;
        buffer.control += control;
    }
}
