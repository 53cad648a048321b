//! What public interfaces answer about the block: vacancies, training courses, firms.
//!
//! Everything here is told of people and firms whose fate is already played and draws from a
//! stream of its own, so no other delivery depends on it.

mod courses;
mod firms;
mod tax_office;
mod vacancies;

use crate::calendar::{Day, first_of};
use crate::deliver::{Source, last_of_three};
use crate::identity::put;
use crate::reference::Place;
use crate::world::Block;
use crate::world::registers::road;
use crate::world::services::ServiceLog;
use crate::world::workplace::Workplace;

impl Block<'_> {
    /// Writes the answers of all interfaces.
    pub(super) fn answer_interfaces(&mut self, log: &ServiceLog) {
        self.list_courses(&log.courses);
        self.answer_tax_office(&log.businesses);
        self.list_open_recruitment();
        self.list_small_giants();
        self.list_vacancies(&log.offers);
    }

    /// Adds a record to the delivery of a delivered month.
    fn tell(&mut self, source: Source, month: i32, record: &str, control: i64) {
        if let Some(mut row) = self.out.row(self.scenario, source, month, false) {
            row.bytes().extend_from_slice(record.as_bytes());
            row.finish(control);
        }
    }

    /// The months whose deliveries close a capture of three months.
    fn captures_of_three(&self) -> impl Iterator<Item = i32> + use<> {
        let start = self.scenario.start_month;
        let last: Vec<i32> = (0..self.scenario.months.div_ceil(3) as i32)
            .map(|index| start + last_of_three(self.scenario, index))
            .collect();
        last.into_iter()
    }

    fn place_of(&self, workplace: &Workplace) -> &Place {
        &self.scenario.reference.places[self.places[workplace.place as usize] as usize]
    }

    fn address_of(&self, workplace: &Workplace) -> Address {
        let place = self.place_of(workplace);
        let mut number = [0; 10];
        number.copy_from_slice(workplace.business_number());
        let house = 1 + usize::from(number[8] - b'0') * 10 + usize::from(number[7] - b'0');
        let mut post = [b'0'; 5];
        post[..2].copy_from_slice(&place.code.as_bytes()[..2]);
        put(&mut post[2..], house as u64);
        Address {
            post: String::from_utf8_lossy(&post).into_owned(),
            street: format!(
                "{} {} {} {house}",
                place.sido_full_name,
                place.name,
                road(&number, false)
            ),
        }
    }
}

/// Where a workplace lies.
struct Address {
    post: String,
    street: String,
}

/// The last day of a month counted from year 0.
fn end_of(month: i32) -> Day {
    first_of(month + 1) - 1
}

/// Appends an XML element.
fn element(record: &mut String, name: &str, value: &str) {
    record.push('<');
    record.push_str(name);
    record.push('>');
    for character in value.chars() {
        match character {
            '&' => record.push_str("&amp;"),
            '<' => record.push_str("&lt;"),
            other => record.push(other),
        }
    }
    record.push_str("</");
    record.push_str(name);
    record.push('>');
}

/// A firm's name as text.
fn firm_name(workplace: &Workplace) -> String {
    encoding_rs::EUC_KR.decode(&workplace.name).0.into_owned()
}

/// A number with commas between thousands.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 4);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(980), "980");
        assert_eq!(grouped(10_030), "10,030");
        assert_eq!(grouped(41_000_000), "41,000,000");
    }

    #[test]
    fn marks_of_xml_are_escaped() {
        let mut record = String::new();
        element(&mut record, "title", "a & b <c>");
        assert_eq!(record, "<title>a &amp; b &lt;c></title>");
    }
}
