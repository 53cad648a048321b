//! The end of a step's log as it may stand on a page: bounded, no control letters, nothing that looks like a resident
//! number.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use goyong_site::LogTail;

/// Bytes of a log that are looked at.
const TAIL_BYTES: u64 = 64 << 10;
/// Lines shown.
const TAIL_LINES: usize = 120;
/// Letters of a line.
const LINE_LETTERS: usize = 500;
/// Digits of a resident number; the first six are a birth date.
const DIGITS: usize = 13;
const BIRTH_DIGITS: usize = 6;

/// The last lines of a log; none where there is no file.
pub(crate) fn log_tail(file: &Path) -> Result<Option<LogTail>> {
    let read = || format!("read {}", file.display());
    let mut log = match File::open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(read)?,
    };
    let length = log.metadata().with_context(read)?.len();
    let skipped = length.saturating_sub(TAIL_BYTES);
    log.seek(SeekFrom::Start(skipped)).with_context(read)?;
    let mut bytes = Vec::new();
    log.take(TAIL_BYTES)
        .read_to_end(&mut bytes)
        .with_context(read)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if skipped > 0 && !lines.is_empty() {
        // Its beginning was cut off.
        lines.remove(0);
    }
    Ok(Some(shown(&lines, skipped > 0)))
}

/// Lines as they may stand on a page.
pub(crate) fn shown(lines: &[&str], is_cut: bool) -> LogTail {
    let left_out = lines.len().saturating_sub(TAIL_LINES);
    LogTail {
        lines: lines[left_out..]
            .iter()
            .map(|line| shown_line(line))
            .collect(),
        is_cut: is_cut || left_out > 0,
    }
}

/// One line without control letters, cut, resident numbers masked.
pub(crate) fn shown_line(line: &str) -> String {
    let mut visible = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // A colour: up to the letter that ends it.
            letters.find(|letter| letter.is_ascii_alphabetic());
        } else if !letter.is_control() {
            visible.push(letter);
        }
    }
    let masked = masked(&visible);
    if masked.chars().count() <= LINE_LETTERS {
        return masked;
    }
    let kept: String = masked.chars().take(LINE_LETTERS).collect();
    kept + "…"
}

/// Thirteen digits that begin with a date, also with one sign behind the sixth.
fn masked(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    let mut shown = String::with_capacity(line.len());
    let mut place = 0;
    while place < letters.len() {
        let begins = place == 0 || !letters[place - 1].is_ascii_digit();
        match resident_number(&letters[place..]).filter(|_| begins) {
            Some(length) => {
                shown.push_str("[masked]");
                place += length;
            }
            None => {
                shown.push(letters[place]);
                place += 1;
            }
        }
    }
    shown
}

/// Letters that a resident number at the beginning takes up.
fn resident_number(letters: &[char]) -> Option<usize> {
    let mut digits = Vec::with_capacity(DIGITS);
    let mut length = 0;
    for letter in letters {
        let is_separator = digits.len() == BIRTH_DIGITS
            && length == BIRTH_DIGITS
            && matches!(letter, '-' | ' ' | '.' | '_' | '–');
        match letter.to_digit(10) {
            Some(digit) => digits.push(digit),
            None if is_separator => {}
            None => return None,
        }
        length += 1;
        if digits.len() == DIGITS {
            break;
        }
    }
    if digits.len() < DIGITS || letters.get(length).is_some_and(char::is_ascii_digit) {
        return None;
    }
    let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn resident_numbers_are_masked_and_counters_stay() {
        let cases = [
            ("row 800101-1000001 is odd", "row [masked] is odd"),
            ("8001011000001", "[masked]"),
            // Milliseconds since 1970, a sum of won, a longer number.
            ("at 1763829000123", "at 1763829000123"),
            ("sum 9999999999999 won", "sum 9999999999999 won"),
            ("80010110000012", "80010110000012"),
            ("2026-11-22T17:30:00Z", "2026-11-22T17:30:00Z"),
        ];
        for (line, expected) in cases {
            assert_eq!(shown_line(line), expected);
        }
    }

    #[test]
    fn colours_and_control_letters_are_taken_out_and_long_lines_cut() {
        assert_eq!(shown_line("\u{1b}[31mred\u{1b}[0m\u{7}"), "red");
        let long = shown_line(&"x".repeat(2000));
        assert_eq!(long.chars().count(), LINE_LETTERS + 1);
    }

    #[test]
    fn only_the_end_of_a_long_log_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("step.log");
        assert_eq!(log_tail(&file).unwrap(), None);
        std::fs::write(&file, "one\ntwo\n").unwrap();
        let whole = log_tail(&file).unwrap().unwrap();
        assert_eq!((whole.lines.len(), whole.is_cut), (2, false));
        let long: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
        std::fs::write(&file, long).unwrap();
        let tail = log_tail(&file).unwrap().unwrap();
        assert!(tail.is_cut);
        assert_eq!(tail.lines.len(), TAIL_LINES);
        assert_eq!(tail.lines.last().unwrap(), "line 19999");
    }
}
