//! The book of cases in its database: opened, read, and changed by officers.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use goyong_database::{
    Database, DatabaseError, Dialects, Location, Migration, Migrations, Row, Transaction, Value,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::chain::{self, ChainHead, Draft, Event, event_query};
use crate::digests::{self, Told};
use crate::error::CaseError;
use crate::finding;
use crate::permit;
use crate::record::{Case, Evidence, case_columns, state_values};
use crate::state::{By, CaseState, Command, check_account, check_text, is_among};

/// The schema, forward only.
pub(crate) const MIGRATIONS: Migrations = Migrations {
    make_table: "create table if not exists case_migrations (number bigint primary key)",
    newest: "select coalesce(max(number), 0) from case_migrations",
    count: "insert into case_migrations (number) values ($1)",
    steps: &[
        Migration::Same(include_str!("schema/0001_cases.sql")),
        Migration::Each(Dialects {
            sqlite: include_str!("schema/0002_guards.sqlite.sql"),
            postgres: include_str!("schema/0002_guards.postgres.sql"),
        }),
        Migration::Same(include_str!("schema/0003_scores.sql")),
        Migration::Same(include_str!("schema/0004_scores_by_model.sql")),
        Migration::Same(include_str!("schema/0005_permits.sql")),
        Migration::Each(Dialects {
            sqlite: include_str!("schema/0006_row_guards.sqlite.sql"),
            postgres: include_str!("schema/0006_row_guards.postgres.sql"),
        }),
        Migration::Same(include_str!("schema/0007_score_origin.sql")),
    ],
};

const CHANGE: &str = "update cases set last_event_no = $2, state = $3, centre = $4, severity = $5, rules = $6, \
    evidence_count = $7, undecided_count = $8, evidence_sum = $9, amount_at_risk_won = $10, first_on = $11, \
    last_on = $12, known_on = $13, investigator = $14, worked_by = $15, verifier = $16, snoozed_until = $17, \
    notice_sent_on = $18, reply_due_on = $19, reply_received_on = $20, outcome = $21, closed_on = $22, \
    decision_no = $23, appeal = $24 where case_no = $1";

/// The book of cases.
#[derive(Debug)]
pub struct CaseBook {
    pub(crate) database: Database,
}

/// Who does something, when.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// The account.
    pub account: &'a str,
    /// When.
    pub at: DateTime<Utc>,
    /// Which day that is.
    pub on: NaiveDate,
}

/// What is left out of a list of cases.
#[derive(Debug, Clone, Default)]
pub struct CaseFilter {
    /// Only this state.
    pub state: Option<crate::State>,
    /// Only this centre.
    pub centre: Option<String>,
    /// Only what this account investigates.
    pub investigator: Option<String>,
    /// Only what the newest night listed.
    pub is_listed: bool,
    /// Rows at most.
    pub limit: u32,
}

/// A decision that stands, as a label: what was decided about a row of evidence, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The decision.
    pub decision_no: i64,
    /// The case.
    pub case_no: i64,
    /// The row of evidence; none for a claim that was drawn.
    pub evidence_no: Option<i64>,
    /// Its rule, empty for a claim that was drawn.
    pub rule_id: String,
    /// What was questioned.
    pub subject_kind: String,
    /// Which one.
    pub subject_key: String,
    /// How it ended.
    pub outcome: String,
    /// When.
    pub decided_on: String,
    /// What became of it on appeal, while the case stays closed.
    pub appeal: String,
}

impl CaseBook {
    /// Opens the book, makes it where it is not there, and applies the migrations it lacks.
    pub async fn open(location: &Location) -> Result<Self, CaseError> {
        let error = CaseError::database("open the cases");
        let book = Self {
            database: Database::open(location).await.map_err(error)?,
        };
        book.database.migrate(&MIGRATIONS).await?;
        book.seal().await?;
        Ok(book)
    }

