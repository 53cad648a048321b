//! The format of a contract as written.

use serde::Deserialize;

use super::super::ContractError;
use super::super::format::{
    CellRange, Compression, CsvFormat, DropRows, Encoding, ErrorAnswer, FixedFormat, Format,
    FormatKind, JsonFormat, JsonLayout, JsonSuccess, MergedCells, Newline, OnMissingPage, Pages,
    QuoteEscape, Sheet, XlsxFormat, XmlFormat,
};
use super::super::text::TextList;
use super::Source;

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
pub(super) struct RawFormat {
    kind: RawKind,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    compression: Compression,
    member: Option<String>,
    delimiter: Option<String>,
    quote: Option<String>,
    escape: Option<QuoteEscape>,
    header: Option<bool>,
    header_lines: Option<usize>,
    skip_lines: Option<usize>,
    comment: Option<String>,
    trim: Option<bool>,
    phantom_last_column: Option<PhantomColumn>,
    repeated_headers: Option<RepeatedHeaders>,
    header_fill: Option<bool>,
    record_bytes: Option<usize>,
    newline: Option<Newline>,
    sheet: Option<RawSheet>,
    header_row: Option<usize>,
    range: Option<String>,
    merged: Option<MergedCells>,
    serial_dates: Option<bool>,
    #[serde(default)]
    drop_rows: Vec<RawDropRows>,
    record: Option<String>,
    lines: Option<bool>,
    layout: Option<JsonLayout>,
    nan: Option<NotANumber>,
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

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RepeatedHeaders {
    Refuse,
    Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NotANumber {
    Refuse,
    Missing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDropRows {
    column: String,
    matches: String,
}

/// The pages of one capture as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPages {
    file: Option<String>,
    number: Option<String>,
    size: Option<String>,
    #[serde(default)]
    on_missing: OnMissingPage,
}

impl RawPages {
    pub(super) fn into_pages(self, source: &Source<'_>) -> Result<Pages, ContractError> {
        Ok(Pages {
            file: self.file,
            number: optional_path(source, self.number.as_deref())?,
            size: optional_path(source, self.size.as_deref())?,
            on_missing: self.on_missing,
        })
    }
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

impl RawFormat {
    pub(super) fn into_format(self, source: &Source<'_>) -> Result<Format, ContractError> {
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
                number_repeated_headers: matches!(
                    self.repeated_headers,
                    Some(RepeatedHeaders::Number)
                ),
                fill_header: self.header_fill.unwrap_or(false),
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
                    Some(RawSheet::Name(name)) if name.contains(['*', '?']) => Sheet::Glob(name),
                    Some(RawSheet::Name(name)) => Sheet::Name(name),
                },
                header_row: self.header_row.unwrap_or(0),
                header_lines: self.header_lines.unwrap_or(1),
                fill_header: self.header_fill.unwrap_or(false),
                range: self
                    .range
                    .as_deref()
                    .map(|text| cell_range(source, text))
                    .transpose()?,
                merged: self.merged.unwrap_or_default(),
                serial_dates: self.serial_dates.unwrap_or(false),
                drop_rows: self
                    .drop_rows
                    .into_iter()
                    .map(|rule| rule.into_rule(source))
                    .collect::<Result<_, _>>()?,
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
                layout: self.layout.unwrap_or_default(),
                nan_is_missing: matches!(self.nan, Some(NotANumber::Missing)),
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
            member: self.member,
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
                "member",
                self.member.is_some(),
                matches!(self.compression, Compression::Zip | Compression::Detect),
            ),
            ("repeated_headers", self.repeated_headers.is_some(), csv),
            (
                "header_fill",
                self.header_fill.is_some(),
                matches!(kind, Csv | Xlsx),
            ),
            ("range", self.range.is_some(), matches!(kind, Xlsx)),
            ("merged", self.merged.is_some(), matches!(kind, Xlsx)),
            (
                "serial_dates",
                self.serial_dates.is_some(),
                matches!(kind, Xlsx),
            ),
            (
                "drop_rows",
                !self.drop_rows.is_empty(),
                matches!(kind, Xlsx),
            ),
            ("layout", self.layout.is_some(), matches!(kind, Json)),
            ("nan", self.nan.is_some(), matches!(kind, Json)),
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

impl RawDropRows {
    fn into_rule(self, source: &Source<'_>) -> Result<DropRows, ContractError> {
        if regex::Regex::new(&self.matches).is_err() {
            return Err(source.error(
                "drop_rows",
                format!(
                    "`{}` of drop_rows is not a regular expression",
                    self.matches
                ),
                Some("check brackets and backslashes".into()),
            ));
        }
        Ok(DropRows {
            column: self.column,
            matches: self.matches,
        })
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

fn cell_range(source: &Source<'_>, text: &str) -> Result<CellRange, ContractError> {
    CellRange::parse(text).ok_or_else(|| {
        source.error(
            "range:",
            format!("`{text}` is not a range of cells"),
            Some("write B4:H20, or B4:H for all rows from the fourth".into()),
        )
    })
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
