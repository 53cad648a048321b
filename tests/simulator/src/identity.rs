//! Numbers and names of people and firms that do not exist.

use goyong_types::{BusinessNumber, ResidentNumber};

use crate::calendar::{Day, civil, day};
use crate::random::{Random, splitmix};

/// Blocks of one country; keeps every resident number unique.
pub(crate) const MAX_BLOCKS: u64 = 6_250;

/// People of one block with the same birthday, sex and nationality that can be told apart.
pub(crate) const SAME_BIRTHDAY: u32 = 16;

/// Numbers assigned since then have no check digit (주민등록법 시행규칙 제2조).
pub(crate) fn first_number_without_check() -> Day {
    day(2020, 10, 5)
}

/// A resident number. `ordinal` tells apart people of one block who share birth date, sex and
/// nationality; different (block, ordinal) never give the same number.
pub(crate) fn resident_number(
    seed: u64,
    block: u32,
    ordinal: u32,
    birth: Day,
    male: bool,
    foreigner: bool,
    with_check_digit: bool,
) -> [u8; 13] {
    let (year, month, day_of_month) = civil(birth);
    let mut digits = [b'0'; 13];
    put(
        &mut digits[..6],
        (year % 100) as u64 * 10_000 + u64::from(month) * 100 + u64::from(day_of_month),
    );
    let century = if year >= 2000 { 3 } else { 1 } + if foreigner { 4 } else { 0 };
    digits[6] = b'0' + century + u8::from(!male);
    let slot = u64::from(block) * u64::from(SAME_BIRTHDAY) + u64::from(ordinal);
    let shift = splitmix(seed ^ splitmix(birth as u64)) % 100_000;
    // 54321 shares no factor with 100000, so the map is one to one.
    put(&mut digits[7..12], (slot * 54_321 + shift) % 100_000);
    let mut twelve = [0; 12];
    twelve.copy_from_slice(&digits[..12]);
    let check = ResidentNumber::check_digit(&twelve);
    digits[12] = if with_check_digit {
        check
    } else {
        // Nine of ten numbers without a check digit do not end in it.
        b'0' + ((u64::from(check - b'0') + 1 + splitmix(slot ^ shift) % 10) % 10) as u8
    };
    digits
}

/// A business number with its check digit; different `ordinal` below 700 million give different
/// numbers.
pub(crate) fn business_number(seed: u64, ordinal: u64) -> [u8; 10] {
    const SPACE: u64 = 700_000_000;
    let mixed = (ordinal * 387_420_489 + splitmix(seed) % SPACE) % SPACE;
    let mut nine = [b'0'; 9];
    put(&mut nine, 200_000_000 + mixed);
    let mut digits = [b'0'; 10];
    digits[..9].copy_from_slice(&nine);
    digits[9] = BusinessNumber::check_digit(&nine);
    digits
}

