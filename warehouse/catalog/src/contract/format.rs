//! How a file is written.

use serde::Deserialize;

/// How a file is written.
#[derive(Clone, Debug)]
pub struct Format {
    /// Encoding of the text; what the file's header claims is only compared with it.
    pub encoding: Encoding,
    /// Compression of the whole file.
    pub compression: Compression,
    /// The layout.
    pub kind: FormatKind,
}

/// The layout of a file.
#[derive(Clone, Debug)]
pub enum FormatKind {
    /// Delimited text.
    Csv(CsvFormat),
    /// Records of a fixed number of bytes.
    Fixed(FixedFormat),
    /// Office Open XML workbook.
    Xlsx(XlsxFormat),
    /// XML with a repeating element.
    Xml(XmlFormat),
    /// JSON with an array of records.
    Json(JsonFormat),
    /// Apache Parquet.
    Parquet,
}

impl FormatKind {
    /// The word written in contracts.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Fixed(_) => "fixed",
            Self::Xlsx(_) => "xlsx",
            Self::Xml(_) => "xml",
            Self::Json(_) => "json",
            Self::Parquet => "parquet",
        }
    }
}

/// Encoding of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8", alias = "utf8")]
    Utf8,
    /// CP949, also called UHC, the superset of EUC-KR.
    #[serde(rename = "cp949", alias = "euc-kr", alias = "ms949")]
    Cp949,
    /// UTF-16, little endian.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big endian.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

impl Encoding {
    /// The word written in contracts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Cp949 => "cp949",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }
}

/// Compression of a whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not compressed.
    #[default]
    None,
    /// One or more gzip members.
    Gzip,
}

/// Delimited text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    /// Byte between fields.
    pub delimiter: u8,
    /// Byte around fields that hold delimiters or newlines.
    pub quote: Option<u8>,
    /// How a quote stands inside a quoted field.
    pub escape: QuoteEscape,
    /// Number of header lines; their texts are joined with ` | ` where they differ.
    pub header_lines: usize,
    /// Lines before the header that are not read.
    pub skip_lines: usize,
    /// Byte that starts a comment line.
    pub comment: Option<u8>,
    /// Whether spaces around a text are removed.
    pub trim: bool,
    /// Whether the empty column behind a trailing delimiter is dropped, with a notice.
    pub drop_phantom_last_column: bool,
}

/// How a quote stands inside a quoted field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteEscape {
    /// Written twice.
    #[default]
    Doubled,
    /// Behind a backslash.
    Backslash,
}

/// Records of a fixed number of bytes; each column says where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedFormat {
    /// Bytes of a record without its newline.
    pub record_bytes: usize,
    /// What stands between records.
    pub newline: Newline,
}

/// What stands between fixed-width records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Newline {
    /// Line feed.
    #[default]
    Lf,
    /// Carriage return and line feed.
    Crlf,
    /// Nothing.
    None,
}

/// Office Open XML workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XlsxFormat {
    /// The sheet that is read.
    pub sheet: Sheet,
    /// Row of the header, counted from 0.
    pub header_row: usize,
    /// Number of header rows; their texts are joined with ` | ` where they differ.
    pub header_lines: usize,
}

/// A sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// Position, counted from 0.
    Index(usize),
    /// Name.
    Name(String),
}

/// XML with a repeating element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlFormat {
    /// Path of the repeating element, one name per step.
    pub record: Vec<String>,
    /// Path of the number of records the answer says it has.
    pub expected_count: Option<Vec<String>>,
    /// Answers that are errors.
    pub errors: Vec<ErrorAnswer>,
}

/// An answer that is an error, not an empty delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// Path of the code, or of the message when the provider writes no code.
    pub code: Vec<String>,
    /// Path of the message.
    pub message: Option<Vec<String>>,
    /// Codes that mean "nothing to deliver".
    pub empty: Vec<String>,
}

/// JSON with an array of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFormat {
    /// Keys that lead to the array; none for an array at the root.
    pub record: Vec<String>,
    /// Whether each line is a record.
    pub lines: bool,
    /// Keys that lead to the number of records the answer says it has.
    pub expected_count: Option<Vec<String>>,
    /// What a successful answer says.
    pub success: Option<JsonSuccess>,
}

/// What a successful answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonSuccess {
    /// Keys that lead to the code.
    pub at: Vec<String>,
    /// Codes of success, compared as text.
    pub equals: Vec<String>,
    /// Codes that mean "nothing to deliver".
    pub empty: Vec<String>,
    /// Keys that lead to the message.
    pub message: Option<Vec<String>>,
}

/// Columns whose headers match become rows: header groups into `names`, cell into `value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpivot {
    /// Regular expression on header texts, with one group for each name.
    pub columns: String,
    /// Columns that receive the groups.
    pub names: Vec<String>,
    /// Column that receives the cell.
    pub value: String,
}
