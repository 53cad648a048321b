//! Pages of a paged interface: several answers, one delivery.

use std::collections::{BTreeMap, BTreeSet};

use goyong_catalog::contract::{Contract, OnMissingPage, Pages};
use regex::Regex;

use crate::drift::Columns;
use crate::error::{Refusal, RefusalRule};
use crate::format::Envelope;

/// Most gaps named one by one.
const SHOWN: usize = 10;

/// What the name of a file says about its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageName {
    /// The name with `*` in the place of the number: the same for all pages of a capture.
    pub capture: String,
    /// The number.
    pub number: Option<u64>,
}

impl PageName {
    /// Reads a file name by the contract's pattern.
    pub fn of(pages: &Pages, file_name: &str) -> Self {
        let whole = || Self {
            capture: file_name.to_owned(),
            number: None,
        };
        let expression = pages.file.as_deref().and_then(|text| Regex::new(text).ok());
        let captures = expression.and_then(|expression| expression.captures(file_name));
        let Some(group) = captures.and_then(|captures| captures.get(1)) else {
            return whole();
        };
        match group.as_str().parse() {
            Ok(number) => Self {
                capture: format!(
                    "{}*{}",
                    &file_name[..group.start()],
                    &file_name[group.end()..]
                ),
                number: Some(number),
            },
            Err(_) => whole(),
        }
    }
}

/// Answers of one delivery, page by page.
pub(crate) struct PageTally<'c> {
    contract: &'c Contract,
    numbers: BTreeMap<u64, String>,
    records: u64,
    totals: BTreeSet<u64>,
    size: Option<u64>,
    pages: u64,
    notices: Vec<String>,
    /// Columns of all answers and where they differ from the contract's.
    pub columns: Columns,
}

impl<'c> PageTally<'c> {
    pub fn new(contract: &'c Contract) -> Self {
        Self {
            contract,
            numbers: BTreeMap::new(),
            records: 0,
            totals: BTreeSet::new(),
            size: None,
            pages: 0,
            notices: Vec::new(),
            columns: Columns::default(),
        }
    }

    /// Counts a page that came with an earlier delivery and is not loaded again.
    pub fn add_earlier(&mut self, name: &str, records: u64, delivery: &str) {
        let number = self
            .contract
            .pages
            .as_ref()
            .and_then(|pages| PageName::of(pages, name).number);
        if let Some(number) = number {
            self.numbers
                .entry(number)
                .or_insert_with(|| name.to_owned());
        }
        self.records += records;
        self.notices.push(format!(
            "`{name}` came before with delivery {delivery}; its {records} records were not loaded again"
        ));
    }

    /// Counts an answer. Two answers with one page number, or a name and an answer that disagree,
    /// are refused: which one is right cannot be known.
    pub fn add(&mut self, name: &str, envelope: Envelope, records: u64) -> Result<(), Refusal> {
        self.pages += 1;
        self.records += records;
        self.totals.extend(envelope.expected);
        self.size = self.size.max(envelope.page_size);
        for notice in envelope.notices {
            if !self.notices.contains(&notice) {
                self.notices.push(notice);
            }
        }
        self.columns.add(envelope.columns);
        let Some(pages) = &self.contract.pages else {
            return Ok(());
        };
        let by_name = PageName::of(pages, name).number;
        if let (Some(by_name), Some(stated)) = (by_name, envelope.page)
            && by_name != stated
        {
            return Err(Refusal::new(
                RefusalRule::Malformed,
                format!("`{name}` is named page {by_name} and says it is page {stated}"),
            ));
        }
        let number = by_name.or(envelope.page).unwrap_or(self.pages);
        if let Some(other) = self.numbers.insert(number, name.to_owned()) {
            return Err(Refusal::new(
                RefusalRule::Malformed,
                format!("`{other}` and `{name}` are both page {number}: remove one of them"),
            ));
        }
        Ok(())
    }

    /// Records the provider says there are, and the notices; a gap is refused where the contract
    /// says so.
    pub fn finish(mut self) -> Result<(Option<u64>, Vec<String>), Refusal> {
        let expected = self.totals.last().copied();
        if self.totals.len() > 1 {
            let totals: Vec<String> = self.totals.iter().map(u64::to_string).collect();
            self.notices.push(format!(
                "the pages state different totals, {}: the data changed while it was fetched",
                totals.join(" and ")
            ));
        }
        let gaps = self.gaps(expected);
        let is_short = expected.is_some_and(|expected| expected != self.records);
        if let Some(sentence) = sentence(&gaps, is_short, self.records, expected) {
            let refuses = self
                .contract
                .pages
                .as_ref()
                .is_some_and(|pages| pages.on_missing == OnMissingPage::Refuse);
            if refuses {
                return Err(Refusal::new(
                    RefusalRule::RowCount,
                    format!("{sentence}: fetch what is missing and deliver all pages together"),
                ));
            }
            self.notices.push(sentence);
        }
        Ok((expected, self.notices))
    }

    /// Pages that are not there, and how many there should be.
    fn gaps(&self, expected: Option<u64>) -> (Vec<u64>, u64) {
        if self.contract.pages.is_none() {
            return (Vec::new(), 0);
        }
        let last = self.numbers.keys().next_back().copied().unwrap_or(0);
        let by_total = match (expected, self.size) {
            (Some(expected), Some(size)) if size > 0 => expected.div_ceil(size),
            _ => 0,
        };
        let pages = last.max(by_total);
        let missing = (1..=pages)
            .filter(|number| !self.numbers.contains_key(number))
            // A provider's total may be anything; one more than is shown tells that there are more.
            .take(SHOWN + 1)
            .collect();
        (missing, pages)
    }
}

fn sentence(
    (missing, pages): &(Vec<u64>, u64),
    is_short: bool,
    records: u64,
    expected: Option<u64>,
) -> Option<String> {
    let counts = expected.map(|expected| format!("{records} of {expected} delivered"));
    if missing.is_empty() {
        return if is_short { counts } else { None };
    }
    let mut shown: Vec<String> = missing.iter().take(SHOWN).map(u64::to_string).collect();
    if missing.len() > SHOWN {
        shown.push("…".to_owned());
    }
    let (noun, verb) = match missing.len() {
        1 => ("page", "is"),
        _ => ("pages", "are"),
    };
    let gap = format!("{noun} {} of {pages} {verb} missing", shown.join(", "));
    Some(match counts {
        Some(counts) => format!("{gap}: {counts}"),
        None => gap,
    })
}

#[cfg(test)]
mod tests;
