//! Characters: widths, brackets, letters spelled in Hangul, syllables cut into jamo.

/// Full-width forms become half-width, enclosed company signs are written out, every kind of
/// bracket becomes a round one, and white space becomes single blanks.
pub fn half_width(text: &str) -> String {
    let mut narrow = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '㈜' | '㈱' => narrow.push_str("(주)"),
            '㈔' => narrow.push_str("(사)"),
            '㈲' => narrow.push_str("(유)"),
            '㈶' => narrow.push_str("(재)"),
            '[' | '{' | '<' | '〔' | '【' | '「' | '『' | '《' | '〈' | '［' | '｛' | '＜' =>
            {
                narrow.push('(');
            }
            ']' | '}' | '>' | '〕' | '】' | '」' | '』' | '》' | '〉' | '］' | '｝' | '＞' =>
            {
                narrow.push(')');
            }
            '\u{ff01}'..='\u{ff5e}' => {
                let code = character as u32 - 0xff01 + 0x21;
                narrow.extend(char::from_u32(code));
            }
            space if space.is_whitespace() => {
                if !narrow.is_empty() && !narrow.ends_with(' ') {
                    narrow.push(' ');
                }
            }
            other => narrow.push(other),
        }
    }
    narrow.truncate(narrow.trim_end().len());
    narrow
}

/// How the name of a Latin letter is written in Hangul.
fn letter_name(letter: char) -> Option<&'static str> {
    Some(match letter.to_ascii_uppercase() {
        'A' => "에이",
        'B' => "비",
        'C' => "시",
        'D' => "디",
        'E' => "이",
        'F' => "에프",
        'G' => "지",
        'H' => "에이치",
        'I' => "아이",
        'J' => "제이",
        'K' => "케이",
        'L' => "엘",
        'M' => "엠",
        'N' => "엔",
        'O' => "오",
        'P' => "피",
        'Q' => "큐",
        'R' => "알",
        'S' => "에스",
        'T' => "티",
        'U' => "유",
        'V' => "브이",
        'W' => "더블유",
        'X' => "엑스",
        'Y' => "와이",
        'Z' => "제트",
        _ => return None,
    })
}

/// English words of firm names that are read as words, not letter by letter.
const WORDS: &[(&str, &str)] = &[
    ("AND", "앤"),
    ("AUTO", "오토"),
    ("BIO", "바이오"),
    ("CARE", "케어"),
    ("CITY", "시티"),
    ("CO", ""),
    ("CORP", ""),
    ("ENERGY", "에너지"),
    ("FOOD", "푸드"),
    ("GLOBAL", "글로벌"),
    ("GROUP", "그룹"),
    ("HOME", "홈"),
    ("INC", ""),
    ("KOREA", "코리아"),
    ("LAB", "랩"),
    ("LIFE", "라이프"),
    ("LTD", ""),
    ("MALL", "몰"),
    ("MEDI", "메디"),
    ("NET", "넷"),
    ("ONE", "원"),
    ("PLUS", "플러스"),
    ("SOFT", "소프트"),
    ("SYSTEM", "시스템"),
    ("SYSTEMS", "시스템"),
    ("TECH", "테크"),
    ("THE", "더"),
    ("TOP", "탑"),
];

/// A run of Latin letters this long that is no known word is a name, not letters to be spelled.
const LONGEST_SPELLED: usize = 5;

/// Spells Latin letters in Hangul (SK → 에스케이, R&D → 알앤디), known words as words
/// (KOREA → 코리아), and settles variants of the letters' names (에이취 → 에이치, 씨 → 시).
/// The Latin side is turned, because 이, 지 or 오 in a Korean word are no letters.
pub fn spell_latin(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        if run == 0 {
            match first {
                '&' => spelled.push('앤'),
                other => spelled.push(other),
            }
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = rest[..run].to_ascii_uppercase();
        rest = &rest[run..];
        if let Some((_, name)) = WORDS.iter().find(|(latin, _)| *latin == word) {
            spelled.push_str(name);
        } else if word.len() <= LONGEST_SPELLED {
            spelled.extend(word.chars().filter_map(letter_name));
        } else {
            spelled.push_str(&word);
        }
    }
    for (variant, settled) in [
        ("에이취", "에이치"),
        ("더블류", "더블유"),
        ("더불유", "더블유"),
        ("씨", "시"),
        ("앤드", "앤"),
    ] {
        if spelled.contains(variant) {
            spelled = spelled.replace(variant, settled);
        }
    }
    spelled
}

const INITIALS: [char; 19] = [
    'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ',
    'ㅌ', 'ㅍ', 'ㅎ',
];
const FINALS: [char; 27] = [
    'ㄱ', 'ㄲ', 'ㄳ', 'ㄴ', 'ㄵ', 'ㄶ', 'ㄷ', 'ㄹ', 'ㄺ', 'ㄻ', 'ㄼ', 'ㄽ', 'ㄾ', 'ㄿ', 'ㅀ', 'ㅁ',
    'ㅂ', 'ㅄ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ', 'ㅎ',
];

/// Cuts syllables into their letters, so that a typing error in one letter is a small distance
/// (명 / 멍 differ in one of three letters).
pub fn to_jamo(text: &str) -> String {
    let mut jamo = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        let Some(syllable) = (character as u32)
            .checked_sub(0xac00)
            .filter(|s| *s < 11_172)
        else {
            jamo.push(character);
            continue;
        };
        jamo.push(INITIALS[(syllable / 588) as usize]);
        jamo.extend(char::from_u32(0x314f + syllable % 588 / 28));
        match syllable % 28 {
            0 => {}
            last => jamo.push(FINALS[last as usize - 1]),
        }
    }
    jamo
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("（주）　가온ＡＢＣ　１２", "(주) 가온ABC 12")]
    #[case("㈜가온", "(주)가온")]
    #[case("  가온 \t 물산 ", "가온 물산")]
    #[case("가온[본점]", "가온(본점)")]
    fn widths_and_brackets_are_settled(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(half_width(text), expected);
    }

    #[rstest]
    #[case("SK하이닉스", "에스케이하이닉스")]
    #[case("LG", "엘지")]
    #[case("kt", "케이티")]
    #[case("R&D", "알앤디")]
    #[case("KOREA", "코리아")]
    #[case("CJ", "시제이")]
    #[case("씨제이", "시제이")]
    #[case("지에이취", "지에이치")]
    #[case("SAMSUNG", "SAMSUNG")]
    #[case("에이스주류", "에이스주류")]
    fn both_spellings_of_letters_become_one(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(spell_latin(text), expected);
    }

    #[test]
    fn syllables_are_cut_into_letters() {
        assert_eq!(to_jamo("명a값힣가"), "ㅁㅕㅇaㄱㅏㅄㅎㅣㅎㄱㅏ");
    }
}
