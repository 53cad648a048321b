//! JSON answers and exports: an array of records inside an envelope.

use std::collections::{BTreeSet, HashSet};
use std::io::Read;

use goyong_catalog::contract::JsonFormat;

use super::json_stream::{JsonEvent, JsonWalk, object_entries};
use super::{Batches, Envelope};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::plan::Plan;
use crate::rows::Cell;

/// Reads a JSON document of UTF-8 text, or of text transcoded to it.
pub(crate) fn read(
    plan: &Plan,
    format: &JsonFormat,
    reader: impl Read,
    longest_record: usize,
    batches: &mut Batches<'_, '_>,
) -> Result<Envelope, IntakeError> {
    let paths = column_paths(plan);
    let mut code: Option<String> = None;
    let mut message: Option<String> = None;
    let mut expected: Option<u64> = None;
    let mut known = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    let mut walk = JsonWalk::new(reader, &format.record, longest_record);
    let walked = walk.run(format.lines, &mut |event| {
        match event {
            JsonEvent::Scalar(path, raw) => {
                if let Some(success) = &format.success {
                    if path == success.at {
                        code = Some(scalar_text(raw));
                    } else if success.message.as_deref() == Some(path) {
                        message = Some(scalar_text(raw));
                    }
                }
                if format.expected_count.as_deref() == Some(path) {
                    expected = scalar_text(raw).parse().ok();
                }
            }
            JsonEvent::Record(raw) => {
                let fields = Fields::parse(raw, &paths, &mut known, &mut unknown);
                batches.push(|builder, number| match &fields {
                    Ok(values) => builder.push(number, |column| values.cell(column)),
                    Err(rule) => builder.push_broken(number, rule, None, |_| Cell::Missing),
                })?;
            }
        }
        Ok(())
    });
    let found_records = walk.found_records;
    let is_empty_answer = answer(format, code.as_deref(), message.as_deref())?;
    walked?;
    if !found_records && !is_empty_answer {
        let path = format.record.join("/");
        return Err(Refusal::new(
            RefusalRule::Malformed,
            format!("nothing stands at `/{path}`: this is not an answer of the contract's kind"),
        )
        .into());
    }
    let mut envelope = Envelope {
        expected,
        ..Envelope::default()
    };
    envelope.describe_fields(plan, batches.records(), &known, &unknown)?;
    Ok(envelope)
}

/// Whether the answer says there is nothing; an error answer refuses the delivery.
fn answer(
    format: &JsonFormat,
    code: Option<&str>,
    message: Option<&str>,
) -> Result<bool, IntakeError> {
    let Some(success) = &format.success else {
        return Ok(false);
    };
    let Some(code) = code else {
        return Ok(false);
    };
    if success.equals.iter().any(|accepted| accepted == code) {
        return Ok(false);
    }
    if success.empty.iter().any(|accepted| accepted == code) {
        return Ok(true);
    }
    let message = message.map(|text| format!(": {text}")).unwrap_or_default();
    Err(Refusal::new(
        RefusalRule::ErrorAnswer,
        format!("the provider answered with error code {code}{message}"),
    )
    .into())
}

/// For each column, the keys that lead to its value; aliases one after the other.
fn column_paths(plan: &Plan) -> Vec<Vec<Vec<String>>> {
    plan.columns
        .iter()
        .map(|column| {
            column
                .from
                .iter()
                .map(|path| path.split('/').map(str::to_owned).collect())
                .collect()
        })
        .collect()
}

/// The values of one record, by column.
struct Fields {
    values: Vec<Option<Vec<u8>>>,
    broken: Vec<Option<&'static str>>,
}

impl Fields {
    fn parse(
        raw: &[u8],
        paths: &[Vec<Vec<String>>],
        known: &mut BTreeSet<usize>,
        unknown: &mut BTreeSet<String>,
    ) -> Result<Self, &'static str> {
        let mut fields = Self {
            values: vec![None; paths.len()],
            broken: vec![None; paths.len()],
        };
        fields.read_object(raw, &mut Vec::new(), paths, known, unknown)?;
        Ok(fields)
    }

    fn read_object(
        &mut self,
        raw: &[u8],
        prefix: &mut Vec<String>,
        paths: &[Vec<Vec<String>>],
        known: &mut BTreeSet<usize>,
        unknown: &mut BTreeSet<String>,
    ) -> Result<(), &'static str> {
        let entries = object_entries(raw).ok_or("json")?;
        let mut keys = HashSet::with_capacity(entries.len());
        for (key, value) in &entries {
            if !keys.insert(key.as_str()) {
                return Err("repeated_field");
            }
            prefix.push(key.clone());
            let mut is_known = false;
            for (column, aliases) in paths.iter().enumerate() {
                if !aliases.contains(prefix) {
                    continue;
                }
                is_known = true;
                known.insert(column);
                if self.values[column].is_none() {
                    self.set(column, value);
                }
            }
            let leads_on = paths
                .iter()
                .flatten()
                .any(|path| path.len() > prefix.len() && path.starts_with(prefix));
            if !is_known && leads_on && value.starts_with(b"{") {
                self.read_object(value, prefix, paths, known, unknown)?;
            } else if !is_known && unknown.len() < 64 {
                unknown.insert(prefix.join("/"));
            }
            prefix.pop();
        }
        Ok(())
    }

    fn set(&mut self, column: usize, value: &[u8]) {
        match value.first() {
            Some(b'"') => match serde_json::from_slice::<String>(value) {
                Ok(text) => self.values[column] = Some(text.into_bytes()),
                Err(_) => {
                    self.values[column] = Some(value.to_vec());
                    self.broken[column] = Some("encoding");
                }
            },
            Some(b'n') => {}
            Some(b'{' | b'[') => {
                self.values[column] = Some(value.to_vec());
                self.broken[column] = Some("nested");
            }
            _ => self.values[column] = Some(value.to_vec()),
        }
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        match (&self.values[column], self.broken[column]) {
            (None, _) => Cell::Missing,
            (Some(raw), None) => Cell::Raw(raw),
            (Some(raw), Some(rule)) => Cell::Broken(rule, raw),
        }
    }
}

