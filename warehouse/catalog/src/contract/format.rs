//! How a file is written.

use serde::Deserialize;

/// How a file is written.
#[derive(Clone, Debug)]
pub struct Format {
    /// Encoding of the text; what the file's header claims is only compared with it.
    pub encoding: Encoding,
    /// Compression of the whole file.
    pub compression: Compression,
    /// Which member of a zip holds the data: a glob on its name; without one there is only one.
    pub member: Option<String>,
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
    /// One or more Zstandard frames.
    Zstd,
    /// A zip archive whose members are stored or deflated.
    Zip,
    /// Any of these, as the first bytes of each file say.
    Detect,
}

impl Compression {
    /// The word written in contracts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
            Self::Detect => "detect",
        }
    }
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
    /// Whether repeated and empty header texts are told apart by a number, with a notice: the
    /// second `a` is `a (2)`, an empty text in the third column `column 3`.
    pub number_repeated_headers: bool,
    /// Whether an empty text of an upper header line takes the text to its left.
    pub fill_header: bool,
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
    /// Whether an empty text of an upper header row takes the text to its left.
    pub fill_header: bool,
    /// The cells that are read; all without it.
    pub range: Option<CellRange>,
    /// What the cells of a merged region hold.
    pub merged: MergedCells,
    /// Whether a plain number in a date column is a day count of the workbook's calendar.
    pub serial_dates: bool,
    /// Rows that are no data, such as totals.
    pub drop_rows: Vec<DropRows>,
}

/// What the cells of a merged region hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergedCells {
    /// The first its value, the others nothing, as they are stored.
    #[default]
    First,
    /// All the value of the first.
    Fill,
}

/// Rows that are left out, with a notice that counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRows {
    /// Header text of the column that is looked at.
    pub column: String,
    /// Regular expression on its text.
    pub matches: String,
}

/// A rectangle of cells, counted from 0, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellRange {
    /// First row and column.
    pub first: (u32, u32),
    /// Last row, open when `None`, and column.
    pub last: (Option<u32>, u32),
}

impl CellRange {
    /// Reads `B4:H20`, or `B4:H` for all rows from the fourth.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once(':')?;
        let (Some(first_row), first_column) = cell(first)? else {
            return None;
        };
        let last = cell(last)?;
        let is_ordered = first_column <= last.1 && last.0.is_none_or(|row| first_row <= row);
        is_ordered.then_some(Self {
            first: (first_row, first_column),
            last,
        })
    }
}

/// Row and column of `B4`, or the column of `B`.
fn cell(text: &str) -> Option<(Option<u32>, u32)> {
    let letters = text
        .bytes()
        .take_while(|byte| byte.is_ascii_uppercase())
        .count();
    if !(1..=3).contains(&letters) {
        return None;
    }
    let column = text[..letters]
        .bytes()
        .fold(0u32, |sum, letter| sum * 26 + u32::from(letter - b'A') + 1);
    let row = match &text[letters..] {
        "" => None,
        digits => Some(digits.parse::<u32>().ok()?.checked_sub(1)?),
    };
    Some((row, column - 1))
}

/// A sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// Position, counted from 0.
    Index(usize),
    /// Name.
    Name(String),
    /// The only sheet whose name matches: `*` any run of characters, `?` one.
    Glob(String),
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
    /// Keys that lead to the array; none for an array at the root. `*` is any key, and any
    /// element of an array on the way.
    pub record: Vec<String>,
    /// How records are laid out.
    pub layout: JsonLayout,
    /// Whether `NaN`, which is no JSON, is a missing value, with a notice.
    pub nan_is_missing: bool,
    /// Whether each line is a record.
    pub lines: bool,
    /// Keys that lead to the number of records the answer says it has.
    pub expected_count: Option<Vec<String>>,
    /// What a successful answer says.
    pub success: Option<JsonSuccess>,
}

/// How records are laid out in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonLayout {
    /// Each record with its fields.
    #[default]
    Rows,
    /// Each field with its values, by row: `{"a": {"0": 1, "1": 2}}` or `{"a": [1, 2]}`.
    Columns,
}

/// The pages of one capture of a paged interface: together they are one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Regular expression on file names whose group is the number of the page. Files whose names
    /// differ only there belong together; a name that does not match is a capture of its own.
    pub file: Option<String>,
    /// Path of the page number that an answer states.
    pub number: Option<Vec<String>>,
    /// Path of the records of a full page that an answer states.
    pub size: Option<Vec<String>>,
    /// What becomes of a capture with gaps.
    pub on_missing: OnMissingPage,
}

/// What becomes of a capture with gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissingPage {
    /// It is loaded, and the notice names the gap.
    #[default]
    Report,
    /// It is refused until it is complete.
    Refuse,
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
