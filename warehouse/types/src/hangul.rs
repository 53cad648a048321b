//! One spelling for Korean texts that look the same.

/// Leading consonants of composed syllables, as compatibility letters.
const INITIALS: [char; 19] = [
    'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ',
    'ㅌ', 'ㅍ', 'ㅎ',
];
/// Final consonants, as compatibility letters.
const FINALS: [char; 27] = [
    'ㄱ', 'ㄲ', 'ㄳ', 'ㄴ', 'ㄵ', 'ㄶ', 'ㄷ', 'ㄹ', 'ㄺ', 'ㄻ', 'ㄼ', 'ㄽ', 'ㄾ', 'ㄿ', 'ㅀ', 'ㅁ',
    'ㅂ', 'ㅄ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ', 'ㅎ',
];
const FIRST_SYLLABLE: u32 = 0xac00;
const FIRST_VOWEL: char = 'ㅏ';
const VOWELS: u32 = 21;

/// One spelling: syllables composed (Unicode NFC, and letters typed one by one), full-width letters,
/// digits and signs in half width, half-width Hangul in full, enclosed company signs and digits
/// written out, single blanks without any around, characters nobody sees left out.
pub fn normalise_hangul(text: &str) -> String {
    let is_settled = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if is_settled {
        return text.to_owned();
    }
    let mut letters = Vec::with_capacity(text.len());
    for character in text.chars() {
        widen_hangul(character, &mut letters);
    }
    let mut settled = String::with_capacity(text.len());
    let mut rest = letters.as_slice();
    while let Some((&first, others)) = rest.split_first() {
        let (next, used) = compose_hangul(rest).unwrap_or((first, 1));
        rest = if used == 1 { others } else { &rest[used..] };
        if next == ' ' && (settled.is_empty() || settled.ends_with(' ')) {
            continue;
        }
        settled.push(next);
    }
    settled.truncate(settled.trim_end().len());
    settled
}

/// Settles the width of a character, adding what it stands for to `letters`: nothing when it is invisible, a blank for
/// any white space.
pub fn widen_hangul(character: char, letters: &mut Vec<char>) {
    match character {
        '㈜' | '㈱' => letters.extend(['(', '주', ')']),
        '㈔' => letters.extend(['(', '사', ')']),
        '㈲' => letters.extend(['(', '유', ')']),
        '㈶' => letters.extend(['(', '재', ')']),
        '①'..='⑨' => letters.extend(char::from_digit(character as u32 - '①' as u32 + 1, 10)),
        '\u{ff01}'..='\u{ff5e}' => {
            letters.extend(char::from_u32(character as u32 - 0xff01 + 0x21));
        }
        '\u{ffa0}'..='\u{ffdc}' => letters.extend(half_width_letter(character)),
        '\u{00ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2060}'
        | '\u{feff}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{3164}' => {}
        space if space.is_whitespace() => letters.push(' '),
        control if control.is_control() => {}
        other => letters.push(other),
    }
}

/// Half-width letters stand in the order of the full-width ones, with holes between groups of vowels.
fn half_width_letter(character: char) -> Option<char> {
    let code = character as u32;
    match code {
        0xffa1..=0xffbe => char::from_u32(code - 0xffa1 + 0x3131),
        0xffc2..=0xffc7 => char::from_u32(code - 0xffc2 + 0x314f),
        0xffca..=0xffcf => char::from_u32(code - 0xffca + 0x3155),
        0xffd2..=0xffd7 => char::from_u32(code - 0xffd2 + 0x315b),
        0xffda..=0xffdc => char::from_u32(code - 0xffda + 0x3161),
        _ => None,
    }
}

