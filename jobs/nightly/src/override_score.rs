//! A counsellor's decision against the list of a model, with its reason.
//!
//! Who decided and why stands in the audit chain, where nothing is changed afterwards. `models.override` has the
//! decisions without names and words, for rates: an officer is a pseudonym, and `audit_number` is the entry. The last
//! decision on a row counts; to go with the list again is one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::{ArrayRef, BooleanArray, Date32Array, Int64Array, StringArray};
use chrono::NaiveDate;
use goyong_cases::officer_pseudonym;
use goyong_catalog::DeclaredModel;
use goyong_intake::{Access, AuditAction, AuditLog};
use goyong_types::PersonKey;

use crate::explain_score::refuse_what_is_no_key;
use crate::model_registry::{append, exists};
use crate::project::OpenProject;
use crate::releases::Act;
use crate::train_models::scores::days_of;
use crate::work_on_cases::origin;

const OVERRIDES: &str = "models.override";
const ACTION: &str = "override_score";

/// Columns of the list of overrides.
pub const OVERRIDES_HEADER: [&str; 9] = [
    "model",
    "entity",
    "entered_on",
    "listed",
    "decision",
    "stands",
    "decided_on",
    "account",
    "reason",
];

/// What a counsellor decides on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It is taken up, though the list leaves it out.
    Selected,
    /// It is left out, though the list has it.
    NotSelected,
    /// As the list says: what was decided before is withdrawn.
    List,
}

impl Decided {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Decided::Selected => "selected",
            Decided::NotSelected => "not_selected",
            Decided::List => "list",
        }
    }

    /// Why the decision would change nothing, if so.
    fn refusal(self, listed: bool, standing: Option<&str>) -> Option<&'static str> {
        let standing = standing.filter(|word| *word != Decided::List.word());
        match self {
            Decided::List if standing.is_none() => {
                Some("nothing stands against the list, so there is nothing to withdraw")
            }
            Decided::Selected if listed => Some("the list has it already"),
            Decided::NotSelected if !listed => Some("the list leaves it out already"),
            _ if standing == Some(self.word()) => Some("that is decided already"),
            _ => None,
        }
    }
}

/// The score a decision is about.
struct Listed {
    entity: String,
    entered_on: NaiveDate,
    version: String,
    selected: bool,
}

