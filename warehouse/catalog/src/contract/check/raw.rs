//! The contract as written, before its parts are compared with each other.

use serde::Deserialize;

use super::super::column::{Column, ColumnType, Derived, OnFail, Range};
use super::super::format::{
    Compression, CsvFormat, Encoding, ErrorAnswer, FixedFormat, Format, FormatKind, JsonFormat,
    JsonSuccess, Newline, QuoteEscape, Sheet, Unpivot, XlsxFormat, XmlFormat,
};
use super::super::text::{BilingualText, TextList};
use super::super::{Cadence, Contract, ContractError, ManifestRule, PeriodRule, RevisionRule};
use super::Source;
use goyong_types::nearest_name;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContract {
    source: String,
    title: BilingualText,
    #[serde(default)]
    description: BilingualText,
    provider: BilingualText,
    legal_basis: Option<String>,
    cadence: Cadence,
    due_days: Option<u32>,
    licence: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    manifest: ManifestRule,
    #[serde(default)]
    period: Option<RawPeriod>,
    revision: RevisionRule,
    #[serde(default)]
    key: Vec<String>,
    #[serde(default = "default_reject_threshold")]
    reject_threshold: f64,
    #[serde(default)]
    control_totals: Vec<String>,
    format: RawFormat,
    unpivot: Option<RawUnpivot>,
    columns: Vec<RawColumn>,
}

