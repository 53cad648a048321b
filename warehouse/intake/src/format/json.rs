//! JSON answers and exports: an array of records inside an envelope.

use std::collections::BTreeSet;
use std::io::Read;

use goyong_catalog::contract::{JsonFormat, JsonLayout};

use super::json_places::{AboveValues, Fields, Found, Places, find_records, split_record_path};
use super::json_stream::{JsonEvent, JsonWalk, entries};
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
    let mut records = Records {
        plan,
        places: Places::of(plan),
        above: AboveValues::default(),
        known: BTreeSet::new(),
        unknown: BTreeSet::new(),
        batches,
    };
    let (outer, inner) = match format.lines {
        // Each line is a document of its own, the path leads on from there.
        true => format.record.split_at(0),
        false => split_record_path(&format.record, records.places.highest),
    };
    let mut code: Option<String> = None;
    let mut message: Option<String> = None;
    let mut envelope = Envelope::default();
    let mut walk = JsonWalk::new(reader, outer, longest_record);
    walk.nan_is_missing = format.nan_is_missing;
    let walked = walk.run(format.lines, &mut |event| match event {
        JsonEvent::Scalar(path, raw) => {
            if let Some(success) = &format.success {
                if path == success.at {
                    code = Some(scalar_text(raw));
                } else if success.message.as_deref() == Some(path) {
                    message = Some(scalar_text(raw));
                }
            }
            let number = |wanted: &Option<Vec<String>>| {
                let is_here = wanted.as_deref() == Some(path);
                is_here.then(|| scalar_text(raw).parse().ok()).flatten()
            };
            envelope.expected = number(&format.expected_count).or(envelope.expected);
            if let Some(pages) = &plan.contract.pages {
                envelope.page = number(&pages.number).or(envelope.page);
                envelope.page_size = number(&pages.size).or(envelope.page_size);
            }
            Ok(())
        }
        JsonEvent::Record(keys, raw) => match format.layout {
            JsonLayout::Rows => records.read(raw, inner, keys),
            JsonLayout::Columns => records.read_columns(raw),
        },
    });
    let found_records = walk.found_records;
    if walk.nans > 0 {
        envelope.notices.push(format!(
            "NaN, which is no JSON, stands {} times and is read as missing",
            walk.nans
        ));
    }
    let is_empty_answer = answer(format, code.as_deref(), message.as_deref())?;
    walked?;
    let may_be_absent = is_empty_answer || plan.contract.child_of.is_some();
    if !found_records && !may_be_absent {
        let path = format.record.join("/");
        return Err(Refusal::new(
            RefusalRule::Malformed,
            format!("nothing stands at `/{path}`: this is not an answer of the contract's kind"),
        )
        .into());
    }
    let count = records.batches.records();
    envelope.describe_fields(plan, count, &records.known, &records.unknown)?;
    Ok(envelope)
}

/// Records on their way to rows.
struct Records<'a, 'p, 's, 'b> {
    plan: &'a Plan,
    places: Places,
    above: AboveValues,
    known: BTreeSet<usize>,
    unknown: BTreeSet<String>,
    batches: &'b mut Batches<'p, 's>,
}

