//! TOML read key by key, so that every mistake is told with its line and an unknown key with the nearest known one.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Problem, nearest};

/// A file's text with the name it is told by.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl<'a> Document<'a> {
    pub(crate) fn problem(&self, offset: usize, message: impl Into<String>) -> Problem {
        let before = self.text.as_bytes().iter().take(offset);
        Problem {
            file: self.file.to_owned(),
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            message: message.into(),
        }
    }

    pub(crate) fn parse(&self) -> Result<Spanned<DeTable<'a>>, Problem> {
        DeTable::parse(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            self.problem(offset, message)
        })
    }

    pub(crate) fn section<'t>(&self, table: &'t DeTable<'a>, offset: usize) -> Section<'t>
    where
        'a: 't,
    {
        Section {
            document: *self,
            offset,
            table,
            known: Vec::new(),
        }
    }
}

/// One table of a document. Keys that were never asked for are unknown.
pub(crate) struct Section<'t> {
    document: Document<'t>,
    offset: usize,
    table: &'t DeTable<'t>,
    known: Vec<&'static str>,
}

/// A value with the place it stands at.
#[derive(Debug, Clone)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) offset: usize,
}

impl<'t> Section<'t> {
    pub(crate) fn problem(&self, offset: usize, message: impl Into<String>) -> Problem {
        self.document.problem(offset, message)
    }

    /// A problem of the section as a whole.
    pub(crate) fn lacks(&self, message: impl Into<String>) -> Problem {
        self.problem(self.offset, message)
    }

    fn find(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table
            .iter()
            .find(|(name, _)| name.get_ref().as_ref() == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<Placed<String>>, Problem> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        let offset = value.span().start;
        match value.get_ref() {
            DeValue::String(text) => Ok(Some(Placed {
                value: text.to_string(),
                offset,
            })),
            // A day may be written without quotes.
            DeValue::Datetime(day) => Ok(Some(Placed {
                value: day.to_string(),
                offset,
            })),
            _ => Err(self.problem(offset, format!("`{key}` is a text in quotes"))),
        }
    }

    pub(crate) fn number(&mut self, key: &'static str) -> Result<Option<u32>, Problem> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        match value.get_ref() {
            DeValue::Integer(number) => {
                match u32::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Ok(Some(number)),
                    Err(_) => Err(self.problem(
                        value.span().start,
                        format!("`{key}` is a whole number, not below 0"),
                    )),
                }
            }
            _ => Err(self.problem(value.span().start, format!("`{key}` is a whole number"))),
        }
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        match value.get_ref() {
            DeValue::Boolean(value) => Ok(Some(*value)),
            _ => Err(self.problem(value.span().start, format!("`{key}` is true or false"))),
        }
    }

    pub(crate) fn texts(&mut self, key: &'static str) -> Result<Vec<Placed<String>>, Problem> {
        let Some(value) = self.find(key) else {
            return Ok(Vec::new());
        };
        let wrong = || {
            self.document.problem(
                value.span().start,
                format!("`{key}` is a list of texts in quotes"),
            )
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(wrong());
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            let DeValue::String(text) = item.get_ref() else {
                return Err(wrong());
            };
            texts.push(Placed {
                value: text.to_string(),
                offset: item.span().start,
            });
        }
        Ok(texts)
    }

    /// The whole numbers of a table, by name.
    pub(crate) fn numbers(&mut self, key: &'static str) -> Result<Vec<(String, u32)>, Problem> {
        let Some(value) = self.find(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("`{key}` is a table of whole numbers, written as [{key}]");
            return Err(self.problem(value.span().start, message));
        };
        let mut numbers = Vec::new();
        for (name, value) in table.iter() {
            let number = match value.get_ref() {
                DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()),
                _ => "".parse(),
            };
            let name = name.get_ref().to_string();
            match number {
                Ok(number) => numbers.push((name, number)),
                Err(_) => {
                    let message = format!("`{name}` of [{key}] is a whole number, not below 0");
                    return Err(self.problem(value.span().start, message));
                }
            }
        }
        Ok(numbers)
    }

    /// The tables of `[[key]]`.
    pub(crate) fn sections(&mut self, key: &'static str) -> Result<Vec<Section<'t>>, Problem> {
        let Some(value) = self.find(key) else {
            return Ok(Vec::new());
        };
        let wrong = || {
            self.document.problem(
                value.span().start,
                format!("`{key}` is written as [[{key}]]"),
            )
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(wrong());
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                return Err(wrong());
            };
            sections.push(Section {
                document: self.document,
                offset: item.span().start,
                table,
                known: Vec::new(),
            });
        }
        Ok(sections)
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == text.value) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(self.problem(
                    text.offset,
                    format!(
                        "`{key}` is one of {}, not `{}`",
                        list.join(", "),
                        text.value
                    ),
                ))
            }
        }
    }

    /// A length of time such as `90s`, `5m`, `1h30m`, `7d`.
    pub(crate) fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match parse_duration(&text.value) {
            Some(duration) => Ok(Some(duration)),
            None => Err(self.problem(
                text.offset,
                format!(
                    "`{key}` is a length of time such as 90s, 5m, 1h30m or 7d, not `{}`",
                    text.value
                ),
            )),
        }
    }

    /// Refuses keys nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        for (key, _) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) {
                let hint = nearest(name, self.known.iter().copied()).map_or_else(
                    || format!("known are {}", self.known.join(", ")),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                return Err(self.problem(key.span().start, format!("unknown key `{name}`; {hint}")));
            }
        }
        Ok(())
    }
}

/// `90s`, `5m`, `4h`, `7d` and sums of them; anything else is none.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    let mut parts = 0;
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let count: u64 = std::mem::take(&mut digits).parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        parts += 1;
    }
    // A century is a typing error.
    (parts > 0 && digits.is_empty() && seconds < 36_500 * 86_400)
        .then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_sums_of_units() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("7d"), Some(604_800));
        for wrong in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "5w",
            "99999999999999999999d",
            "99999d",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
