//! Advertisements, phrases and minimum wages as the tables have them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use goyong_advert::{Advertisement, DuplicateText, Effect, Pay, PayKind, Phrase, Terms};
use goyong_linkage::firm_name::FirmName;
use goyong_types::TableName;

use crate::project::OpenProject;

/// An advertisement of either source.
pub(super) struct Posting {
    /// `worknet` or `portal`.
    pub ad_source: String,
    pub ad_no: String,
    /// Who published it.
    pub agency: String,
    pub title: String,
    pub text: String,
    /// Place of work as people write it.
    pub region: String,
    /// `regular`, `fixed_term` or `part_time`.
    pub contract_kind: String,
    pub pay: Option<Pay>,
    pub opened_on: NaiveDate,
    pub closes_on: NaiveDate,
    /// Last day on which it can be applied for: closed or filled.
    pub open_until: NaiveDate,
    /// Who employs: a business number where one is known, otherwise name and province.
    employer: String,
}

impl Posting {
    pub(super) fn advertisement(&self) -> Advertisement<'_> {
        Advertisement {
            title: &self.title,
            text: &self.text,
            pay: self.pay,
            is_full_time: self.is_full_time(),
            opened_on: self.opened_on,
            closes_on: self.closes_on,
        }
    }

    pub(super) fn duplicate_text(&self) -> DuplicateText<'_> {
        let days = |day: NaiveDate| (day - NaiveDate::default()).num_days() as i32;
        let pay = self.pay.map(|pay| (pay.kind as u8, pay.won));
        let province = self.region.split(' ').next().unwrap_or_default();
        DuplicateText {
            terms: Terms {
                employer: hash(&self.employer),
                conditions: hash(&(pay, &self.contract_kind, province)),
                opened: days(self.opened_on),
                closes: days(self.closes_on),
            },
            title: &self.title,
            text: &self.text,
        }
    }

    fn is_full_time(&self) -> bool {
        self.contract_kind != "part_time"
    }
}

/// The same in every process: the hasher has fixed keys.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

const COLUMNS: [&str; 14] = [
    "ad_source",
    "ad_no",
    "agency",
    "title",
    "text",
    "region",
    "contract_kind",
    "wage_kind",
    "min_wage_won",
    "opened_on",
    "closes_on",
    "filled_on",
    "biz_no",
    "firm_name",
];

/// Vacancies of the service with the text of the row that is in force.
const WORKNET: &str = "
select 'worknet' as ad_source, v.vacancy_no as ad_no, '워크넷' as agency, v.title, t.text,
  concat(coalesce(s.short_ko, ''), ' ', coalesce(g.name_ko, '')) as region, v.contract_kind, v.wage_kind,
  cast(v.min_wage_won as bigint) as min_wage_won, v.opened_on, v.closes_on, v.filled_on, v.biz_no,
  coalesce(w.firm_name, '') as firm_name
from core.vacancy v
join (select vacancy_no, text, row_number() over (partition by vacancy_no
    order by _known_on desc, _period desc, _delivery_id desc, _row_number desc) as place
  from staging.wn_vacancy) t on t.vacancy_no = v.vacancy_no and t.place = 1
left join core.workplace w on w.workplace_no = v.workplace_no
left join seed.sigungu g on g.sigungu = v.sigungu
left join seed.sido s on s.sido = v.sido
order by v.opened_on, v.vacancy_no";

const PORTAL: &str = "
select 'portal' as ad_source, p.ad_no, p.portal as agency, p.title, t.text, p.region, p.contract_kind,
  p.wage_kind, cast(p.min_wage_won as bigint) as min_wage_won, p.posted_on as opened_on, p.closes_on,
  cast(null as date) as filled_on, p.biz_no, p.firm_name
from core.portal_ad p
join (select ad_no, text, row_number() over (partition by ad_no
    order by _known_on desc, _period desc, _delivery_id desc, _row_number desc) as place
  from staging.portal_ad) t on t.ad_no = p.ad_no and t.place = 1
order by p.posted_on, p.ad_no";

