//! What an officer finds that no rule raised. Without it a claim that was drawn could never end in a decision against
//! anybody, and the draw would only tell how frequent is what the rules see.

use chrono::NaiveDate;
use goyong_database::{DatabaseError, Transaction, Value};

use crate::book::Act;
use crate::digests::{self, Told};
use crate::error::CaseError;
use crate::permit;
use crate::record::{Case, day_value};
use crate::state::{CaseState, check_text, refuse};

/// The kind of evidence that an officer found. No night raises it, so none withdraws it.
pub const FINDING: &str = "finding";
/// Longest key of a claim, a record.
const LONGEST_KEY: usize = 200;

/// A record that speaks against whom a case is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of fraud, as the rule about it is named.
    pub rule_id: String,
    /// The claim in question.
    pub claim_no: String,
    /// Where it stands: a file, a letter, a protocol.
    pub record: String,
    /// First day in question.
    pub from_on: NaiveDate,
    /// Last day in question.
    pub to_on: NaiveDate,
    /// Won at risk.
    pub amount_at_risk_won: i64,
}

impl Finding {
    /// Refuses what could be no finding.
    pub(crate) fn check(&self, on: NaiveDate) -> Result<(), CaseError> {
        let is_rule = matches!(self.rule_id.as_bytes(), [b'F' | b'R', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit());
        if !is_rule {
            return refuse(format!(
                "`{}` is no kind of fraud: F01 to F11 or R01",
                self.rule_id.escape_debug()
            ));
        }
        for (what, text) in [("claim", &self.claim_no), ("record", &self.record)] {
            check_text(what, text)?;
            if text.chars().count() > LONGEST_KEY {
                return refuse(format!(
                    "the {what} is longer than {LONGEST_KEY} characters"
                ));
            }
        }
        if self.from_on > self.to_on {
            return refuse(format!("{} lies after {}", self.from_on, self.to_on));
        }
        if self.to_on > on {
            return refuse(format!("{} lies in the future", self.to_on));
        }
        if self.amount_at_risk_won < 0 {
            return refuse("less than nothing is at risk");
        }
        Ok(())
    }
}

/// Keeps a finding as evidence that its finder opened, and makes the case follow it. Answers its number and the digests of
/// what it wrote.
pub(crate) async fn keep(
    transaction: &mut Transaction,
    case: &Case,
    finding: &Finding,
    act: &Act<'_>,
    after: &mut CaseState,
) -> Result<(i64, Told), CaseError> {
    let error = CaseError::database("keep a finding");
    let sql = "select 1 from case_evidence where rule_id = $1 and subject_kind = 'claim' and subject_key = $2 \
               and evidence_kind = $3 and evidence_key = $4";
    let key = [
        (&finding.rule_id).into(),
        (&finding.claim_no).into(),
        FINDING.into(),
        (&finding.record).into(),
    ];
    if !transaction
        .query(sql, &key)
        .await
        .map_err(error)?
        .is_empty()
    {
        return refuse("this finding is recorded already");
    }
    let rows = transaction
        .query(
            "select coalesce(max(evidence_no), 0) + 1 from case_evidence",
            &[],
        )
        .await
        .map_err(error)?;
    let evidence_no = rows
        .first()
        .ok_or(DatabaseError::Column(0))
        .and_then(|row| row.integer(0))
        .map_err(error)?;
    let (from_on, to_on) = (
        day_value(Some(finding.from_on)),
        day_value(Some(finding.to_on)),
    );
    let [rule_id, claim_no, kind, record] = key;
    let values = [
        evidence_no.into(),
        case.case_no.into(),
        rule_id,
        claim_no,
        kind,
        record,
        case.person_key.map_or(Value::Null, Value::Integer),
        case.state.severity.word().into(),
        from_on,
        to_on,
        finding.amount_at_risk_won.into(),
        day_value(Some(act.on)),
    ];
    permit::grant(transaction, "find").await?;
    let sql = "insert into case_evidence (evidence_no, case_no, rule_id, rule_version, subject_kind, subject_key, \
               evidence_kind, evidence_key, person_key, claim_no, severity, subject_from, subject_to, evidence_from, \
               evidence_to, amount_at_risk_won, known_on, first_seen_on) \
               values ($1, $2, $3, 0, 'claim', $4, $5, $6, $7, $4, $8, $9, $10, $9, $10, $11, $12, $12)";
    transaction.execute(sql, &values).await.map_err(error)?;
    let sql = "insert into case_openings (evidence_no, account, at_ms) values ($1, $2, $3)";
    let values = [
        evidence_no.into(),
        act.account.into(),
        act.at.timestamp_millis().into(),
    ];
    transaction.execute(sql, &values).await.map_err(error)?;
    permit::revoke(transaction).await?;
    let sql = concat!(digests::rows_of!(evidence), " where evidence_no = $1");
    let number = [evidence_no.into()];
    let mut rows = digests::read(transaction, "evidence", sql, &number).await?;
    let sql = concat!(digests::rows_of!(opening), " where evidence_no = $1");
    rows.extend(digests::read(transaction, "opening", sql, &number).await?);
    let is_alerted = !after.rules.is_empty() && after.evidence_count > 0;
    after.evidence_count += 1;
    after.undecided_count += 1;
    after.evidence_sum += evidence_no;
    // What rules raise says how much is at risk and when; where they raise nothing, findings do.
    if !is_alerted {
        after.amount_at_risk_won += finding.amount_at_risk_won;
        after.first_on = Some(
            after
                .first_on
                .map_or(finding.from_on, |day| day.min(finding.from_on)),
        );
        after.last_on = Some(
            after
                .last_on
                .map_or(finding.to_on, |day| day.max(finding.to_on)),
        );
        after.known_on = Some(act.on);
    }
    Ok((evidence_no, rows))
}
