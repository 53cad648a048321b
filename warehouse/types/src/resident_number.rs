use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Sex as the resident number records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Odd seventh digit.
    Male,
    /// Even seventh digit.
    Female,
}

impl Sex {
    /// The code stored in tables, `m` or `f`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Male => "m",
            Self::Female => "f",
        }
    }
}

/// A resident registration number (주민등록번호) or foreigner registration number, 13 digits.
///
/// It is deliberately neither `Debug` nor `Display`: the only ways out are [`digits`](Self::digits)
/// for the vault and the attributes it encodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResidentNumber {
    digits: [u8; 13],
    birth_date: NaiveDate,
}

/// Whether a text holds what may be a resident number: thirteen digits in a row, blanks, hyphens and points not counted.
pub fn holds_resident_number(text: &str) -> bool {
    let mut digits = 0;
    for character in text.chars() {
        match character {
            _ if character.is_numeric() => digits += 1,
            ' ' | '-' | '.' => {}
            _ => digits = 0,
        }
        if digits >= 13 {
            return true;
        }
    }
    false
}

/// Why 13 characters are no resident number. Never carries the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResidentNumberError {
    /// Not 13 digits, with or without a hyphen after the sixth.
    #[error("a resident number has 13 digits")]
    Shape,
    /// The first six digits and the century code are no calendar day.
    #[error("the birth date in the resident number does not exist")]
    BirthDate,
}

impl ResidentNumber {
    /// Reads `YYMMDDGNNNNNN` or `YYMMDD-GNNNNNN`, surrounding spaces allowed.
    ///
    /// A wrong check digit is not an error: numbers assigned since October 2020 have none
    /// (주민등록법 시행규칙 제2조); ask [`check_digit_is_right`](Self::check_digit_is_right).
    pub fn parse(text: &[u8]) -> Result<Self, ResidentNumberError> {
        let text = text.trim_ascii();
        let mut digits = [0u8; 13];
        match text.len() {
            13 => digits.copy_from_slice(text),
            14 if text[6] == b'-' => {
                digits[..6].copy_from_slice(&text[..6]);
                digits[6..].copy_from_slice(&text[7..]);
            }
            _ => return Err(ResidentNumberError::Shape),
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(ResidentNumberError::Shape);
        }
        let pair = |at: usize| u32::from(digits[at] - b'0') * 10 + u32::from(digits[at + 1] - b'0');
        let century = match digits[6] {
            b'1' | b'2' | b'5' | b'6' => 1900,
            b'3' | b'4' | b'7' | b'8' => 2000,
            _ => 1800,
        };
        let birth_date = NaiveDate::from_ymd_opt(century + pair(0) as i32, pair(2), pair(4))
            .ok_or(ResidentNumberError::BirthDate)?;
        Ok(Self { digits, birth_date })
    }

    /// The 13 digits, for hashing and the vault only.
    pub fn digits(&self) -> &[u8; 13] {
        &self.digits
    }

    /// Day of birth.
    pub fn birth_date(&self) -> NaiveDate {
        self.birth_date
    }

    /// Sex by the seventh digit.
    pub fn sex(&self) -> Sex {
        if self.digits[6] % 2 == 1 {
            Sex::Male
        } else {
            Sex::Female
        }
    }

    /// Whether the number is a foreigner's (seventh digit 5 to 8).
    pub fn is_foreigner(&self) -> bool {
        (b'5'..=b'8').contains(&self.digits[6])
    }

    /// Whether the thirteenth digit is the check digit of the first twelve.
    pub fn check_digit_is_right(&self) -> bool {
        let mut first = [0u8; 12];
        first.copy_from_slice(&self.digits[..12]);
        Self::check_digit(&first) == self.digits[12]
    }

    /// Check digit of twelve ASCII digits: weights 2 3 4 5 6 7 8 9 2 3 4 5, then
    /// (11 − sum mod 11) mod 10, for foreigners (13 − sum mod 11) mod 10.
    pub fn check_digit(first_twelve: &[u8; 12]) -> u8 {
        const WEIGHTS: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];
        let sum: u32 = first_twelve
            .iter()
            .zip(WEIGHTS)
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        let base = if (b'5'..=b'8').contains(&first_twelve[6]) {
            13
        } else {
            11
        };
        b'0' + ((base - sum % 11) % 10) as u8
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn number(first_twelve: &[u8; 12]) -> Vec<u8> {
        let mut digits = first_twelve.to_vec();
        digits.push(ResidentNumber::check_digit(first_twelve));
        digits
    }

    #[test]
    fn century_sex_and_nationality_come_from_the_seventh_digit() {
        let cases: [(&[u8; 12], &str, Sex, bool); 10] = [
            (b"800229100001", "1980-02-29", Sex::Male, false),
            (b"051231400001", "2005-12-31", Sex::Female, false),
            (b"910101500001", "1991-01-01", Sex::Male, true),
            (b"010101800001", "2001-01-01", Sex::Female, true),
            (b"991231100001", "1999-12-31", Sex::Male, false),
            (b"000101300001", "2000-01-01", Sex::Male, false),
            (b"910101600001", "1991-01-01", Sex::Female, true),
            (b"010101700001", "2001-01-01", Sex::Male, true),
            (b"991231900001", "1899-12-31", Sex::Male, false),
            (b"000101000001", "1800-01-01", Sex::Female, false),
        ];
        for (twelve, birth, sex, foreigner) in cases {
            let parsed = ResidentNumber::parse(&number(twelve)).unwrap_or_else(|_| unreachable!());
            assert_eq!(parsed.birth_date().to_string(), birth);
            assert_eq!(parsed.sex(), sex);
            assert_eq!(parsed.is_foreigner(), foreigner);
            assert!(parsed.check_digit_is_right());
        }
    }

    #[test]
    fn hyphen_and_spaces_are_read() {
        let plain = number(b"800229100001");
        let mut hyphenated = b" ".to_vec();
        hyphenated.extend_from_slice(&plain[..6]);
        hyphenated.push(b'-');
        hyphenated.extend_from_slice(&plain[6..]);
        assert!(
            ResidentNumber::parse(&hyphenated).is_ok_and(|parsed| parsed.digits()[..] == plain)
        );
    }

    #[test]
    fn impossible_dates_and_shapes_are_refused() {
        assert!(
            ResidentNumber::parse(b"8102291000018")
                .is_err_and(|error| error == ResidentNumberError::BirthDate)
        );
        for text in [
            &b"80022910000"[..],
            b"80022x1000018",
            b"",
            b"800229+1000018",
        ] {
            assert!(
                ResidentNumber::parse(text).is_err_and(|error| error == ResidentNumberError::Shape)
            );
        }
    }

    #[test]
    fn wrong_check_digit_is_seen_and_not_refused() {
        let mut digits = number(b"800229100001");
        digits[12] = b'0' + (digits[12] - b'0' + 1) % 10;
        assert!(ResidentNumber::parse(&digits).is_ok_and(|parsed| !parsed.check_digit_is_right()));
    }
}
