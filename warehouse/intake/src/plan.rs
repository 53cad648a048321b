//! A contract compiled for execution: every literal and pattern prepared once.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use goyong_catalog::contract::{
    Column, ColumnType, Contract, Derived, Encoding, FormatKind, OnFail, StagingType,
};
use regex::Regex;

use crate::encoding::{TextDecoder, encode};
use crate::error::IntakeError;
use crate::pattern::Pattern;
use crate::row_checks::RowChecks;
use crate::value::{self, TimeFormat};

/// A contract ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The contract.
    pub contract: Contract,
    /// Its columns, in its order.
    pub(crate) columns: Vec<ColumnPlan>,
    /// Schema of the typed columns, without the technical ones.
    pub(crate) value_schema: SchemaRef,
    /// Schema of the staging table.
    pub staging_schema: SchemaRef,
    /// Columns summed for the reconciliation, as indexes into `columns`.
    pub(crate) control: Vec<usize>,
    /// How raw bytes become text.
    pub(crate) decoder: TextDecoder,
    /// Whether raw values in quarantine are searched for resident numbers.
    pub(crate) scrub: bool,
    /// Fields of a record that child contracts load.
    claimed: Vec<String>,
    /// Checks over whole batches.
    pub(crate) checks: RowChecks,
    /// Columns of the value schema no two rows may agree in.
    pub(crate) unique: Vec<usize>,
    /// Seed of this plan's key hashes, so that nobody can write a file whose keys collide.
    pub(crate) key_seed: u64,
    /// Whether a row that was accepted at first may be set aside later.
    pub(crate) sets_rows_aside: bool,
    /// Columns of the value schema that no message may show.
    pub(crate) masked_outputs: BTreeSet<usize>,
}

/// A column ready to run.
#[derive(Clone, Debug)]
pub(crate) struct ColumnPlan {
    pub name: String,
    pub from: Vec<String>,
    pub kind: ColumnType,
    /// Index of its first buffer; names and contacts have none.
    pub output: Option<usize>,
    pub derive: Vec<Derived>,
    pub nullable: bool,
    /// Raw bytes that mean "missing".
    pub null_values: Vec<Vec<u8>>,
    pub formats: Vec<TimeFormat>,
    /// Allowed values, UTF-8, sorted.
    pub domain: Vec<Vec<u8>>,
    pub range: Option<RangePlan>,
    pub pattern: Option<Pattern>,
    pub capture: Option<Regex>,
    pub strip: Vec<String>,
    pub on_fail: OnFail,
    pub at: Option<(usize, usize)>,
    /// Whether spaces around the value are removed.
    pub trim: bool,
    /// Whether raw values never leave intake.
    pub masked: bool,
    /// The value of every row, for what stands in the file's name.
    pub constant: Option<Vec<u8>>,
}

/// Most digits of a control total; see [`value::MOST_CONTROL`].
const MOST_CONTROL_DIGITS: u8 = 27;

/// Written in `from`, it stands for the name of the file.
pub(crate) const FILE_NAME: &str = "$file_name";

/// Limits in the unit of the stored value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RangePlan {
    Exact(i128, i128),
    Float(f64, f64),
}

impl Plan {
    /// Compiles a contract.
    pub fn new(contract: &Contract) -> Result<Self, IntakeError> {
        let decoder = match (&contract.format.kind, contract.format.encoding) {
            (FormatKind::Csv(_) | FormatKind::Fixed(_), Encoding::Cp949) => TextDecoder::Cp949,
            (FormatKind::Csv(_) | FormatKind::Fixed(_), Encoding::Utf8) => TextDecoder::Utf8,
            _ => TextDecoder::Transcoded,
        };
        let mut columns = Vec::with_capacity(contract.columns.len());
        let mut output = 0;
        for column in &contract.columns {
            columns.push(ColumnPlan::new(contract, column, decoder, &mut output)?);
        }
        let staging_schema: SchemaRef = Arc::new(Schema::new(
            contract
                .staging_columns()
                .iter()
                .map(|column| Field::new(&column.name, arrow_type(column.staging_type), true))
                .collect::<Vec<_>>(),
        ));
        let value_schema: SchemaRef =
            Arc::new(Schema::new(staging_schema.fields()[..output].to_vec()));
        let control = contract
            .control_totals
            .iter()
            .filter_map(|name| columns.iter().position(|column| column.name == *name))
            .collect();
        for column in &contract.columns {
            if let ColumnType::Decimal(precision, _) = column.column_type
                && precision > MOST_CONTROL_DIGITS
                && contract.control_totals.contains(&column.name)
            {
                return Err(IntakeError::Contract {
                    source_name: contract.source.clone(),
                    message: format!(
                        "column `{}` is a control total, at most decimal({MOST_CONTROL_DIGITS},s) can be summed",
                        column.name
                    ),
                });
            }
        }
        let names: Vec<String> = value_schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let checks = RowChecks::new(contract, &names)?;
        let unique: Vec<usize> = contract
            .unique
            .iter()
            .filter_map(|name| names.iter().position(|column| column == name))
            .collect();
        let masked_outputs = columns
            .iter()
            .filter(|column| column.masked)
            .filter_map(|column| Some(column.output?..=column.output? + column.derive.len()))
            .flatten()
            .collect();
        Ok(Self {
            contract: contract.clone(),
            sets_rows_aside: !checks.is_empty() || !unique.is_empty(),
            checks,
            unique,
            key_seed: RandomState::new().hash_one(0u8),
            masked_outputs,
            columns,
            value_schema,
            staging_schema,
            control,
            decoder,
            scrub: contract.has_identity(),
            claimed: Vec::new(),
        })
    }

