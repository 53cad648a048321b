//! Notices: decided with the fact they tell, delivered later.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Ledger, State, StepChange, commit, milliseconds, only};
use crate::error::{Result, SchedulerError};
use crate::notice::{Notice, NoticeKind};
use crate::plan::Plan;
use goyong_database::{DatabaseError, Row, Transaction};

/// A sender that died lets others send after this time. Longer than any attempt takes.
const SENDING: TimeDelta = TimeDelta::minutes(5);
/// Time before the second attempt; doubled for each later one.
const FIRST_BACKOFF: TimeDelta = TimeDelta::seconds(30);
const LONGEST_BACKOFF: TimeDelta = TimeDelta::hours(1);
/// What could not be delivered for so long is old news.
const OLD_NEWS: TimeDelta = TimeDelta::days(3);

/// A fact that people are told of.
pub(super) struct Fact<'a> {
    pub(super) kind: NoticeKind,
    /// Together with the kind what makes it one fact.
    pub(super) key: &'a str,
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) run_id: Option<&'a str>,
    pub(super) facts: BTreeMap<&'static str, String>,
}

/// Writes a notice for each target.
pub(super) async fn tell(
    transaction: &mut Transaction,
    plan: &str,
    targets: impl IntoIterator<Item = &str>,
    fact: &Fact<'_>,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    for target in targets {
        let notice = format!("{}:{}:{target}", fact.kind.word(), fact.key);
        transaction
            .execute(
                "insert into scheduler_notices (notice, kind, plan, scheduled_at_ms, run_id, target, facts, \
                 decided_at_ms, attempts, not_before_ms, last_error) values ($1, $2, $3, $4, $5, $6, $7, $8, 0, $8, '') \
                 on conflict (notice) do nothing",
                &[
                    (&notice).into(),
                    fact.kind.word().into(),
                    plan.into(),
                    milliseconds(fact.scheduled_at).into(),
                    fact.run_id.unwrap_or_default().into(),
                    target.into(),
                    (&serde_json::to_string(&fact.facts)?).into(),
                    milliseconds(now).into(),
                ],
            )
            .await?;
    }
    Ok(())
}

