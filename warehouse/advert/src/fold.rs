//! A text without its disguise.

use goyong_types::{compose_hangul, widen_hangul};

use crate::look_alike::{beside_a_letter, is_letter, is_ornament, is_vowel, plain};

/// What stood in the original between a letter and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Nothing.
    None,
    /// Blanks.
    Space,
    /// Signs, with or without blanks.
    Symbol,
    /// A sign that ends a clause or a line.
    Clause,
}

/// One letter of a folded text. A number is one letter, `#`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter {
    /// Where it begins in [`Folded::text`], in bytes.
    pub at: usize,
    /// Bytes of the original it stands for.
    pub start: usize,
    /// End of them.
    pub end: usize,
    /// What stood before it.
    pub gap: Gap,
    /// It was put together from several letters, or written as a look-alike.
    pub is_disguised: bool,
    /// The value of a number.
    pub number: u64,
}

/// The letters of a text: syllables composed, Latin in lower case, numbers as `#`, everything else
/// left out. Each letter knows what it stands for.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    /// The letters.
    pub text: String,
    /// One for each character of `text`.
    pub letters: Vec<Letter>,
}

/// A character on its way through the folding.
#[derive(Clone, Copy)]
struct Piece {
    character: char,
    start: usize,
    end: usize,
    gap: Gap,
    is_disguised: bool,
}

impl Folded {
    /// Folds a text of any content and length.
    pub fn new(text: &str) -> Self {
        let pieces = without_noise(compose(read(text)));
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            letters: Vec::with_capacity(pieces.len()),
        };
        let mut rest = pieces.as_slice();
        while let Some((&piece, others)) = rest.split_first() {
            if piece.character.is_ascii_digit() {
                let (value, used, is_disguised) = number(rest);
                folded.push(
                    '#',
                    rest[used - 1].end,
                    value,
                    Piece {
                        is_disguised,
                        ..piece
                    },
                );
                rest = &rest[used..];
                continue;
            }
            if let Some((value, used)) = spelled_age(rest) {
                folded.push(
                    '#',
                    rest[used - 1].end,
                    value,
                    Piece {
                        is_disguised: true,
                        ..piece
                    },
                );
                rest = &rest[used..];
                continue;
            }
            rest = others;
            folded.push(piece.character, piece.end, 0, piece);
        }
        folded
    }

    fn push(&mut self, character: char, end: usize, number: u64, piece: Piece) {
        self.letters.push(Letter {
            at: self.text.len(),
            start: piece.start,
            end,
            gap: piece.gap,
            is_disguised: piece.is_disguised,
            number,
        });
        self.text.push(character);
    }

    /// The letter that begins at a byte of [`Folded::text`], or the number of letters at its end.
    pub fn letter_at(&self, at: usize) -> usize {
        self.letters.partition_point(|letter| letter.at < at)
    }
}

/// Characters with what they are read as; what is no letter becomes the gap before the next one.
fn read(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(text.len() / 2);
    let mut wide = Vec::with_capacity(4);
    let mut gap = Gap::None;
    let mut characters = text.char_indices().peekable();
    while let Some((start, original)) = characters.next() {
        if is_ornament(original) {
            continue;
        }
        let end = start + original.len_utf8();
        let next = characters.peek().map(|(_, next)| *next);
        let previous = pieces.last().map(|piece| piece.character);
        let mut character = plain(original);
        // A ring before a vowel, a stroke after a consonant: read as letters.
        if let Some(letter) = beside_a_letter(character) {
            let before_vowel = next.is_some_and(is_vowel);
            let after_consonant =
                gap == Gap::None && previous.is_some_and(|one| is_letter(one) && !is_vowel(one));
            if letter == 'ㅇ' && before_vowel || letter == 'ㅣ' && after_consonant && !before_vowel
            {
                character = letter;
            }
        }
        wide.clear();
        widen_hangul(character, &mut wide);
        let is_disguised = character != original && !original.is_ascii_uppercase()
            || wide.first().is_some_and(|one| *one != character);
        for &one in &wide {
            let one = plain(one);
            if one.is_alphanumeric() && one != 'ㆍ' && one != 'ᆞ' {
                pieces.push(Piece {
                    character: one,
                    start,
                    end,
                    gap,
                    is_disguised,
                });
                gap = Gap::None;
            } else {
                let is_digit = |one: Option<char>| one.is_some_and(|one| one.is_ascii_digit());
                let kind = match one {
                    '.' if is_digit(previous) && is_digit(next) => Gap::Symbol,
                    ' ' if original == '\n' => Gap::Clause,
                    ' ' => Gap::Space,
                    ',' | '.' | ';' | '!' | '?' | '。' | '、' => Gap::Clause,
                    _ => Gap::Symbol,
                };
                gap = gap.max(kind);
            }
        }
    }
    pieces
}