    /// Closes the connection. Optional; a crash instead loses nothing.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Does what an officer asks for. Either all of it is kept with its event, or nothing.
    ///
    /// # Errors
    /// [`CaseError::Refused`] says what is missing.
    pub async fn apply(
        &self,
        case_no: i64,
        command: &Command,
        act: &Act<'_>,
    ) -> Result<Case, CaseError> {
        let error = CaseError::database("change a case");
        let mut transaction = self.database.begin().await.map_err(error)?;
        let case = read_case(&mut transaction, case_no).await?;
        let by = By {
            account: act.account,
            on: act.on,
        };
        let mut after = case.state.after(command, by)?;
        let mut detail = json!({});
        if !command.text().is_empty() {
            detail["text"] = command.text().into();
        }
        if let Command::Close {
            outcome,
            reason,
            evidence,
        } = command
        {
            let (decision_no, rows) =
                decide(&mut transaction, &case, *outcome, reason, evidence, act).await?;
            after.decision_no = Some(decision_no);
            detail["evidence"] = evidence.clone().into();
            detail["rows"] = json!(rows);
        }
        if let Command::Find(found) = command {
            let (evidence_no, rows) =
                finding::keep(&mut transaction, &case, found, act, &mut after).await?;
            detail["evidence"] = evidence_no.into();
            detail["rows"] = json!(rows);
        }
        let case = change(
            &mut transaction,
            case,
            after,
            command.action(),
            &detail,
            act,
        )
        .await?;
        transaction.commit().await.map_err(error)?;
        Ok(case)
    }

    /// A case.
    pub async fn case(&self, case_no: i64) -> Result<Case, CaseError> {
        let sql = concat!("select ", case_columns!(), " from cases where case_no = $1");
        let rows = self.rows("read a case", sql, &[case_no.into()]).await?;
        Case::of(rows.first().ok_or(CaseError::NoCase(case_no))?)
    }

    /// Cases, the most urgent first.
    pub async fn cases(&self, filter: &CaseFilter) -> Result<Vec<Case>, CaseError> {
        let sql = concat!(
            "select ",
            case_columns!(),
            " from cases left join case_scores on case_scores.case_no = cases.case_no \
             where ($1 = '' or state = $1) and ($2 = '' or centre = $2) \
             and ($3 = '' or investigator = $3) and (cast($4 as bigint) = 0 or cases.case_no in (select case_no from case_list \
             where night = (select max(night) from case_list))) \
             order by case severity when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end, \
             coalesce(case_scores.risk_ppb, -1) desc, amount_at_risk_won desc, cases.case_no limit $5"
        );
        let values = [
            filter.state.map_or("", crate::State::word).into(),
            filter.centre.as_deref().unwrap_or_default().into(),
            filter.investigator.as_deref().unwrap_or_default().into(),
            i64::from(filter.is_listed).into(),
            i64::from(filter.limit).into(),
        ];
        let rows = self.rows("list the cases", sql, &values).await?;
        rows.iter().map(Case::of).collect()
    }

    /// The evidence of a case, without saying that anybody looked.
    pub async fn evidence(&self, case_no: i64) -> Result<Vec<Evidence>, CaseError> {
        let error = CaseError::database("read the evidence");
        let rows = self
            .rows("read the evidence", Evidence::QUERY, &[case_no.into()])
            .await?;
        let mut evidence: Vec<Evidence> = rows
            .iter()
            .map(Evidence::of)
            .collect::<Result<_, _>>()
            .map_err(error)?;
        let sql = "select o.evidence_no, o.account from case_openings o \
                   join case_evidence e on e.evidence_no = o.evidence_no where e.case_no = $1 \
                   order by o.evidence_no, o.account";
        let mut opened: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for row in self
            .rows("read the openings", sql, &[case_no.into()])
            .await?
        {
            let (evidence_no, account) = (row.integer(0), row.text(1));
            opened
                .entry(evidence_no.map_err(error)?)
                .or_default()
                .push(account.map_err(error)?);
        }
        for row in &mut evidence {
            row.opened_by = opened
                .remove(&row.evidence_no)
                .unwrap_or_default()
                .join(",");
        }
        Ok(evidence)
    }

