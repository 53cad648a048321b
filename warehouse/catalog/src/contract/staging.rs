use super::column::ColumnType;
use super::text::BilingualText;
use super::{Column, Contract};

/// Columns that intake adds to every staging table, `_period` only to partitioned ones.
pub const TECHNICAL_COLUMNS: [&str; 5] = [
    "_delivery_id",
    "_row_number",
    "_known_on",
    "_flags",
    "_period",
];

/// A column of a staging table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagingColumn {
    /// Name.
    pub name: String,
    /// Stored type.
    pub staging_type: StagingType,
    /// Whether a null may stand there.
    pub nullable: bool,
    /// Sensitivity tags.
    pub tags: Vec<String>,
    /// What the column says.
    pub description: BilingualText,
}

/// Stored type of a staging column; the Arrow type of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StagingType {
    /// UTF-8 text.
    Utf8,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// 64-bit floating point.
    Float64,
    /// 128-bit fixed point with precision and scale.
    Decimal128(u8, i8),
    /// Days since 1970-01-01.
    Date32,
    /// Microseconds since 1970-01-01 00:00, local time, no zone.
    TimestampMicrosecond,
    /// Yes or no.
    Boolean,
}

impl ColumnType {
    /// How values of the type are stored, `None` for what only the vault keeps.
    pub fn staging_type(self) -> Option<StagingType> {
        Some(match self {
            Self::String | Self::Code | Self::Text | Self::BusinessNumber | Self::Digest => {
                StagingType::Utf8
            }
            Self::Int => StagingType::Int32,
            Self::Bigint | Self::ResidentNumber => StagingType::Int64,
            Self::Float => StagingType::Float64,
            Self::Decimal(precision, scale) => StagingType::Decimal128(precision, scale),
            Self::Won => StagingType::Decimal128(18, 0),
            Self::Date | Self::Month => StagingType::Date32,
            Self::Timestamp => StagingType::TimestampMicrosecond,
            Self::Boolean => StagingType::Boolean,
            Self::PersonName | Self::Contact => return None,
        })
    }
}

impl Contract {
    /// The columns of `staging.<source>`: the contract's in order, derived ones behind their
    /// resident number, then `_delivery_id`, `_row_number`, `_known_on`, `_flags` and, when the
    /// source has periods, `_period`.
    pub fn staging_columns(&self) -> Vec<StagingColumn> {
        let mut staging = Vec::new();
        for column in &self.columns {
            let Some(staging_type) = column.column_type.staging_type() else {
                continue;
            };
            staging.push(StagingColumn {
                name: column.name.clone(),
                staging_type,
                nullable: column.may_be_null(),
                tags: column.tags.clone(),
                description: column.description.clone(),
            });
            for derived in &column.derive {
                // What a number says of a person is less than the number.
                let (staging_type, tag) = match derived {
                    super::Derived::BirthDate => (StagingType::Date32, "quasi_identifier"),
                    super::Derived::Sex => (StagingType::Utf8, "quasi_identifier"),
                    super::Derived::Foreigner => (StagingType::Boolean, "sensitive"),
                };
                staging.push(StagingColumn {
                    name: derived.as_str().to_owned(),
                    staging_type,
                    nullable: column.may_be_null(),
                    tags: vec![tag.to_owned()],
                    description: BilingualText::default(),
                });
            }
        }
        let technical = [
            (
                "_delivery_id",
                StagingType::Utf8,
                false,
                "전달 번호",
                "delivery the row came in",
            ),
            (
                "_row_number",
                StagingType::Int64,
                false,
                "파일 안의 행 번호",
                "record number in the file, from 1",
            ),
            (
                "_known_on",
                StagingType::Date32,
                false,
                "알려진 날",
                "day on which the row became known",
            ),
            (
                "_flags",
                StagingType::Utf8,
                true,
                "확인이 필요한 규칙",
                "rules the accepted row breaks, comma separated",
            ),
            (
                "_period",
                StagingType::Date32,
                false,
                "대상 기간의 첫날",
                "first day of the period delivered",
            ),
        ];
        for (name, staging_type, nullable, ko, en) in technical {
            if name == "_period" && !self.period.is_partitioned() {
                continue;
            }
            staging.push(StagingColumn {
                name: name.to_owned(),
                staging_type,
                nullable,
                tags: Vec::new(),
                description: BilingualText {
                    ko: ko.to_owned(),
                    en: en.to_owned(),
                },
            });
        }
        staging
    }
}

impl Column {
    /// Whether staging may hold a null there: when allowed, or when a broken rule leaves one.
    pub fn may_be_null(&self) -> bool {
        self.nullable || self.on_fail != super::OnFail::Quarantine
    }
}
