//! Numbers that describe how an advertisement is written, for a learned score.

use crate::fold::{Folded, Gap};

/// Number of attributes.
pub const ATTRIBUTE_COUNT: usize = 9;

/// Names of the attributes with their titles in Korean and English, in the order of [`attributes`].
pub const ATTRIBUTES: [(&str, &str, &str); ATTRIBUTE_COUNT] = [
    (
        "text_letters_log",
        "본문 글자 수(로그)",
        "letters of the text, logarithm",
    ),
    ("title_letters", "제목 글자 수", "letters of the title"),
    (
        "numbers_share",
        "숫자의 비율",
        "share of numbers among the letters",
    ),
    (
        "symbol_share",
        "기호로 끊긴 글자의 비율",
        "share of letters after a sign",
    ),
    ("latin_share", "영문자의 비율", "share of Latin letters"),
    (
        "disguised_share",
        "변형된 글자의 비율",
        "share of letters in disguise",
    ),
    ("exclamations", "느낌표 수", "exclamation marks"),
    ("clauses", "절의 수", "clauses"),
    (
        "distinct_share",
        "서로 다른 글자의 비율",
        "share of different letters",
    ),
];

/// The attributes of an advertisement, all finite.
pub fn attributes(title: &str, text: &str) -> [f64; ATTRIBUTE_COUNT] {
    let folded = Folded::new(text);
    let count = folded.letters.len();
    let share = |of: usize| {
        if count == 0 {
            0.0
        } else {
            of as f64 / count as f64
        }
    };
    let letters = |is: &dyn Fn(char) -> bool| folded.text.chars().filter(|one| is(*one)).count();
    let gaps = |gap: Gap| folded.letters.iter().filter(|one| one.gap == gap).count();
    let mut distinct: Vec<char> = folded.text.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    [
        (count as f64).ln_1p(),
        Folded::new(title).letters.len().min(200) as f64,
        share(letters(&|one| one == '#')),
        share(gaps(Gap::Symbol)),
        share(letters(&|one| one.is_ascii_alphabetic())),
        share(folded.letters.iter().filter(|one| one.is_disguised).count()),
        title
            .chars()
            .chain(text.chars())
            .filter(|one| matches!(one, '!' | '！'))
            .count()
            .min(50) as f64,
        gaps(Gap::Clause).min(100) as f64,
        share(distinct.len()),
    ]
}