/// Joins letters typed one by one to syllables, across what was put between them.
fn compose(pieces: Vec<Piece>) -> Vec<Piece> {
    if !pieces.iter().any(|piece| is_letter(piece.character)) {
        return pieces;
    }
    let mut composed: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut at = 0;
    while at < pieces.len() {
        let end = pieces.len().min(at + 4);
        let mut ahead = ['\0'; 4];
        for (slot, piece) in ahead.iter_mut().zip(&pieces[at..end]) {
            *slot = piece.character;
        }
        let first = pieces[at];
        if let Some((syllable, used)) = compose_hangul(&ahead[..end - at]) {
            composed.push(Piece {
                character: syllable,
                end: pieces[at + used - 1].end,
                is_disguised: true,
                ..first
            });
            at += used;
            continue;
        }
        if let Some(last) = composed.last_mut()
            && let Some(closed) = with_final(last.character, first.character)
        {
            last.character = closed;
            last.end = first.end;
            last.is_disguised = true;
        } else {
            composed.push(first);
        }
        at += 1;
    }
    composed
}

/// Leaves out letters that make no syllable: noise between others, such as laughter.
fn without_noise(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let mut pending = Gap::None;
    pieces.retain_mut(|piece| {
        if is_letter(piece.character) {
            pending = pending.max(piece.gap).max(Gap::Symbol);
            return false;
        }
        piece.gap = piece.gap.max(pending);
        pending = Gap::None;
        true
    });
    pieces
}

/// An open syllable closed by a consonant that was split off; laughter (`ㅋ`, `ㅎ`) is not.
fn with_final(syllable: char, consonant: char) -> Option<char> {
    const FINALS: &str = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";
    let is_open = (0xac00..0xac00 + 11_172).contains(&(syllable as u32))
        && (syllable as u32 - 0xac00).is_multiple_of(28);
    if !is_open || matches!(consonant, 'ㅋ' | 'ㅎ') {
        return None;
    }
    let last = FINALS.chars().position(|one| one == consonant)?;
    char::from_u32(syllable as u32 + last as u32 + 1)
}

/// Value of the number at the beginning, how many pieces it takes, whether it was broken up. Groups
/// of thousands belong to it, and digits that stand one by one.
fn number(pieces: &[Piece]) -> (u64, usize, bool) {
    let run = |from: usize| {
        let digits = pieces[from..].iter().enumerate();
        digits
            .take_while(|(at, piece)| {
                piece.character.is_ascii_digit() && (*at == 0 || piece.gap == Gap::None)
            })
            .count()
    };
    let mut used = run(0);
    let mut is_disguised = pieces[..used].iter().any(|piece| piece.is_disguised);
    if used <= 3 {
        // 10,320: the sign stands before three digits.
        while pieces.get(used).is_some_and(|piece| {
            piece.gap == Gap::Clause && piece.start == pieces[used - 1].end + 1
        }) && run(used) == 3
        {
            used += 3;
        }
    }
    if used == 1 {
        while pieces
            .get(used)
            .is_some_and(|piece| piece.gap < Gap::Clause)
            && run(used) == 1
        {
            used += 1;
            is_disguised = true;
        }
    }
    let value = pieces[..used].iter().fold(0_u64, |value, piece| {
        let digit = piece.character.to_digit(10).unwrap_or_default();
        value.saturating_mul(10).saturating_add(u64::from(digit))
    });
    (value, used, is_disguised)
}