    /// The evidence of a case, kept as opened by an account: what a decision may rest on.
    pub async fn open_evidence(
        &self,
        case_no: i64,
        act: &Act<'_>,
    ) -> Result<Vec<Evidence>, CaseError> {
        check_account(act.account)?;
        let error = CaseError::database("keep what was opened");
        let mut transaction = self.database.begin().await.map_err(error)?;
        let case = read_case(&mut transaction, case_no).await?;
        permit::grant(&mut transaction, "open").await?;
        let sql = "insert into case_openings (evidence_no, account, at_ms) \
                   select e.evidence_no, cast($2 as text), cast($3 as bigint) from case_evidence e where e.case_no = $1 \
                   and not exists (select 1 from case_openings o where o.evidence_no = e.evidence_no and o.account = $2) \
                   returning evidence_no || '/' || account, at_ms";
        let values = [
            case_no.into(),
            act.account.into(),
            act.at.timestamp_millis().into(),
        ];
        let opened = transaction.query(sql, &values).await.map_err(error)?;
        permit::revoke(&mut transaction).await?;
        // Whoever opens it again did not open it first.
        if !opened.is_empty() {
            let rows = digests::digests_of("opening", &opened).map_err(error)?;
            let detail = json!({ "rows": rows });
            let after = case.state.clone();
            change(&mut transaction, case, after, "open_evidence", &detail, act).await?;
        }
        transaction.commit().await.map_err(error)?;
        self.evidence(case_no).await
    }

    /// The events of a case, or all of them, in order.
    pub async fn events(&self, case_no: Option<i64>) -> Result<Vec<Event>, CaseError> {
        let sql = concat!(
            event_query!(),
            " where cast($1 as bigint) = 0 or case_no = $1 order by event_no"
        );
        let rows = self
            .rows("read the events", sql, &[case_no.unwrap_or(0).into()])
            .await?;
        rows.iter()
            .map(Event::of)
            .collect::<Result<_, _>>()
            .map_err(CaseError::database("read the events"))
    }

    /// The end of the chain.
    pub async fn head(&self) -> Result<ChainHead, CaseError> {
        let error = CaseError::database("read the chain");
        let rows = self.rows("read the chain", chain::HEAD, &[]).await?;
        chain::head_of(&rows).map_err(error)
    }

    /// Every decision with the evidence it covers.
    pub async fn labels(&self) -> Result<Vec<Label>, CaseError> {
        let sql = "select d.decision_no, d.case_no, e.evidence_no, coalesce(e.rule_id, ''), coalesce(e.subject_kind, ''), \
             coalesce(e.subject_key, ''), d.outcome, d.decided_on, coalesce(c.appeal, 'none') \
             from case_decisions d left join case_evidence e on e.decided_in = d.decision_no \
             left join cases c on c.decision_no = d.decision_no order by d.decision_no, e.evidence_no";
        let label = |row: &Row| -> Result<Label, DatabaseError> {
            Ok(Label {
                decision_no: row.integer(0)?,
                case_no: row.integer(1)?,
                evidence_no: row.optional_integer(2)?,
                rule_id: row.text(3)?,
                subject_kind: row.text(4)?,
                subject_key: row.text(5)?,
                outcome: row.text(6)?,
                decided_on: row.text(7)?,
                appeal: row.text(8)?,
            })
        };
        let rows = self.rows("read the decisions", sql, &[]).await?;
        rows.iter()
            .map(label)
            .collect::<Result<_, _>>()
            .map_err(CaseError::database("read the decisions"))
    }

    pub(crate) async fn rows(
        &self,
        operation: &'static str,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, CaseError> {
        self.database
            .query(sql, values)
            .await
            .map_err(CaseError::database(operation))
    }
}

/// The pseudonym of an officer for analysts: stable under one secret.
pub fn officer_pseudonym(secret: &str, account: &str) -> String {
    digest(secret, &["officer", account])[..16].to_owned()
}

/// A digest of texts under a secret.
pub(crate) fn digest(secret: &str, texts: &[&str]) -> String {
    let mut state = Sha256::new();
    for text in std::iter::once(&secret).chain(texts) {
        state.update((text.len() as u64).to_be_bytes());
        state.update(text.as_bytes());
    }
    state
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) fn text_of(state: &CaseState) -> Result<String, CaseError> {
    serde_json::to_string(state).map_err(|error| CaseError::database("write a state")(error.into()))
}

pub(crate) async fn read_case(
    transaction: &mut Transaction,
    case_no: i64,
) -> Result<Case, CaseError> {
    let sql = concat!("select ", case_columns!(), " from cases where case_no = $1");
    let rows = transaction
        .query(sql, &[case_no.into()])
        .await
        .map_err(CaseError::database("read a case"))?;
    Case::of(rows.first().ok_or(CaseError::NoCase(case_no))?)
}