    /// The plan of a source whose records hold those of `children`.
    pub(crate) fn with_children<'c>(
        mut self,
        children: impl Iterator<Item = &'c Contract>,
    ) -> Self {
        let own = record_path(&self.contract);
        self.claimed = children
            .filter_map(|child| {
                let rest = record_path(child).strip_prefix(own)?;
                let steps: Vec<&str> = rest
                    .iter()
                    .map(String::as_str)
                    .skip_while(|step| *step == "*")
                    .collect();
                (!steps.is_empty()).then(|| steps.join("/"))
            })
            .collect();
        self
    }

    /// Whether a field of the record, though not in the contract, is loaded by a child's.
    pub(crate) fn is_claimed(&self, field: &str) -> bool {
        self.claimed.iter().any(|claimed| {
            field
                .strip_prefix(claimed.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The plan for one file, whose name columns may ask for.
    pub(crate) fn for_file(&self, file_name: &str) -> Self {
        let mut plan = self.clone();
        let encoding = match plan.decoder {
            TextDecoder::Cp949 => Encoding::Cp949,
            _ => Encoding::Utf8,
        };
        for column in &mut plan.columns {
            if column.takes_file_name() {
                // A name the encoding cannot write is quarantined as undecodable.
                column.constant = Some(encode(file_name, encoding).unwrap_or_else(|| vec![0xFF]));
            }
        }
        plan
    }

    /// The column whose sums are reconciled: the first control total in whole won.
    pub(crate) fn reconciled_column(&self) -> Option<usize> {
        self.control
            .iter()
            .copied()
            .find(|index| !matches!(self.columns[*index].kind, ColumnType::Decimal(_, scale) if scale != 0))
    }

    /// Name of the source.
    pub fn source(&self) -> &str {
        &self.contract.source
    }
}

impl ColumnPlan {
    fn new(
        contract: &Contract,
        column: &Column,
        decoder: TextDecoder,
        output: &mut usize,
    ) -> Result<Self, IntakeError> {
        let error = |message: String| IntakeError::Contract {
            source_name: contract.source.clone(),
            message: format!("column `{}`: {message}", column.name),
        };
        let kind = column.column_type;
        let formats = time_formats(contract, column).map_err(error)?;
        let range = match &column.range {
            None => None,
            Some(range) => Some(
                RangePlan::new(
                    kind,
                    &formats,
                    range.minimum.as_deref(),
                    range.maximum.as_deref(),
                )
                .ok_or_else(|| error("the range is not in the column's type".into()))?,
            ),
        };
        let literal_encoding = match decoder {
            TextDecoder::Cp949 => Encoding::Cp949,
            _ => Encoding::Utf8,
        };
        let null_values = column
            .null_values
            .iter()
            .map(|text| {
                encode(text, literal_encoding).ok_or_else(|| {
                    error(format!("`{text}` cannot be written in the file's encoding"))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut domain: Vec<Vec<u8>> = column
            .domain
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
        domain.sort_unstable();
        let trims_text = match &contract.format.kind {
            FormatKind::Csv(csv) => csv.trim,
            FormatKind::Fixed(_) => true,
            _ => false,
        };
        let has_output = kind.staging_type().is_some();
        let first = *output;
        *output += usize::from(has_output) + column.derive.len();
        Ok(Self {
            name: column.name.clone(),
            from: column.from.clone(),
            kind,
            output: has_output.then_some(first),
            derive: column.derive.clone(),
            nullable: column.nullable,
            null_values,
            formats,
            domain,
            range,
            pattern: column
                .pattern
                .as_deref()
                .map(Pattern::parse)
                .transpose()
                .map_err(error)?,
            capture: column
                .capture
                .as_deref()
                .map(Regex::new)
                .transpose()
                .map_err(|_| error("the capture is not a regular expression".into()))?,
            strip: column.strip.clone(),
            on_fail: column.on_fail,
            at: column.at,
            trim: trims_text || !kind.is_text(),
            masked: kind.is_direct_identifier() || kind == ColumnType::Digest,
            constant: None,
        })
    }

    /// Whether the value is the name of the file.
    pub fn takes_file_name(&self) -> bool {
        self.from.iter().any(|from| from == FILE_NAME)
    }

    /// Whether the value stands beside the record: in the file's name, in the keys that lead to
    /// the record, or in a record around it.
    pub fn is_beside_the_record(&self) -> bool {
        self.from
            .iter()
            .any(|from| from == FILE_NAME || from.starts_with("$key") || from.starts_with("../"))
    }

    /// Whether the value must be rewritten as text before it is read.
    pub fn is_rewritten(&self) -> bool {
        self.capture.is_some() || !self.strip.is_empty()
    }
}

impl RangePlan {
    fn new(
        kind: ColumnType,
        formats: &[TimeFormat],
        minimum: Option<&str>,
        maximum: Option<&str>,
    ) -> Option<Self> {
        if kind == ColumnType::Float {
            let end = |text: Option<&str>, open: f64| match text {
                None => Some(open),
                Some(text) => value::float(text.as_bytes()),
            };
            return Some(Self::Float(
                end(minimum, f64::NEG_INFINITY)?,
                end(maximum, f64::INFINITY)?,
            ));
        }
        let exact = |text: &str| -> Option<i128> {
            let bytes = text.as_bytes();
            match kind {
                ColumnType::Int | ColumnType::Bigint => value::integer(bytes).map(i128::from),
                ColumnType::Won => value::decimal(bytes, 0),
                ColumnType::Decimal(_, scale) => {
                    value::decimal(bytes, u32::from(scale.unsigned_abs()))
                }
                ColumnType::Date | ColumnType::Month => formats
                    .iter()
                    .chain(&TimeFormat::parse("%F").ok())
                    .find_map(|format| format.date(bytes))
                    .map(i128::from),
                ColumnType::Timestamp => formats
                    .iter()
                    .find_map(|format| format.timestamp(bytes))
                    .map(i128::from),
                _ => None,
            }
        };
        let end = |text: Option<&str>, open: i128| text.map_or(Some(open), exact);
        Some(Self::Exact(
            end(minimum, i128::MIN)?,
            end(maximum, i128::MAX)?,
        ))
    }
}

/// Steps that lead to the records of an XML or JSON source.
fn record_path(contract: &Contract) -> &[String] {
    match &contract.format.kind {
        FormatKind::Xml(xml) => &xml.record,
        FormatKind::Json(json) => &json.record,
        _ => &[],
    }
}

fn time_formats(contract: &Contract, column: &Column) -> Result<Vec<TimeFormat>, String> {
    let defaults: &[&str] = match column.column_type {
        ColumnType::Date => &["%Y-%m-%d", "%Y%m%d"],
        ColumnType::Month => &["%Y%m", "%Y-%m"],
        ColumnType::Timestamp => &["%Y-%m-%d %H:%M:%S"],
        _ => return Ok(Vec::new()),
    };
    let mut formats: Vec<TimeFormat> = if column.formats.is_empty() {
        defaults
            .iter()
            .map(|format| TimeFormat::parse(format))
            .collect::<Result<_, _>>()?
    } else {
        column
            .formats
            .iter()
            .map(|format| TimeFormat::parse(format))
            .collect::<Result<_, _>>()?
    };
    // Typed cells arrive as ISO text whatever the provider's own text format is.
    if matches!(
        contract.format.kind,
        FormatKind::Xlsx(_) | FormatKind::Parquet
    ) {
        for iso in ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"] {
            formats.push(TimeFormat::parse(iso)?);
        }
    }
    Ok(formats)
}

/// The Arrow type of a staging column.
pub fn arrow_type(staging_type: StagingType) -> DataType {
    match staging_type {
        StagingType::Utf8 => DataType::Utf8,
        StagingType::Int32 => DataType::Int32,
        StagingType::Int64 => DataType::Int64,
        StagingType::Float64 => DataType::Float64,
        StagingType::Decimal128(precision, scale) => DataType::Decimal128(precision, scale),
        StagingType::Date32 => DataType::Date32,
        StagingType::TimestampMicrosecond => DataType::Timestamp(TimeUnit::Microsecond, None),
        StagingType::Boolean => DataType::Boolean,
    }
}
