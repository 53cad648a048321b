//! Text from outside as it may be stored and shown: nothing in it steers a terminal, hides letters
//! or fills a screen, and no resident number is left.

use std::path::Path;

/// What stands where a text may identify a person.
pub(crate) const MASKED: &str = "[masked]";
/// Most letters of a line for people.
const LINE_LETTERS: usize = 1000;
/// Most letters of a name from outside: a file, a column, a sheet.
const NAME_LETTERS: usize = 120;
/// Most notices of one delivery.
const NOTICES: usize = 40;

/// A sentence that may quote names from outside between backticks.
pub(crate) fn shown_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (position, part) in text.split('`').enumerate() {
        if position > 0 {
            line.push('`');
        }
        // Sums of won stand outside of quotes; they may have thirteen digits.
        if position % 2 == 1 && may_hold_resident_number(part) {
            line.push_str(MASKED);
        } else {
            push_visible(&mut line, part);
        }
    }
    cut(line, LINE_LETTERS)
}

/// A name from outside.
pub(crate) fn shown_name(name: &str) -> String {
    if may_hold_resident_number(name) {
        return MASKED.to_owned();
    }
    let mut visible = String::with_capacity(name.len());
    push_visible(&mut visible, name);
    cut(visible, NAME_LETTERS)
}

/// A path from outside, as long as it is.
pub(crate) fn shown_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    if may_hold_resident_number(&text) {
        return MASKED.to_owned();
    }
    let mut visible = String::with_capacity(text.len());
    push_visible(&mut visible, &text);
    visible
}

/// The notices of a delivery, as many as a person reads.
pub(crate) fn shown_notices(notices: Vec<String>) -> Vec<String> {
    let left_out = notices.len().saturating_sub(NOTICES);
    let mut shown: Vec<String> = notices
        .iter()
        .take(NOTICES)
        .map(|notice| shown_line(notice))
        .collect();
    if left_out > 0 {
        shown.push(format!("{left_out} more notices"));
    }
    shown
}

/// Whether thirteen digits stand together, also with something between the sixth and the seventh.
///
/// Digits of other scripts count, letters without width do not part.
pub(crate) fn may_hold_resident_number(text: &str) -> bool {
    // Lengths of the last two runs of digits and of what stands between them.
    let (mut before, mut gap, mut run) = (0usize, 0usize, 0usize);
    for letter in text.chars() {
        if is_hidden(letter) {
            continue;
        }
        if is_digit(letter) {
            run += 1;
            if run >= 13 || (before >= 6 && run >= 7) {
                return true;
            }
            continue;
        }
        if run > 0 {
            (before, gap, run) = (run, 0, 0);
        }
        gap += 1;
        if letter.is_alphabetic() || gap > 3 {
            before = 0;
        }
    }
    false
}

/// Digits of decimal systems that keyboards and office programs of the region write.
fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
        || matches!(letter,
            '\u{0660}'..='\u{0669}' | '\u{06F0}'..='\u{06F9}' | '\u{FF10}'..='\u{FF19}'
            | '\u{1D7CE}'..='\u{1D7FF}')
}

/// Letters that are not seen: joiners, marks of direction, the byte order mark.
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

fn push_visible(line: &mut String, text: &str) {
    for letter in text.chars() {
        if letter.is_control() || is_hidden(letter) || matches!(letter, '\u{2028}' | '\u{2029}') {
            line.extend(letter.escape_unicode());
        } else {
            line.push(letter);
        }
    }
}

fn cut(mut text: String, letters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(letters) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("9001011234567", true)]
    #[case("900101-1234567", true)]
    #[case("900101 - 1234567", true)]
    #[case("x 900101–1234567 y", true)]
    #[case("９００１０１－１２３４５６７", true)]
    #[case("900101\u{200B}-\u{202E}1234567", true)]
    #[case("9001\u{200B}011\u{FEFF}234567", true)]
    #[case("900101-123456", false)]
    #[case("90010-12345678", false)]
    #[case("2024-01-01 12:00:00.000000", false)]
    #[case("서울 900101 부산 1234567", false)]
    #[case("123456789012", false)]
    #[case("", false)]
    fn resident_numbers_are_seen_in_every_spelling(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(may_hold_resident_number(text), expected);
    }

    #[test]
    fn lines_steer_no_terminal_and_end() {
        assert_eq!(
            shown_line("a\u{1B}[31m\nb\u{202E}c"),
            "a\\u{1b}[31m\\u{a}b\\u{202e}c"
        );
        assert_eq!(shown_line(&"가".repeat(5000)).chars().count(), 1001);
        assert_eq!(shown_name("똠방각하.csv"), "똠방각하.csv");
        assert_eq!(shown_name("900101-1234567.csv"), MASKED);
    }

    #[test]
    fn quoted_names_are_masked_and_sums_are_not() {
        assert_eq!(
            shown_line("column `9001011234567`: the sum is 9001011234567"),
            "column `[masked]`: the sum is 9001011234567"
        );
    }

    #[test]
    fn notices_are_as_many_as_are_read() {
        let notices = vec!["`a` is not in the contract".to_owned(); 100];
        let shown = shown_notices(notices);
        assert_eq!(shown.len(), 41);
        assert_eq!(shown[40], "60 more notices");
    }
}
