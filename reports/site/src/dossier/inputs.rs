//! What a dossier holds. One structure is the JSON an officer exports and the page an officer reads, so that the two
//! cannot differ. It holds no person key; who a case is about only the vault tells.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::similar::SimilarCases;
use crate::language::Bilingual;

/// Everything known of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dossier {
    /// Its number.
    pub case_no: i64,
    /// What it is about: `person`, `workplace` or `ring`.
    pub about: String,
    /// The night it came from.
    pub opened_on: String,
    /// Where it stands.
    pub state: CaseStanding,
    /// The release everything below was computed from; none before the first.
    pub release: Option<String>,
    /// Why it was raised: one line for each rule.
    pub reasons: Vec<Reason>,
    /// The score that places it among cases of its severity.
    pub risk: Option<RiskPlace>,
    /// Why there is none.
    pub no_risk: Option<Bilingual>,
    /// How unusual its claims are.
    pub anomaly: Option<AnomalyPlace>,
    /// Why that is not known.
    pub no_anomaly: Option<Bilingual>,
    /// What both are for, and what not.
    pub scores_say: Bilingual,
    /// The rules that contribute.
    pub rules: Vec<DossierRule>,
    /// Evidence rows.
    pub evidence: Vec<DossierEvidence>,
    /// Rows about the same that a fact on record explains; they count nowhere and speak for the person.
    pub cleared: Vec<ClearedRow>,
    /// First and last day of the picture; none where no day is in question.
    pub window: Option<[String; 2]>,
    /// Stretches of days, for the picture.
    pub days: Vec<Stretch>,
    /// Kinds of days of which the release has no table, so that none on record says nothing.
    #[serde(serialize_with = "lane_codes")]
    pub days_not_told: Vec<Lane>,
    /// What happened, in order.
    pub events: Vec<DossierEvent>,
    /// How closed cases of this kind ended, by rule.
    pub similar: SimilarCases,
    /// What to tell whom it is about: a letter for each person.
    pub letters: Vec<Letter>,
}

/// What to tell one person. It holds nothing of anybody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// The number of the person within the case; none where the letter is to nobody in particular.
    pub member: Option<usize>,
    /// Whether it is to the employer.
    pub to_employer: bool,
    /// Rows of evidence it tells of.
    pub evidence: Vec<i64>,
    /// The text.
    #[serde(flatten)]
    pub text: Bilingual,
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CaseStanding {
    /// `pending`, `investigating`, `awaiting_verification` or `closed`.
    pub state: String,
    /// The employment centre.
    pub centre: String,
    /// How urgent it is.
    pub severity: String,
    /// Rules that contribute, joined by commas.
    pub rules: String,
    /// Evidence rows that count.
    pub evidence_count: i64,
    /// Those of them that no decision covers.
    pub undecided_count: i64,
    /// Won at risk.
    pub amount_at_risk_won: i64,
    /// First day in question.
    pub first_on: Option<String>,
    /// Last day in question.
    pub last_on: Option<String>,
    /// When the newest evidence became known.
    pub known_on: Option<String>,
    /// Who investigates.
    pub investigator: Option<String>,
    /// Everybody who investigated, joined by commas.
    pub worked_by: String,
    /// Who closed it.
    pub verifier: Option<String>,
    /// Not listed before this day.
    pub snoozed_until: Option<String>,
    /// Day the notice was sent.
    pub notice_sent_on: Option<String>,
    /// Last day for an answer.
    pub reply_due_on: Option<String>,
    /// Day the answer came.
    pub reply_received_on: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// When it ended.
    pub closed_on: Option<String>,
    /// The decision that ended it.
    pub decision_no: Option<i64>,
    /// What became of that decision.
    pub appeal: String,
}

/// Why a rule contributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The rule.
    pub rule: String,
    /// Its rows that nobody decided and that are still raised.
    pub rows: usize,
    /// Days of the evidence inside the certified days, added up over rows; none for rules about whole claims.
    pub overlap_days: Option<i64>,
    /// The largest amount of a single row.
    pub largest_amount_won: i64,
    /// What it alleges.
    pub text: Bilingual,
}

