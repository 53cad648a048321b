//! The state of a case and what an officer may do to it: a pure function from state and command to state.

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::error::CaseError;
use crate::finding::Finding;

/// Days a person has to answer a notice at least (행정절차법 제21조 제3항).
pub const REPLY_DAYS: i64 = 10;

/// Characters a reason has at least when the outcome is adverse.
const ADVERSE_REASON: usize = 20;
const LONGEST_TEXT: usize = 4_000;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = CaseError;

            fn from_str(text: &str) -> Result<Self, CaseError> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|one| one.word() == text)
                    .ok_or_else(|| {
                        let words: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
                        CaseError::Refused(format!("`{text}` is none of {}", words.join(", ")))
                    })
            }
        }
    };
}

words! {
    /// Where a case stands.
    State {
        /// Nobody has begun.
        Pending = "pending",
        /// An investigator is at it.
        Investigating = "investigating",
        /// The investigator is done; somebody else looks.
        AwaitingVerification = "awaiting_verification",
        /// It has an outcome.
        Closed = "closed",
    }
}

words! {
    /// How a case ended.
    Outcome {
        /// Fraud, proven.
        ConfirmedFraud = "confirmed_fraud",
        /// Money to be paid back, no intent.
        OverpaymentError = "overpayment_error",
        /// Nothing wrong with the payment, and worth having looked.
        ValuableAlert = "valuable_alert",
        /// Nothing wrong.
        FalsePositive = "false_positive",
        /// Handed to another authority.
        Referred = "referred",
    }
}

impl Outcome {
    /// Whether it burdens whom it is about, who must then have been heard.
    pub fn is_adverse(self) -> bool {
        matches!(
            self,
            Self::ConfirmedFraud | Self::OverpaymentError | Self::Referred
        )
    }
}

words! {
    /// How urgent a case is.
    Severity {
        /// Least.
        Low = "low",
        /// More.
        Medium = "medium",
        /// Much.
        High = "high",
        /// Most.
        Critical = "critical",
    }
}

words! {
    /// What became of a decision when it was appealed.
    Appeal {
        /// Nobody appealed.
        None = "none",
        /// An appeal was filed.
        Filed = "filed",
        /// The decision stands.
        Upheld = "upheld",
        /// The decision fell.
        Overturned = "overturned",
        /// The appeal was taken back.
        Withdrawn = "withdrawn",
    }
}

/// All that can change about a case; what events keep before and after. Holds no pseudonym of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseState {
    /// Where it stands.
    pub state: State,
    /// The employment centre whose capacity it takes.
    pub centre: String,
    /// How urgent it is.
    pub severity: Severity,
    /// Rules that contribute, joined by commas; empty for a claim that was drawn.
    pub rules: String,
    /// Evidence rows that count.
    pub evidence_count: i64,
    /// Those of them that no decision covers.
    pub undecided_count: i64,
    /// Sum of the numbers of the evidence rows that count: notices one exchanged for another.
    pub evidence_sum: i64,
    /// Won at risk.
    pub amount_at_risk_won: i64,
    /// First day in question.
    #[serde(with = "optional_day")]
    pub first_on: Option<NaiveDate>,
    /// Last day in question.
    #[serde(with = "optional_day")]
    pub last_on: Option<NaiveDate>,
    /// When the newest evidence became known.
    #[serde(with = "optional_day")]
    pub known_on: Option<NaiveDate>,
    /// Who investigates.
    pub investigator: Option<String>,
    /// Everybody who investigated since it was opened or reopened, joined by commas: none of them verifies.
    pub worked_by: String,
    /// Who closed it.
    pub verifier: Option<String>,
    /// Not listed before this day.
    #[serde(with = "optional_day")]
    pub snoozed_until: Option<NaiveDate>,
    /// Day the person was told what is alleged.
    #[serde(with = "optional_day")]
    pub notice_sent_on: Option<NaiveDate>,
    /// Last day for an answer.
    #[serde(with = "optional_day")]
    pub reply_due_on: Option<NaiveDate>,
    /// Day the answer came.
    #[serde(with = "optional_day")]
    pub reply_received_on: Option<NaiveDate>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When it ended.
    #[serde(with = "optional_day")]
    pub closed_on: Option<NaiveDate>,
    /// The decision that ended it.
    pub decision_no: Option<i64>,
    /// What became of that decision.
    pub appeal: Appeal,
}

