//! What became of a delivery, and the rules that decide it. Knows no table.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};
use goyong_catalog::contract::{ColumnType, Contract, Drift};
use goyong_catalog::manifest::Manifest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Refusal, RefusalRule};
use crate::plan::Plan;
use crate::rows::{ControlSum, ParsedRows, rule_counts};
use crate::unique::DUPLICATE_KEY;
use crate::value;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Every row is in the staging table.
    Accepted,
    /// Some rows are in quarantine, the others in the staging table.
    AcceptedWithQuarantine,
    /// Nothing was loaded.
    Refused,
    /// The same bytes were loaded before; nothing was done.
    Duplicate,
    /// A higher revision of the period is in place; nothing was loaded.
    Superseded,
}

impl DeliveryStatus {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedWithQuarantine => "accepted_with_quarantine",
            Self::Refused => "refused",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
        }
    }

    /// The status of a stored word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [
            Self::Accepted,
            Self::AcceptedWithQuarantine,
            Self::Refused,
            Self::Duplicate,
            Self::Superseded,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }

    /// Whether rows went to the staging table.
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::AcceptedWithQuarantine)
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The account of one delivery: delivered = accepted + quarantined + rejected, in rows and in won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryOutcome {
    /// Name of the delivery for ever.
    pub delivery_id: String,
    /// The source.
    pub source: String,
    /// The period, when it has one.
    pub period: Option<String>,
    /// Revision of the period.
    pub revision: u32,
    /// Day on which the rows became known.
    pub known_on: NaiveDate,
    /// Name of the file.
    pub file_name: String,
    /// Hash of the file, empty when it was not read.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// What became of it.
    pub status: DeliveryStatus,
    /// Rule by which it was refused.
    pub rule: Option<String>,
    /// Why it was refused or not loaded.
    pub reason: Option<String>,
    /// Rows in the file.
    pub rows_delivered: u64,
    /// Rows in the staging table.
    pub rows_accepted: u64,
    /// Rows in the quarantine table.
    pub rows_quarantined: u64,
    /// Rows refused with their delivery.
    pub rows_rejected: u64,
    /// Accepted rows with a flag.
    pub rows_flagged: u64,
    /// Rows the provider says there are.
    pub rows_expected: Option<u64>,
    /// Column whose sums follow.
    pub control_name: Option<String>,
    /// Sum over all rows.
    #[serde(with = "text_sum")]
    pub won_delivered: i128,
    /// Sum over accepted rows.
    #[serde(with = "text_sum")]
    pub won_accepted: i128,
    /// Sum over quarantined rows.
    #[serde(with = "text_sum")]
    pub won_quarantined: i128,
    /// Sum over rejected rows, and what corrections took from the delivered sum; negative where
    /// they added to it.
    #[serde(with = "text_sum")]
    pub won_rejected: i128,
    /// What a person should know.
    pub notices: Vec<String>,
    /// Where the file's columns differ from the contract's and from the delivery before.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// Persons the vault had not known.
    pub new_persons: u64,
    /// Accepted rows that were in quarantine before.
    #[serde(default)]
    pub rows_released: u64,
    /// Rejected rows that were in quarantine before.
    #[serde(default)]
    pub rows_discarded: u64,
    /// Sum over released rows, as accepted.
    #[serde(default, with = "text_sum")]
    pub won_released: i128,
    /// What decisions about quarantined rows added to the rejected sum.
    #[serde(default, with = "text_sum")]
    pub won_discarded: i128,
    /// The delivery of a higher revision that took its place.
    #[serde(default)]
    pub superseded_by: Option<String>,
}

impl DeliveryOutcome {
    /// Whether rows of it left quarantine.
    pub(crate) fn has_decisions(&self) -> bool {
        self.rows_released + self.rows_discarded > 0
    }
}