/// A score that orders cases of one severity and does nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskPlace {
    /// The probability, from 0 to 1.
    pub probability: f64,
    /// The model it is of.
    pub model: String,
    /// What the model says, in words.
    pub title: Bilingual,
    /// What it is of: a claim in the evidence, or the workplace of the case.
    pub entity: String,
    /// First day of the stretch of it that the model saw.
    pub entered_on: String,
    /// The night that ranked by it.
    pub scored_on: String,
    /// Version of the model.
    pub model_version: String,
    /// Whether the random draw sufficed to correct it to the true prevalence.
    pub is_corrected: bool,
    /// Why it is what it is, the largest first: exact Shapley values of that version for that stretch.
    pub reasons: Vec<RiskTheme>,
    /// Why no reasons are told.
    pub no_reasons: Option<Bilingual>,
}

/// Facts of one kind, and what they add to the log-odds of the score against the average, before calibration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskTheme {
    /// What they are about.
    pub title: Bilingual,
    /// What all of them add.
    pub log_odds: f64,
    /// Those that add or take away something worth telling, the largest first.
    pub facts: Vec<ThemeFact>,
}

/// A fact that moves the score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThemeFact {
    /// The column.
    pub fact: String,
    /// The fact in words.
    pub title: Bilingual,
    /// What is known; none where nothing is.
    pub value: Option<String>,
    /// What it adds.
    pub log_odds: f64,
}

/// How unusual the strangest claim of a case is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnomalyPlace {
    /// The claim.
    pub claim_no: String,
    /// Claims of the case that were compared.
    pub of_claims: usize,
    /// Sum over its facts of how surprising each is; 0 where everything is usual.
    pub surprise: f64,
    /// Share of claims of the same stretch that are as strange or stranger.
    pub as_strange_share: f64,
    /// Facts that at most one in a hundred claims has as much of.
    pub facts: Vec<NamedFact>,
}

/// A fact in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedFact {
    /// The column.
    pub fact: String,
    /// The fact in words.
    pub title: Bilingual,
}

/// A rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DossierRule {
    /// Its number: `F01`.
    pub rule: String,
    /// Version that raised the evidence.
    pub version_of_evidence: i64,
    /// Version in force.
    pub version_now: Option<String>,
    /// What it looks for; empty where the project has the rule no more.
    #[serde(flatten)]
    pub text: Bilingual,
    /// The law it rests on.
    pub legal_basis: Option<Bilingual>,
    /// What would clear a person. Each is computed in the rule itself.
    pub clears: Vec<Bilingual>,
    /// Evidence rows of this case for which that was looked up in the release.
    pub clearing_checked: usize,
    /// Evidence rows of this case by this rule.
    pub rows: usize,
}

/// A row of evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DossierEvidence {
    /// Its number.
    pub evidence_no: i64,
    /// The number of whom it is about within the case, from 1; none where the row names nobody or whom was forgotten.
    pub member: Option<usize>,
    /// The rule that raised it.
    pub rule: String,
    /// Version of the rule.
    pub rule_version: i64,
    /// What is questioned: `round`, `claim` or `subsidy`.
    pub subject_kind: String,
    /// Which one.
    pub subject_key: String,
    /// First questioned day.
    pub subject_from: Option<String>,
    /// Last questioned day.
    pub subject_to: Option<String>,
    /// What speaks for it.
    pub evidence_kind: String,
    /// Which record; none where its key is the pseudonym of a person.
    pub evidence_key: Option<String>,
    /// First day of the record.
    pub evidence_from: Option<String>,
    /// Last day of the record.
    pub evidence_to: Option<String>,
    /// The lowest probability of the links it rests on; none where all of them are by number.
    pub link_probability: Option<f64>,
    /// Won at risk.
    pub amount_at_risk_won: i64,
    /// When it became known.
    pub known_on: String,
    /// The night that raised it.
    pub raised_on: String,
    /// The night that raised it no more.
    pub withdrawn_on: Option<String>,
    /// The decision that covers it.
    pub decided_in: Option<i64>,
    /// Accounts that opened it.
    pub opened_by: Vec<String>,
    /// Whether something clears it.
    pub clearing: Clearing,
    /// Delivered rows it rests on.
    pub delivered: Vec<DeliveredRow>,
    /// How many more it rests on that are not listed.
    pub delivered_not_shown: usize,
}

