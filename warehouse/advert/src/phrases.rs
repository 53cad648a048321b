//! Phrases and where a folded text holds them.

use aho_corasick::{AhoCorasick, MatchKind};
use chrono::NaiveDate;

use crate::error::AdvertError;
use crate::fold::{Folded, Gap};

/// What a phrase says of the rule it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Breaks the rule.
    Violates,
    /// Looks like a phrase that does, and does not: clears every violation that it overlaps.
    Allows,
    /// Makes the demand lawful wherever it stands: clears all violations of its rule.
    Lifts,
    /// Takes back what stands before it in the same clause.
    Negates,
}

impl Effect {
    /// By the name the seed uses.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "violates" => Self::Violates,
            "allows" => Self::Allows,
            "lifts" => Self::Lifts,
            "negates" => Self::Negates,
            _ => return None,
        })
    }
}

/// A phrase of the list, valid from one day to another, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// In plain spelling; blanks may be missing or stand there. `#` is any number of the range.
    pub text: String,
    /// Rule it belongs to.
    pub rule: String,
    /// What it says of the rule.
    pub effect: Effect,
    /// It counts only where a word begins: `본적` is no part of `기본적`.
    pub at_word_start: bool,
    /// Smallest number that `#` means.
    pub least: u64,
    /// Largest number that `#` means.
    pub most: u64,
    /// Why, for whoever reads the finding.
    pub reason: String,
    /// First day on which it holds.
    pub valid_from: NaiveDate,
    /// Last day.
    pub valid_to: NaiveDate,
}

impl Phrase {
    /// A violation without rule and reason that holds on every day.
    pub fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            rule: String::new(),
            effect: Effect::Violates,
            at_word_start: false,
            least: 0,
            most: u64::MAX,
            reason: String::new(),
            valid_from: NaiveDate::MIN,
            valid_to: NaiveDate::MAX,
        }
    }

    fn holds_on(&self, day: NaiveDate) -> bool {
        (self.valid_from..=self.valid_to).contains(&day)
    }
}

/// A phrase found in a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    /// In the list.
    pub phrase: usize,
    /// First letter.
    pub first: usize,
    /// Letter after the last one.
    pub end: usize,
    /// Letters were broken up or written as others.
    pub is_disguised: bool,
}

/// How a phrase's letters stand in the plain spelling.
struct Shape {
    /// Blanks may stand before these letters.
    may_part: Vec<bool>,
    /// Values its numbers must have; nothing when any number of the range will do.
    numbers: Option<Vec<u64>>,
}

/// All phrases as one automaton.
pub(crate) struct PhraseBook {
    pub phrases: Vec<Phrase>,
    shapes: Vec<Shape>,
    automaton: AhoCorasick,
}

impl PhraseBook {
    pub(crate) fn new(phrases: Vec<Phrase>) -> Result<Self, AdvertError> {
        let mut patterns = Vec::with_capacity(phrases.len());
        let mut shapes = Vec::with_capacity(phrases.len());
        for phrase in &phrases {
            let has_range = phrase.text.contains('#');
            let folded = Folded::new(&phrase.text.replace('#', "10"));
            if folded.text.is_empty() {
                return Err(AdvertError::EmptyPhrase {
                    phrase: phrase.text.clone(),
                    rule: phrase.rule.clone(),
                });
            }
            if phrase.least > phrase.most {
                return Err(AdvertError::EmptyRange {
                    phrase: phrase.text.clone(),
                    rule: phrase.rule.clone(),
                    least: phrase.least,
                    most: phrase.most,
                });
            }
            let letters = folded.letters.iter().zip(folded.text.chars());
            shapes.push(Shape {
                may_part: folded
                    .letters
                    .iter()
                    .map(|letter| letter.gap != Gap::None)
                    .collect(),
                numbers: (!has_range).then(|| {
                    letters
                        .filter(|(_, character)| *character == '#')
                        .map(|(letter, _)| letter.number)
                        .collect()
                }),
            });
            patterns.push(folded.text);
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&patterns)
            .map_err(|error| AdvertError::Automaton(error.to_string()))?;
        Ok(Self {
            phrases,
            shapes,
            automaton,
        })
    }

    /// Phrases that hold on a day, wherever the text holds them.
    pub(crate) fn find(&self, folded: &Folded, day: NaiveDate) -> Vec<Hit> {
        let mut hits = Vec::new();
        for found in self.automaton.find_overlapping_iter(&folded.text) {
            let phrase = found.pattern().as_usize();
            if !self.phrases[phrase].holds_on(day) {
                continue;
            }
            let first = folded.letter_at(found.start());
            let end = folded.letter_at(found.end());
            if let Some(is_disguised) = self.fits(phrase, folded, first, end) {
                hits.push(Hit {
                    phrase,
                    first,
                    end,
                    is_disguised,
                });
            }
        }
        hits
    }

