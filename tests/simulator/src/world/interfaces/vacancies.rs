//! The vacancies of the employment service as its open interface shows them: a list of what is
//! open at the end of each month, and a document of each vacancy that is new in it.

use crate::calendar::{Day, month_of, text};
use crate::deliver::{Source, iso};
use crate::random::splitmix;
use crate::scenario::magnitude;
use crate::world::Block;
use crate::world::employment::Kind;
use crate::world::interfaces::firms::{LARGE_FROM, MIDDLE_FROM};
use crate::world::interfaces::{Address, element, end_of, firm_name, grouped};
use crate::world::services::Offer;
use crate::world::services::guidance::ascii;

/// Documents that are fetched in a month at most: the interface limits its callers.
const DOCUMENTS: f64 = 5_000.0;
/// Share of vacancies open until filled, and of those the ones without a last day.
const UNTIL_FILLED: f64 = 0.3;
const WITHOUT_DAY: f64 = 0.15;
/// Share of vacancies whose list row has the fields an employer must give and no others.
const SHORT: f64 = 0.2;
/// Share of rows that are changed when they are listed again.
const CHANGED: f64 = 0.15;

/// How an employer filled the form in.
struct Form {
    until_filled: bool,
    has_last_day: bool,
    is_short: bool,
    modified: Day,
    /// Minute of the day of the last change.
    minute: i32,
}

impl Block<'_> {
    pub(super) fn list_vacancies(&mut self, offers: &[Offer]) {
        let share = self.document_share();
        for offer in offers {
            let until_filled = self.random.chance(UNTIL_FILLED);
            let mut form = Form {
                until_filled,
                has_last_day: !until_filled || !self.random.chance(WITHOUT_DAY),
                is_short: self.random.chance(SHORT),
                modified: offer.opened,
                minute: self.random.between(540, 1_080),
            };
            let has_document = self.random.chance(share);
            let last = offer.filled.map_or(offer.closes, |filled| filled - 1);
            let mut is_new = true;
            for month in month_of(offer.opened)..=month_of(last) {
                let on = end_of(month);
                if on > last || self.scenario.index(month).is_none() {
                    continue;
                }
                if month > month_of(offer.opened) && self.random.chance(CHANGED) {
                    form.modified = on - self.random.between(0, 20);
                }
                let row = self.list_row(offer, &form, on);
                self.tell(Source::OpenVacancy, month, &row, 0);
                if is_new && has_document {
                    let document = self.document(offer, &form);
                    self.tell(Source::OpenVacancyDetail, month, &document, 0);
                }
                is_new = false;
            }
        }
    }

    /// Share of vacancies whose document is fetched.
    fn document_share(&self) -> f64 {
        let nation = crate::scenario::NATION;
        let expected = magnitude::OPENINGS / 2.0 * self.scenario.persons as f64 / nation;
        (DOCUMENTS / expected).min(1.0)
    }

    fn list_row(&self, offer: &Offer, form: &Form, on: Day) -> String {
        let workplace = &self.workplaces[offer.workplace as usize];
        let place = self.place_of(workplace);
        let industry = &self.scenario.reference.industries[workplace.industry as usize];
        let notice = &offer.notice;
        let number = ascii(&offer.number);
        let is_closing = form.modified > offer.opened && offer.closes - on < 10;
        let title = match is_closing {
            true => format!("[마감임박] {}", notice.title),
            false => notice.title.clone(),
        };
        let mut record = String::from("<wanted>");
        let mut add = |name: &str, value: &str| element(&mut record, name, value);
        add("wantedAuthNo", &number);
        add("company", &firm_name(workplace));
        add("busino", &ascii(workplace.business_number()));
        add("indTpNm", &industry.name);
        add("title", &title);
        add("salTpNm", wage_name(notice.wage_kind));
        add(
            "sal",
            &wage_text(notice.wage_kind, notice.min_won, notice.max_won),
        );
        add("minSal", &notice.min_won.to_string());
        add("maxSal", &notice.max_won.to_string());
        add("region", &format!("{} {}", place.sido_name, place.name));
        if !form.is_short {
            add("holidayTpNm", "주5일근무");
            let (least, most) = education(notice.education);
            add("minEdubg", least);
            if let Some(most) = most {
                add("maxEdubg", most);
            }
        }
        add("career", career(notice.career).0);
        add("regDt", &short_day(offer.opened));
        add("closeDt", &closing(offer, form));
        add("infoSvc", "VALIDATION");
        if !form.is_short {
            add(
                "wantedInfoUrl",
                &format!(
                    "https://www.work24.go.kr/wk/a/b/1500/empDetailAuthView.do?wantedAuthNo={number}"
                ),
            );
            let (hour, minute) = (form.minute / 60, form.minute % 60);
            let day = ascii(text(form.modified));
            add("smodifyDtm", &format!("{day}{hour:02}{minute:02}"));
            let Address { post, street } = self.address_of(workplace);
            add("zipCd", &post);
            add("basicAddr", &street);
            add("detailAddr", &firm_name(workplace));
        }
        add("empTpCd", contract(notice.kind).0);
        add("jobsCd", &self.job_code(offer));
        record.push_str("</wanted>\n");
        record
    }

    fn document(&self, offer: &Offer, form: &Form) -> String {
        let workplace = &self.workplaces[offer.workplace as usize];
        let reference = &self.scenario.reference;
        let industry = &reference.industries[workplace.industry as usize].name;
        let job = &reference.occupations[offer.occupation as usize].name;
        let notice = &offer.notice;
        let drawn = splitmix(self.scenario.seed ^ u64::from(offer.workplace));
        let persons = workplace.size.round().max(1.0) as i64;
        // Sales of a firm by its persons; capital is a small part of them.
        let sales = persons * (80 + (drawn % 240) as i64);
        let Address { post, street } = self.address_of(workplace);
        let mut record = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><wantedDtl>");
        let mut add = |name: &str, value: &str| element(&mut record, name, value);
        add("wantedAuthNo", &ascii(&offer.number));
        let mut firm = String::new();
        let mut add_firm = |name: &str, value: &str| element(&mut firm, name, value);
        add_firm("corpNm", &firm_name(workplace));
        add_firm("reperNm", "이름지움");
        add_firm("totPsncnt", &format!("{persons} 명"));
        add_firm("capitalAmt", &format!("{} 백만원", (sales / 12).max(10)));
        add_firm("yrSalesAmt", &format!("{} 백만원", grouped(sales)));
        add_firm("indTpCdNm", industry);
        add_firm("busiCont", industry);
        add_firm("corpAddr", &format!("{post} {street}"));
        add_firm("homePg", "");
        add_firm(
            "busiSize",
            match workplace.size {
                size if size >= LARGE_FROM => "대기업",
                size if size >= MIDDLE_FROM => "중견기업",
                _ => "중소기업",
            },
        );
        let mut wanted = String::new();
        let mut add_wanted = |name: &str, value: &str| element(&mut wanted, name, value);
        add_wanted("jobsNm", &format!("{job}({})", self.job_code(offer)));
        add_wanted("wantedTitle", &notice.title);
        add_wanted("jobCont", &notice.text);
        add_wanted("receiptCloseDt", &closing(offer, form));
        add_wanted("empTpNm", contract(notice.kind).1);
        add_wanted("collectPsncnt", &offer.openings.to_string());
        add_wanted(
            "salTpNm",
            &format!(
                "{}{}원 이상, 면접 후 재조정 가능",
                wage_name(notice.wage_kind),
                grouped(notice.min_won)
            ),
        );
        add_wanted("enterTpNm", career(notice.career).1);
        let (least, most) = education(notice.education);
        add_wanted(
            "eduNm",
            &most.map_or_else(|| least.to_owned(), |most| format!("{least}-{most}")),
        );
        if !form.is_short && drawn.is_multiple_of(3) {
            add_wanted("certificate", "자동차운전면허,컴퓨터활용능력");
        }
        for (name, content) in [("corpInfo", firm), ("wantedInfo", wanted)] {
            record.push_str(&format!("<{name}>{content}</{name}>"));
        }
        record.push_str("</wantedDtl>\n");
        record
    }

    /// Six places: the minor group of the occupation and three more of the vacancy's own.
    fn job_code(&self, offer: &Offer) -> String {
        let minor = &self.scenario.reference.occupations[offer.occupation as usize].code;
        let unit = splitmix(u64::from(offer.occupation)) % 9 + 1;
        format!("{minor}{unit}00")
    }
}