/// What looking for a fact that clears a row found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clearing {
    /// The rule ran, and nothing on record explains the row.
    NothingClears,
    /// The rule ran, and a fact on record explains the row now.
    Cleared,
    /// The rule ran and raises the row no more.
    NotRaised,
    /// There is no release to look in.
    NotChecked,
}

impl Clearing {
    /// The word of it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NothingClears => "nothing_clears",
            Self::Cleared => "cleared",
            Self::NotRaised => "not_raised",
            Self::NotChecked => "not_checked",
        }
    }
}

/// A row of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DeliveredRow {
    /// The source.
    pub source: String,
    /// The delivery.
    pub delivery: String,
    /// Number of the row in it.
    pub row: i64,
    /// Whether it is about other people than the row of evidence, such as those hired at that time.
    pub is_of_others: bool,
}

/// A row that a rule raised and a fact on record explains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ClearedRow {
    /// The rule.
    pub rule: String,
    /// What would have been questioned.
    pub subject_kind: String,
    /// Which one.
    pub subject_key: String,
    /// What would have spoken for it.
    pub evidence_kind: String,
    /// Which record; none where its key is the pseudonym of a person.
    pub evidence_key: Option<String>,
    /// What explains it, as the rule says it.
    pub by: String,
}

/// Days in a row of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stretch {
    /// What kind of days.
    #[serde(serialize_with = "lane_code")]
    pub lane: Lane,
    /// First day.
    pub from: String,
    /// Last day; none while it goes on.
    pub to: Option<String>,
    /// What they rest on: `insured_spell`, `round`.
    pub kind: String,
}

/// A line of the picture, from the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Days insured.
    Insured,
    /// Days of reported daily work.
    DailyWork,
    /// Days certified as unemployed.
    Certified,
    /// Days of certified rounds for which benefit was paid.
    Paid,
    /// Days abroad.
    Abroad,
    /// Days in question.
    Questioned,
    /// Days of the records that speak for it.
    Record,
}

impl Lane {
    /// Every one, from the top.
    pub const ALL: [Self; 7] = [
        Self::Insured,
        Self::DailyWork,
        Self::Certified,
        Self::Paid,
        Self::Abroad,
        Self::Questioned,
        Self::Record,
    ];
    /// Those that are about one person's life and not about the evidence.
    pub const OF_PERSON: [Self; 5] = [
        Self::Insured,
        Self::DailyWork,
        Self::Certified,
        Self::Paid,
        Self::Abroad,
    ];

    /// The word of it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Insured => "insured",
            Self::DailyWork => "daily_work_days",
            Self::Certified => "certified",
            Self::Paid => "paid",
            Self::Abroad => "abroad",
            Self::Questioned => "questioned",
            Self::Record => "record",
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn lane_code<S: Serializer>(lane: &Lane, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(lane.code())
}

fn lane_codes<S: Serializer>(lanes: &[Lane], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(lanes.iter().map(|lane| lane.code()))
}

/// Something that happened to a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DossierEvent {
    /// Its number in the chain.
    pub event_no: i64,
    /// When, in coordinated universal time.
    pub at: Option<String>,
    /// Who.
    pub account: String,
    /// What was done.
    pub action: String,
    /// The state before.
    pub before: Value,
    /// The state after.
    pub after: Value,
    /// What was said.
    pub detail: Value,
    /// Hash of the event.
    pub hash: String,
}

/// An open case in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseLine {
    /// Its number.
    pub case_no: i64,
    /// What it is about.
    pub about: String,
    /// Where it stands.
    pub standing: CaseStanding,
    /// Whether the newest night listed it for its centre.
    pub is_listed: bool,
}

/// Everything the pages of cases are made from.
#[derive(Debug, Clone)]
pub struct CasesInputs {
    /// Name of the project.
    pub project: String,
    /// A notice on top of every page, for example that the country is simulated.
    pub notice: Option<Bilingual>,
    /// The newest release.
    pub release: Option<String>,
    /// Open cases, the most urgent first.
    pub lines: Vec<CaseLine>,
    /// Dossiers whose pages are to be written, each with what it was made from.
    pub dossiers: Vec<(Dossier, String)>,
    /// Cases whose pages stay as they are.
    pub kept: Vec<i64>,
}
