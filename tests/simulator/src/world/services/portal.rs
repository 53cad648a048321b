//! Ads on private portals: vacancies of the employment service posted again, ads of their own,
//! the same job re-worded on another portal, and some with legal defects and obfuscated words.

use serde_json::json;

use crate::calendar::{Day, first_of, month_of};
use crate::deliver::Source;
use crate::truth::TruthFile;
use crate::world::Block;
use crate::world::employment::Kind;
use crate::world::matching::number;
use crate::world::services::ad_text::{details, disguised, resembling, reworded, unlawful, vague};
use crate::world::services::guidance::ascii;
use crate::world::services::{Offer, dashed};
use crate::world::vacancy_text::Notice;

/// Share of the service's vacancies that stand on a portal too.
const ALSO_POSTED: f64 = 0.5;
/// Ads of the portals' own per vacancy of the service.
const OWN: f64 = 0.5;
/// Share of ads that are another ad re-worded.
const DUPLICATES: f64 = 0.24;
/// Share of the portals' own ads with a legal defect, as among the service's vacancies.
const DEFECTIVE: f64 = 0.055;
/// Share of defective ads whose telling words are broken up.
const OBFUSCATED: f64 = 0.4;

const PORTALS: [(&str, f64); 4] = [("P01", 40.0), ("P02", 30.0), ("P03", 20.0), ("P04", 10.0)];

/// Share of the portals' own lawful ads with a sentence that resembles a defect.
const RESEMBLING: f64 = 0.15;
/// Share of the portals' own lawful ads that say nothing of the job.
const VAGUE: f64 = 0.05;
/// Share of ads that somebody reviews.
const REVIEWED: f64 = 0.25;
/// Share of reviews that are wrong.
const REVIEWED_WRONGLY: f64 = 0.03;

struct Ad<'a> {
    vacancy: Option<&'a [u8; 13]>,
    workplace: u32,
    posted: Day,
    closes: Day,
    notice: &'a Notice,
    /// Kind of defect, or nothing.
    defect: &'static str,
    /// Kind of defect that a lawful ad resembles, or nothing.
    look_alike: &'static str,
    is_vague: bool,
}

