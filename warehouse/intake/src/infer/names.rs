//! Names for columns: those that known contracts use for the same header, common words, or a number.

use std::collections::{BTreeMap, BTreeSet};

use goyong_catalog::contract::Contract;

/// Words of headers, longest first where one holds another, and the names used here.
const WORDS: [(&str, &str); 30] = [
    ("외국인등록번호", "person_key"),
    ("주민등록번호", "person_key"),
    ("사업자등록번호", "biz_no"),
    ("사업장관리번호", "workplace_no"),
    ("법인등록번호", "corporation_no"),
    ("휴대전화", "phone"),
    ("전화번호", "phone"),
    ("연락처", "phone"),
    ("이메일", "email"),
    ("생년월일", "birth_date"),
    ("사업장명", "workplace_name"),
    ("기업명", "firm_name"),
    ("회사명", "firm_name"),
    ("상호", "firm_name"),
    ("성명", "name"),
    ("이름", "name"),
    ("성별", "sex"),
    ("주소", "address"),
    ("취득일", "acquired_on"),
    ("상실일", "lost_on"),
    ("신고일", "reported_on"),
    ("기준년월", "month"),
    ("시군구", "sigungu"),
    ("시도", "sido"),
    ("연도", "year"),
    ("금액", "amount_won"),
    ("급여", "pay_won"),
    ("인원", "persons"),
    ("번호", "number"),
    ("일자", "day"),
];

/// Gives each column of a file a name of its own.
pub(super) struct Names<'c> {
    known: BTreeMap<&'c str, (&'c str, &'c str)>,
    used: BTreeSet<String>,
}

impl<'c> Names<'c> {
    pub fn new(contracts: &'c BTreeMap<String, Contract>) -> Self {
        let mut known = BTreeMap::new();
        for contract in contracts.values() {
            for column in &contract.columns {
                for from in &column.from {
                    known
                        .entry(from.as_str())
                        .or_insert((column.name.as_str(), contract.source.as_str()));
                }
            }
        }
        Self {
            known,
            used: BTreeSet::new(),
        }
    }

    /// A name and, where a contract lends it, that contract.
    pub fn name(&mut self, header: &str, position: usize) -> (String, Option<&'c str>) {
        let (wish, lender) = match self.known.get(header) {
            Some((name, source)) => ((*name).to_owned(), Some(*source)),
            None => (
                ascii_name(header)
                    .or_else(|| {
                        WORDS
                            .iter()
                            .find(|(word, _)| header.contains(word))
                            .map(|(_, name)| (*name).to_owned())
                    })
                    .unwrap_or_else(|| format!("column_{}", position + 1)),
                None,
            ),
        };
        let mut name = wish.clone();
        let mut number = 2;
        while !self.used.insert(name.clone()) {
            name = format!("{wish}_{number}");
            number += 1;
        }
        (name, lender)
    }
}

/// Lower-case letters, digits and underscores, when the text is ASCII and starts with a letter.
pub(super) fn ascii_name(text: &str) -> Option<String> {
    if !text.is_ascii() {
        return None;
    }
    let mut name = String::new();
    let mut before_is_small = false;
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            if letter.is_ascii_uppercase() && before_is_small {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
            before_is_small = letter.is_ascii_lowercase();
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
            before_is_small = false;
        }
    }
    let name = name.trim_end_matches('_').to_owned();
    name.starts_with(|first: char| first.is_ascii_lowercase())
        .then_some(name)
}