/// Days as texts such as 2024-01-31.
mod optional_day {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option)]
    pub fn serialize<S: Serializer>(day: &Option<NaiveDate>, to: S) -> Result<S::Ok, S::Error> {
        day.map(|day| day.to_string()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NaiveDate>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|day| day.parse().map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// What an officer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Gives the case to an investigator.
    Assign {
        /// Who.
        investigator: String,
    },
    /// Moves the case on; closing is a command of its own.
    Move {
        /// Where to.
        to: State,
    },
    /// Says something.
    Note {
        /// What.
        text: String,
    },
    /// The person was told.
    SendNotice {
        /// When.
        sent_on: NaiveDate,
        /// Until when an answer is awaited.
        reply_due_on: NaiveDate,
    },
    /// The person answered.
    ReceiveReply {
        /// When.
        received_on: NaiveDate,
    },
    /// Not to be listed for a while.
    Snooze {
        /// First day it is listed again.
        until: NaiveDate,
        /// Why.
        reason: String,
    },
    /// Listed again at once.
    Wake,
    /// Records what speaks against whom the case is about and no rule raised.
    Find(Finding),
    /// Ends the case.
    Close {
        /// How.
        outcome: Outcome,
        /// Why, in writing.
        reason: String,
        /// Evidence the decision rests on.
        evidence: Vec<i64>,
    },
    /// What became of the decision.
    Appeal {
        /// What.
        state: Appeal,
        /// Why.
        reason: String,
    },
}

impl Command {
    /// The word for it in events.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Assign { .. } => "assign",
            Self::Move { .. } => "move",
            Self::Note { .. } => "note",
            Self::SendNotice { .. } => "send_notice",
            Self::ReceiveReply { .. } => "receive_reply",
            Self::Snooze { .. } => "snooze",
            Self::Wake => "wake",
            Self::Find(_) => "find",
            Self::Close { .. } => "close",
            Self::Appeal { .. } => "appeal",
        }
    }

    /// What is said in writing, empty where nothing is.
    pub fn text(&self) -> &str {
        match self {
            Self::Note { text } => text,
            Self::Snooze { reason, .. }
            | Self::Close { reason, .. }
            | Self::Appeal { reason, .. } => reason,
            _ => "",
        }
    }
}

/// Who does it, and on which day.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The account.
    pub account: &'a str,
    /// The day.
    pub on: NaiveDate,
}

/// Whether a case may go from one state to another; the databases refuse the rest as well.
pub fn may_follow(before: State, after: State) -> bool {
    use State::{AwaitingVerification, Closed, Investigating, Pending};
    before == after
        || matches!(
            (before, after),
            (Pending, Investigating)
                | (Investigating, AwaitingVerification)
                | (AwaitingVerification, Closed)
                | (Closed, Investigating)
        )
}

/// Whether an account is one of those joined by commas.
pub(crate) fn is_among(accounts: &str, account: &str) -> bool {
    accounts.split(',').any(|one| one == account)
}

/// Refuses names that could not stand in a list, or that could be more than a name.
pub fn check_account(account: &str) -> Result<(), CaseError> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._@-".contains(letter);
    if (1..=64).contains(&account.len()) && account.chars().all(is_plain) {
        return Ok(());
    }
    Err(CaseError::Refused(format!(
        "`{}` is no account: up to 64 of the letters a to z, digits and . _ @ -",
        account.escape_debug()
    )))
}