impl OpenProject {
    /// Keeps a decision against the list for the newest row of a key whose outcome is open; says what the list said.
    pub async fn override_score(
        &self,
        key: &str,
        model: &str,
        decided: Decided,
        act: &Act,
        on: NaiveDate,
    ) -> Result<bool> {
        refuse_what_is_no_key(key)?;
        let declared = self.declared_model(model)?;
        let _lock = self.lock_night().await?;
        let listed = self.newest_score(declared, key).await?;
        let before = self.decisions(Some(model)).await?;
        let standing = before
            .iter()
            .rev()
            .find(|row| row[2] == listed.entity && row[3] == listed.entered_on.to_string())
            .map(|row| row[5].as_str());
        if let Some(why) = decided.refusal(listed.selected, standing) {
            bail!("{model} {key}: {why}");
        }
        let person = self.person_of(declared, &listed).await?;
        let about = format!("{model} {}", listed.version);
        let access = Access::new(&act.account, &act.reason, &about)?.with_origin(&origin())?;
        let action = AuditAction {
            action: ACTION,
            person,
            note: format!("{} of {}", decided.word(), listed.entered_on),
        };
        let number = AuditLog::of(self.warehouse())
            .append(&access, &action)
            .await?;
        let officer = officer_pseudonym(&self.case_secret()?, &act.account);
        let sequence = self.decisions(None).await?.len() as i64 + 1;
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let day = |day| Arc::new(Date32Array::from(vec![days_of(day)])) as ArrayRef;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("sequence", Arc::new(Int64Array::from(vec![sequence]))),
            ("model", text(model)),
            ("entity", text(&listed.entity)),
            ("entered_on", day(listed.entered_on)),
            ("model_version", text(&listed.version)),
            (
                "listed",
                Arc::new(BooleanArray::from(vec![listed.selected])),
            ),
            ("decision", text(decided.word())),
            ("officer", text(&officer)),
            (
                "audit_number",
                Arc::new(Int64Array::from(vec![number as i64])),
            ),
            ("decided_on", day(on)),
        ];
        let said = "decisions of counsellors against the list of a model, the last one on a row counts; no name and no written word";
        append(self, OVERRIDES, columns, said, &format!("override {model}")).await?;
        Ok(listed.selected)
    }

    /// Every decision on the models named, all when none is, the newest first, with account and reason from the audit
    /// chain.
    pub async fn list_overrides(&self, models: &[String]) -> Result<Vec<Vec<String>>> {
        for model in models {
            self.declared_model(model)?;
        }
        let entries = AuditLog::of(self.warehouse()).entries()?;
        let entries: BTreeMap<String, _> = entries
            .into_iter()
            .filter(|entry| entry.action == ACTION)
            .map(|entry| (entry.number.to_string(), entry))
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        let mut rows = Vec::new();
        for row in self.decisions(None).await?.into_iter().rev() {
            let [_, model, entity, entered_on, listed, decision, number, on] = row;
            let stands = seen.insert([model.clone(), entity.clone(), entered_on.clone()]);
            if !models.is_empty() && !models.contains(&model) {
                continue;
            }
            let (account, reason) = entries.get(&number).map_or_else(Default::default, |entry| {
                (entry.account.clone(), entry.purpose.clone())
            });
            rows.push(vec![
                model,
                entity,
                entered_on,
                listed,
                decision,
                stands.to_string(),
                on,
                account,
                reason,
            ]);
        }
        Ok(rows)
    }

    /// What was decided, in order.
    async fn decisions(&self, model: Option<&str>) -> Result<Vec<[String; 8]>> {
        if !exists(self, OVERRIDES).await? {
            return Ok(Vec::new());
        }
        let only = model.map_or_else(String::new, |model| format!(" where model = '{model}'"));
        let columns = [
            "sequence",
            "model",
            "entity",
            "entered_on",
            "listed",
            "decision",
            "audit_number",
            "decided_on",
        ];
        let sql = format!(
            "select {} from {OVERRIDES}{only} order by sequence",
            columns
                .map(|column| format!("cast({column} as varchar) as {column}"))
                .join(", ")
        );
        self.texts(&sql, columns).await
    }

    async fn newest_score(&self, declared: &DeclaredModel, key: &str) -> Result<Listed> {
        let DeclaredModel {
            model,
            entity,
            entered_on,
            ..
        } = declared;
        let nothing = || format!("{model} has no current score of `{key}` to decide against");
        if !exists(self, &format!("models.{model}")).await? {
            bail!(nothing());
        }
        let sql = format!(
            "select {entity} as entity, cast({entered_on} as varchar) as entered_on, model_version, \
             cast(selected as varchar) as selected from models.{model} \
             where purpose = 'current' and {entity} = '{key}' and probability is not null \
             order by {entered_on} desc limit 1"
        );
        let columns = ["entity", "entered_on", "model_version", "selected"];
        let rows = self.texts(&sql, columns).await?;
        let [entity, entered_on, version, selected] =
            rows.into_iter().next().with_context(nothing)?;
        Ok(Listed {
            entity,
            entered_on: entered_on.parse()?,
            version,
            selected: selected == "true",
        })
    }

    /// Whom the row is about, where its features say so.
    async fn person_of(
        &self,
        declared: &DeclaredModel,
        listed: &Listed,
    ) -> Result<Option<PersonKey>> {
        let features = &declared.features;
        let snapshot = self.warehouse().snapshot(features).await?;
        let names_persons =
            snapshot.is_some_and(|found| found.schema.field_with_name("person_key").is_ok());
        if !names_persons {
            return Ok(None);
        }
        let sql = format!(
            "select cast(person_key as varchar) as person from {features} \
             where cast({} as varchar) = '{}' and {} = date '{}' limit 1",
            declared.entity, listed.entity, declared.entered_on, listed.entered_on
        );
        let rows = self.texts(&sql, ["person"]).await?;
        Ok(rows
            .first()
            .and_then(|[person]| person.parse().ok().map(PersonKey)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_against_the_list_is_an_override() {
        for (decided, listed, standing, is_refused) in [
            (Decided::Selected, false, None, false),
            (Decided::Selected, true, None, true),
            (Decided::NotSelected, true, None, false),
            (Decided::NotSelected, false, None, true),
            (Decided::NotSelected, true, Some("not_selected"), true),
            (Decided::NotSelected, true, Some("list"), false),
            (Decided::List, true, None, true),
            (Decided::List, true, Some("list"), true),
            (Decided::List, true, Some("not_selected"), false),
        ] {
            let refusal = decided.refusal(listed, standing);
            assert_eq!(
                refusal.is_some(),
                is_refused,
                "{decided:?} {listed} {standing:?}"
            );
        }
    }
}