impl Records<'_, '_, '_, '_> {
    /// Reads the records below a value of the document.
    fn read(&mut self, raw: &[u8], steps: &[String], keys: &[String]) -> Result<(), IntakeError> {
        self.above.clear();
        let mut keys = keys.to_vec();
        let Self {
            places,
            above,
            known,
            unknown,
            batches,
            ..
        } = self;
        let mut push = |found: Found<'_>| {
            let fields = Fields::parse(&found, places, above, known, unknown);
            batches.push(|builder, number| match &fields {
                Ok(fields) => builder.push(number, |column| fields.cell(column)),
                Err(rule) => {
                    builder.push_broken(number, rule, None, Some(found.raw), |_| Cell::Missing);
                }
            })
        };
        if steps.is_empty() {
            // The walk has handed out single records.
            return push(Found {
                raw,
                above: Vec::new(),
                keys,
            });
        }
        find_records(raw, steps, &mut Vec::new(), &mut keys, &mut push)
    }

    /// Reads records that stand field by field. All fields must have the same rows.
    fn read_columns(&mut self, raw: &[u8]) -> Result<(), IntakeError> {
        let columns = entries(raw)
            .filter(|_| raw.first() == Some(&b'{'))
            .ok_or_else(|| uneven("the document is no object of columns"))?;
        let mut fields = Vec::new();
        for (name, values) in &columns {
            let values = entries(values)
                .ok_or_else(|| uneven(&format!("column `{name}` holds no values")))?;
            fields.push((name, values));
        }
        let Some((_, first)) = fields.first() else {
            return Ok(());
        };
        for (name, values) in &fields {
            let has_same_rows = values.len() == first.len()
                && values
                    .iter()
                    .zip(first)
                    .all(|(left, right)| left.0 == right.0);
            if !has_same_rows {
                return Err(uneven(&format!(
                    "column `{name}` has other rows than the first column"
                )));
            }
        }
        let mut wanted = Vec::new();
        for (position, (name, _)) in fields.iter().enumerate() {
            let before = wanted.len();
            wanted.extend(self.places.column_of(name).map(|column| (column, position)));
            if wanted.len() == before {
                self.unknown.insert((*name).clone());
            }
        }
        self.known.extend(wanted.iter().map(|(column, _)| *column));
        for row in 0..first.len() {
            let mut record = Fields::empty(self.plan.columns.len());
            for (column, position) in &wanted {
                record.set(*column, fields[*position].1[row].1);
            }
            self.batches
                .push(|builder, number| builder.push(number, |column| record.cell(column)))?;
        }
        Ok(())
    }
}

fn uneven(what: &str) -> IntakeError {
    Refusal::new(
        RefusalRule::Malformed,
        format!("not columns of one table: {what}"),
    )
    .into()
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

    #[rstest]
    #[case::keyed(
        "/*/*",
        "year: $key1:int, day: $key2:date, name: .:string",
        r#"{"2024": {"2024-01-01": ["a", "b"]}, "2025": {"2025-05-05": ["c"]}}"#,
        "2024,2024-01-01,a;2024,2024-01-01,b;2025,2025-05-05,c"
    )]
    #[case::nested_lists(
        "/result/*/steps",
        "post: ../no:int, step: no:int",
        r#"{"result": [{"no": 1, "steps": [{"no": 11}, {"no": 12}]}, {"steps": [{"no": 21}], "no": 2}]}"#,
        "1,11;1,12;2,21"
    )]
    #[case::parent_behind_its_children(
        "/steps",
        "post: ../no:int, step: no:int",
        r#"{"steps": [{"no": 11}], "no": 1}"#,
        "1,11"
    )]
    #[case::two_levels(
        "/a/*/b/*/c",
        "root: ../../../id:string, outer: ../../id:string, inner: ../id:string, own: id:string",
        r#"{"id": "r", "a": [{"id": "x", "b": [{"id": "y", "c": [{"id": "z"}, {"id": "w"}]}]}]}"#,
        "r,x,y,z;r,x,y,w"
    )]
    #[case::path_into_a_list(
        "",
        "first: steps/0/no:int",
        r#"[{"steps": [{"no": 5}, {"no": 6}]}, {"steps": [{"no": 7}]}]"#,
        "5;7"
    )]
    #[case::keyed_records(
        "/*",
        "id: $key1:string, v: v:int",
        r#"{"a": {"v": 1}, "b": {"v": 2}}"#,
        "a,1;b,2"
    )]
    #[case::no_children("/result/*/steps", "step: no:int", r#"{"result": []}"#, "")]
    fn records_are_found_at_any_depth(
        #[case] record: &str,
        #[case] columns: &str,
        #[case] text: &str,
        #[case] rows: &str,
    ) {
        let mut contract = format!("format: {{kind: json, record: \"{record}\"}}\ncolumns:\n");
        let mut names = Vec::new();
        for column in columns.split(", ") {
            let (name, rest) = column.split_once(": ").unwrap();
            let (from, kind) = rest.split_once(':').unwrap();
            names.push(name);
            contract.push_str(&format!(
                "  - {{name: {name}, from: \"{from}\", type: {kind}}}\n"
            ));
        }
        let outcome = read_text(&plan(&contract), text.as_bytes()).unwrap();
        assert_eq!(outcome.csv(&names), rows, "{:?}", outcome.quarantined);
        assert!(outcome.quarantined.is_empty(), "{:?}", outcome.quarantined);
    }

    const COLUMNAR: &str = "format: {kind: json, layout: columns, nan: missing}
