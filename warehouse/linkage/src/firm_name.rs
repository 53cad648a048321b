//! Names of Korean firms: legal form and branch split off, one spelling for what is left.
//!
//! Registers write `주식회사 가온`, `(주)가온`, `㈜가온`, `가온(주)`, `주)가온`, `(주))가온` for one firm,
//! add `대구공장` or `강남지점` for a part of it, and spell `SK` or `에스케이`.

use crate::hangul::{half_width, spell_latin};

/// A firm's name in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmName {
    /// What distinguishes the firm: no legal form, no branch, no blanks or punctuation, Latin
    /// letters spelled in Hangul. Never empty unless the name is.
    pub core: String,
    /// The first legal form of [`LegalForm`]'s order that the name holds.
    pub legal_form: Option<LegalForm>,
    /// The part of the firm: `대구공장`, `강남지점`, `본점`.
    pub branch: Option<String>,
    /// What stood in brackets and is neither: `기간제`, another spelling.
    pub note: Option<String>,
}

/// Legal forms; the more specific ones first, because a name may hold two
/// (농업회사법인 주식회사 …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LegalForm {
    /// 농업회사법인, 어업회사법인.
    AgriculturalCompany,
    /// 영농조합법인, 영어조합법인.
    FarmingAssociation,
    /// 사회적협동조합.
    SocialCooperative,
    /// 협동조합.
    Cooperative,
    /// 사회복지법인.
    SocialWelfareFoundation,
    /// 의료법인.
    MedicalFoundation,
    /// 학교법인.
    SchoolFoundation,
    /// 법무법인, 세무법인, 회계법인, 노무법인, 특허법인.
    ProfessionalCorporation,
    /// 재단법인.
    Foundation,
    /// 사단법인.
    Association,
    /// 유한책임회사.
    LimitedLiabilityCompany,
    /// 합자회사.
    LimitedPartnership,
    /// 합명회사.
    GeneralPartnership,
    /// 유한회사.
    LimitedCompany,
    /// 주식회사.
    StockCompany,
}

use LegalForm::{
    AgriculturalCompany, Association, Cooperative, FarmingAssociation, Foundation,
    GeneralPartnership, LimitedCompany, LimitedLiabilityCompany, LimitedPartnership,
    MedicalFoundation, ProfessionalCorporation, SchoolFoundation, SocialCooperative,
    SocialWelfareFoundation, StockCompany,
};

/// Forms written out, wherever they stand; longer ones before those they contain.
const WRITTEN_OUT: &[(&str, LegalForm)] = &[
    ("농업회사법인", AgriculturalCompany),
    ("어업회사법인", AgriculturalCompany),
    ("영농조합법인", FarmingAssociation),
    ("영어조합법인", FarmingAssociation),
    ("사회적협동조합", SocialCooperative),
    ("협동조합", Cooperative),
    ("사회복지법인", SocialWelfareFoundation),
    ("의료법인", MedicalFoundation),
    ("학교법인", SchoolFoundation),
    ("법무법인", ProfessionalCorporation),
    ("세무법인", ProfessionalCorporation),
    ("회계법인", ProfessionalCorporation),
    ("노무법인", ProfessionalCorporation),
    ("특허법인", ProfessionalCorporation),
    ("재단법인", Foundation),
    ("사단법인", Association),
    ("유한책임회사", LimitedLiabilityCompany),
    ("합자회사", LimitedPartnership),
    ("합명회사", GeneralPartnership),
    ("유한회사", LimitedCompany),
    ("주식회사", StockCompany),
];

/// Forms in brackets.
const IN_BRACKETS: &[(&str, LegalForm)] = &[
    ("주", StockCompany),
    ("유", LimitedCompany),
    ("유한", LimitedCompany),
    ("합자", LimitedPartnership),
    ("합명", GeneralPartnership),
    ("합", LimitedPartnership),
    ("재", Foundation),
    ("사", Association),
    ("사복", SocialWelfareFoundation),
    ("복", SocialWelfareFoundation),
    ("의", MedicalFoundation),
    ("학", SchoolFoundation),
];

/// What a part of a firm is called.
const BRANCH_KINDS: &[&str] = &[
    "사업본부",
    "사업장",
    "사업소",
    "영업소",
    "영업점",
    "출장소",
    "물류센터",
    "연구소",
    "대리점",
    "직영점",
    "지역본부",
    "본점",
    "본사",
    "지점",
    "지사",
    "지부",
    "분점",
    "분원",
    "분교",
    "공장",
    "현장",
    "호점",
];

/// Kinds that say nothing without the word before them.
const BARE: &[&str] = &["본점", "본사"];

/// Places that stand before a kind without a blank (…수원공장).
const PLACES: &[&str] = &[
    "서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "경기", "강원", "충북", "충남",
    "전북", "전남", "경북", "경남", "제주", "수원", "성남", "용인", "화성", "평택", "안산", "안양",
    "부천", "고양", "파주", "김포", "시흥", "이천", "안성", "천안", "아산", "청주", "충주", "당진",
    "서산", "전주", "익산", "군산", "여수", "순천", "광양", "목포", "포항", "구미", "경주", "경산",
    "김천", "창원", "김해", "양산", "진주", "거제", "춘천", "원주", "강릉", "강남", "판교", "마산",
];