/// Refuses empty and long texts, and what looks like a resident number.
pub fn check_text(what: &str, text: &str) -> Result<(), CaseError> {
    let problem = if text.trim().is_empty() {
        "is empty"
    } else if text.chars().count() > LONGEST_TEXT {
        "is longer than 4000 characters"
    } else if goyong_types::holds_resident_number(text) {
        "holds what looks like a resident number: leave it out"
    } else {
        return Ok(());
    };
    Err(CaseError::Refused(format!("the {what} {problem}")))
}

pub(crate) fn refuse<T>(why: impl Into<String>) -> Result<T, CaseError> {
    Err(CaseError::Refused(why.into()))
}

impl CaseState {
    /// What the case becomes. The evidence a closing names is looked at by whoever keeps the evidence.
    ///
    /// # Errors
    /// [`CaseError::Refused`] with what is missing.
    pub fn after(&self, command: &Command, by: By<'_>) -> Result<Self, CaseError> {
        check_account(by.account)?;
        let mut after = self.clone();
        match command {
            Command::Assign { investigator } => {
                check_account(investigator)?;
                if self.state == State::Closed {
                    return refuse("a closed case is assigned when new evidence reopens it");
                }
                if self.state == State::AwaitingVerification {
                    return refuse("the case awaits verification: its investigator is done");
                }
                after.work(investigator);
            }
            Command::Move { to } => self.moved(&mut after, *to, by)?,
            Command::Note { text } => check_text("note", text)?,
            Command::SendNotice {
                sent_on,
                reply_due_on,
            } => {
                self.demand_investigator(by, "sends the notice")?;
                if *sent_on > by.on {
                    return refuse(format!("{sent_on} lies in the future"));
                }
                if *reply_due_on - *sent_on < TimeDelta::days(REPLY_DAYS) {
                    return refuse(format!(
                        "a person has {REPLY_DAYS} days at least to answer: from {sent_on} that is {}",
                        *sent_on + TimeDelta::days(REPLY_DAYS)
                    ));
                }
                after.notice_sent_on = Some(*sent_on);
                after.reply_due_on = Some(*reply_due_on);
                after.reply_received_on = None;
            }
            Command::ReceiveReply { received_on } => {
                if self.state == State::Closed {
                    return refuse("the case is closed: what comes now is an appeal");
                }
                match self.notice_sent_on {
                    Some(sent_on) if sent_on <= *received_on && *received_on <= by.on => {}
                    Some(sent_on) => {
                        return refuse(format!(
                            "a reply of {received_on} does not lie between the notice of {sent_on} and {}",
                            by.on
                        ));
                    }
                    None => return refuse("no notice was sent yet"),
                }
                after.reply_received_on = Some(*received_on);
            }
            Command::Snooze { until, reason } => {
                check_text("reason", reason)?;
                if self.state == State::Closed {
                    return refuse("a closed case is not listed anyway");
                }
                if *until <= by.on {
                    return refuse(format!("{until} is not after {}", by.on));
                }
                after.snoozed_until = Some(*until);
            }
            Command::Find(finding) => {
                self.demand_investigator(by, "records what is found")?;
                if self.state != State::Investigating {
                    return refuse(format!(
                        "what is found is recorded while the case is investigated, it is {}",
                        self.state
                    ));
                }
                finding.check(by.on)?;
            }
            Command::Wake => {
                if self.snoozed_until.is_none() {
                    return refuse("the case is not snoozed");
                }
                after.snoozed_until = None;
            }
            Command::Close {
                outcome,
                reason,
                evidence,
            } => self.closed(&mut after, *outcome, reason, evidence, by)?,
            Command::Appeal { state, reason } => {
                check_text("reason", reason)?;
                self.appealed(*state)?;
                after.appeal = *state;
            }
        }
        Ok(after)
    }

    /// What new evidence makes of a closed case: whoever had it looks again, and everybody is heard again.
    pub(crate) fn reopen(&mut self) {
        self.state = State::Investigating;
        self.worked_by = self.investigator.clone().unwrap_or_default();
        self.verifier = None;
        self.outcome = None;
        self.closed_on = None;
        self.decision_no = None;
        self.appeal = Appeal::None;
        self.notice_sent_on = None;
        self.reply_due_on = None;
        self.reply_received_on = None;
    }