columns:
  - {name: code, type: code}
  - {name: place, type: string, nullable: true}
";

    #[rstest]
    #[case(
        r#"{"code": {"0": "01", "1": "02"}, "place": {"0": NaN, "1": "x"}}"#,
        "01,;02,x",
        "NaN, which is no JSON, stands 1 times"
    )]
    #[case(r#"{"code": ["01", "02"], "place": ["NaN", null]}"#, "01,NaN;02,", "")]
    #[case(r#"{"code": ["01"], "place": ["x"], "more": [1]}"#, "01,x", "`more`")]
    #[case(r#"{"code": [], "place": []}"#, "", "")]
    fn columns_become_records(#[case] text: &str, #[case] rows: &str, #[case] notice: &str) {
        let outcome = read_text(&plan(COLUMNAR), text.as_bytes()).unwrap();
        assert_eq!(outcome.csv(&["code", "place"]), rows);
        assert_eq!(outcome.notices.is_empty(), notice.is_empty());
        assert!(outcome.notices.join("; ").contains(notice));
    }

    #[rstest]
    #[case(r#"{"code": {"0": "01"}, "place": {"1": "x"}}"#, "other rows")]
    #[case(r#"{"code": ["01"], "place": []}"#, "other rows")]
    #[case(r#"{"code": "01"}"#, "holds no values")]
    #[case(r#"{"code": ["01"], "place": [Nan]}"#, "not JSON")]
    fn columns_of_no_table_are_refused(#[case] text: &str, #[case] reason: &str) {
        let refusal = read_text(&plan(COLUMNAR), text.as_bytes()).unwrap_err();
        assert_eq!(refusal.rule.as_str(), "malformed", "{refusal}");
        assert!(refusal.message.contains(reason), "{refusal}");
    }

    #[rstest]
    #[case("/steps", "no", "1;2;3")]
    #[case("/steps/*/parts", "../no", "1;3;3")]
    fn lines_hold_child_records_too(#[case] record: &str, #[case] from: &str, #[case] rows: &str) {
        let contract = format!(
            "format: {{kind: json, lines: true, record: \"{record}\"}}\ncolumns:\n  - {{name: a, from: {from}, type: int}}\n"
        );
        let text = br#"{"steps": [{"no": 1, "parts": [{}]}, {"no": 2}]}
            {"steps": [{"no": 3, "parts": [{}, {}]}]}"#;
        let outcome = read_text(&plan(&contract), text).unwrap();
        assert_eq!(outcome.csv(&["a"]), rows, "{:?}", outcome.quarantined);
    }

    #[test]
    fn not_a_number_is_broken_unless_agreed() {
        let contract = COLUMNAR.replace(", layout: columns, nan: missing", "");
        let text = br#"[{"code": "01", "place": NaN}, {"code": "02"}]"#;
        let outcome = read_text(&plan(&contract), text).unwrap();
        assert_eq!(outcome.csv(&["code"]), "02");
        assert_eq!(outcome.rules(), ["json"]);
    }

    #[test]
    fn ten_thousand_children_of_one_parent_share_its_values() {
        let contract = "format: {kind: json, record: /list}
columns:
  - {name: parent, from: ../id, type: int}
  - {name: own, from: id, type: int}
";
        let children: Vec<String> = (0..10_000).map(|id| format!("{{\"id\": {id}}}")).collect();
        let text = format!("{{\"list\": [{}], \"id\": 7}}", children.join(","));
        let outcome = read_text(&plan(contract), text.as_bytes()).unwrap();
        assert_eq!(outcome.accepted(), 10_000);
        assert!(outcome.csv(&["parent", "own"]).ends_with("7,9998;7,9999"));
    }
}