/// A scalar as text, without the quotes of a string.
fn scalar_text(raw: &[u8]) -> String {
    match serde_json::from_slice::<String>(raw) {
        Ok(text) => text,
        Err(_) => String::from_utf8_lossy(raw).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{plan, read_text};
    use rstest::rstest;

    const CONTRACT: &str = r#"
format: {kind: json, record: /body/item, expected_count: /body/total, success: {at: /code, equals: ["200"], empty: ["3"], message: /message}}
columns:
  - {name: number, from: no, type: bigint}
  - {name: place, from: address/post, type: string, nullable: true}
"#;

    #[rstest]
    #[case(r#"{"code": 200, "body": {"total": 2, "item": [{"no": 1, "address": {"post": "04553"}}, {"no": "2"}]}}"#, "1,04553;2,", "")]
    #[case(r#"{"body": {"item": {"no": 7}}, "code": "200"}"#, "7,", "")]
    #[case(r#"{"code": "3", "message": "없음"}"#, "", "")]
    #[case(r#"{"code": 200, "body": {"item": ""}}"#, "", "")]
    #[case(r#"{"code": 200, "body": {"item": []}}"#, "", "")]
    #[case(
        r#"{"code": 200, "body": {"total": 30, "item": [{"no": 1}]}}"#,
        "1,",
        "1 of 30 delivered"
    )]
    #[case(
        r#"{"code": 200, "body": {"item": [{"no": 1, "extra": 2}]}}"#,
        "1,",
        "`extra` is not in the contract"
    )]
    #[case(
        r#"{"code": 200, "body": {"item": [{"no": 1, "no": 2}, {"no": {"a": 1}}, {"no": 3}, 4]}}"#,
        "3,",
        ""
    )]
    fn answers_become_rows(#[case] text: &str, #[case] rows: &str, #[case] notice: &str) {
        let outcome = read_text(&plan(CONTRACT), text.as_bytes()).unwrap();
        assert_eq!(outcome.csv(&["number", "place"]), rows);
        assert!(
            outcome.notices.join("; ").contains(notice),
            "{:?}",
            outcome.notices
        );
        if notice.is_empty() {
            assert!(outcome.notices.is_empty(), "{:?}", outcome.notices);
        }
    }

    #[rstest]
    #[case(
        r#"{"code": 500, "message": "점검 중"}"#,
        "error_answer",
        "500: 점검 중"
    )]
    #[case(
        r#"{"code": 200, "body": {"item": [{"no": 1}"#,
        "truncated",
        "ends before"
    )]
    #[case(r#"{"code": 200, "body": {"item": [{"no": 1}}"#, "malformed", "commas")]
    #[case(r#"{"code": 200, "body": {}}"#, "malformed", "/body/item")]
    #[case(
        r#"{"code": 200, "body": {"item": []}} x"#,
        "malformed",
        "behind the end"
    )]
    #[case("", "truncated", "ends before")]
    #[case(r#"{"code": 200, "body": {"item": [{"other": 1}]}}"#, "header", "`no`")]
    fn broken_answers_are_refused(#[case] text: &str, #[case] rule: &str, #[case] reason: &str) {
        let refusal = read_text(&plan(CONTRACT), text.as_bytes()).unwrap_err();
        assert_eq!(refusal.rule.as_str(), rule, "{refusal}");
        assert!(refusal.message.contains(reason), "{refusal}");
    }

    #[test]
    fn lines_are_records_too() {
        let contract = CONTRACT.replace(
            r#"{kind: json, record: /body/item, expected_count: /body/total, success: {at: /code, equals: ["200"], empty: ["3"], message: /message}}"#,
            "{kind: json, lines: true}",
        );
        let outcome = read_text(&plan(&contract), b"{\"no\": 1}\n{\"no\": 2}\n").unwrap();
        assert_eq!(outcome.csv(&["number"]), "1;2");
    }

    #[test]
    fn undecodable_bytes_quarantine_their_record() {
        let outcome = read_text(
            &plan(CONTRACT),
            b"{\"code\": 200, \"body\": {\"item\": [{\"no\": 1, \"address\": {\"post\": \"\xff\"}}, {\"no\": 2}]}}",
        )
        .unwrap();
        assert_eq!(outcome.csv(&["number"]), "2");
        assert_eq!(outcome.quarantined[0].rule, "encoding");
    }
}