/// Brings a case to another state with the event that says so.
async fn change(
    transaction: &mut Transaction,
    case: Case,
    after: CaseState,
    action: &'static str,
    detail: &serde_json::Value,
    act: &Act<'_>,
) -> Result<Case, CaseError> {
    let draft = Draft {
        case_no: Some(case.case_no),
        at_ms: act.at.timestamp_millis(),
        account: act.account.to_owned(),
        action,
        before: text_of(&case.state)?,
        after: text_of(&after)?,
        detail: detail.to_string(),
    };
    let event_no = chain::append(transaction, vec![draft]).await?;
    let mut values = vec![case.case_no.into(), event_no.into()];
    values.extend(state_values(&after));
    transaction
        .execute(CHANGE, &values)
        .await
        .map_err(CaseError::database("change a case"))?;
    Ok(Case {
        state: after,
        last_event_no: event_no,
        ..case
    })
}

/// Keeps the decision with the evidence it rests on; all evidence of the case is decided by it. Answers its number and the
/// digests of what it wrote.
async fn decide(
    transaction: &mut Transaction,
    case: &Case,
    outcome: crate::Outcome,
    reason: &str,
    cited: &[i64],
    act: &Act<'_>,
) -> Result<(i64, Told), CaseError> {
    let error = CaseError::database("keep a decision");
    check_text("reason", reason)?;
    let sql = "select e.evidence_no, e.decided_in, o.account from case_evidence e \
               left join case_openings o on o.evidence_no = e.evidence_no where e.case_no = $1";
    let rows = transaction
        .query(sql, &[case.case_no.into()])
        .await
        .map_err(error)?;
    for evidence_no in cited {
        let mut is_known = false;
        let mut is_opened = false;
        for row in &rows {
            if row.integer(0).map_err(error)? == *evidence_no {
                is_known = true;
                let account = row.optional_text(2).map_err(error)?.unwrap_or_default();
                is_opened |= is_among(&case.state.worked_by, &account);
            }
        }
        if !is_known {
            return Err(CaseError::Refused(format!(
                "evidence {evidence_no} does not belong to case {}",
                case.case_no
            )));
        }
        if !is_opened {
            return Err(CaseError::Refused(format!(
                "nobody who investigated opened evidence {evidence_no}: `goyong alerts show {}`",
                case.case_no
            )));
        }
    }
    let rows = transaction
        .query(
            "select coalesce(max(decision_no), 0) + 1 from case_decisions",
            &[],
        )
        .await
        .map_err(error)?;
    let decision_no = rows
        .first()
        .ok_or(DatabaseError::Column(0))
        .and_then(|row| row.integer(0))
        .map_err(error)?;
    permit::grant(transaction, "close").await?;
    let day = crate::record::day_value;
    let values = [
        decision_no.into(),
        case.case_no.into(),
        day(Some(act.on)),
        outcome.word().into(),
        reason.into(),
        case.state.investigator.as_deref().into(),
        act.account.into(),
        day(case.state.notice_sent_on),
        day(case.state.reply_due_on),
        day(case.state.reply_received_on),
    ];
    let sql = "insert into case_decisions (decision_no, case_no, decided_on, outcome, reason, investigator, verifier, \
               notice_sent_on, reply_due_on, reply_received_on) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    transaction.execute(sql, &values).await.map_err(error)?;
    for evidence_no in cited.iter().collect::<std::collections::BTreeSet<_>>() {
        let sql = "insert into case_citations (decision_no, evidence_no) values ($1, $2)";
        let values = [decision_no.into(), (*evidence_no).into()];
        transaction.execute(sql, &values).await.map_err(error)?;
    }
    let sql = concat!(
        "update case_evidence set decided_in = $2 where case_no = $1 and decided_in is null returning ",
        digests::evidence_columns!()
    );
    let values = [case.case_no.into(), decision_no.into()];
    let decided = transaction.query(sql, &values).await.map_err(error)?;
    permit::revoke(transaction).await?;
    let mut rows = digests::digests_of("evidence", &decided).map_err(error)?;
    let sql = concat!(digests::rows_of!(decision), " where d.decision_no = $1");
    let decision = digests::read(transaction, "decision", sql, &[decision_no.into()]).await?;
    rows.extend(decision);
    Ok((decision_no, rows))
}
