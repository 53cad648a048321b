use std::fmt;
use std::str::FromStr;

use super::row_checks::CodeList;
use super::text::BilingualText;

/// One column: where it stands in the file, what it must be, what it becomes.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name in the staging table.
    pub name: String,
    /// Header text, element path or field path in the file; the first that is present counts.
    pub from: Vec<String>,
    /// What the text is read as.
    pub column_type: ColumnType,
    /// Date and time patterns in `strftime` letters, tried in order.
    pub formats: Vec<String>,
    /// Whether the value may be missing.
    pub nullable: bool,
    /// Texts that mean "missing".
    pub null_values: Vec<String>,
    /// The allowed values, when listed.
    pub domain: Vec<String>,
    /// Smallest and largest allowed value.
    pub range: Option<Range>,
    /// Byte offset and length in a fixed-width record.
    pub at: Option<(usize, usize)>,
    /// Sensitivity tags, inherited by every table computed from the column.
    pub tags: Vec<String>,
    /// The date column that says since when the value is known, where it is later than its row.
    pub known_on: Option<String>,
    /// What the column says.
    pub description: BilingualText,
    /// Columns computed from a resident number.
    pub derive: Vec<Derived>,
    /// Texts removed before the value is read, such as `,` or `만원`.
    pub strip: Vec<String>,
    /// Regular expression that the text must match.
    pub pattern: Option<String>,
    /// Regular expression whose first group is the value.
    pub capture: Option<String>,
    /// What happens to a row whose value breaks a rule.
    pub on_fail: OnFail,
    /// Where the allowed codes stand.
    pub code_list: Option<CodeList>,
}

/// What happens when a value breaks a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFail {
    /// The row goes to quarantine.
    #[default]
    Quarantine,
    /// The row is kept with a null, and `_flags` names the rule.
    Flag,
    /// The row is kept with a null.
    Null,
}

impl<'de> serde::Deserialize<'de> for OnFail {
    /// `null` is a word of YAML itself and arrives as nothing, not as text.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("null") => Ok(Self::Null),
            Some("quarantine") => Ok(Self::Quarantine),
            Some("flag") => Ok(Self::Flag),
            Some(other) => Err(serde::de::Error::unknown_variant(
                other,
                &["quarantine", "flag", "null"],
            )),
        }
    }
}

/// Smallest and largest allowed value, as written; compared in the column's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Smallest allowed value.
    pub minimum: Option<String>,
    /// Largest allowed value.
    pub maximum: Option<String>,
}

/// A column computed from a resident number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Derived {
    /// Day of birth.
    BirthDate,
    /// `m` or `f`.
    Sex,
    /// Whether the number is a foreigner's.
    Foreigner,
}

impl Derived {
    /// Name of the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BirthDate => "birth_date",
            Self::Sex => "sex",
            Self::Foreigner => "foreigner",
        }
    }
}

/// What the text of a column is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    String,
    /// Text of a code list.
    Code,
    /// Long text.
    Text,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Bigint,
    /// Floating point.
    Float,
    /// Fixed point with precision and scale.
    Decimal(u8, i8),
    /// Won: fixed point of 18 digits without fraction, so that sums do not wrap.
    Won,
    /// Calendar day.
    Date,
    /// Calendar month, stored as its first day.
    Month,
    /// Local time in Seoul.
    Timestamp,
    /// Yes or no.
    Boolean,
    /// Resident number; stored as person key.
    ResidentNumber,
    /// Business registration number.
    BusinessNumber,
    /// Name of a person: to the vault, never to staging.
    PersonName,
    /// Address, telephone or mail of a person: to the vault, never to staging.
    Contact,
    /// Opaque digest of an account or device, keyed again.
    Digest,
}

impl ColumnType {
    /// The plain words; `decimal` takes `(precision,scale)`.
    pub const WORDS: [&'static str; 16] = [
        "string",
        "code",
        "text",
        "int",
        "bigint",
        "float",
        "won",
        "date",
        "month",
        "timestamp",
        "boolean",
        "rrn",
        "biz_no",
        "name",
        "contact",
        "digest",
    ];

    /// Whether the raw value identifies a person directly and never leaves intake.
    pub fn is_direct_identifier(self) -> bool {
        matches!(
            self,
            Self::ResidentNumber | Self::PersonName | Self::Contact
        )
    }

    /// Whether the value is stored as text in the file's own wording.
    pub fn is_text(self) -> bool {
        matches!(self, Self::String | Self::Code | Self::Text)
    }

    /// Whether a sum over the column is a sum of money or counts, exact.
    pub fn is_exact_number(self) -> bool {
        matches!(
            self,
            Self::Int | Self::Bigint | Self::Won | Self::Decimal(..)
        )
    }
}

impl FromStr for ColumnType {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Ok(match word {
            "string" => Self::String,
            "code" => Self::Code,
            "text" => Self::Text,
            "int" => Self::Int,
            "bigint" => Self::Bigint,
            "float" => Self::Float,
            "won" => Self::Won,
            "date" => Self::Date,
            "month" => Self::Month,
            "timestamp" => Self::Timestamp,
            "boolean" => Self::Boolean,
            "rrn" => Self::ResidentNumber,
            "biz_no" => Self::BusinessNumber,
            "name" => Self::PersonName,
            "contact" => Self::Contact,
            "digest" => Self::Digest,
            other => {
                let arguments = other
                    .strip_prefix("decimal(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .and_then(|rest| rest.split_once(','))
                    .ok_or(())?;
                let precision: u8 = arguments.0.trim().parse().map_err(|_| ())?;
                let scale: i8 = arguments.1.trim().parse().map_err(|_| ())?;
                let possible =
                    (1..=38).contains(&precision) && scale >= 0 && scale <= precision as i8;
                if !possible {
                    return Err(());
                }
                Self::Decimal(precision, scale)
            }
        })
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::String => "string",
            Self::Code => "code",
            Self::Text => "text",
            Self::Int => "int",
            Self::Bigint => "bigint",
            Self::Float => "float",
            Self::Decimal(precision, scale) => {
                return write!(formatter, "decimal({precision},{scale})");
            }
            Self::Won => "won",
            Self::Date => "date",
            Self::Month => "month",
            Self::Timestamp => "timestamp",
            Self::Boolean => "boolean",
            Self::ResidentNumber => "rrn",
            Self::BusinessNumber => "biz_no",
            Self::PersonName => "name",
            Self::Contact => "contact",
            Self::Digest => "digest",
        };
        formatter.write_str(word)
    }
}
