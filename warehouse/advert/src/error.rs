//! What can be wrong with a list of phrases.

/// A phrase that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AdvertError {
    /// Nothing is left of it once signs and blanks are taken away.
    #[error("phrase {phrase:?} of rule {rule} has no letters; write the word itself")]
    EmptyPhrase {
        /// As the list writes it.
        phrase: String,
        /// Its rule.
        rule: String,
    },
    /// The smallest number is above the largest.
    #[error("phrase {phrase:?} of rule {rule}: least {least} is above most {most}")]
    EmptyRange {
        /// As the list writes it.
        phrase: String,
        /// Its rule.
        rule: String,
        /// Smallest number it means.
        least: u64,
        /// Largest number it means.
        most: u64,
    },
    /// The automaton could not be built.
    #[error("the phrases make no automaton: {0}")]
    Automaton(String),
}