impl Block<'_> {
    pub(super) fn record_portal_ads(&mut self, offers: &[Offer]) {
        let mut ordinal = 0;
        for offer in offers {
            if self.scenario.index(month_of(offer.opened)).is_none() {
                continue;
            }
            if self.random.chance(ALSO_POSTED) {
                let ad = Ad {
                    vacancy: Some(&offer.number),
                    workplace: offer.workplace,
                    posted: offer.opened + self.random.between(0, 3),
                    closes: offer.closes,
                    notice: &offer.notice,
                    defect: offer.notice.defect,
                    look_alike: "",
                    is_vague: false,
                };
                self.post(&ad, &mut ordinal);
            }
            if !self.random.chance(OWN) {
                continue;
            }
            let posted = first_of(month_of(offer.opened)) + self.random.between(0, 27);
            let Some(workplace) = self.insured_employer(posted) else {
                continue;
            };
            let weights: Vec<f64> = self
                .scenario
                .reference
                .occupations
                .iter()
                .map(|one| one.weight)
                .collect();
            let occupation = self.random.weighted(&weights) as u8;
            let is_defective = self.random.chance(DEFECTIVE);
            let mut notice = self.write_notice(workplace, occupation, posted, is_defective);
            let detail = details(&mut self.random);
            notice.text = format!("{detail} {}", notice.text);
            let (mut defect, mut look_alike, mut is_vague) = (notice.defect, "", false);
            if defect.is_empty() {
                if self.random.chance(RESEMBLING) {
                    let (kind, sentence) = resembling(&mut self.random);
                    look_alike = kind;
                    notice.text = format!("{} {sentence}", notice.text);
                } else if self.random.chance(VAGUE) {
                    is_vague = true;
                    notice.text = vague(&mut self.random);
                }
            } else if defect != "below_minimum_wage" {
                let (kind, sentence) = unlawful(&mut self.random);
                notice.text.truncate(detail.len() + 1 + notice.defect_at);
                notice.text.push_str(&sentence);
                defect = kind;
            }
            let ad = Ad {
                vacancy: None,
                workplace,
                posted,
                closes: posted + self.random.between(14, 60),
                notice: &notice,
                defect,
                look_alike,
                is_vague,
            };
            self.post(&ad, &mut ordinal);
        }
    }

    /// Writes an ad, and perhaps its duplicates: of all ads, [`DUPLICATES`] are one.
    fn post(&mut self, ad: &Ad<'_>, ordinal: &mut u64) {
        let mean = DUPLICATES / (1.0 - DUPLICATES);
        let copies = self.random.round(mean);
        let is_obfuscated = !ad.defect.is_empty()
            && ad.defect != "below_minimum_wage"
            && self.random.chance(OBFUSCATED);
        let mut original: Option<[u8; 13]> = None;
        for copy in 0..=copies {
            *ordinal += 1;
            let number = number(b'Q', self.index, *ordinal);
            let posted = ad.posted
                + if copy == 0 {
                    0
                } else {
                    self.random.between(0, 10)
                };
            let month = month_of(posted);
            let item = self.ad(ad, &number, posted, copy > 0, is_obfuscated);
            let row = self.out.row(self.scenario, Source::PortalAd, month, false);
            let Some(mut row) = row else { continue };
            row.bytes().extend_from_slice(item.as_bytes());
            row.finish(0);
            self.out.truth.line(
                TruthFile::PortalAd,
                format_args!(
                    "{},{},{},{},{},{},{}",
                    ascii(&number),
                    ad.vacancy.map(|one| ascii(one)).unwrap_or_default(),
                    original.map(|one| ascii(&one)).unwrap_or_default(),
                    ad.defect,
                    u8::from(is_obfuscated),
                    ad.look_alike,
                    u8::from(ad.is_vague),
                ),
            );
            self.review(ad, &number, posted);
            original.get_or_insert(number);
        }
    }

    /// The ad as a portal publishes it; a re-worded one has another title and another order.
    fn ad(
        &mut self,
        ad: &Ad<'_>,
        number: &[u8; 13],
        posted: Day,
        is_copy: bool,
        obfuscated: bool,
    ) -> String {
        let weights = PORTALS.map(|(_, weight)| weight);
        let portal = PORTALS[self.random.weighted(&weights)].0;
        let workplace = &self.workplaces[ad.workplace as usize];
        let reference = &self.scenario.reference;
        let place = &reference.places[self.places[workplace.place as usize] as usize];
        let firm = encoding_rs::EUC_KR.decode(&workplace.name).0.into_owned();
        let mut title = ad.notice.title.clone();
        let mut text = ad.notice.text.clone();
        if is_copy {
            title = match self.random.below(3) {
                0 => format!("★급구★ {title}"),
                1 => format!("{title} ({firm})"),
                _ => title.replace("모집", "구합니다").replace("채용", "구인"),
            };
            text = reworded(&mut self.random, &text);
        }
        if obfuscated {
            text = disguised(&mut self.random, &text);
        }
        // The sentences mark what somebody would hide.
        text.retain(|character| !matches!(character, '[' | ']'));
        let shows_number = self.random.chance(0.6);
        json!({
            "adNo": ascii(number),
            "portalCd": portal,
            "company": firm,
            "busino": shows_number.then(|| ascii(workplace.business_number())),
            "title": title,
            "content": text,
            "payType": ascii(ad.notice.wage_kind),
            "minPay": ad.notice.min_won,
            "maxPay": ad.notice.max_won,
            "region": format!("{} {}", place.sido_name, place.name),
            "employType": match ad.notice.kind {
                Kind::Regular => "정규직",
                Kind::FixedTerm => "계약직",
                Kind::PartTime => "시간제",
            },
            "postedDt": dashed(posted),
            "closeDt": dashed(ad.closes.max(posted)),
        })
        .to_string()
    }

    /// Perhaps somebody reads the ad and decides.
    fn review(&mut self, ad: &Ad<'_>, number: &[u8; 13], posted: Day) {
        if !self.random.chance(REVIEWED) {
            return;
        }
        let reviewed = posted + self.random.between(2, 20);
        let is_wrong = self.random.chance(REVIEWED_WRONGLY);
        let is_inadequate = (ad.is_vague || !ad.defect.is_empty()) != is_wrong;
        let item = json!({
            "adSource": "portal",
            "adNo": ascii(number),
            "decisionCd": if is_inadequate { "inadequate" } else { "adequate" },
            "reviewDt": dashed(reviewed),
        });
        let month = month_of(reviewed);
        let row = self.out.row(self.scenario, Source::AdReview, month, false);
        if let Some(mut row) = row {
            row.bytes().extend_from_slice(item.to_string().as_bytes());
            row.finish(0);
        }
    }
}
