use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A sentence in Korean and English.
///
/// Written as `{ko: …, en: …}`, or as plain text that serves for both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BilingualText {
    /// Korean.
    pub ko: String,
    /// English.
    pub en: String,
}

impl BilingualText {
    /// The text in a language, `ko` or anything else for English.
    pub fn in_language(&self, language: &str) -> &str {
        if language == "ko" { &self.ko } else { &self.en }
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.ko.is_empty() && self.en.is_empty()
    }
}

impl<'de> Deserialize<'de> for BilingualText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = BilingualText;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or {ko: …, en: …}")
            }

            fn visit_str<E>(self, text: &str) -> Result<BilingualText, E> {
                Ok(BilingualText {
                    ko: text.to_owned(),
                    en: text.to_owned(),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BilingualText, A::Error> {
                let (mut ko, mut en) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "ko" => ko = Some(map.next_value::<String>()?),
                        "en" => en = Some(map.next_value::<String>()?),
                        other => {
                            return Err(serde::de::Error::unknown_field(other, &["ko", "en"]));
                        }
                    }
                }
                let ko_text = ko.clone().or_else(|| en.clone()).unwrap_or_default();
                let en_text = en.or(ko).unwrap_or_default();
                Ok(BilingualText {
                    ko: ko_text,
                    en: en_text,
                })
            }
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

/// One text or a list of them; numbers are taken as their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TextList(pub Vec<String>);

impl<'de> Deserialize<'de> for TextList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;

        impl<'de> Visitor<'de> for ListVisitor {
            type Value = TextList;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<TextList, E> {
                Ok(TextList(vec![text.to_owned()]))
            }

            fn visit_i64<E>(self, number: i64) -> Result<TextList, E> {
                Ok(TextList(vec![number.to_string()]))
            }

            fn visit_u64<E>(self, number: u64) -> Result<TextList, E> {
                Ok(TextList(vec![number.to_string()]))
            }

            fn visit_f64<E>(self, number: f64) -> Result<TextList, E> {
                Ok(TextList(vec![number.to_string()]))
            }

            fn visit_bool<E>(self, value: bool) -> Result<TextList, E> {
                Ok(TextList(vec![value.to_string()]))
            }

            fn visit_unit<E>(self) -> Result<TextList, E> {
                // An open end of a range, written `null` or left empty.
                Ok(TextList(vec![String::new()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<TextList, A::Error> {
                let mut texts = Vec::new();
                while let Some(TextList(mut inner)) = sequence.next_element::<TextList>()? {
                    texts.append(&mut inner);
                }
                Ok(TextList(texts))
            }
        }

        deserializer.deserialize_any(ListVisitor)
    }
}
