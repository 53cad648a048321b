//! Notices as people read them, in Korean and English. They hold names of plans, runs and steps, times and figures;
//! never a text of an error and never a value of a row.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use goyong_scheduler::{Notice, NoticeKind};
use serde_json::{Value, json};

use super::targets::NoticeLanguage;

/// A notice to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// One line.
    pub(crate) subject: String,
    /// Some lines.
    pub(crate) body: String,
}

/// The notice in a language.
pub(crate) fn text(notice: &Notice, project: &str, zone: Tz, language: NoticeLanguage) -> Text {
    let (ko, en) = (korean(notice, zone), english(notice, zone));
    let (subject, parts) = match language {
        NoticeLanguage::Both => (format!("{} / {}", ko.0, en.0), vec![ko.1, en.1]),
        NoticeLanguage::Ko => (ko.0, vec![ko.1]),
        NoticeLanguage::En => (en.0, vec![en.1]),
    };
    Text {
        subject: format!("[{project}] {subject}"),
        body: parts.join("\n\n") + "\n",
    }
}

/// The notice for programs, with the text beside it (`text` is what chat programs show).
pub(crate) fn json(notice: &Notice, project: &str, zone: Tz, language: NoticeLanguage) -> Value {
    let text = text(notice, project, zone, language);
    json!({
        "id": notice.id,
        "kind": notice.kind.word(),
        "project": project,
        "plan": notice.plan,
        "scheduled_at": notice.scheduled_at.to_rfc3339(),
        "run": notice.run_id,
        "facts": notice.facts,
        "decided_at": notice.decided_at.to_rfc3339(),
        "attempt": notice.attempts,
        "subject": text.subject,
        "text": format!("{}\n{}", text.subject, text.body),
    })
}

fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .format("%Y-%m-%d %H:%M %Z")
        .to_string()
}

fn fact<'n>(notice: &'n Notice, name: &str) -> &'n str {
    notice.facts.get(name).map_or("–", String::as_str)
}

fn deadline(notice: &Notice, zone: Tz) -> String {
    let at = notice
        .facts
        .get("deadline")
        .and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    at.map_or_else(|| "–".to_owned(), |at| local(at.to_utc(), zone))
}

fn korean(notice: &Notice, zone: Tz) -> (String, String) {
    let (plan, at) = (&notice.plan, local(notice.scheduled_at, zone));
    let run = notice.run_id.as_deref().unwrap_or("–");
    let tells = format!("자세히 보기: goyong runs show {run}");
    match notice.kind {
        NoticeKind::Failed => (
            format!("{plan} 실패"),
            format!(
                "{at} 예정 {plan} 실행이 실패했습니다.\n실행: {run}\n단계: {}\n사유: {}\n{tells}",
                fact(notice, "steps"),
                fact(notice, "reason")
            ),
        ),
        NoticeKind::DeadlineMissed => (
            format!("{plan} 기한 초과"),
            format!(
                "{at} 예정 {plan} 실행이 기한({})까지 끝나지 않았습니다.\n상태: {}\n자세히 보기: goyong runs ls --plan {plan}",
                deadline(notice, zone),
                fact(notice, "standing")
            ),
        ),
        NoticeKind::Recovered => (
            format!("{plan} 정상화"),
            format!("{at} 예정 {plan} 실행이 성공하여 정상으로 돌아왔습니다.\n실행: {run}"),
        ),
        NoticeKind::OverLimit => (
            format!("{plan} 한도 초과"),
            format!(
                "{at} 예정 {plan} 실행의 {} 단계에서 {} 값이 {}(으)로 한도 {}을(를) 넘었습니다.\n실행: {run}\n격리된 행 보기: goyong quarantine ls",
                fact(notice, "step"),
                fact(notice, "figure"),
                fact(notice, "value"),
                fact(notice, "limit")
            ),
        ),
        NoticeKind::Test => (
            "알림 시험".to_owned(),
            format!("{at}에 보낸 시험 알림입니다. 할 일은 없습니다."),
        ),
    }
}

fn english(notice: &Notice, zone: Tz) -> (String, String) {
    let (plan, at) = (&notice.plan, local(notice.scheduled_at, zone));
    let run = notice.run_id.as_deref().unwrap_or("–");
    let tells = format!("More: goyong runs show {run}");
    match notice.kind {
        NoticeKind::Failed => (
            format!("{plan} failed"),
            format!(
                "The run of {plan} due at {at} failed.\nRun: {run}\nSteps: {}\nReason: {}\n{tells}",
                fact(notice, "steps"),
                fact(notice, "reason")
            ),
        ),
        NoticeKind::DeadlineMissed => (
            format!("{plan} missed its deadline"),
            format!(
                "The run of {plan} due at {at} had not succeeded by its deadline, {}.\nState: {}\nMore: goyong runs ls --plan {plan}",
                deadline(notice, zone),
                fact(notice, "standing")
            ),
        ),
        NoticeKind::Recovered => (
            format!("{plan} recovered"),
            format!(
                "The run of {plan} due at {at} succeeded after trouble you were told of.\nRun: {run}"
            ),
        ),
        NoticeKind::OverLimit => (
            format!("{plan} is over a limit"),
            format!(
                "In the run of {plan} due at {at}, step {}, {} is {} and the limit {}.\nRun: {run}\nQuarantined rows: goyong quarantine ls",
                fact(notice, "step"),
                fact(notice, "figure"),
                fact(notice, "value"),
                fact(notice, "limit")
            ),
        ),
        NoticeKind::Test => (
            "test notice".to_owned(),
            format!("This test notice was sent at {at}. There is nothing to do."),
        ),
    }
}