fn wage_name(kind: &[u8]) -> &'static str {
    match kind {
        b"hour" => "시급",
        b"day" => "일급",
        b"year" => "연봉",
        _ => "월급",
    }
}

/// Wages as the list writes them: salaries in units of ten thousand, pay by hour or day in won.
fn wage_text(kind: &[u8], least: i64, most: i64) -> String {
    let amount = |won: i64| match kind {
        b"hour" | b"day" => format!("{}원", grouped(won)),
        _ => format!("{}만원", won / 10_000),
    };
    match most {
        0 => amount(least),
        most => format!("{} ~ {}", amount(least), amount(most)),
    }
}

fn education(code: &[u8]) -> (&'static str, Option<&'static str>) {
    match code {
        b"high" => ("고졸", None),
        b"college" => ("대졸(2~3년)", Some("대졸(4년)")),
        b"university" => ("대졸(4년)", Some("박사")),
        _ => ("학력무관", None),
    }
}

/// Career as list and document write it.
fn career(code: &[u8]) -> (&'static str, &'static str) {
    match code {
        b"entry" => ("신입", "신입"),
        b"experienced" => ("경력", "경력 (최소1년) 필수"),
        _ => ("관계없음", "관계없음"),
    }
}

/// Code and name of a contract.
fn contract(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Regular => ("10", "기간의 정함이 없는 근로계약"),
        Kind::FixedTerm => ("20", "기간의 정함이 있는 근로계약"),
        Kind::PartTime => ("11", "기간의 정함이 없는 근로계약(시간(선택)제)"),
    }
}

/// A date with a year of two digits.
fn short_day(day: Day) -> String {
    iso(day).get(2..).unwrap_or_default().to_owned()
}

fn closing(offer: &Offer, form: &Form) -> String {
    match (form.until_filled, form.has_last_day) {
        (true, true) => format!("채용시까지  {}", short_day(offer.closes)),
        (true, false) => "채용시까지".to_owned(),
        (false, _) => short_day(offer.closes),
    }
}
