use std::fmt;

/// One thing wrong in one file of the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct Problem {
    /// Path relative to the project folder.
    pub file: String,
    /// 1-based line in that file, where it is known.
    pub line: Option<usize>,
    /// 1-based column in characters, where it is known.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of a whole file.
    pub fn new(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            message: message.into(),
            help: None,
        }
    }

    /// The same problem at a line.
    pub fn at_line(mut self, line: impl Into<Option<usize>>) -> Self {
        self.line = line.into();
        self
    }

    /// The same problem at a column of its line.
    pub fn at_column(mut self, column: impl Into<Option<usize>>) -> Self {
        self.column = column.into();
        self
    }

    /// The same problem where a text first holds a word.
    pub(crate) fn at_word(self, text: &str, word: &str) -> Self {
        let (line, column) = position_of(text, word).unzip();
        self.at_line(line).at_column(column)
    }

    /// The same problem with advice.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same problem naming the nearest of the names that would have been right.
    pub fn with_nearest<'a>(
        self,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match goyong_types::nearest_name(name, candidates) {
            Some(nearest) => {
                let help = format!("did you mean `{nearest}`?");
                self.with_help(help)
            }
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
            if let Some(column) = self.column {
                write!(formatter, ":{column}")?;
            }
        }
        write!(formatter, ": {}", self.message)?;
        if let Some(help) = &self.help {
            write!(formatter, "; {help}")?;
        }
        Ok(())
    }
}

/// Line and column, from 1, of the first place outside comments where a text holds a word, or holds it as a part of
/// longer ones where it never stands alone.
pub(crate) fn position_of(text: &str, word: &str) -> Option<(usize, usize)> {
    if word.is_empty() {
        return None;
    }
    let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let joins = |one: Option<char>, other: Option<char>| {
        one.is_some_and(in_word) && other.is_some_and(in_word)
    };
    let mut part_of_longer = None;
    for (number, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if start.starts_with('#') || start.starts_with("--") {
            continue;
        }
        for (at, _) in line.match_indices(word) {
            let (before, after) = (&line[..at], &line[at + word.len()..]);
            let place = (number + 1, 1 + before.chars().count());
            let alone = !joins(before.chars().next_back(), word.chars().next())
                && !joins(word.chars().next_back(), after.chars().next());
            if alone {
                return Some(place);
            }
            part_of_longer = part_of_longer.or(Some(place));
        }
    }
    part_of_longer
}

/// A project that cannot be used: everything wrong with it, in file order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ProjectError {
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl ProjectError {
    pub(crate) fn from_problems(problems: Vec<Problem>) -> Result<(), Self> {
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Self::of(problems)),
        }
    }

    pub(crate) fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { problems }
    }
}

impl From<Problem> for ProjectError {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for ProjectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            if position > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_found_alone_before_it_is_found_in_a_longer_one() {
        let text = "# grain: [a]\ngrains: x\n  이름: 3, grain: [b]\n";
        assert_eq!(position_of(text, "grain"), Some((3, 10)));
        assert_eq!(position_of(text, "grain:"), Some((3, 10)));
        assert_eq!(position_of(text, "rains"), Some((2, 2)));
        assert_eq!(position_of(text, "이름"), Some((3, 3)));
        assert_eq!(position_of(text, "none"), None);
        assert_eq!(position_of(text, ""), None);
    }
}
