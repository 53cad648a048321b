//! Recruitment of public institutions: the ministry's list of each month, and what JobAlio's open
//! interface answers, a list of what is or was open and a document of each notice of late.
//!
//! Both tell of the same notices by the same numbers. The interface is asked on the twentieth after
//! every third delivered month, and after the last; so its newest notices have not come with a
//! list of the ministry yet.

use serde_json::{Value, json};

use crate::calendar::{Day, first_of, next_weekday, text};
use crate::deliver::{Archive, Manifest, iso, last_of_three};
use crate::national::{INSTITUTIONS, deliver, institution_name, manifest};
use crate::random::{Random, splitmix};
use crate::scenario::Scenario;
use crate::{SimulationConfig, SimulationError, SimulationSummary};

const MONTHLY: &str = "alio_posting";
const LIST: &str = "alio_recruitment";
const DETAIL: &str = "alio_recruitment_detail";

/// Number before the first notice.
const FIRST_NUMBER: i64 = 300_000;

const NCS: [&str; 6] = [
    "경영.회계.사무",
    "보건.의료",
    "정보통신",
    "연구",
    "건설",
    "사회복지.종교",
];
const HIRE: [&str; 4] = ["정규직", "비정규직", "무기계약직", "청년인턴"];

/// A notice of a public institution.
struct Notice<'s> {
    number: i64,
    institution: String,
    field: &'static str,
    hire: &'static str,
    region: &'s str,
    career: &'static str,
    openings: i32,
    opened: Day,
    closes: Day,
}

/// Writes the lists of every month and the answers of the interface.
pub(crate) fn write(
    scenario: &Scenario,
    config: &SimulationConfig,
    summary: &mut SimulationSummary,
) -> Result<(), SimulationError> {
    let mut number = FIRST_NUMBER;
    let mut rows = [0; 3];
    // The interface knows the notices of the month after the last delivered one too.
    let months: Vec<Vec<Notice<'_>>> = (0..=scenario.months as i32)
        .map(|index| notices_of(scenario, scenario.start_month + index, &mut number))
        .collect();
    for (index, notices) in months.iter().take(scenario.months).enumerate() {
        let month = scenario.start_month + index as i32;
        let list = notices.iter().map(monthly_row).collect();
        let path = path_of(config, MONTHLY, month, "json");
        let stated = stated(MONTHLY, month, notices.len(), first_of(month + 1) + 3);
        deliver(&path, &answer(list), stated, summary)?;
        rows[0] += notices.len() as u64;
    }
    let mut first = 0;
    for capture in 0..scenario.months.div_ceil(3) as i32 {
        let last = last_of_three(scenario, capture);
        let month = scenario.start_month + last;
        let on = first_of(month + 1) + 19;
        let listed: Vec<&Notice<'_>> = months[first as usize..=last as usize + 1]
            .iter()
            .flatten()
            .filter(|notice| notice.opened <= on)
            .collect();
        let list = listed.iter().map(|notice| interface_row(notice, on));
        let path = path_of(config, LIST, month, "json");
        let manifest = stated(LIST, month, listed.len(), on);
        deliver(&path, &answer(list.collect()), manifest, summary)?;
        rows[1] += listed.len() as u64;

        let path = path_of(config, DETAIL, month, "zip");
        let failed = |source| SimulationError::Write {
            path: path.clone(),
            source,
        };
        let mut archive = Archive::in_memory(DETAIL, "json");
        for notice in listed.iter().filter(|one| one.opened >= first_of(month)) {
            let document = detail(notice, on).to_string();
            archive.add(document.as_bytes()).map_err(failed)?;
        }
        let documents = archive.members();
        let bytes = archive.finish().map_err(failed)?.into_inner();
        let manifest = stated(DETAIL, month, documents as usize, on);
        deliver(&path, &bytes, manifest, summary)?;
        rows[2] += documents;
        first = last + 1;
    }
    for (source, rows) in [MONTHLY, LIST, DETAIL].into_iter().zip(rows) {
        summary.rows_by_source.push((source.to_owned(), rows));
    }
    Ok(())
}

fn path_of(
    config: &SimulationConfig,
    source: &str,
    month: i32,
    extension: &str,
) -> std::path::PathBuf {
    let period = period(month).replace('-', "");
    let name = format!("{source}_{period}_r1.{extension}");
    config.landing.join(source).join(name)
}

fn period(month: i32) -> String {
    format!(
        "{:04}-{:02}",
        month.div_euclid(12),
        month.rem_euclid(12) + 1
    )
}

fn stated(source: &str, month: i32, rows: usize, known_on: Day) -> Manifest {
    manifest(source, period(month), rows, iso(known_on))
}

fn answer(rows: Vec<Value>) -> Vec<u8> {
    let document = json!({
        "resultCode": 200,
        "resultMsg": "성공했습니다.",
        "totalCount": rows.len(),
        "result": rows,
    });
    let mut bytes = document.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// The notices that open in a month, with the numbers after `number`.
fn notices_of<'s>(scenario: &'s Scenario, month: i32, number: &mut i64) -> Vec<Notice<'s>> {
    let mut random = Random::new(scenario.seed, 0x0a11_0000 + month as u64);
    let mut notices = Vec::new();
    for institution in 0..INSTITUTIONS {
        if !random.chance(0.6) {
            continue;
        }
        for _ in 0..1 + random.below(3) {
            *number += 1;
            let opened = next_weekday(first_of(month) + random.between(0, 26));
            let opened = opened.min(first_of(month + 1) - 1);
            let field = NCS[random.below(NCS.len())];
            let hire = HIRE[random.weighted(&[45.0, 30.0, 15.0, 10.0])];
            let place = scenario.reference.place_at(random.unit());
            notices.push(Notice {
                number: *number,
                institution: institution_name(institution),
                field,
                hire,
                region: &scenario.reference.places[place as usize].sido_name,
                career: if random.chance(0.5) {
                    "신입"
                } else {
                    "경력"
                },
                openings: random.between(1, 12),
                opened,
                closes: opened + random.between(7, 21),
            });
        }
    }
    notices
}

