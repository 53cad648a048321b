//! How sensitivity travels: a column has the tags of the columns whose values it holds.
//!
//! | what of a source value can be read | tags |
//! |---|---|
//! | the value, or a function of it (also `min`, `max`, lists, lag) | all |
//! | a figure of many values (`sum`, `avg`, `bool_or`) | all: over a group of one row it is the value, and only disclosure control knows how large groups are |
//! | how many there are, or whether there is one (`count`, `is null`) | none |
//!
//! Influence carries no tag: whoever filters by a person counts, he does not show her. It is listed
//! with the lineage, so that it can be looked at.

use std::collections::BTreeSet;

use goyong_catalog::{Model, is_person_column};
use goyong_types::nearest_name;
use serde::{Deserialize, Serialize};

use crate::lineage::{Carry, LineageNode, ProjectLineage};

/// Tags that travel along values. Any other tag is a remark about its own column.
pub const SENSITIVITY_TAGS: [&str; 6] = [
    "direct_identifier",
    "pseudonym",
    "account",
    "quasi_identifier",
    "sensitive",
    "free_text",
];

/// Sensitivity of a column.
pub type Tags = BTreeSet<String>;

/// A tag that a header takes away from a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Declassified {
    /// The column.
    pub column: String,
    /// The tag it would have.
    pub tag: String,
    /// Why it has it not.
    pub reason: String,
}

/// The tags that a value takes along.
pub(crate) fn inherited(tags: &Tags, carry: Carry) -> Tags {
    match carry {
        Carry::Whole | Carry::Total => tags.clone(),
        Carry::Count => Tags::new(),
    }
}

impl LineageNode {
    /// Adds declared tags of a column that has no source, and what its name says.
    pub(crate) fn add_tags(&mut self, column: &str, declared: &[String]) {
        let mut tags: Tags = declared
            .iter()
            .filter(|tag| SENSITIVITY_TAGS.contains(&tag.as_str()))
            .cloned()
            .collect();
        if is_person_column(column) {
            tags.insert("pseudonym".into());
        }
        if !tags.is_empty() {
            self.tags.entry(column.to_owned()).or_default().extend(tags);
        }
        self.problems.extend(
            declared
                .iter()
                .filter_map(|tag| misspelt(tag).map(|nearest| (tag, nearest)))
                .map(|(tag, nearest)| {
                    format!(
                        "{}: column `{column}`: no tag `{tag}`; did you mean `{nearest}`?",
                        self.file
                    )
                }),
        );
    }

    /// Gives every column the tags of its sources.
    pub(crate) fn inherit_only(&mut self, lineage: &ProjectLineage) {
        for column in &self.columns {
            let mut tags = Tags::new();
            for (source, carry) in self.lineage.values_of(column) {
                let of_source = lineage.tags(&source.table, &source.column);
                tags.extend(inherited(&of_source, carry));
            }
            if !tags.is_empty() {
                self.tags.insert(column.clone(), tags);
            }
        }
    }

    /// Inherits, raises and declassifies as the model's header says.
    pub(crate) fn inherit_tags(&mut self, model: &Model, lineage: &ProjectLineage) {
        self.inherit_only(lineage);
        for (column, header) in &model.header.columns {
            self.add_tags(column, &header.tags);
        }
        if self.unplanned.is_some() {
            // Nothing is known of its columns: those that are named to be persons stay persons.
            return;
        }
        let file = &model.file;
        for (column, declassification) in &model.header.declassify {
            let mut wrong = |message: String| {
                self.problems
                    .push(format!("{file}: declassify: {column}: {message}"));
            };
            if !self.columns.contains(column) {
                let nearest = nearest_name(column, self.columns.iter().map(String::as_str));
                let advice = nearest
                    .map(|nearest| format!("; did you mean `{nearest}`?"))
                    .unwrap_or_default();
                wrong(format!("the select has no such column{advice}"));
                continue;
            }
            if declassification.reason.trim().is_empty() {
                wrong("gives no reason; say why the column does not deserve its tags".into());
                continue;
            }
            if declassification.remove.is_empty() {
                wrong("removes nothing; name the tags in `remove`".into());
            }
            for tag in &declassification.remove {
                let has_it = self
                    .tags
                    .get_mut(column)
                    .is_some_and(|tags| tags.remove(tag));
                if has_it {
                    self.declassified.push(Declassified {
                        column: column.clone(),
                        tag: tag.clone(),
                        reason: declassification.reason.trim().to_owned(),
                    });
                } else {
                    wrong(format!(
                        "it does not have the tag `{tag}`; remove the line, so that it cannot hide a later one"
                    ));
                }
            }
        }
        self.tags.retain(|_, tags| !tags.is_empty());
    }
}

/// The sensitivity a tag was probably meant to be.
fn misspelt(tag: &str) -> Option<&'static str> {
    const REMARKS: [&str; 4] = ["firm", "label", "respondent", "key"];
    if SENSITIVITY_TAGS.contains(&tag) || REMARKS.contains(&tag) {
        return None;
    }
    nearest_name(tag, SENSITIVITY_TAGS)
}