/// An age spelled out before `세`: 삼십오, 서른다섯 is left to the phrases.
fn spelled_age(pieces: &[Piece]) -> Option<(u64, usize)> {
    let digit = |at: usize| {
        let character = pieces.get(at)?.character;
        let found = "일이삼사오육칠팔구"
            .chars()
            .position(|one| one == character)?;
        Some(found as u64 + 1)
    };
    let is = |at: usize, wanted: char| {
        pieces
            .get(at)
            .is_some_and(|piece| piece.character == wanted)
    };
    let (tens, mut used) = match digit(0) {
        Some(tens) if is(1, '십') => (tens, 2),
        None if is(0, '십') => (1, 1),
        _ => return None,
    };
    let mut value = tens * 10;
    if let Some(ones) = digit(used) {
        value += ones;
        used += 1;
    }
    is(used, '세').then_some((value, used))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("여성만 지원", "여성만지원")]
    #[case("여.성.만", "여성만")]
    #[case("여★성 ★만", "여성만")]
    #[case("ㅇㅕㅅㅓㅇㅁㅏㄴ", "여성만")]
    #[case("ㅇ ㅕ ㅅ ㅓ ㅇ 만", "여성만")]
    #[case("여서ㅇ만", "여성만")]
    #[case("여성\u{200b}만\u{feff}", "여성만")]
    #[case("\u{110b}\u{1167}\u{1109}\u{1165}\u{11bc}만", "여성만")]
    #[case("女性만", "여성만")]
    #[case("여ㅋ성ㅋㅋ만", "여성만")]
    #[case("o\u{3155}성만", "여성만")]
    #[case("㉮나", "가나")]
    #[case("Ｒоом", "room")]
    #[case("만 3 5 세 이 하", "만#세이하")]
    #[case("만 ３５세", "만#세")]
    #[case("만 3.5.세", "만#세")]
    #[case("만 3ㅋ5ㅋ세", "만#세")]
    #[case("삼십오세 이하", "#세이하")]
    #[case("시급 10,320원", "시급#원")]
    #[case("", "")]
    #[case("★☆!!", "")]
    #[case("ㅋㅋㅋ", "")]
    fn disguises_fall_away(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Folded::new(text).text, expected);
    }

    #[rstest]
    #[case("만 3 5 세", 35)]
    #[case("10,320원", 10_320)]
    #[case("1,234,567원", 1_234_567)]
    #[case("이십구세", 29)]
    #[case("99999999999999999999999", u64::MAX)]
    fn a_number_has_the_value_it_is_read_as(#[case] text: &str, #[case] expected: u64) {
        let folded = Folded::new(text);
        let number = folded.letters.iter().find(|letter| letter.number > 0);
        assert_eq!(number.map(|letter| letter.number), Some(expected));
    }

    #[test]
    fn two_numbers_stay_two() {
        assert_eq!(Folded::new("09:00~18:00, 35세").text, "#####세");
        assert_eq!(Folded::new("20, 35세").text, "##세");
    }

    #[test]
    fn every_letter_knows_what_it_stands_for() {
        let text = "키 ㅇㅕ성★만 35세";
        let folded = Folded::new(text);
        let shown: Vec<&str> = folded
            .letters
            .iter()
            .map(|letter| &text[letter.start..letter.end])
            .collect();
        assert_eq!(shown, ["키", "ㅇㅕ", "성", "만", "35", "세"]);
        assert_eq!(folded.letters[3].gap, Gap::Symbol);
        assert_eq!(folded.letter_at(folded.text.len()), 6);
    }
}
