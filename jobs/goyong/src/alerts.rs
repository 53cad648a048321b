//! `goyong alerts`: cases of alerts, listed, worked on and closed.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand};
use goyong_nightly::{
    Appeal, Case, CaseCommand, CaseFilter, CaseScore, CaseState, CaseStateWord, Estimates, Finding,
    Interval, Officer, Outcome, PrevalenceCorrection, Scope,
};

use crate::arguments::{CommonArguments, Language, OutputArguments};
use crate::commands::open;
use crate::output;
use crate::progress::Console;
use crate::vault::today;

const CASES_HEADER: [&str; 14] = [
    "case_no",
    "state",
    "severity",
    "centre",
    "about",
    "rules",
    "evidence",
    "undecided",
    "amount_at_risk_won",
    "risk",
    "known_on",
    "investigator",
    "snoozed_until",
    "outcome",
];

const EVIDENCE_HEADER: [&str; 13] = [
    "evidence_no",
    "rule",
    "version",
    "subject",
    "subject_from",
    "subject_to",
    "evidence",
    "evidence_from",
    "evidence_to",
    "amount_at_risk_won",
    "known_on",
    "state",
    "opened_by",
];

const SUPPRESSIONS_HEADER: [&str; 9] = [
    "suppression_no",
    "scope",
    "of",
    "owner",
    "reason",
    "from_on",
    "expires_on",
    "lifted_on",
    "pending_cases",
];

const TRIALS_HEADER: [&str; 9] = [
    "capacity",
    "random_expected",
    "waiting",
    "listed",
    "critical_listed",
    "critical_waiting",
    "listed_won",
    "waiting_won",
    "nights_to_clear",
];

const ESTIMATES_HEADER: [&str; 5] = ["measure", "value", "lower_95", "upper_95", "decided"];

/// Who works, and why; it stands in the audit chain.
#[derive(Debug, Args)]
pub struct OfficerArguments {
    /// Who does it
    #[arg(long, env = "GOYONG_ACCOUNT")]
    account: String,
    /// What for
    #[arg(long, default_value = "investigation of an alert")]
    purpose: String,
}