/// Sums of 128 bits survive JSON as text.
mod text_sum {
    use super::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(sum: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(sum)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Counts of a delivery while it is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub records: u64,
    pub delivered: u64,
    pub accepted: u64,
    pub quarantined: u64,
    /// Rows of persons who are to be forgotten; the delivery's account has them as rejected.
    pub forgotten: u64,
    pub flagged: u64,
    pub control: Vec<ControlSum>,
    /// Rows whose day lies outside the period.
    pub outside_period: u64,
    rules: BTreeMap<(String, &'static str), u64>,
}

impl Tally {
    pub fn new(plan: &Plan) -> Self {
        Self {
            control: vec![ControlSum::default(); plan.control.len()],
            ..Self::default()
        }
    }

    pub fn add(&mut self, rows: &ParsedRows) {
        self.records += rows.record_count;
        self.delivered += rows.delivered;
        self.accepted += rows.batch.num_rows() as u64;
        self.quarantined += rows.quarantined.len() as u64;
        self.forgotten += rows.forgotten;
        self.flagged += rows.flags.len() as u64;
        self.outside_period += rows.outside_period;
        for (sum, part) in self.control.iter_mut().zip(&rows.control) {
            sum.accepted += part.accepted;
            sum.quarantined += part.quarantined;
            sum.forgotten += part.forgotten;
            sum.unreadable += part.unreadable;
        }
        for row in &rows.quarantined {
            *self
                .rules
                .entry((row.column.clone(), row.rule))
                .or_default() += 1;
        }
    }

    /// How many rows more may go to quarantine before the delivery is refused.
    pub fn tolerated(&self, plan: &Plan) -> u64 {
        let limit = (plan.contract.reject_threshold * self.delivered as f64) as u64;
        limit.saturating_sub(self.quarantined)
    }

    /// Counts rows that repeat a key and were found only after the reading.
    pub fn add_repeated(&mut self, plan: &Plan, count: u64) {
        self.accepted -= count;
        self.quarantined += count;
        let key = (plan.contract.unique.join(", "), DUPLICATE_KEY);
        *self.rules.entry(key).or_default() += count;
    }

    /// Compares what was read with what the manifest says and the contract allows.
    pub fn judge(
        &self,
        plan: &Plan,
        manifest: Option<&Manifest>,
        sha256: &str,
        notices: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        if let Some(manifest) = manifest {
            if !manifest.sha256.eq_ignore_ascii_case(sha256) {
                return Err(checksum_refusal(&manifest.sha256, sha256));
            }
            if manifest.rows != self.records {
                return Err(Refusal::new(
                    RefusalRule::RowCount,
                    format!(
                        "the file has {} rows, the manifest says {}: the file is cut off or the manifest belongs to another",
                        self.records, manifest.rows
                    ),
                ));
            }
        }
        if let Some(check) = &plan.contract.period_check
            && self.outside_period as f64 > check.refuse_above * self.delivered as f64
        {
            return Err(Refusal::new(
                RefusalRule::WrongPeriod,
                format!(
                    "{} of {} rows have a {} outside the period: this is the file of another period, or its manifest is",
                    self.outside_period, self.delivered, check.column
                ),
            ));
        }
        if let Some(manifest) = manifest {
            self.judge_control(plan, manifest, notices)?;
        }
        let limit = plan.contract.reject_threshold;
        if self.delivered > 0 && self.quarantined as f64 > limit * self.delivered as f64 {
            return Err(Refusal::new(
                RefusalRule::Threshold,
                format!(
                    "{} of {} rows break rules, the contract allows {:.1} %: {}",
                    self.quarantined,
                    self.delivered,
                    limit * 100.0,
                    rule_counts(&self.rules)
                ),
            ));
        }
        Ok(())
    }

    fn judge_control(
        &self,
        plan: &Plan,
        manifest: &Manifest,
        notices: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        for (sum, index) in self.control.iter().zip(&plan.control) {
            let column = &plan.columns[*index];
            let Some(stated) = manifest.control.get(&column.name) else {
                notices.push(format!("the manifest states no sum of {}", column.name));
                continue;
            };
            let read = sum.accepted + sum.quarantined + sum.forgotten;
            let scale = scale_of(column.kind);
            let Some(stated_sum) = stated_sum(stated, scale) else {
                return Err(Refusal::new(
                    RefusalRule::Manifest,
                    format!("the manifest's sum of {} is no number", column.name),
                ));
            };
            if stated_sum == read {
                continue;
            }
            if sum.unreadable == 0 {
                return Err(Refusal::new(
                    RefusalRule::ControlTotal,
                    format!(
                        "the sum of {} is {}, the manifest says {stated}: rows are missing or changed",
                        column.name,
                        sum_text(read, scale)
                    ),
                ));
            }
            notices.push(format!(
                "{} of {} quarantined rows is unreadable; by the manifest their sum is {}",
                column.name,
                sum.unreadable,
                sum_text(stated_sum - read, scale)
            ));
        }
        Ok(())
    }

    /// Writes the counts into the outcome.
    pub fn account(&self, plan: &Plan, manifest: Option<&Manifest>, outcome: &mut DeliveryOutcome) {
        outcome.rows_delivered = self.delivered;
        let sums = self.first_won_sums(plan, manifest);
        if let Some((name, delivered, sum)) = sums {
            outcome.control_name = Some(name);
            outcome.won_delivered = delivered;
            if outcome.status.is_accepted() {
                outcome.won_accepted = sum.accepted;
                outcome.won_rejected = sum.forgotten;
                outcome.won_quarantined = delivered - sum.accepted - sum.forgotten;
            } else {
                outcome.won_rejected = delivered;
            }
        }
        if outcome.status.is_accepted() {
            outcome.rows_accepted = self.accepted;
            outcome.rows_quarantined = self.quarantined;
            outcome.rows_flagged = self.flagged;
            outcome.rows_rejected = self.forgotten;
            if self.forgotten > 0 {
                outcome.notices.push(format!(
                    "{} rows rejected: forgotten, their persons are on the list of `goyong vault forget`",
                    self.forgotten
                ));
            }
        } else {
            outcome.rows_rejected = self.delivered;
        }
    }

    /// Name of the first control column in whole won, its sum over all rows, and its parts.
    fn first_won_sums(
        &self,
        plan: &Plan,
        manifest: Option<&Manifest>,
    ) -> Option<(String, i128, ControlSum)> {
        let position = plan
            .control
            .iter()
            .position(|index| scale_of(plan.columns[*index].kind) == 0)?;
        let sum = self.control[position];
        let name = plan.columns[plan.control[position]].name.clone();
        let read = sum.accepted + sum.quarantined + sum.forgotten;
        let stated = manifest
            .and_then(|manifest| manifest.control.get(&name))
            .and_then(|text| stated_sum(text, 0));
        let delivered = match stated {
            Some(stated) if sum.unreadable > 0 => stated,
            _ => read,
        };
        Some((name, delivered, sum))
    }
}

/// A sum of the manifest; `None` when it is no number or larger than any sum of rows.
fn stated_sum(text: &str, scale: u32) -> Option<i128> {
    value::decimal(text.trim().as_bytes(), scale)
        .filter(|sum| sum.unsigned_abs() < 10 * value::MOST_CONTROL)
}

pub(crate) fn checksum_refusal(stated: &str, found: &str) -> Refusal {
    let short = |text: &str| text.get(..12).unwrap_or(text).to_owned();
    Refusal::new(
        RefusalRule::Checksum,
        format!(
            "the file's SHA-256 is {}…, the manifest says {}…: ask the provider to send it again",
            short(found),
            short(stated)
        ),
    )
}

/// A higher revision could never be corrected by the next.
const HIGHEST_REVISION: u32 = 9_999;
/// Years in which content can become known; later ones would be the newest day for ever.
const KNOWN_YEARS: RangeInclusive<i32> = 1900..=2199;

pub(crate) fn scale_of(kind: ColumnType) -> u32 {
    match kind {
        ColumnType::Decimal(_, scale) => u32::from(scale.unsigned_abs()),
        _ => 0,
    }
}

pub(crate) fn sum_text(sum: i128, scale: u32) -> String {
    if scale == 0 {
        return sum.to_string();
    }
    let digits = format!("{:0width$}", sum.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let sign = if sum < 0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}

/// Period and revision that a landing file's name states: `<source>_<period>_r<revision>.<ending>`.
pub(crate) fn stated_by_name(source: &str, file_name: &str) -> Option<(String, u32)> {
    let rest = file_name.strip_prefix(source)?.strip_prefix('_')?;
    let stem = rest.split('.').next()?;
    let (period, revision) = stem.rsplit_once("_r")?;
    Some((period.to_owned(), revision.parse().ok()?))
}

/// What can be said against a manifest before the file is read.
pub(crate) fn judge_manifest(
    contract: &Contract,
    manifest: &Manifest,
    file_name: &str,
) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(RefusalRule::Manifest, message));
    if manifest.source != contract.source {
        return refuse(format!(
            "the manifest is about `{}`, the file was delivered as `{}`",
            manifest.source, contract.source
        ));
    }
    if let Some(stated) = &manifest.file
        && stated != file_name
    {
        return refuse(format!("the manifest is about the file `{stated}`"));
    }
    if !(1..=HIGHEST_REVISION).contains(&manifest.revision) {
        return refuse(format!(
            "the manifest says revision {}, revisions go from 1 to {HIGHEST_REVISION}",
            manifest.revision
        ));
    }
    if let Some(day) = manifest.known_on
        && !KNOWN_YEARS.contains(&day.year())
    {
        return refuse(format!(
            "the manifest says the content became known on {day}: no such day can be meant"
        ));
    }
    if manifest.sha256.len() != 64 || !manifest.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return refuse("the manifest's sha256 is not 64 hexadecimal digits".to_owned());
    }
    let Some((period, revision)) = stated_by_name(&contract.source, file_name) else {
        return Ok(());
    };
    use goyong_catalog::manifest::Period;
    let by_name = Period::parse(&period).ok();
    let by_manifest = manifest
        .period
        .as_deref()
        .and_then(|text| Period::parse(text).ok());
    if let (Some(by_name), Some(by_manifest)) = (&by_name, &by_manifest)
        && by_name != by_manifest
    {
        return refuse(format!(
            "the file's name says period {by_name}, the manifest {by_manifest}"
        ));
    }
    if revision != manifest.revision {
        return refuse(format!(
            "the file's name says revision {revision}, the manifest {}",
            manifest.revision
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a_b_202408_r2.csv", Some(("202408", 2)))]
    #[case("a_b_2024H1_r1.dat", Some(("2024H1", 1)))]
    #[case("a_b_202408_r2.csv.gz", Some(("202408", 2)))]
    #[case("a_b_202408.csv", None)]
    #[case("other_202408_r1.csv", None)]
    fn names_state_period_and_revision(#[case] name: &str, #[case] expected: Option<(&str, u32)>) {
        let expected = expected.map(|(period, revision)| (period.to_owned(), revision));
        assert_eq!(stated_by_name("a_b", name), expected);
    }

    #[test]
    fn outcome_survives_json_with_sums_beyond_64_bits() {
        let outcome = DeliveryOutcome {
            delivery_id: "a/-/r1/0".into(),
            source: "a".into(),
            period: None,
            revision: 1,
            known_on: NaiveDate::from_ymd_opt(2024, 1, 1).unwrap(),
            file_name: "a.csv".into(),
            sha256: String::new(),
            bytes: 0,
            status: DeliveryStatus::Superseded,
            rule: None,
            reason: None,
            rows_delivered: 1,
            rows_accepted: 0,
            rows_quarantined: 0,
            rows_rejected: 1,
            rows_flagged: 0,
            rows_expected: None,
            control_name: None,
            won_delivered: 170_141_183_460_469_231_731_687_303_715_884_105_727,
            won_accepted: 0,
            won_quarantined: -1,
            won_rejected: 0,
            notices: vec!["x".into()],
            drift: Vec::new(),
            new_persons: 0,
            rows_released: 0,
            rows_discarded: 0,
            won_released: 0,
            won_discarded: 0,
            superseded_by: None,
        };
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(
            serde_json::from_str::<DeliveryOutcome>(&text).unwrap(),
            outcome
        );
    }
}
