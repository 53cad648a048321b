//! Expressions of rules on the texts of one record.

use std::borrow::Cow;

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DatePart {
    Year,
    Month,
    Day,
    YearMonth,
}

/// An expression on the columns of one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Text {
    Column(usize),
    Literal(String),
    /// Characters from the one-based `from`, counted from the end if negative, as SQL counts.
    Substring {
        of: Box<Text>,
        from: i64,
        length: Option<i64>,
    },
    /// The last characters.
    Last {
        of: Box<Text>,
        length: i64,
    },
    Lower(Box<Text>),
    Upper(Box<Text>),
    Trim(Box<Text>),
    Length(Box<Text>),
    Concat(Vec<Text>),
    Date(Box<Text>, DatePart),
}

impl Text {
    /// Adds the columns that are looked at.
    pub(crate) fn columns(&self, columns: &mut Vec<usize>) {
        match self {
            Self::Column(column) => {
                if !columns.contains(column) {
                    columns.push(*column);
                }
            }
            Self::Literal(_) => {}
            Self::Concat(parts) => parts.iter().for_each(|part| part.columns(columns)),
            Self::Substring { of, .. } | Self::Last { of, .. } => of.columns(columns),
            Self::Lower(of)
            | Self::Upper(of)
            | Self::Trim(of)
            | Self::Length(of)
            | Self::Date(of, _) => of.columns(columns),
        }
    }

    /// The value on a record whose columns `of` looks up; null if a part is null.
    pub(crate) fn value<'a>(
        &'a self,
        column: &impl Fn(usize) -> Option<&'a str>,
    ) -> Option<Cow<'a, str>> {
        match self {
            Self::Column(number) => column(*number).map(Cow::Borrowed),
            Self::Literal(text) => Some(Cow::Borrowed(text)),
            Self::Substring { of, from, length } => Some(cut(of.value(column)?, |text| {
                substring(text, *from, *length)
            })),
            Self::Last { of, length } => Some(cut(of.value(column)?, |text| {
                let skip = text
                    .chars()
                    .count()
                    .saturating_sub((*length).max(0) as usize);
                text.char_indices()
                    .nth(skip)
                    .map_or("", |(at, _)| &text[at..])
            })),
            Self::Lower(of) => Some(Cow::Owned(of.value(column)?.to_lowercase())),
            Self::Upper(of) => Some(Cow::Owned(of.value(column)?.to_uppercase())),
            Self::Trim(of) => Some(cut(of.value(column)?, str::trim)),
            Self::Length(of) => Some(Cow::Owned(of.value(column)?.chars().count().to_string())),
            Self::Concat(parts) => {
                let mut joined = String::new();
                for part in parts {
                    joined.push_str(&part.value(column)?);
                }
                Some(Cow::Owned(joined))
            }
            Self::Date(of, part) => {
                let text = of.value(column)?;
                let digits: String = text.chars().filter(char::is_ascii_digit).take(8).collect();
                if digits.len() != 8 {
                    return None;
                }
                let range = match part {
                    DatePart::Year => 0..4,
                    DatePart::Month => 4..6,
                    DatePart::Day => 6..8,
                    DatePart::YearMonth => 0..6,
                };
                Some(Cow::Owned(digits[range].to_owned()))
            }
        }
    }
}

fn cut<'a>(text: Cow<'a, str>, part: impl Fn(&str) -> &str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => {
            // the part of a borrowed text is borrowed as long as the text
            let range = range_of(text, part(text));
            Cow::Borrowed(&text[range])
        }
        Cow::Owned(text) => Cow::Owned(part(&text).to_owned()),
    }
}

fn range_of(text: &str, part: &str) -> std::ops::Range<usize> {
    if part.is_empty() {
        return 0..0;
    }
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

fn substring(text: &str, from: i64, length: Option<i64>) -> &str {
    let count = text.chars().count() as i64;
    let first = if from < 0 { count + from } else { from - 1 };
    let end = match length {
        Some(length) => (first + length.max(0)).clamp(0, count),
        None => count,
    };
    let first = first.clamp(0, end);
    let at = |position: i64| {
        let found = text.char_indices().nth(position as usize);
        found.map_or(text.len(), |(at, _)| at)
    };
    &text[at(first)..at(end)]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(1, Some(2), "가나")]
    #[case(2, None, "나다라")]
    #[case(-2, Some(1), "다")]
    #[case(0, Some(2), "가")]
    #[case(9, Some(2), "")]
    #[case(3, Some(-1), "")]
    fn substrings_count_characters_as_sql_does(
        #[case] from: i64,
        #[case] length: Option<i64>,
        #[case] expected: &str,
    ) {
        assert_eq!(substring("가나다라", from, length), expected);
    }

    #[test]
    fn a_part_that_is_null_makes_the_whole_null() {
        let text = Text::Concat(vec![Text::Column(0), Text::Literal("-".to_owned())]);
        assert_eq!(text.value(&|_| Some("a")).as_deref(), Some("a-"));
        assert_eq!(text.value(&|_| None), None);
    }

    #[rstest]
    #[case("2026-08-31", DatePart::YearMonth, Some("202608"))]
    #[case("20260831", DatePart::Year, Some("2026"))]
    #[case("2026-08-31", DatePart::Day, Some("31"))]
    #[case("2026-08", DatePart::Month, None)]
    fn parts_of_dates_are_digits(
        #[case] date: &str,
        #[case] part: DatePart,
        #[case] expected: Option<&str>,
    ) {
        let text = Text::Date(Box::new(Text::Column(0)), part);
        assert_eq!(text.value(&|_| Some(date)).as_deref(), expected);
    }
}