impl OfficerArguments {
    fn officer(&self) -> Officer {
        Officer {
            account: self.account.clone(),
            purpose: self.purpose.clone(),
            at: Utc::now(),
            on: today(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List cases, the most urgent first
    Ls(ListArguments),
    /// Show the evidence of a case; it counts as opened by the account
    Show {
        /// The case
        case: i64,
        #[command(flatten)]
        officer: OfficerArguments,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Give a case to an investigator
    Assign {
        /// The case
        case: i64,
        /// The investigator
        #[arg(long)]
        to: String,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Say something about a case; no name, no number of a person
    Note {
        /// The case
        case: i64,
        /// What to say
        text: String,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Move a case on: investigating, awaiting_verification
    State {
        /// The case
        case: i64,
        /// The state
        state: CaseStateWord,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// The person was told what is alleged
    Notice {
        /// The case
        case: i64,
        /// Last day for an answer, ten days after the notice at least
        #[arg(long)]
        reply_due: NaiveDate,
        /// Day it was sent [default: today]
        #[arg(long)]
        sent_on: Option<NaiveDate>,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// The person answered
    Reply {
        /// The case
        case: i64,
        /// Day the answer came [default: today]
        #[arg(long)]
        received_on: Option<NaiveDate>,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Keep a case off the lists for a while
    Snooze {
        /// The case
        case: i64,
        /// First day it is listed again
        #[arg(long, required_unless_present = "wake")]
        until: Option<NaiveDate>,
        /// Why
        #[arg(long, required_unless_present = "wake")]
        reason: Option<String>,
        /// List it again at once
        #[arg(long, conflicts_with_all = ["until", "reason"])]
        wake: bool,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Record what the investigation found and no rule raised; it becomes evidence of the case
    Find {
        /// The case
        case: i64,
        /// The kind of fraud, F01 to F11 or R01
        #[arg(long)]
        rule: String,
        /// The claim in question
        #[arg(long)]
        claim: String,
        /// Where it stands: a file, a letter, a protocol; no name, no number of a person
        #[arg(long)]
        record: String,
        /// First day in question
        #[arg(long)]
        from: NaiveDate,
        /// Last day in question
        #[arg(long)]
        to: NaiveDate,
        /// Won at risk
        #[arg(long, default_value_t = 0)]
        won: i64,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Close a case that awaits verification; nobody closes what they investigated
    Close {
        /// The case
        case: i64,
        /// confirmed_fraud, overpayment_error, valuable_alert, false_positive or referred
        #[arg(long)]
        outcome: Outcome,
        /// Why, in writing
        #[arg(long)]
        reason: String,
        /// Evidence the decision rests on, by number
        #[arg(long, value_delimiter = ',')]
        evidence: Vec<i64>,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Record an appeal and how it ended: filed, upheld, overturned, withdrawn
    Appeal {
        /// The case
        case: i64,
        /// What became of it
        state: Appeal,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Keep a rule, or the case about a person or workplace, off the lists until a day; still counted
    Suppress {
        /// The rule, such as F05
        #[arg(long, conflicts_with = "case", required_unless_present = "case")]
        rule: Option<String>,
        /// The case whose person or workplace is meant
        #[arg(long)]
        case: Option<i64>,
        /// First day it holds no more
        #[arg(long)]
        until: NaiveDate,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// End a suppression
    Lift {
        /// Its number
        suppression: i64,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// List suppressions, and how many cases they hold back
    Suppressions {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Print what is known of a case as JSON: evidence, rules, what would clear it, days, events, how similar cases
    /// ended, a notice
    Export {
        /// The case
        case: i64,
        /// Write it as pages in both languages into this folder as well
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        officer: OfficerArguments,
    },
    /// Try capacities on the cases that wait; nothing is written
    SimulateCapacity {
        /// Cases a centre takes up in a night
        #[arg(long, value_delimiter = ',', default_values_t = [5, 10, 20, 50])]
        capacity: Vec<u32>,
        /// Percent of them drawn at random [default: as configured]
        #[arg(long, value_parser = clap::value_parser!(u32).range(0..=100))]
        random_percent: Option<u32>,
        /// As of this day [default: today]
        #[arg(long)]
        on: Option<NaiveDate>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Precision, prevalence and lift with intervals, from the random draw and the decisions
    Estimates {
        #[command(flatten)]
        output: OutputArguments,
    },
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only this state
    #[arg(long)]
    state: Option<CaseStateWord>,
    /// Only this centre
    #[arg(long)]
    centre: Option<String>,
    /// Only what this account investigates
    #[arg(long)]
    investigator: Option<String>,
    /// Only what the newest night listed
    #[arg(long)]
    listed: bool,
    /// Rows at most
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    output: OutputArguments,
}

/// Runs a subcommand of `goyong alerts`.
pub async fn run(common: &CommonArguments, command: &AlertsCommand) -> Result<u8> {
    let project = open(common).await?;
    let mut out = output::stdout();
    match command {
        AlertsCommand::Ls(list) => {
            let filter = CaseFilter {
                state: list.state,
                centre: list.centre.clone(),
                investigator: list.investigator.clone(),
                is_listed: list.listed,
                limit: list.limit,
            };
            let scores = project.list_scores().await?;
            let rows: Vec<Vec<String>> = project
                .list_cases(&filter)
                .await?
                .iter()
                .map(|case| case_row(case, scores.get(&case.case_no)))
                .collect();
            output::write_rows(&CASES_HEADER, &rows, list.output.format, &mut out)?;
        }
        AlertsCommand::Show {
            case,
            officer,
            output,
        } => {
            let (case, evidence) = project.show_case(*case, &officer.officer()).await?;
            say(common, &case);
            let rows: Vec<Vec<String>> = evidence
                .iter()
                .map(|row| {
                    let text = |text: &Option<String>| text.clone().unwrap_or_default();
                    let state = match (&row.decided_in, &row.withdrawn_on) {
                        (Some(decision), _) => format!("decided {decision}"),
                        (None, Some(on)) => format!("withdrawn {on}"),
                        (None, None) => "open".to_owned(),
                    };
                    vec![
                        row.evidence_no.to_string(),
                        row.rule_id.clone(),
                        row.rule_version.to_string(),
                        format!("{} {}", row.subject_kind, row.subject_key),
                        text(&row.subject_from),
                        text(&row.subject_to),
                        format!("{} {}", row.evidence_kind, row.evidence_key),
                        text(&row.evidence_from),
                        text(&row.evidence_to),
                        row.amount_at_risk_won.to_string(),
                        row.known_on.clone(),
                        state,
                        row.opened_by.clone(),
                    ]
                })
                .collect();
            output::write_rows(&EVIDENCE_HEADER, &rows, output.format, &mut out)?;
        }
        AlertsCommand::Suppress {
            rule,
            case,
            until,
            reason,
            officer,
        } => {
            let scope = match (rule, case) {
                (Some(rule), _) => Scope::Rule(rule.clone()),
                (None, Some(case)) => Scope::Case(*case),
                (None, None) => bail!("say what to suppress: --rule or --case"),
            };
            let number = project
                .suppress_alerts(&scope, reason, *until, &officer.officer())
                .await?;
            let text = match common.lang {
                Language::En => format!("suppression {number} holds until {until}"),
                Language::Ko => format!("경보 억제 {number}번, {until} 전까지"),
            };
            Console::new(common.quiet).say(&text);
        }
        AlertsCommand::Lift {
            suppression,
            reason,
            officer,
        } => {
            project
                .lift_suppression(*suppression, reason, &officer.officer())
                .await?;
        }
        AlertsCommand::Suppressions { output } => {
            let rows: Vec<Vec<String>> = project
                .list_suppressions()
                .await?
                .into_iter()
                .map(|one| {
                    vec![
                        one.suppression_no.to_string(),
                        one.scope,
                        one.value,
                        one.owner,
                        one.reason,
                        one.from_on,
                        one.expires_on,
                        one.lifted_on.unwrap_or_default(),
                        one.cases.to_string(),
                    ]
                })
                .collect();
            output::write_rows(&SUPPRESSIONS_HEADER, &rows, output.format, &mut out)?;
        }
        AlertsCommand::Export {
            case,
            out: folder,
            officer,
        } => {
            let dossier = project.export_case(*case, &officer.officer()).await?;
            if let Some(folder) = folder {
                project.export_case_pages(&dossier, folder).await?;
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&dossier)?)?;
        }
        AlertsCommand::SimulateCapacity {
            capacity,
            random_percent,
            on,
            output,
        } => {
            let trials = project
                .simulate_capacity(
                    on.unwrap_or_else(today),
                    capacity,
                    random_percent.map(|percent| percent * 100),
                )
                .await?;
            let rows: Vec<Vec<String>> = trials
                .iter()
                .map(|trial| {
                    let random = trial.random_hundredths;
                    vec![
                        trial.per_centre.to_string(),
                        format!("{}.{:02}", random / 100, random % 100),
                        trial.waiting.to_string(),
                        trial.listed.to_string(),
                        trial.critical_listed.to_string(),
                        trial.critical_waiting.to_string(),
                        trial.listed_won.to_string(),
                        trial.waiting_won.to_string(),
                        trial
                            .nights_to_clear
                            .map_or_else(|| "never".to_owned(), |nights| nights.to_string()),
                    ]
                })
                .collect();
            output::write_rows(&TRIALS_HEADER, &rows, output.format, &mut out)?;
        }
        AlertsCommand::Estimates { output } => {
            let mut rows = estimate_rows(&project.estimate_precision().await?);
            for (model, correction) in project.correct_risks().await? {
                rows.extend(correction_rows(model, &correction));
                if let Some(reason) = &correction.reason {
                    let text = match common.lang {
                        Language::En => &reason.en,
                        Language::Ko => &reason.ko,
                    };
                    Console::new(common.quiet).say(&format!("{model}: {text}"));
                }
            }
            output::write_rows(&ESTIMATES_HEADER, &rows, output.format, &mut out)?;
        }
        work => {
            let (case, command, officer) = unpack(work)?;
            let case = project.work_on_case(case, &command, &officer).await?;
            say(common, &case);
        }
    }
    Ok(0)
}

/// What an officer does to a case.
fn unpack(command: &AlertsCommand) -> Result<(i64, CaseCommand, Officer)> {
    use AlertsCommand::{Appeal, Assign, Close, Find, Note, Notice, Reply, Snooze, State};
    let (case, done, officer) = match command {
        Assign { case, to, officer } => {
            let investigator = to.clone();
            (case, CaseCommand::Assign { investigator }, officer)
        }
        Note {
            case,
            text,
            officer,
        } => (case, CaseCommand::Note { text: text.clone() }, officer),
        State {
            case,
            state,
            officer,
        } => (case, CaseCommand::Move { to: *state }, officer),
        Notice {
            case,
            reply_due,
            sent_on,
            officer,
        } => {
            let notice = CaseCommand::SendNotice {
                sent_on: sent_on.unwrap_or_else(today),
                reply_due_on: *reply_due,
            };
            (case, notice, officer)
        }
        Reply {
            case,
            received_on,
            officer,
        } => {
            let received_on = received_on.unwrap_or_else(today);
            (case, CaseCommand::ReceiveReply { received_on }, officer)
        }
        Snooze {
            case,
            until: Some(until),
            reason: Some(reason),
            officer,
            ..
        } => {
            let snooze = CaseCommand::Snooze {
                until: *until,
                reason: reason.clone(),
            };
            (case, snooze, officer)
        }
        Snooze { case, officer, .. } => (case, CaseCommand::Wake, officer),
        Find {
            case,
            rule,
            claim,
            record,
            from,
            to,
            won,
            officer,
        } => {
            let find = CaseCommand::Find(Finding {
                rule_id: rule.clone(),
                claim_no: claim.clone(),
                record: record.clone(),
                from_on: *from,
                to_on: *to,
                amount_at_risk_won: *won,
            });
            (case, find, officer)
        }
        Close {
            case,
            outcome,
            reason,
            evidence,
            officer,
        } => {
            let close = CaseCommand::Close {
                outcome: *outcome,
                reason: reason.clone(),
                evidence: evidence.clone(),
            };
            (case, close, officer)
        }
        Appeal {
            case,
            state,
            reason,
            officer,
        } => {
            let appeal = CaseCommand::Appeal {
                state: *state,
                reason: reason.clone(),
            };
            (case, appeal, officer)
        }
        _ => bail!("this command does nothing to a case"),
    };
    Ok((*case, done, officer.officer()))
}

fn case_row(case: &Case, score: Option<&CaseScore>) -> Vec<String> {
    let CaseState {
        state,
        severity,
        centre,
        rules,
        ..
    } = &case.state;
    let day = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
    vec![
        case.case_no.to_string(),
        state.to_string(),
        severity.to_string(),
        centre.clone(),
        case.pivot_kind.clone(),
        rules.clone(),
        case.state.evidence_count.to_string(),
        case.state.undecided_count.to_string(),
        case.state.amount_at_risk_won.to_string(),
        score.map_or_else(String::new, |score| format!("{:.3}", score.risk)),
        day(case.state.known_on),
        case.state.investigator.clone().unwrap_or_default(),
        day(case.state.snoozed_until),
        case.state
            .outcome
            .map(|outcome| outcome.to_string())
            .unwrap_or_default(),
    ]
}

/// One line about a case as it is now.
fn say(common: &CommonArguments, case: &Case) {
    let state = &case.state;
    let nobody = match common.lang {
        Language::En => "nobody",
        Language::Ko => "미배정",
    };
    let investigator = state.investigator.as_deref().unwrap_or(nobody);
    let outcome = state
        .outcome
        .map(|outcome| format!(", {outcome}"))
        .unwrap_or_default();
    let text = match common.lang {
        Language::En => format!(
            "case {} is {}{outcome}: {}, {} rows of evidence, investigated by {investigator}",
            case.case_no, state.state, state.severity, state.evidence_count
        ),
        Language::Ko => format!(
            "사건 {}: {}{outcome}, 중요도 {}, 증거 {}건, 담당 {investigator}",
            case.case_no, state.state, state.severity, state.evidence_count
        ),
    };
    Console::new(common.quiet).say(&text);
}

fn interval_row(measure: &str, interval: Option<[f64; 3]>, decided: u64) -> Vec<String> {
    let figure = |place: usize| {
        interval.map_or_else(
            || "not known".to_owned(),
            |interval| format!("{:.4}", interval[place]),
        )
    };
    vec![
        measure.to_owned(),
        figure(0),
        figure(1),
        figure(2),
        decided.to_string(),
    ]
}

/// What the draw adds to the log-odds of a risk score, and their slope.
fn correction_rows(model: &str, correction: &PrevalenceCorrection) -> Vec<Vec<String>> {
    let decided = correction.rows as u64;
    let ends =
        |estimate: goyong_nightly::Estimate| [estimate.value, estimate.lower, estimate.upper];
    let slope = correction.line.map(|(_, slope)| ends(slope));
    vec![
        interval_row(
            &format!("{model}_shift_log_odds"),
            correction.shift.map(ends),
            decided,
        ),
        interval_row(&format!("{model}_slope"), slope, decided),
    ]
}

fn estimate_rows(estimates: &Estimates) -> Vec<Vec<String>> {
    let row = |measure: &str, interval: Option<Interval>, decided: u64| {
        let interval = interval.map(|interval| [interval.value, interval.lower, interval.upper]);
        interval_row(measure, interval, decided)
    };
    vec![
        row("prevalence", estimates.prevalence, estimates.drawn_decided),
        row("precision", estimates.precision, estimates.decided),
        row(
            "precision_among_drawn",
            estimates.drawn_precision,
            estimates.drawn_decided,
        ),
        row("lift", estimates.lift, estimates.drawn_decided),
    ]
}