fn default_reject_threshold() -> f64 {
    0.05
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "period is `manifest`, `none` or {from: …, pattern: …}"
)]
enum RawPeriod {
    Word(PeriodWord),
    Map(RawPeriodMap),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PeriodWord {
    Manifest,
    None,
    Filename,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPeriodMap {
    from: PeriodWord,
    pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawKind {
    Csv,
    Fixed,
    Xlsx,
    Xml,
    Json,
    Parquet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFormat {
    kind: RawKind,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    compression: Compression,
    delimiter: Option<String>,
    quote: Option<String>,
    escape: Option<QuoteEscape>,
    header: Option<bool>,
    header_lines: Option<usize>,
    skip_lines: Option<usize>,
    comment: Option<String>,
    trim: Option<bool>,
    phantom_last_column: Option<PhantomColumn>,
    record_bytes: Option<usize>,
    newline: Option<Newline>,
    sheet: Option<RawSheet>,
    header_row: Option<usize>,
    record: Option<String>,
    lines: Option<bool>,
    expected_count: Option<String>,
    declared_encoding: Option<DeclaredEncoding>,
    #[serde(default)]
    errors: Vec<RawErrorAnswer>,
    success: Option<RawSuccess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum PhantomColumn {
    Drop,
    Keep,
}

/// Only documents the provider's habit: bytes always decide, and a difference is always reported.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeclaredEncoding {
    Ignore,
    Check,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "sheet is a name or a position counted from 0")]
enum RawSheet {
    Index(usize),
    Name(String),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "an error answer is a path or {code: …, message: …, empty: [...]}"
)]
enum RawErrorAnswer {
    Path(String),
    Map(RawErrorMap),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawErrorMap {
    code: String,
    message: Option<String>,
    #[serde(default)]
    empty: TextList,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSuccess {
    at: String,
    equals: TextList,
    #[serde(default)]
    empty: TextList,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUnpivot {
    columns: String,
    name: TextList,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    name: String,
    #[serde(default)]
    from: TextList,
    #[serde(rename = "type")]
    column_type: String,
    #[serde(default)]
    format: TextList,
    #[serde(default)]
    nullable: bool,
    null_values: Option<TextList>,
    #[serde(default)]
    domain: TextList,
    range: Option<TextList>,
    at: Option<(usize, usize)>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    description: BilingualText,
    #[serde(default)]
    derive: Vec<Derived>,
    #[serde(default)]
    strip: TextList,
    pattern: Option<String>,
    capture: Option<String>,
    #[serde(default)]
    on_fail: OnFail,
}

impl RawContract {
    pub(super) fn into_contract(self, source: &Source<'_>) -> Result<Contract, ContractError> {
        let period = match self.period {
            None | Some(RawPeriod::Word(PeriodWord::None)) => PeriodRule::None,
            Some(RawPeriod::Word(PeriodWord::Manifest)) => PeriodRule::Manifest,
            Some(RawPeriod::Map(RawPeriodMap { from, pattern })) => match (from, pattern) {
                (PeriodWord::None, _) => PeriodRule::None,
                (PeriodWord::Manifest, _) => PeriodRule::Manifest,
                (PeriodWord::Filename, Some(pattern)) => PeriodRule::Filename { pattern },
                (PeriodWord::Filename, None) => return Err(period_pattern_missing(source)),
            },
            Some(RawPeriod::Word(PeriodWord::Filename)) => {
                return Err(period_pattern_missing(source));
            }
        };
        let columns = self
            .columns
            .into_iter()
            .map(|column| column.into_column(source))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Contract {
            source: self.source,
            title: self.title,
            description: self.description,
            provider: self.provider,
            legal_basis: self.legal_basis,
            cadence: self.cadence,
            due_days: self.due_days,
            licence: self.licence,
            files: self.files,
            manifest: self.manifest,
            period,
            revision: self.revision,
            key: self.key,
            reject_threshold: self.reject_threshold,
            control_totals: self.control_totals,
            format: self.format.into_format(source)?,
            unpivot: self.unpivot.map(|unpivot| Unpivot {
                columns: unpivot.columns,
                names: unpivot.name.0,
                value: unpivot.value,
            }),
            columns,
        })
    }
}

fn period_pattern_missing(source: &Source<'_>) -> ContractError {
    source.error(
        "filename",
        "the period comes from the file name, but no pattern says where it stands".into(),
        Some("add `pattern: \"_(\\\\d{6})\\\\.\"`".into()),
    )
}

impl RawColumn {
    fn into_column(self, source: &Source<'_>) -> Result<Column, ContractError> {
        let place = format!("name: {}", self.name);
        let column_type: ColumnType = self.column_type.parse().map_err(|()| {
            let nearest = nearest_name(&self.column_type, ColumnType::WORDS);
            source.error(
                &place,
                format!(
                    "column `{}` has the unknown type `{}`",
                    self.name, self.column_type
                ),
                Some(match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!(
                        "use one of {} or decimal(p,s)",
                        ColumnType::WORDS.join(", ")
                    ),
                }),
            )
        })?;
        let range = match self.range.map(|list| list.0) {
            None => None,
            Some(ends) if ends.len() == 2 => {
                let end = |text: &String| (!text.is_empty()).then(|| text.clone());
                Some(Range {
                    minimum: end(&ends[0]),
                    maximum: end(&ends[1]),
                })
            }
            Some(_) => {
                return Err(source.error(
                    &place,
                    format!("the range of column `{}` is not two values", self.name),
                    Some("write [min, max], null for an open end".into()),
                ));
            }
        };
        let from = if self.from.0.is_empty() {
            vec![self.name.clone()]
        } else {
            self.from.0
        };
        Ok(Column {
            name: self.name,
            from,
            column_type,
            formats: self.format.0,
            nullable: self.nullable,
            null_values: self
                .null_values
                .map_or_else(|| vec![String::new()], |list| list.0),
            domain: self.domain.0,
            range,
            at: self.at,
            tags: self.tags,
            description: self.description,
            derive: self.derive,
            strip: self.strip.0,
            pattern: self.pattern,
            capture: self.capture,
            on_fail: self.on_fail,
        })
    }
}

impl RawFormat {
    fn into_format(self, source: &Source<'_>) -> Result<Format, ContractError> {
        self.refuse_foreign_options(source)?;
        let kind = match self.kind {
            RawKind::Csv => FormatKind::Csv(CsvFormat {
                delimiter: one_byte(source, "delimiter", self.delimiter.as_deref())?
                    .unwrap_or(b','),
                quote: match self.quote.as_deref() {
                    None => Some(b'"'),
                    Some("none" | "") => None,
                    some => one_byte(source, "quote", some)?,
                },
                escape: self.escape.unwrap_or_default(),
                header_lines: match (self.header, self.header_lines) {
                    (Some(false), _) => 0,
                    (_, lines) => lines.unwrap_or(1),
                },
                skip_lines: self.skip_lines.unwrap_or(0),
                comment: one_byte(source, "comment", self.comment.as_deref())?,
                trim: self.trim.unwrap_or(false),
                drop_phantom_last_column: matches!(
                    self.phantom_last_column,
                    Some(PhantomColumn::Drop)
                ),
            }),
            RawKind::Fixed => FormatKind::Fixed(FixedFormat {
                record_bytes: self.record_bytes.ok_or_else(|| {
                    missing(
                        source,
                        "record_bytes",
                        "the bytes of one record without its newline",
                    )
                })?,
                newline: self.newline.unwrap_or_default(),
            }),
            RawKind::Xlsx => FormatKind::Xlsx(XlsxFormat {
                sheet: match self.sheet {
                    None => Sheet::Index(0),
                    Some(RawSheet::Index(index)) => Sheet::Index(index),
                    Some(RawSheet::Name(name)) => Sheet::Name(name),
                },
                header_row: self.header_row.unwrap_or(0),
                header_lines: self.header_lines.unwrap_or(1),
            }),
            RawKind::Xml => FormatKind::Xml(XmlFormat {
                record: path(
                    source,
                    self.record.as_deref().ok_or_else(|| {
                        missing(source, "record", "the path of the repeating element")
                    })?,
                )?,
                expected_count: optional_path(source, self.expected_count.as_deref())?,
                errors: self
                    .errors
                    .iter()
                    .map(|answer| answer.to_answer(source))
                    .collect::<Result<_, _>>()?,
            }),
            RawKind::Json => FormatKind::Json(JsonFormat {
                record: path(source, self.record.as_deref().unwrap_or(""))?,
                lines: self.lines.unwrap_or(false),
                expected_count: optional_path(source, self.expected_count.as_deref())?,
                success: match self.success {
                    None => None,
                    Some(success) => Some(JsonSuccess {
                        at: path(source, &success.at)?,
                        equals: success.equals.0,
                        empty: success.empty.0,
                        message: optional_path(source, success.message.as_deref())?,
                    }),
                },
            }),
            RawKind::Parquet => FormatKind::Parquet,
        };
        Ok(Format {
            encoding: self.encoding,
            compression: self.compression,
            kind,
        })
    }

    /// An option of another layout is a mistake that would otherwise be silently without effect.
    fn refuse_foreign_options(&self, source: &Source<'_>) -> Result<(), ContractError> {
        use RawKind::{Csv, Fixed, Json, Xlsx, Xml};
        let kind = &self.kind;
        let csv = matches!(kind, Csv);
        let options = [
            ("delimiter", self.delimiter.is_some(), csv),
            ("quote", self.quote.is_some(), csv),
            ("escape", self.escape.is_some(), csv),
            ("header", self.header.is_some(), csv),
            (
                "header_lines",
                self.header_lines.is_some(),
                matches!(kind, Csv | Xlsx),
            ),
            ("skip_lines", self.skip_lines.is_some(), csv),
            ("comment", self.comment.is_some(), csv),
            ("trim", self.trim.is_some(), csv),
            (
                "phantom_last_column",
                self.phantom_last_column.is_some(),
                csv,
            ),
            (
                "record_bytes",
                self.record_bytes.is_some(),
                matches!(kind, Fixed),
            ),
            ("newline", self.newline.is_some(), matches!(kind, Fixed)),
            ("sheet", self.sheet.is_some(), matches!(kind, Xlsx)),
            (
                "header_row",
                self.header_row.is_some(),
                matches!(kind, Xlsx),
            ),
            ("record", self.record.is_some(), matches!(kind, Xml | Json)),
            ("lines", self.lines.is_some(), matches!(kind, Json)),
            (
                "expected_count",
                self.expected_count.is_some(),
                matches!(kind, Xml | Json),
            ),
            (
                "declared_encoding",
                self.declared_encoding.is_some(),
                matches!(kind, Xml),
            ),
            ("errors", !self.errors.is_empty(), matches!(kind, Xml)),
            ("success", self.success.is_some(), matches!(kind, Json)),
        ];
        for (option, is_given, belongs) in options {
            if is_given && !belongs {
                return Err(source.error(
                    option,
                    format!("format option `{option}` does not belong to this kind"),
                    Some("remove it or change `kind`".into()),
                ));
            }
        }
        Ok(())
    }
}

impl RawErrorAnswer {
    fn to_answer(&self, source: &Source<'_>) -> Result<ErrorAnswer, ContractError> {
        Ok(match self {
            Self::Path(code) => ErrorAnswer {
                code: path(source, code)?,
                message: None,
                empty: Vec::new(),
            },
            Self::Map(map) => ErrorAnswer {
                code: path(source, &map.code)?,
                message: optional_path(source, map.message.as_deref())?,
                empty: map.empty.0.clone(),
            },
        })
    }
}

fn missing(source: &Source<'_>, option: &str, meaning: &str) -> ContractError {
    source.error(
        "kind:",
        format!("the format lacks `{option}`"),
        Some(format!("add {meaning}")),
    )
}

fn one_byte(
    source: &Source<'_>,
    option: &str,
    text: Option<&str>,
) -> Result<Option<u8>, ContractError> {
    match text.map(str::as_bytes) {
        None => Ok(None),
        Some([byte]) if byte.is_ascii() => Ok(Some(*byte)),
        Some(_) => Err(source.error(
            option,
            format!("format option `{option}` is not one ASCII character"),
            None,
        )),
    }
}

fn optional_path(
    source: &Source<'_>,
    text: Option<&str>,
) -> Result<Option<Vec<String>>, ContractError> {
    text.map(|text| path(source, text)).transpose()
}

/// Steps of an absolute path; `~1` and `~0` stand for `/` and `~` as in RFC 6901.
fn path(source: &Source<'_>, text: &str) -> Result<Vec<String>, ContractError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = text.strip_prefix('/') else {
        return Err(source.error(
            text,
            format!("the path `{text}` does not start with a slash"),
            Some(format!("write `/{text}`")),
        ));
    };
    Ok(rest
        .split('/')
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect())
}
