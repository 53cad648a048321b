//! The standing pages: methods, glossary, accessibility (`templates/texts.yml`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::language::{Bilingual, Language};
use crate::render::SiteError;

/// A heading, or a term of the glossary, with its paragraphs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    title: Bilingual,
    paragraphs: Vec<Bilingual>,
}

#[derive(Debug, Clone)]
pub(crate) struct Texts(BTreeMap<String, Vec<Section>>);

impl Texts {
    pub(crate) fn embedded() -> Result<Self, SiteError> {
        serde_yaml_ng::from_str(include_str!("../templates/texts.yml"))
            .map(Self)
            .map_err(|source| SiteError::Embedded {
                name: "texts.yml",
                reason: source.to_string(),
            })
    }

    pub(crate) fn sections(&self, page: &str, language: Language) -> Vec<Value> {
        self.0
            .get(page)
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|section| {
                json!({
                    "title": section.title.get(language),
                    "other_title": section.title.get(language.other()),
                    "paragraphs": section
                        .paragraphs
                        .iter()
                        .map(|text| text.get(language))
                        .collect::<Vec<_>>(),
                })
            })
            .collect()
    }
}