/// Writes a number right-aligned with leading zeros.
pub(crate) fn put(digits: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

const SURNAMES: [(&str, f64); 16] = [
    ("김", 21.5),
    ("이", 14.7),
    ("박", 8.4),
    ("최", 4.7),
    ("정", 4.3),
    ("강", 2.4),
    ("조", 2.1),
    ("윤", 2.1),
    ("장", 2.0),
    ("임", 1.7),
    ("한", 1.5),
    ("오", 1.5),
    ("서", 1.5),
    ("신", 1.5),
    ("권", 1.4),
    ("황", 1.4),
];
const FIRST: [&str; 12] = [
    "가", "나", "다", "라", "마", "보", "새", "여", "온", "초", "하", "해",
];
const SECOND: [&str; 10] = ["람", "래", "루", "름", "솔", "울", "미", "별", "늘", "담"];
const THIRD: [&str; 10] = ["결", "꽃", "내", "들", "봄", "빛", "샘", "숲", "찬", "터"];

/// An invented personal name: a surname and three syllables. Korean given names have one or two
/// syllables, so no name of the simulated country is the name of a known person.
pub(crate) fn person_name(random: &mut Random) -> String {
    let weights: Vec<f64> = SURNAMES.iter().map(|(_, weight)| *weight).collect();
    let surname = SURNAMES[random.weighted(&weights)].0;
    let mut name = String::with_capacity(12);
    name.push_str(surname);
    name.push_str(FIRST[random.below(FIRST.len())]);
    name.push_str(SECOND[random.below(SECOND.len())]);
    name.push_str(THIRD[random.below(THIRD.len())]);
    name
}

/// A mobile number outside the assigned ranges: the block after 010 never starts with 0.
pub(crate) fn phone(seed: u64, block: u32, person: u32) -> [u8; 13] {
    let mixed = splitmix(seed ^ (u64::from(block) << 32) ^ u64::from(person)) % 10_000_000;
    let mut text = *b"010-0000-0000";
    put(&mut text[5..8], mixed / 10_000);
    put(&mut text[9..13], mixed % 10_000);
    text
}

const FIRM_FIRST: [&str; 14] = [
    "가람",
    "나래",
    "다온",
    "두레",
    "마루",
    "미르",
    "보람",
    "새솔",
    "아라",
    "여울",
    "온누리",
    "푸른",
    "한빛",
    "해오름",
];
const FIRM_SECOND: [&str; 12] = [
    "정밀",
    "물산",
    "상사",
    "건설",
    "유통",
    "식품",
    "테크",
    "산업",
    "시스템",
    "기업",
    "개발",
    "서비스",
];

/// An invented firm name without legal form, some with spelt-out Latin letters.
pub(crate) fn invented_firm(random: &mut Random) -> String {
    const LETTERS: [&str; 6] = ["", "", "", "엠비", "엘케이", "디에스"];
    let letters = LETTERS[random.below(LETTERS.len())];
    let first = FIRM_FIRST[random.below(FIRM_FIRST.len())];
    let second = FIRM_SECOND[random.below(FIRM_SECOND.len())];
    format!("모의{letters}{first}{second}{}", random.below(900) + 100)
}

/// An invented firm name as it stands in insurance extracts, with the odd spellings they have.
pub(crate) fn firm_name(random: &mut Random) -> String {
    let first = FIRM_FIRST[random.below(FIRM_FIRST.len())];
    let second = FIRM_SECOND[random.below(FIRM_SECOND.len())];
    let number = random.below(900) + 100;
    match random.below(40) {
        0 => format!("(주))모의{first}{second}{number}"),
        1 => format!("주)모의{first}{second}{number}"),
        2 => format!("모의{first} {second} {number}(주)"),
        3..=14 => format!("모의{first}{second}{number}"),
        15..=17 => format!("주식회사 모의{first}{second}{number}"),
        _ => format!("(주)모의{first}{second}{number}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn resident_numbers_are_valid_and_distinct() {
        let birth = day(1985, 7, 9);
        let mut seen = std::collections::BTreeSet::new();
        for block in 0..50 {
            for ordinal in 0..SAME_BIRTHDAY {
                let digits = resident_number(1, block, ordinal, birth, true, false, true);
                let parsed = ResidentNumber::parse(&digits).unwrap_or_else(|_| unreachable!());
                assert!(parsed.check_digit_is_right());
                assert!(seen.insert(digits));
            }
        }
        let foreign = resident_number(1, 3, 0, day(2003, 1, 31), false, true, true);
        let parsed = ResidentNumber::parse(&foreign).unwrap_or_else(|_| unreachable!());
        assert!(parsed.is_foreigner() && parsed.check_digit_is_right());
        assert_eq!(foreign[6], b'8');
    }

    #[test]
    fn business_numbers_are_valid_and_distinct() {
        let mut seen = std::collections::BTreeSet::new();
        for ordinal in 0..20_000 {
            let digits = business_number(5, ordinal);
            assert!(
                BusinessNumber::parse(&digits)
                    .unwrap()
                    .check_digit_is_right()
            );
            assert!(seen.insert(digits));
        }
    }

    #[test]
    fn names_have_a_surname_and_three_syllables_and_exist_in_cp949() {
        let mut random = Random::new(1, 1);
        for _ in 0..2_000 {
            let name = person_name(&mut random);
            assert_eq!(name.chars().count(), 4, "{name}");
            let encoded = crate::reference::cp949(&name);
            assert_eq!(encoded.len(), 8);
        }
        assert_eq!(&phone(1, 2, 3)[..5], b"010-0");
    }
}