/// All advertisements, those of the service first, by day and number.
pub(super) async fn postings(project: &OpenProject) -> Result<Vec<Posting>> {
    let mut rows = Vec::new();
    for (table, sql) in [
        ("staging.wn_vacancy", WORKNET),
        ("staging.portal_ad", PORTAL),
    ] {
        let table: TableName = table.parse()?;
        if project.warehouse().snapshot(&table).await?.is_some() {
            rows.extend(project.texts(sql, COLUMNS).await?);
        }
    }
    // A firm that one source numbers is known by the number where another source only names it.
    let mut numbers: BTreeMap<String, Option<String>> = BTreeMap::new();
    for row in &rows {
        if !row[12].is_empty() {
            let known = numbers
                .entry(name_and_province(row))
                .or_insert_with(|| Some(row[12].clone()));
            if known.as_deref() != Some(row[12].as_str()) {
                *known = None;
            }
        }
    }
    rows.into_iter()
        .map(|row| {
            let named = name_and_province(&row);
            let employer = match (&row[12], numbers.get(&named)) {
                (number, _) if !number.is_empty() => number.clone(),
                (_, Some(Some(number))) => number.clone(),
                _ => named,
            };
            posting(row, employer)
        })
        .collect()
}

fn name_and_province(row: &[String; 14]) -> String {
    let province = row[5].split(' ').next().unwrap_or_default();
    format!("{} {province}", FirmName::parse(&row[13]).core)
}

fn posting(row: [String; 14], employer: String) -> Result<Posting> {
    let [
        ad_source,
        ad_no,
        agency,
        title,
        text,
        region,
        contract_kind,
        wage_kind,
        won,
        opened,
        closes,
        filled,
        ..,
    ] = row;
    let opened_on = day(&opened)?;
    let closes_on = day(&closes)?;
    let open_until = match filled.as_str() {
        "" => closes_on,
        filled => closes_on.min(day(filled)?),
    };
    let pay = PayKind::parse(&wage_kind)
        .zip(won.parse().ok())
        .filter(|(_, won)| *won > 0)
        .map(|(kind, won)| Pay {
            kind,
            won,
            is_full_time: contract_kind != "part_time",
        });
    Ok(Posting {
        ad_source,
        ad_no,
        agency,
        title,
        text,
        region: region.trim().to_owned(),
        contract_kind,
        pay,
        opened_on,
        closes_on,
        open_until,
        employer,
    })
}

/// The phrases of the seed.
pub(super) async fn phrases(project: &OpenProject) -> Result<Vec<Phrase>> {
    let rows = project
        .texts(
            "select * from seed.ad_phrase order by rule, effect, phrase",
            [
                "rule",
                "phrase",
                "effect",
                "boundary",
                "least",
                "most",
                "reason",
                "valid_from",
                "valid_to",
            ],
        )
        .await?;
    rows.into_iter()
        .map(
            |[rule, text, effect, boundary, least, most, reason, from, to]| {
                Ok(Phrase {
                    effect: Effect::parse(&effect)
                        .with_context(|| format!("seed ad_phrase: `{effect}` is no effect"))?,
                    at_word_start: boundary == "start",
                    least: least.parse().context("seed ad_phrase: least")?,
                    most: most.parse().context("seed ad_phrase: most")?,
                    valid_from: day(&from)?,
                    valid_to: day(&to)?,
                    text,
                    rule,
                    reason,
                })
            },
        )
        .collect()
}

/// Hourly minimum by year.
pub(super) async fn minimum_wages(project: &OpenProject) -> Result<Vec<(i32, u64)>> {
    let rows = project
        .texts(
            "select year, cast(hourly_won as bigint) as hourly_won from seed.minimum_wage order by year",
            ["year", "hourly_won"],
        )
        .await?;
    rows.into_iter()
        .map(|[year, won]| {
            Ok((
                year.parse().context("seed minimum_wage: year")?,
                won.parse().context("seed minimum_wage: hourly_won")?,
            ))
        })
        .collect()
}

/// Korean names of the rules.
pub(super) async fn rule_names(project: &OpenProject) -> Result<BTreeMap<String, String>> {
    let rows = project
        .texts(
            "select rule, name_ko from seed.ad_rule",
            ["rule", "name_ko"],
        )
        .await?;
    Ok(rows.into_iter().map(|[rule, name]| (rule, name)).collect())
}

fn day(text: &str) -> Result<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").with_context(|| format!("`{text}` is no day"))
}
