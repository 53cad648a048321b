//! The two languages and the fixed words of the pages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::render::SiteError;

/// A language of the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}

impl Language {
    /// Both, in the order they are written.
    pub const ALL: [Self; 2] = [Self::Ko, Self::En];

    /// The code used in addresses and `lang` attributes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Ko => Self::En,
            Self::En => Self::Ko,
        }
    }
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Korean.
    pub ko: String,
    /// English.
    pub en: String,
}

impl Bilingual {
    /// A text in both languages.
    #[must_use]
    pub fn new(ko: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            ko: ko.into(),
            en: en.into(),
        }
    }

    /// The same text in both, for names that are not translated.
    #[must_use]
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            ko: text.clone(),
            en: text,
        }
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ko.is_empty() && self.en.is_empty()
    }

    /// The text in one language.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Ko => &self.ko,
            Language::En => &self.en,
        }
    }
}

/// The fixed words of the pages (`templates/messages.yml`).
#[derive(Debug, Clone)]
pub(crate) struct Messages(BTreeMap<String, Bilingual>);

impl Messages {
    pub(crate) fn embedded() -> Result<Self, SiteError> {
        Self::parse("messages.yml", include_str!("../templates/messages.yml"))
    }

    /// Those of the run pages (`templates/run_messages.yml`) as well.
    pub(crate) fn of_runs() -> Result<Self, SiteError> {
        let own = include_str!("../templates/run_messages.yml");
        Self::embedded()?.with("run_messages.yml", own)
    }

    /// Those of the pages of cases (`templates/case_messages.yml`) as well.
    pub(crate) fn of_cases() -> Result<Self, SiteError> {
        let own = include_str!("../templates/case_messages.yml");
        Self::embedded()?.with("case_messages.yml", own)
    }

    fn with(mut self, name: &'static str, own: &str) -> Result<Self, SiteError> {
        self.0.extend(Self::parse(name, own)?.0);
        Ok(self)
    }

    fn parse(name: &'static str, text: &str) -> Result<Self, SiteError> {
        serde_yaml_ng::from_str(text)
            .map(Self)
            .map_err(|source| SiteError::Embedded {
                name,
                reason: source.to_string(),
            })
    }

    /// One of them; empty where there is none.
    pub(crate) fn get(&self, language: Language, key: &str) -> &str {
        self.0.get(key).map_or("", |text| text.get(language))
    }

    pub(crate) fn in_language(&self, language: Language) -> BTreeMap<&str, &str> {
        self.0
            .iter()
            .map(|(key, text)| (key.as_str(), text.get(language)))
            .collect()
    }
}
