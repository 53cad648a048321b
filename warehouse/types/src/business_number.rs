use serde::{Deserialize, Serialize};

/// A business registration number (사업자등록번호), ten ASCII digits without hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BusinessNumber([u8; 10]);

/// Text that is no business number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a business number has 10 digits")]
pub struct BusinessNumberError;

impl BusinessNumber {
    /// Reads `1234567890` or `123-45-67890`; a wrong check digit is not an error.
    pub fn parse(text: &[u8]) -> Result<Self, BusinessNumberError> {
        let text = text.trim_ascii();
        let mut digits = [0u8; 10];
        match text.len() {
            10 => digits.copy_from_slice(text),
            12 if text[3] == b'-' && text[6] == b'-' => {
                digits[..3].copy_from_slice(&text[..3]);
                digits[3..5].copy_from_slice(&text[4..6]);
                digits[5..].copy_from_slice(&text[7..]);
            }
            _ => return Err(BusinessNumberError),
        }
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(digits))
        } else {
            Err(BusinessNumberError)
        }
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether the tenth digit is the check digit of the first nine.
    pub fn check_digit_is_right(&self) -> bool {
        let mut first = [0u8; 9];
        first.copy_from_slice(&self.0[..9]);
        Self::check_digit(&first) == self.0[9]
    }

    /// Check digit of nine ASCII digits: weights 1 3 7 1 3 7 1 3 5, plus ⌊5·d9/10⌋, then
    /// (10 − sum mod 10) mod 10.
    pub fn check_digit(first_nine: &[u8; 9]) -> u8 {
        const WEIGHTS: [u32; 9] = [1, 3, 7, 1, 3, 7, 1, 3, 5];
        let sum: u32 = first_nine
            .iter()
            .zip(WEIGHTS)
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        let sum = sum + u32::from(first_nine[8] - b'0') * 5 / 10;
        b'0' + ((10 - sum % 10) % 10) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_numbers_have_right_check_digits() {
        // Numbers of corporations from the tax office's public status service.
        for digits in [&b"1248100998"[..], b"1018109147", b"120-81-47521"] {
            assert!(
                BusinessNumber::parse(digits).is_ok_and(|number| number.check_digit_is_right()),
                "{}",
                String::from_utf8_lossy(digits)
            );
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for text in [&b"120810"[..], b"12081a7521", b"", b"120/81/47521"] {
            assert_eq!(BusinessNumber::parse(text), Err(BusinessNumberError));
        }
    }
}