    fn work(&mut self, investigator: &str) {
        self.investigator = Some(investigator.to_owned());
        if !is_among(&self.worked_by, investigator) {
            if !self.worked_by.is_empty() {
                self.worked_by.push(',');
            }
            self.worked_by.push_str(investigator);
        }
    }

    fn moved(&self, after: &mut Self, to: State, by: By<'_>) -> Result<(), CaseError> {
        if to == State::Closed {
            return refuse("a case is closed with an outcome and a reason: `goyong alerts close`");
        }
        if to == self.state || !may_follow(self.state, to) {
            return refuse(format!(
                "a case goes pending, investigating, awaiting_verification, closed; this one is {} and does not become {to}",
                self.state
            ));
        }
        match (self.state, &self.investigator) {
            (State::Closed, _) if self.undecided_count == 0 => {
                return refuse("a closed case reopens on new evidence only, and there is none");
            }
            (State::Closed, _) => after.reopen(),
            (State::Pending, None) => {
                after.work(by.account);
                after.state = to;
            }
            _ => {
                self.demand_investigator(by, "moves it on")?;
                after.state = to;
            }
        }
        Ok(())
    }

    fn demand_investigator(&self, by: By<'_>, what: &str) -> Result<(), CaseError> {
        if self.state == State::Closed {
            return refuse("the case is closed");
        }
        match &self.investigator {
            Some(investigator) if investigator == by.account => Ok(()),
            Some(investigator) => refuse(format!(
                "{investigator} investigates the case and {what}, not {}",
                by.account
            )),
            None => refuse("nobody investigates the case yet"),
        }
    }

    fn closed(
        &self,
        after: &mut Self,
        outcome: Outcome,
        reason: &str,
        evidence: &[i64],
        by: By<'_>,
    ) -> Result<(), CaseError> {
        if self.state != State::AwaitingVerification {
            return refuse(format!(
                "only what awaits verification is closed, this case is {}",
                self.state
            ));
        }
        if is_among(&self.worked_by, by.account) {
            return refuse(format!(
                "{} investigated the case, so somebody else verifies it",
                by.account
            ));
        }
        check_text("reason", reason)?;
        if outcome.is_adverse() {
            if reason.trim().chars().count() < ADVERSE_REASON {
                return refuse(format!(
                    "{outcome} burdens a person: the reason has {ADVERSE_REASON} characters at least"
                ));
            }
            if evidence.is_empty() {
                return refuse(format!(
                    "{outcome} burdens a person: name the evidence it rests on"
                ));
            }
            match (
                self.notice_sent_on,
                self.reply_due_on,
                self.reply_received_on,
            ) {
                (None, ..) => {
                    return refuse(format!(
                        "{outcome} burdens a person, who must be told first: no notice was sent"
                    ));
                }
                (_, Some(due), None) if by.on <= due => {
                    return refuse(format!(
                        "the person may answer until {due} and has not: {outcome} would come too early"
                    ));
                }
                _ => {}
            }
        }
        after.state = State::Closed;
        after.verifier = Some(by.account.to_owned());
        after.outcome = Some(outcome);
        after.closed_on = Some(by.on);
        after.snoozed_until = None;
        after.undecided_count = 0;
        Ok(())
    }

    fn appealed(&self, to: Appeal) -> Result<(), CaseError> {
        if !self.outcome.is_some_and(Outcome::is_adverse) {
            return refuse("only a decision that burdens a person is appealed");
        }
        let is_next = match self.appeal {
            Appeal::None => to == Appeal::Filed,
            Appeal::Filed => matches!(to, Appeal::Upheld | Appeal::Overturned | Appeal::Withdrawn),
            _ => false,
        };
        if is_next {
            Ok(())
        } else {
            refuse(format!(
                "an appeal that is {} does not become {to}",
                self.appeal
            ))
        }
    }
}