    /// Whether the letters are the phrase, and if so whether they were disguised.
    fn fits(&self, number: usize, folded: &Folded, first: usize, end: usize) -> Option<bool> {
        let (phrase, shape) = (&self.phrases[number], &self.shapes[number]);
        let letters = &folded.letters[first..end];
        let is_number = |at: usize| folded.text.as_bytes().get(letters[at].at) == Some(&b'#');
        let mut numbers = (0..letters.len())
            .filter(|at| is_number(*at))
            .map(|at| letters[at].number);
        let numbers_fit = match &shape.numbers {
            Some(wanted) => numbers.eq(wanted.iter().copied()),
            None => numbers.all(|value| (phrase.least..=phrase.most).contains(&value)),
        };
        if !numbers_fit {
            return None;
        }
        let mut broken = Gap::None;
        let mut is_disguised = false;
        for (at, letter) in letters.iter().enumerate() {
            is_disguised |= letter.is_disguised;
            if at > 0 && !(shape.may_part[at] && letter.gap <= Gap::Space) {
                broken = broken.max(letter.gap);
            }
        }
        let begins_word = begins_word(folded, first);
        if phrase.at_word_start && !begins_word {
            return None;
        }
        // Blanks inside: the letters may be the end of one word and the beginning of the next.
        if broken == Gap::Space && !begins_word {
            return None;
        }
        // Two clauses make no phrase, unless every letter is parted from the next.
        if broken == Gap::Clause {
            let parted = letters.iter().skip(1).filter(|one| one.gap > Gap::None);
            if parted.count() < letters.len() - 1 && !begins_word {
                return None;
            }
        }
        Some(is_disguised || broken > Gap::None)
    }
}

/// Nothing of the same kind of script stands right before the letter.
fn begins_word(folded: &Folded, at: usize) -> bool {
    let letter = &folded.letters[at];
    if at == 0 || letter.gap > Gap::None {
        return true;
    }
    let kind = |at: usize| {
        let character = folded.text[folded.letters[at].at..].chars().next();
        match character {
            Some('#') => 0,
            Some(one) if one.is_ascii_alphabetic() => 1,
            _ => 2,
        }
    };
    kind(at) != kind(at - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rstest::rstest;

    use super::*;

    fn finds(phrase: Phrase, text: &str) -> bool {
        let book = PhraseBook::new(vec![phrase]).unwrap();
        let day = NaiveDate::from_ymd_opt(2026, 8, 31).unwrap();
        !book.find(&Folded::new(text), day).is_empty()
    }

    #[rstest]
    #[case("여성만", "여성만 지원", true)]
    #[case("여성만", "여 성 만 지원", true)]
    #[case("여성만", "여,성,만 지원", true)]
    #[case("여성만", "남 여성 만점", true)]
    #[case("여성만", "기여 성만 좋다", false)]
    #[case("여성 지원", "여성 지원", true)]
    #[case("여성 지원", "여성지원", true)]
    fn blanks_inside_count_only_from_the_beginning_of_a_word(
        #[case] phrase: &str,
        #[case] text: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(finds(Phrase::of(phrase), text), expected, "{text}");
    }

    #[test]
    fn a_phrase_at_the_start_of_a_word_is_no_part_of_another() {
        let phrase = Phrase {
            at_word_start: true,
            ..Phrase::of("본적")
        };
        assert!(finds(phrase.clone(), "본적을 적으세요"));
        assert!(finds(phrase.clone(), "본-적을 적으세요"));
        assert!(!finds(phrase, "기본적인 예절"));
    }

    #[test]
    fn numbers_count_within_their_range() {
        let phrase = Phrase {
            least: 20,
            most: 59,
            ..Phrase::of("#세 이하")
        };
        assert!(finds(phrase.clone(), "만 35세 이하"));
        assert!(finds(phrase.clone(), "3 5 세이 하"));
        assert!(!finds(phrase.clone(), "만 65세 이하"));
        assert!(finds(Phrase::of("4대보험"), "4대 보험"));
        assert!(!finds(Phrase::of("4대보험"), "3대 보험"));
    }

    #[test]
    fn a_phrase_holds_only_on_its_days() {
        let phrase = Phrase {
            valid_from: NaiveDate::from_ymd_opt(2027, 1, 1).unwrap(),
            ..Phrase::of("여성만")
        };
        assert!(!finds(phrase, "여성만"));
    }

    #[test]
    fn a_list_that_cannot_work_is_refused() {
        for (phrase, message) in [
            (Phrase::of("★ !"), "has no letters"),
            (
                Phrase {
                    least: 9,
                    most: 1,
                    ..Phrase::of("#세")
                },
                "least 9 is above most 1",
            ),
        ] {
            let error = PhraseBook::new(vec![phrase]).err().unwrap();
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