/// Notices of what a worker writes: figures above the plan's limits, and the end of the run.
pub(super) async fn tell_of_progress(
    transaction: &mut Transaction,
    plan: &Plan,
    lease: &super::Lease,
    changes: &[StepChange],
    end: Option<(State, &'static str, &str)>,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let is_above = |change: &StepChange| {
        let mut limits = plan.notify_above.iter();
        limits.any(|(figure, limit)| {
            let value = change.account.figures.get(figure);
            value.is_some_and(|value| value > limit)
        })
    };
    // Nearly always there is nothing to tell.
    if plan.notify.is_empty() || (end.is_none() && !changes.iter().any(is_above)) {
        return Ok(());
    }
    let rows = transaction
        .query(
            "select scheduled_at_ms from scheduler_runs where run_id = $1",
            &[(&lease.run_id).into()],
        )
        .await?;
    let scheduled_at = only(&rows)?.time(0)?;
    let everybody = || plan.notify.iter().map(String::as_str);
    for change in changes {
        for (figure, limit) in &plan.notify_above {
            let value = change.account.figures.get(figure);
            let Some(value) = value.filter(|value| *value > limit) else {
                continue;
            };
            let fact = Fact {
                kind: NoticeKind::OverLimit,
                key: &format!("{}:{}:{}:{figure}", lease.run_id, lease.token, change.step),
                scheduled_at,
                run_id: Some(&lease.run_id),
                facts: BTreeMap::from([
                    ("step", change.step.clone()),
                    ("figure", figure.clone()),
                    ("value", value.to_string()),
                    ("limit", limit.to_string()),
                ]),
            };
            tell(transaction, &plan.name, everybody(), &fact, now).await?;
        }
    }
    let Some((state, reason, detail)) = end else {
        return Ok(());
    };
    let fact = |kind| Fact {
        kind,
        key: "",
        scheduled_at,
        run_id: Some(&lease.run_id),
        facts: BTreeMap::new(),
    };
    let key = format!("{}:{}", lease.run_id, lease.token);
    match state {
        State::Failed => {
            let steps = detail.strip_prefix("step ").unwrap_or_default();
            let facts = [("reason", reason), ("steps", steps)];
            let told = facts.map(|(name, word)| (name, word.to_owned()));
            let fact = Fact {
                key: &key,
                facts: told
                    .into_iter()
                    .filter(|(_, word)| !word.is_empty())
                    .collect(),
                ..fact(NoticeKind::Failed)
            };
            tell(transaction, &plan.name, everybody(), &fact, now).await
        }
        State::Success => {
            for target in everybody() {
                if is_troubled(transaction, &plan.name, target).await? {
                    let fact = Fact {
                        key: &key,
                        ..fact(NoticeKind::Recovered)
                    };
                    tell(transaction, &plan.name, [target], &fact, now).await?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether the last that a target was told of a plan is that something went wrong.
async fn is_troubled(
    transaction: &mut Transaction,
    plan: &str,
    target: &str,
) -> Result<bool, DatabaseError> {
    let rows = transaction
        .query(
            "select kind from scheduler_notices where plan = $1 and target = $2 \
             and kind in ('failed', 'deadline_missed', 'recovered') \
             order by decided_at_ms desc, case when kind = 'recovered' then 0 else 1 end limit 1",
            &[plan.into(), target.into()],
        )
        .await?;
    match rows.first() {
        Some(row) => Ok(row.text(0)? != NoticeKind::Recovered.word()),
        None => Ok(false),
    }
}

impl Ledger {
    /// Takes the oldest notice that is to be sent now; nobody else takes it for some minutes.
    pub async fn take_notice(&self, now: DateTime<Utc>) -> Result<Option<Notice>> {
        let error = SchedulerError::database("take a notice");
        let due = "select notice, kind, plan, scheduled_at_ms, run_id, target, facts, decided_at_ms, attempts \
             from scheduler_notices where delivered_at_ms is null and given_up_at_ms is null and not_before_ms <= $1 \
             order by decided_at_ms, notice limit 1";
        let values = [milliseconds(now).into()];
        // Nearly always there is none; then nobody is kept from writing.
        if self
            .database
            .query(due, &values)
            .await
            .map_err(&error)?
            .is_empty()
        {
            return Ok(None);
        }
        let mut transaction = self.begin("take a notice").await?;
        let rows = transaction.query(due, &values).await.map_err(&error)?;
        let notice = rows.first().map(read).transpose().map_err(&error)?;
        if let Some(notice) = &notice {
            transaction
                .execute(
                    "update scheduler_notices set attempts = attempts + 1, not_before_ms = $2 where notice = $1",
                    &[(&notice.id).into(), milliseconds(now + SENDING).into()],
                )
                .await
                .map_err(&error)?;
        }
        commit(transaction).await.map_err(&error)?;
        Ok(notice)
    }

    /// Writes what became of an attempt to deliver a notice: nothing, or why it failed. A failed one is tried again
    /// later, for some days.
    pub async fn notice_sent(
        &self,
        notice: &Notice,
        problem: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let error = SchedulerError::database("write what became of a notice");
        let is_old = now - notice.decided_at >= OLD_NEWS;
        let at = milliseconds(now);
        let delivered = problem.is_none().then_some(at);
        let given_up = (problem.is_some() && is_old).then_some(at);
        let mut transaction = self.begin("write what became of a notice").await?;
        transaction
            .execute(
                "update scheduler_notices set delivered_at_ms = $2, given_up_at_ms = $3, last_error = $4, \
                 not_before_ms = $5 where notice = $1 and delivered_at_ms is null",
                &[
                    (&notice.id).into(),
                    delivered.into(),
                    given_up.into(),
                    problem.unwrap_or_default().into(),
                    milliseconds(now + backoff(notice.attempts)).into(),
                ],
            )
            .await
            .map_err(&error)?;
        commit(transaction).await.map_err(&error)
    }
}

fn backoff(attempt: u32) -> TimeDelta {
    let doubled = 1i32 << attempt.saturating_sub(1).min(16);
    (FIRST_BACKOFF * doubled).min(LONGEST_BACKOFF)
}

fn read(row: &Row) -> Result<Notice, DatabaseError> {
    let kind = row.text(1)?;
    let run_id = row.text(4)?;
    Ok(Notice {
        id: row.text(0)?,
        kind: NoticeKind::ALL
            .into_iter()
            .find(|known| known.word() == kind)
            .ok_or(DatabaseError::Column(1))?,
        plan: row.text(2)?,
        scheduled_at: row.time(3)?,
        run_id: (!run_id.is_empty()).then_some(run_id),
        target: row.text(5)?,
        facts: serde_json::from_str(&row.text(6)?)?,
        decided_at: row.time(7)?,
        attempts: row.count(8)? + 1,
    })
}

/// Time between two signs of life of a process that schedules.
pub(crate) const SIGN_OF_LIFE: TimeDelta = TimeDelta::seconds(30);
/// Processes that have not been seen for so long are forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::days(7);

impl Ledger {
    /// A sign of life of a process that schedules; its last one when it ends.
    pub async fn seen(&self, holder: &str, has_ended: bool, now: DateTime<Utc>) -> Result<()> {
        let error = SchedulerError::database("write a sign of life");
        let mut transaction = self.begin("write a sign of life").await?;
        transaction
            .execute(
                "insert into scheduler_processes (holder, started_at_ms, seen_at_ms, ended_at_ms) \
                 values ($1, $2, $2, $3) on conflict (holder) do update set seen_at_ms = excluded.seen_at_ms, \
                 ended_at_ms = excluded.ended_at_ms",
                &[
                    holder.into(),
                    milliseconds(now).into(),
                    has_ended.then_some(milliseconds(now)).into(),
                ],
            )
            .await
            .map_err(&error)?;
        transaction
            .execute(
                "delete from scheduler_processes where seen_at_ms < $1",
                &[milliseconds(now - FORGOTTEN).into()],
            )
            .await
            .map_err(&error)?;
        commit(transaction).await.map_err(&error)
    }
}
