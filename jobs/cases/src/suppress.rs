//! Suppressions: what is not listed for a while, with owner, reason, scope and expiry. What they hold back is counted.

use chrono::NaiveDate;
use goyong_database::Transaction;
use serde_json::json;

use crate::book::{Act, CaseBook};
use crate::chain::{self, Draft};
use crate::digests;
use crate::error::CaseError;
use crate::permit;
use crate::record::day_value;
use crate::state::{check_account, check_text};

/// Days a suppression lasts at most; it is renewed by somebody who looked again.
const LONGEST: i64 = 366;

/// What a suppression is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A rule, such as `F05`.
    Rule(String),
    /// The case about a person or a workplace, by its number.
    Case(i64),
}

/// A suppression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Its number.
    pub suppression_no: i64,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// `rule`, `person` or `workplace`.
    pub scope: String,
    /// The rule; the number of the case for the others.
    pub value: String,
    /// First day.
    pub from_on: String,
    /// First day it holds no more.
    pub expires_on: String,
    /// Day it was lifted.
    pub lifted_on: Option<String>,
    /// Pending cases it is about.
    pub cases: i64,
}

impl CaseBook {
    /// Suppresses; answers the number.
    pub async fn suppress(
        &self,
        scope: &Scope,
        reason: &str,
        expires_on: NaiveDate,
        act: &Act<'_>,
    ) -> Result<i64, CaseError> {
        check_account(act.account)?;
        check_text("reason", reason)?;
        if expires_on <= act.on || (expires_on - act.on).num_days() > LONGEST {
            return Err(CaseError::Refused(format!(
                "a suppression expires after {} and within {LONGEST} days",
                act.on
            )));
        }
        let (kind, value, shown) = match scope {
            Scope::Rule(rule) => {
                let is_rule = (2..=8).contains(&rule.len())
                    && rule
                        .chars()
                        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                if !is_rule {
                    return Err(CaseError::Refused(format!(
                        "`{}` is no rule such as F05",
                        rule.escape_debug()
                    )));
                }
                ("rule".to_owned(), rule.clone(), json!({ "rule": rule }))
            }
            Scope::Case(case_no) => {
                let case = self.case(*case_no).await?;
                if case.pivot_kind == "ring" {
                    return Err(CaseError::Refused(
                        "a ring is snoozed, not suppressed: its members change".to_owned(),
                    ));
                }
                (case.pivot_kind, case.pivot_key, json!({ "case": case_no }))
            }
        };
        let error = CaseError::database("suppress");
        let mut transaction = self.database.begin().await.map_err(error)?;
        permit::grant(&mut transaction, "suppress").await?;
        let sql = "insert into case_suppressions (suppression_no, owner, reason, scope, value, from_on, expires_on) \
                   select 1 + coalesce(max(suppression_no), 0), cast($1 as text), cast($2 as text), cast($3 as text), \
                   cast($4 as text), cast($5 as text), cast($6 as text) from case_suppressions";
        let values = [
            act.account.into(),
            reason.into(),
            (&kind).into(),
            value.into(),
            day_value(Some(act.on)),
            day_value(Some(expires_on)),
        ];
        transaction.execute(sql, &values).await.map_err(error)?;
        let rows = transaction
            .query("select max(suppression_no) from case_suppressions", &[])
            .await
            .map_err(error)?;
        let number = rows
            .first()
            .map_or(Ok(0), |row| row.integer(0))
            .map_err(error)?;
        let after = json!({ "suppression": number, "scope": kind, "of": shown, "expires_on": expires_on.to_string() });
        let states = ("null".to_owned(), after.to_string());
        tell(&mut transaction, "suppress", number, states, reason, act).await?;
        transaction.commit().await.map_err(error)?;
        Ok(number)
    }

    /// Ends a suppression before it expires.
    pub async fn lift(&self, number: i64, reason: &str, act: &Act<'_>) -> Result<(), CaseError> {
        check_account(act.account)?;
        check_text("reason", reason)?;
        let error = CaseError::database("lift a suppression");
        let mut transaction = self.database.begin().await.map_err(error)?;
        permit::grant(&mut transaction, "lift").await?;
        let sql = "update case_suppressions set lifted_on = $2 where suppression_no = $1 and lifted_on is null";
        let values = [number.into(), day_value(Some(act.on))];
        if transaction.execute(sql, &values).await.map_err(error)? == 0 {
            return Err(CaseError::Refused(format!(
                "no suppression {number} is in force; `goyong alerts suppressions` lists them"
            )));
        }
        let before = json!({ "suppression": number }).to_string();
        let states = (before, "null".to_owned());
        tell(&mut transaction, "lift", number, states, reason, act).await?;
        transaction.commit().await.map_err(error)
    }

    /// Every suppression, the newest first, with the pending cases it is about.
    pub async fn suppressions(&self) -> Result<Vec<Suppression>, CaseError> {
        let error = CaseError::database("list the suppressions");
        let sql = "select s.suppression_no, s.owner, s.reason, s.scope, \
                   case when s.scope = 'rule' then s.value else (select cast(c.case_no as text) from cases c \
                   where c.pivot_key = s.value) end, s.from_on, s.expires_on, s.lifted_on, \
                   (select count(*) from cases c where c.state = 'pending' and (c.pivot_key = s.value \
                   or (s.scope = 'rule' and exists (select 1 from case_evidence e where e.case_no = c.case_no \
                   and e.rule_id = s.value and e.decided_in is null and e.withdrawn_on is null)))) \
                   from case_suppressions s order by s.suppression_no desc";
        let rows = self.rows("list the suppressions", sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(Suppression {
                    suppression_no: row.integer(0)?,
                    owner: row.text(1)?,
                    reason: row.text(2)?,
                    scope: row.text(3)?,
                    value: row.optional_text(4)?.unwrap_or_default(),
                    from_on: row.text(5)?,
                    expires_on: row.text(6)?,
                    lifted_on: row.optional_text(7)?,
                    cases: row.integer(8)?,
                })
            })
            .collect::<Result<_, goyong_database::DatabaseError>>()
            .map_err(error)
    }
}

/// Appends the event that tells a suppression, and ends the permit for it.
async fn tell(
    transaction: &mut Transaction,
    action: &'static str,
    number: i64,
    (before, after): (String, String),
    reason: &str,
    act: &Act<'_>,
) -> Result<(), CaseError> {
    permit::revoke(transaction).await?;
    let sql = concat!(digests::rows_of!(suppression), " where suppression_no = $1");
    let rows = digests::read(transaction, "suppression", sql, &[number.into()]).await?;
    let draft = Draft {
        case_no: None,
        at_ms: act.at.timestamp_millis(),
        account: act.account.to_owned(),
        action,
        before,
        after,
        detail: json!({ "text": reason, "rows": rows }).to_string(),
    };
    chain::append(transaction, vec![draft]).await?;
    Ok(())
}
