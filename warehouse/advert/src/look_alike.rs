//! Characters that are read as others.

/// What a character is read as, whatever stands beside it: Latin in lower case, look-alikes of other
/// scripts, digits in every style, Chinese characters that stand for a Korean word.
pub(crate) fn plain(character: char) -> char {
    match character {
        'A'..='Z' => character.to_ascii_lowercase(),
        // Cyrillic and Greek letters of Latin shape.
        'а' | 'А' | 'α' | 'Α' => 'a',
        'в' | 'В' | 'Β' => 'b',
        'с' | 'С' => 'c',
        'е' | 'Е' | 'ё' | 'Ε' => 'e',
        'н' | 'Н' | 'Η' => 'h',
        'і' | 'І' | 'ι' | 'Ι' => 'i',
        'ј' | 'Ј' => 'j',
        'к' | 'К' | 'κ' | 'Κ' => 'k',
        'м' | 'М' | 'Μ' => 'm',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'ѕ' | 'Ѕ' => 's',
        'т' | 'Т' | 'τ' | 'Τ' => 't',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'Υ' => 'y',
        // Digits.
        '⁰' | '₀' | '⓪' => '0',
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        '⁴'..='⁹' => shifted(character, '⁴', '4'),
        '₁'..='₉' => shifted(character, '₁', '1'),
        '❶'..='❾' => shifted(character, '❶', '1'),
        '\u{1d7ce}'..='\u{1d7ff}' => {
            char::from_digit((character as u32 - 0x1d7ce) % 10, 10).unwrap_or(character)
        }
        '\u{1d400}'..='\u{1d433}' => shifted_by((character as u32 - 0x1d400) % 26, 'a', character),
        // Enclosed Hangul.
        '㉮'..='㉻' => enclosed(character as u32 - '㉮' as u32),
        '㈎'..='㈛' => enclosed(character as u32 - '㈎' as u32),
        '㉠'..='㉭' => enclosed_letter(character as u32 - '㉠' as u32),
        '㈀'..='㈍' => enclosed_letter(character as u32 - '㈀' as u32),
        // Chinese characters for words of advertisements.
        '男' => '남',
        '女' => '여',
        '性' => '성',
        '歲' | '岁' | '才' => '세',
        '滿' | '满' => '만',
        '限' => '한',
        '未' => '미',
        '旣' | '既' => '기',
        '婚' => '혼',
        '年' => '년',
        '以' => '이',
        '下' => '하',
        '上' => '상',
        '內' | '内' => '내',
        '本' => '본',
        '籍' => '적',
        '容' => '용',
        '貌' => '모',
        // Shapes of letters.
        '丨' | '｜' => 'ㅣ',
        '一' | 'ー' | '―' => 'ㅡ',
        '口' => 'ㅁ',
        '人' => 'ㅅ',
        '卜' => 'ㅏ',
        '乙' => 'ㄹ',
        other => other,
    }
}

/// What a character means beside a letter typed by itself: `ㄴ ㅓ l` is read as `ㅓㅣ`.
pub(crate) fn beside_a_letter(character: char) -> Option<char> {
    Some(match character {
        'l' | 'i' | '|' => 'ㅣ',
        'o' | '0' | '○' | '〇' | '◯' => 'ㅇ',
        _ => return None,
    })
}

/// A Hangul letter that stands by itself.
pub(crate) fn is_letter(character: char) -> bool {
    ('ㄱ'..='ㅣ').contains(&character)
        || ('\u{1100}'..='\u{1112}').contains(&character)
        || ('\u{1161}'..='\u{1175}').contains(&character)
        || ('\u{11a8}'..='\u{11c2}').contains(&character)
}

/// A vowel that stands by itself.
pub(crate) fn is_vowel(character: char) -> bool {
    ('ㅏ'..='ㅣ').contains(&character) || ('\u{1161}'..='\u{1175}').contains(&character)
}

/// Marks that change nothing one can read: accents put over letters, variation selectors.
pub(crate) fn is_ornament(character: char) -> bool {
    matches!(
        character,
        '\u{0300}'..='\u{036f}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{180b}'..='\u{180e}'
            | '\u{2061}'..='\u{2064}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn shifted(character: char, first: char, to: char) -> char {
    shifted_by(character as u32 - first as u32, to, character)
}

fn shifted_by(steps: u32, to: char, otherwise: char) -> char {
    char::from_u32(to as u32 + steps).unwrap_or(otherwise)
}

fn enclosed(index: u32) -> char {
    "가나다라마바사아자차카타파하"
        .chars()
        .nth(index as usize)
        .unwrap_or(' ')
}

fn enclosed_letter(index: u32) -> char {
    "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"
        .chars()
        .nth(index as usize)
        .unwrap_or(' ')
}