/// What both lists say of a notice.
fn row(notice: &Notice<'_>, is_open: bool) -> Value {
    let Notice {
        institution,
        field,
        hire,
        ..
    } = notice;
    json!({
        "recrutPblntSn": notice.number,
        "instNm": institution,
        "ncsCdNmLst": field,
        "hireTypeNmLst": hire,
        "workRgnNmLst": notice.region,
        "recrutSeNm": notice.career,
        "recrutNope": notice.openings,
        "pbancBgngYmd": String::from_utf8_lossy(text(notice.opened)),
        "pbancEndYmd": String::from_utf8_lossy(text(notice.closes)),
        "recrutPbancTtl": format!("{institution} {field} {hire} 채용 공고"),
        "ongoingYn": if is_open { "Y" } else { "N" },
    })
}

fn monthly_row(notice: &Notice<'_>) -> Value {
    let mut row = row(notice, false);
    row["files"] = attached(notice).into();
    let steps = steps(notice).into_iter().map(|step| {
        json!({
            "recrutStepSn": step.number,
            "recrutPbancTtl": step.name,
            "sortNo": step.order + 1,
            "aplyNope": step.applicants,
            "recrutNope": notice.openings,
            "cmpttRt": competition(notice, &step),
            "rsnOcrnYmd": iso(step.held),
        })
    });
    row["steps"] = steps.collect();
    row
}

fn interface_row(notice: &Notice<'_>, on: Day) -> Value {
    let mut row = row(notice, notice.closes >= on);
    // One of ten institutions publishes in its own pages only.
    if !splitmix(notice.number as u64 ^ 0x75).is_multiple_of(10) {
        row["srcUrl"] = format!("https://recruit.example/notice/{}", notice.number).into();
    }
    row
}

/// A notice's document: steps that were held state their applicants, the others nothing.
fn detail(notice: &Notice<'_>, on: Day) -> Value {
    let steps = steps(notice);
    let (first, last) = match (steps.first(), steps.last()) {
        (Some(first), Some(last)) => (first.number, last.number),
        _ => (notice.number, notice.number),
    };
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| {
            let is_held = step.held <= on;
            json!({
                "sortNo": step.order,
                "cmpttRt": is_held.then(|| competition(notice, step)),
                "aplyNope": is_held.then_some(step.applicants),
                "minStepSn": first,
                "recrutNope": is_held.then_some(notice.openings),
                "rsnOcrnYmd": null,
                "recrutPblntSn": notice.number,
                "maxStepSn": last,
                "recrutStepSn": step.number,
                "recrutPbancTtl": step.name,
            })
        })
        .collect();
    let mut files = attached(notice);
    for file in &mut files {
        file["url"] = format!("https://recruit.example/file/{}", file["recrutAtchFileNo"]).into();
    }
    json!({"steps": steps, "files": files})
}

/// A step of the selection.
struct Step {
    number: i64,
    order: i64,
    name: &'static str,
    held: Day,
    applicants: u64,
}

fn competition(notice: &Notice<'_>, step: &Step) -> String {
    format!("{:.1}", step.applicants as f64 / f64::from(notice.openings))
}

/// Selection steps of a notice: papers, for two of three a written test, an interview.
fn steps(notice: &Notice<'_>) -> Vec<Step> {
    let drawn = splitmix(notice.number as u64);
    let openings = notice.openings.max(1) as u64;
    let has_test = !drawn.is_multiple_of(3);
    let names: &[&str] = match has_test {
        true => &["서류전형", "필기전형", "면접전형"],
        false => &["서류전형", "면접전형"],
    };
    let mut applicants = openings * (5 + (drawn >> 16) % 60);
    let mut steps = Vec::new();
    for (order, name) in names.iter().enumerate() {
        let order = order as i64;
        steps.push(Step {
            number: notice.number * 10 + order,
            order,
            name,
            held: notice.opened + 14 * (order as Day + 1),
            applicants,
        });
        applicants = (applicants / 4).max(openings);
    }
    steps
}

/// Attached files of a notice: notice, form, and mostly a job description.
fn attached(notice: &Notice<'_>) -> Vec<Value> {
    let kinds = [
        ("A", "공고문.pdf"),
        ("B", "입사지원서.hwp"),
        ("C", "직무기술서.pdf"),
    ];
    let count = if splitmix(notice.number as u64).is_multiple_of(5) {
        2
    } else {
        3
    };
    kinds[..count]
        .iter()
        .enumerate()
        .map(|(order, (kind, name))| {
            json!({
                "recrutAtchFileNo": notice.number * 10 + order as i64,
                "atchFileNm": name,
                "atchFileType": kind,
                "sortNo": order + 1,
            })
        })
        .collect()
}
