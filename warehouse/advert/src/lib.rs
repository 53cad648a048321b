//! Verification of job advertisements: words and demands the law forbids, pay below the minimum, and
//! advertisements that repeat another one.
//!
//! Pure: texts in, findings out; no I/O, no clock. Which words are forbidden, under which article and
//! since when is data ([`Phrase`]), so that a wrong one is a one-line change of a seed.
//!
//! Why it is built as it is:
//! - A text is folded once ([`Folded`]): widths, letters typed one by one, look-alikes and what stands
//!   between letters are settled, and each letter that is left knows the bytes of the original it
//!   stands for. Whoever hides a word is looked through by the same path that reads a plain one.
//! - All phrases are one automaton, so the cost of a text does not depend on how many there are.
//! - What looks like a violation and is none is a decision with a reason ([`Decision::Cleared`]), not
//!   silence: reviewers see why.
//! - Duplicates are looked for within an employer; bands of a MinHash signature find candidates, the
//!   sets of shingles decide. Threads change nothing in the output.
//!
//! ```
//! use chrono::NaiveDate;
//! use goyong_advert::{Advertisement, Decision, Effect, Phrase, Verifier};
//!
//! let phrase = |text: &str, effect| Phrase {
//!     rule: "sex".to_owned(),
//!     effect,
//!     reason: "one sex only".to_owned(),
//!     ..Phrase::of(text)
//! };
//! let phrases = vec![phrase("여성만", Effect::Violates), phrase("여성만족", Effect::Allows)];
//! let verifier = Verifier::new(phrases, [(2026, 10_320)])?;
//! let on = NaiveDate::from_ymd_opt(2026, 8, 31).ok_or("no day")?;
//! let found = verifier.verify(&Advertisement::of("사무원", "여.ㅅㅓㅇ.만 지원", on));
//! assert_eq!((found[0].decision, found[0].start..found[0].end), (Decision::Violation, 0..17));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod duplicates;
mod error;
mod fold;
mod look_alike;
mod pay;
mod phrases;
mod shingles;
#[cfg(test)]
mod tests;
mod verify;
mod workers;

pub use attributes::{ATTRIBUTE_COUNT, ATTRIBUTES, attributes};
pub use duplicates::{
    Clusters, DuplicateOptions, DuplicateText, Duplicates, Terms, find_duplicates,
};
pub use error::AdvertError;
pub use fold::{Folded, Gap, Letter};
pub use pay::{Pay, PayKind, below_minimum};
pub use phrases::{Effect, Phrase};
pub use shingles::{jaccard, shingles};
pub use verify::{Advertisement, BELOW_MINIMUM, Decision, Field, Finding, Verifier, mask_contacts};