impl FirmName {
    /// Splits a name as it stands in a register.
    pub fn parse(name: &str) -> Self {
        let narrow = half_width(name);
        let mut forms = Vec::new();
        let text = take_written_out(&narrow, &mut forms);
        let text = take_bracketed(&text, &mut forms);
        let (text, note) = take_note(&text);
        let mut words: Vec<String> = text
            .split(|c: char| c.is_whitespace() || matches!(c, '-' | '/' | '·' | '_'))
            .map(|word| word.chars().filter(|c| is_kept(*c)).collect::<String>())
            .filter(|word| !word.is_empty())
            .collect();
        let branch = take_branch(&mut words);
        let mut core: String = words.iter().map(|word| spell_latin(word)).collect();
        if core.is_empty() {
            let whole: String = narrow.chars().filter(|c| is_kept(*c)).collect();
            core = spell_latin(&whole);
        }
        Self {
            core,
            legal_form: forms.into_iter().min(),
            branch,
            note,
        }
    }
}

fn is_kept(character: char) -> bool {
    character.is_alphanumeric() || character == '&'
}

/// A form taken out leaves a blank: 대한(주)대구공장 is two words.
fn take_written_out(text: &str, forms: &mut Vec<LegalForm>) -> String {
    let mut text = text.to_owned();
    for (word, form) in WRITTEN_OUT {
        if text.contains(word) {
            forms.push(*form);
            text = text.replace(word, " ");
        }
    }
    text
}

fn take_bracketed(text: &str, forms: &mut Vec<LegalForm>) -> String {
    let mut text = text.to_owned();
    for (word, form) in IN_BRACKETS {
        for whole in [format!("({word})"), format!("( {word} )")] {
            if text.contains(&whole) {
                forms.push(*form);
                text = text.replace(&whole, " ");
            }
        }
    }
    // broken brackets: at either end, where nothing else explains the bracket
    for (word, form) in IN_BRACKETS {
        let trimmed = text.trim();
        let rest = [
            trimmed
                .strip_prefix(&format!("{word})"))
                .filter(|_| unbalanced(trimmed)),
            trimmed
                .strip_suffix(&format!("({word}"))
                .filter(|_| unbalanced(trimmed)),
            trimmed
                .strip_suffix(&format!("{word})"))
                .filter(|_| unbalanced(trimmed) && word.chars().count() == 1),
            trimmed
                .strip_prefix(&format!("({word}"))
                .filter(|rest| !rest.contains(')') && *word == "주"),
        ];
        let rest = rest.into_iter().flatten().next().map(str::to_owned);
        if let Some(rest) = rest {
            forms.push(*form);
            text = rest;
            break;
        }
    }
    text
}

fn unbalanced(text: &str) -> bool {
    text.matches('(').count() != text.matches(')').count()
}

/// Takes out what stands in brackets; a bracket without its partner is dropped.
fn take_note(text: &str) -> (String, Option<String>) {
    let mut outside = String::with_capacity(text.len());
    let mut note = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        let Some(close) = rest[open..].find(')') else {
            break;
        };
        outside.push_str(&rest[..open]);
        outside.push(' ');
        let inside = rest[open + 1..open + close].trim();
        if !inside.is_empty() && !note.is_empty() {
            note.push(' ');
        }
        note.push_str(inside);
        rest = &rest[open + close + 1..];
    }
    outside.push_str(rest);
    if outside.trim().is_empty() {
        return (note, None);
    }
    (outside, (!note.is_empty()).then_some(note))
}

/// Takes the words that name a part of the firm off the end; at least one word stays.
fn take_branch(words: &mut Vec<String>) -> Option<String> {
    let last = words.last()?;
    let kind = BRANCH_KINDS.iter().find(|kind| last.ends_with(*kind))?;
    let before = last.strip_suffix(kind)?;
    if before.is_empty() && !BARE.contains(kind) && words.len() >= 3 {
        // 신한은행 강남 지점
        let kind = words.pop()?;
        return words.pop().map(|place| place + &kind);
    }
    if words.len() >= 2 {
        return words.pop();
    }
    // one word: only what surely begins a part is cut
    let cut = if BARE.contains(kind) {
        before.len()
    } else {
        let digits = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let ordinal = digits.strip_suffix('제').unwrap_or(digits);
        match PLACES.iter().find(|place| ordinal.ends_with(*place)) {
            Some(place) => ordinal.len() - place.len(),
            None if digits.len() < before.len() => ordinal.len(),
            None => return None,
        }
    };
    if cut == 0 {
        return None;
    }
    let word = words.last_mut()?;
    let branch = word.split_off(cut);
    Some(branch)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
