//! Rules a single value has to keep, and how a value that broke one may be shown.

use super::Rule;
use crate::encoding::TextDecoder;
use crate::plan::{ColumnPlan, Plan, RangePlan};
use crate::shown::{MASKED, may_hold_resident_number};

const SHOWN_CHARACTERS: usize = 200;
/// Bytes of a value that are looked at to show it: four for each letter, and a number behind.
const SHOWN_BYTES: usize = 4 * SHOWN_CHARACTERS + 64;

/// 2020-10-01 in days: newborns' numbers have no check digit since (주민등록법 시행규칙 제2조).
pub(super) const NUMBERS_WITHOUT_CHECK_DIGIT_FROM: i32 = 18_536;

impl Plan {
    /// A text about values that may stand in quarantine, masked where it may hold an identity.
    pub(crate) fn scrubbed(&self, text: String) -> String {
        if self.scrub && may_hold_resident_number(&text) {
            MASKED.to_owned()
        } else {
            text
        }
    }
}

/// A raw value outside identifying columns: decoded or escaped, cut, and in sources with
/// identities searched for numbers that look like resident numbers.
pub(crate) fn shown_value(plan: &Plan, raw: &[u8]) -> String {
    let head = &raw[..raw.len().min(SHOWN_BYTES)];
    if plan.scrub {
        let text = match plan.decoder {
            TextDecoder::Cp949 => encoding_rs::EUC_KR.decode_without_bom_handling(head).0,
            _ => String::from_utf8_lossy(head),
        };
        if may_hold_resident_number(&text) {
            return MASKED.to_owned();
        }
    }
    // Where the head is not all, it may end inside a letter.
    let inside = if head.len() < raw.len() { 4 } else { 1 };
    let decoded = (0..inside).find_map(|cut| plan.decoder.decode(&head[..head.len() - cut]));
    match decoded {
        Some(text) => text.chars().take(SHOWN_CHARACTERS).collect(),
        None => head
            .iter()
            .take(SHOWN_CHARACTERS)
            .flat_map(|byte| std::ascii::escape_default(*byte))
            .map(char::from)
            .collect(),
    }
}

/// 1900-01-01 in days: century codes 9 and 0 are right, but nobody born then works or claims today.
pub(super) const BORN_TOO_LONG_AGO_BEFORE: i32 = -25_567;

pub(super) fn add_flag(flags: &mut String, flag: &str) {
    if !flags.is_empty() {
        flags.push(',');
    }
    flags.push_str(flag);
}

pub(super) fn rewrite(column: &ColumnPlan, mut text: String) -> Option<String> {
    for unwanted in &column.strip {
        if text.contains(unwanted.as_str()) {
            text = text.replace(unwanted.as_str(), "");
        }
    }
    if let Some(capture) = &column.capture {
        text = capture.captures(&text)?.get(1)?.as_str().to_owned();
    }
    if column.trim {
        let trimmed = text.trim();
        if trimmed.len() != text.len() {
            text = trimmed.to_owned();
        }
    }
    Some(text)
}

#[inline]
pub(super) fn check_text(column: &ColumnPlan, text: &[u8]) -> Result<(), Rule> {
    if !column.domain.is_empty() && !in_domain(&column.domain, text) {
        return Err("domain");
    }
    if let Some(pattern) = &column.pattern
        && !pattern.matches(text)
    {
        return Err("pattern");
    }
    Ok(())
}

#[inline]
pub(super) fn check_exact(column: &ColumnPlan, number: i128, raw: &[u8]) -> Result<(), Rule> {
    if let Some(RangePlan::Exact(minimum, maximum)) = column.range
        && (number < minimum || number > maximum)
    {
        return Err("range");
    }
    check_text(column, raw)
}

#[inline]
fn in_domain(domain: &[Vec<u8>], text: &[u8]) -> bool {
    if domain.len() <= 12 {
        // Codes are short: comparing their bytes here beats calling a function for each.
        domain
            .iter()
            .any(|value| value.len() == text.len() && value.iter().eq(text))
    } else {
        domain
            .binary_search_by(|value| value.as_slice().cmp(text))
            .is_ok()
    }
}

pub(super) fn first_of_month(days: i32) -> i32 {
    use chrono::Datelike;
    match chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163) {
        Some(date) => days - date.day0() as i32,
        None => days,
    }
}
