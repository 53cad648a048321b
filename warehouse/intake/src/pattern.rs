//! Patterns on values: the simple ones of code columns without a regular expression engine.

use regex::Regex;

/// A text pattern of a contract.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Runs of characters of one class, each a fixed number of times, from start to end.
    Runs(Vec<Run>),
    /// Anything else.
    Regex(Regex),
}

/// A class of ASCII characters and how often it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    class: u128,
    count: usize,
}

impl Pattern {
    /// Compiles; the contract's reader has already refused what is no regular expression.
    pub fn parse(expression: &str) -> Result<Self, String> {
        if let Some(runs) = runs(expression) {
            return Ok(Self::Runs(runs));
        }
        Regex::new(expression)
            .map(Self::Regex)
            .map_err(|_| format!("`{expression}` is not a regular expression"))
    }

    /// Whether the text, UTF-8, matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Runs(runs) => {
                let mut rest = text;
                for run in runs {
                    let Some((head, tail)) = rest.split_at_checked(run.count) else {
                        return false;
                    };
                    let inside = head
                        .iter()
                        .all(|byte| *byte < 128 && run.class >> byte & 1 == 1);
                    if !inside {
                        return false;
                    }
                    rest = tail;
                }
                rest.is_empty()
            }
            Self::Regex(regex) => std::str::from_utf8(text).is_ok_and(|text| regex.is_match(text)),
        }
    }
}

/// Reads `^` … `$` made of `\d`, `[a-z0]` and plain characters, each with an optional `{n}`.
fn runs(expression: &str) -> Option<Vec<Run>> {
    let mut rest = expression.strip_prefix('^')?.strip_suffix('$')?.as_bytes();
    let mut runs = Vec::new();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let class = match first {
            b'\\' => {
                let (&letter, tail) = rest.split_first()?;
                rest = tail;
                match letter {
                    b'd' => range(b'0', b'9'),
                    b'.' | b'-' | b'/' => bit(letter),
                    _ => return None,
                }
            }
            b'[' => {
                let end = memchr::memchr(b']', rest)?;
                let (inside, tail) = rest.split_at(end);
                rest = &tail[1..];
                class(inside)?
            }
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b' ' | b':') => {
                bit(byte)
            }
            _ => return None,
        };
        let mut count = 1;
        if let Some(tail) = rest.strip_prefix(b"{") {
            let end = memchr::memchr(b'}', tail)?;
            count = std::str::from_utf8(&tail[..end]).ok()?.parse().ok()?;
            rest = &tail[end + 1..];
        }
        if matches!(rest.first(), Some(b'*' | b'+' | b'?')) {
            return None;
        }
        runs.push(Run { class, count });
    }
    Some(runs)
}

fn class(inside: &[u8]) -> Option<u128> {
    let mut class = 0;
    let mut rest = inside;
    while let Some((&first, tail)) = rest.split_first() {
        if !first.is_ascii_alphanumeric() {
            return None;
        }
        match tail {
            [b'-', last, tail @ ..] if last.is_ascii_alphanumeric() && *last >= first => {
                class |= range(first, *last);
                rest = tail;
            }
            _ => {
                class |= bit(first);
                rest = tail;
            }
        }
    }
    (class != 0).then_some(class)
}

fn bit(byte: u8) -> u128 {
    1 << byte
}

fn range(first: u8, last: u8) -> u128 {
    (first..=last).fold(0, |class, byte| class | bit(byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r"^\d{11}$", true)]
    #[case("^[0-9][0-9][0-9A-Z]$", true)]
    #[case("^[01]{31}$", true)]
    #[case(r"^\d{3}-\d{2}$", true)]
    #[case("^(a|b)$", false)]
    #[case(r"^\d+$", false)]
    #[case(r"\d{2}$", false)]
    #[case("^[가-힣]$", false)]
    #[case("^[^a]$", false)]
    #[case(r"^\d{2,4}$", false)]
    fn simple_patterns_agree_with_the_engine(#[case] expression: &str, #[case] is_simple: bool) {
        let pattern = Pattern::parse(expression).unwrap();
        assert_eq!(matches!(pattern, Pattern::Runs(_)), is_simple);
        let engine = Regex::new(expression).unwrap();
        let texts = [
            "",
            "1",
            "12",
            "123",
            "12345678901",
            "1234567890a",
            "12A",
            "1a2",
            "123-45",
            "a",
            "가",
            "0101010101010101010101010101010",
            "12345678901 ",
            "１２",
        ];
        for text in texts {
            assert_eq!(
                pattern.matches(text.as_bytes()),
                engine.is_match(text),
                "{expression} on {text}"
            );
        }
    }
}