/// The syllable that the letters at the beginning make together, and how many of them it takes; nothing when they make
/// none.
pub fn compose_hangul(letters: &[char]) -> Option<(char, usize)> {
    let first = *letters.first()?;
    if let Some(syllable) = (first as u32)
        .checked_sub(FIRST_SYLLABLE)
        .filter(|syllable| *syllable < 11_172 && syllable % 28 == 0)
    {
        // A composed syllable without a final consonant, followed by one of the joining kind.
        let last = joining_final(*letters.get(1)?)?;
        return Some((char::from_u32(FIRST_SYLLABLE + syllable + last)?, 2));
    }
    let initial = initial(first)?;
    let vowel = vowel(*letters.get(1)?)?;
    let mut syllable = (initial * VOWELS + vowel) * 28;
    let mut used = 2;
    if let Some(&third) = letters.get(2) {
        let followed_by_vowel = letters.get(3).is_some_and(|next| vowel_of(*next).is_some());
        let last = joining_final(third).or_else(|| {
            // A consonant before a vowel begins the next syllable.
            (!followed_by_vowel).then(|| letter_final(third)).flatten()
        });
        if let Some(last) = last {
            syllable += last;
            used = 3;
        }
    }
    Some((char::from_u32(FIRST_SYLLABLE + syllable)?, used))
}

fn initial(letter: char) -> Option<u32> {
    match letter {
        '\u{1100}'..='\u{1112}' => Some(letter as u32 - 0x1100),
        _ => INITIALS
            .iter()
            .position(|initial| *initial == letter)
            .map(|position| position as u32),
    }
}

fn vowel(letter: char) -> Option<u32> {
    match letter {
        '\u{1161}'..='\u{1175}' => Some(letter as u32 - 0x1161),
        _ => vowel_of(letter),
    }
}

fn vowel_of(letter: char) -> Option<u32> {
    (letter as u32)
        .checked_sub(FIRST_VOWEL as u32)
        .filter(|vowel| *vowel < VOWELS)
}

fn joining_final(letter: char) -> Option<u32> {
    ('\u{11a8}'..='\u{11c2}')
        .contains(&letter)
        .then(|| letter as u32 - 0x11a7)
}

fn letter_final(letter: char) -> Option<u32> {
    FINALS
        .iter()
        .position(|last| *last == letter)
        .map(|position| position as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_look_the_same_become_one() {
        for (text, expected) in [
            ("가온물산", "가온물산"),
            ("\u{1100}\u{1161}\u{110b}\u{1169}\u{11ab}", "가온"),
            ("가\u{11ab}", "간"),
            ("ㄱㅏㅇㅗㄴ", "가온"),
            ("ㄱㅏㅂㅅ", "갑ㅅ"),
            ("ㅋㅋ", "ㅋㅋ"),
            ("\u{ffa1}\u{ffc2}", "가"),
            ("（주）　가온ＡＢＣ　１２", "(주) 가온ABC 12"),
            ("㈜ 가온", "(주) 가온"),
            ("  가온 \t 물산 ", "가온 물산"),
            ("010\u{200b}-1①", "010-11"),
            ("가\u{ad}온", "가온"),
            ("", ""),
            ("plain", "plain"),
            (" a ", "a"),
        ] {
            assert_eq!(normalise_hangul(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_settled_text_stays_as_it_is() {
        for text in ["(주) 가온 물산", "각각 값 닭", "A-1", "한글 ㅋㅋ ABC"] {
            assert_eq!(normalise_hangul(text), text);
            assert_eq!(normalise_hangul(&normalise_hangul(text)), text);
        }
    }

    #[test]
    fn every_syllable_is_composed_from_its_letters() {
        for code in FIRST_SYLLABLE..FIRST_SYLLABLE + 11_172 {
            let syllable = code - FIRST_SYLLABLE;
            let mut letters = String::new();
            letters.extend(char::from_u32(0x1100 + syllable / 588));
            letters.extend(char::from_u32(0x1161 + syllable % 588 / 28));
            if !syllable.is_multiple_of(28) {
                letters.extend(char::from_u32(0x11a7 + syllable % 28));
            }
            let composed: String = char::from_u32(code).into_iter().collect();
            assert_eq!(normalise_hangul(&letters), composed);
        }
    }
}
