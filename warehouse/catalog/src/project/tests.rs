#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::BTreeSet;

use super::*;
use crate::ProjectState;
use crate::selection::{Selection, SelectionError};

const SOURCE: &str = "\
source: spell
title: spells
description: spells
provider: somebody
cadence: monthly
due_days: 15
manifest: required
period: {from: manifest}
revision: upsert
key: [person_key]
reject_threshold: 0.05
format: {kind: csv}
columns:
  - {name: person_key, type: bigint}
";
const SEED: &str =
    "seed: wage\norigin: a notice\nkey: [year]\ncolumns:\n  - {name: year, type: int}\n";

fn model(header: &str, body: &str) -> String {
    format!("/*---\ndescription: d\ngrain: [person_key]\n{header}---*/\n{body}\n")
}

fn files(extra: &[(&str, String)]) -> ProjectFiles {
    let mut texts = vec![
        ("sources/spell.yml".to_owned(), SOURCE.to_owned()),
        ("seeds/wage.yml".to_owned(), SEED.to_owned()),
        ("seeds/wage.csv".to_owned(), "year\n2024\n".to_owned()),
        (
            "macros/won.sql".to_owned(),
            "{% macro won(x) %}cast({{ x }} as decimal(18,0)) -- {{ ref('person') }}\n{% endmacro %}".to_owned(),
        ),
        (
            "core/person.sql".to_owned(),
            model("tags: [daily]\n", "select * from {{ source('spell') }}"),
        ),
        (
            "core/month.sql".to_owned(),
            model(
                "materialized: partitioned\npartition_by: month\nreads: {spell: [-2, 0]}\n",
                "select '{{ var('partition_start') }}' from {{ source('spell') }}, {{ seed('wage') }}",
            ),
        ),
        (
            "marts/heads.sql".to_owned(),
            model("", "select {{ won('x') }} from {{ ref('month') }}"),
        ),
    ];
    for (path, text) in extra {
        texts.push(((*path).to_owned(), text.clone()));
    }
    ProjectFiles::from_texts(texts)
}

fn problems(extra: &[(&str, String)]) -> Vec<String> {
    let error = Project::from_files(files(extra)).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}

fn tables(names: &[&str]) -> BTreeSet<TableName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn graph_sees_references_inside_macros_and_orders_them() {
    let project = Project::from_files(files(&[])).unwrap();
    let heads = project.model("heads").unwrap();
    assert_eq!(heads.inputs, tables(&["core.month", "core.person"]));
    let order: Vec<String> = project.order().iter().map(ToString::to_string).collect();
    assert_eq!(order, ["core.month", "core.person", "marts.heads"]);
    assert!(matches!(
        project.origin(&"staging.spell".parse().unwrap()),
        TableOrigin::Source(_)
    ));
}

#[test]
fn compiled_text_tells_which_variables_it_used() {
    let project = Project::from_files(files(&[])).unwrap();
    let vars: Vars = [("partition_start", "2024-08-01"), ("as_of", "2024-09-01")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let compiled = project
        .compile(project.model("month").unwrap(), &vars)
        .unwrap();
    assert_eq!(
        compiled.sql,
        "select '2024-08-01' from \"staging\".\"spell\", \"seed\".\"wage\""
    );
    assert_eq!(compiled.vars.len(), 1);
    let missing = project
        .compile(project.model("month").unwrap(), &Vars::new())
        .unwrap_err();
    assert!(missing.to_string().contains("no variable"), "{missing}");
}

#[test]
fn header_that_cannot_be_read_is_one_problem_however_many_name_the_model() {
    let found = problems(&[
        (
            "core/a.sql",
            model("grainn: [x]\n", "select 1 as person_key"),
        ),
        ("core/b.sql", model("", "select * from {{ ref('a') }}")),
        (
            "core/a.test.yml",
            "unit_tests:\n  - {name: t, expect: {rows: []}}\n".to_owned(),
        ),
    ]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("core/a.sql:4:1: unknown field `grainn`"),
        "{found:?}"
    );
    // A problem of the header's meaning, of which the readers are not to blame either.
    let found = problems(&[
        (
            "core/a.sql",
            model("key: person_key\n", "select 1 as person_key"),
        ),
        (
            "core/a.test.yml",
            "unit_tests:\n  - {name: t, expect: {rows: []}}\n".to_owned(),
        ),
    ]);
    assert_eq!(
        found,
        ["core/a.sql:4:1: `key` is for `materialized: keyed` or `partitioned`"]
    );
}

#[test]
fn fault_inside_a_macro_names_the_place_of_the_call() {
    let found = problems(&[
        (
            "macros/rate.sql",
            "{% macro rate() %}\n{{ seed('no_rate') }}\n{% endmacro %}".to_owned(),
        ),
        ("marts/a.sql", model("", "select 1 from\n  {{ rate() }}")),
    ]);
    assert_eq!(
        found,
        [
            "macros/rate.sql:2:4: no seed is called `no_rate`; the macro is called by marts/a.sql:6:6"
        ]
    );
}

#[test]
fn misspelt_reference_names_line_and_nearest_model() {
    let found = problems(&[(
        "marts/a.sql",
        model("", "select 1\nfrom {{ ref('persn') }}"),
    )]);
    assert_eq!(
        found,
        ["marts/a.sql:6:9: no model is called `persn`; did you mean `person`?"]
    );
    let found = problems(&[("marts/a.sql", model("", "select 1 from {{ ref('spell') }}"))]);
    assert!(found[0].contains("write source('spell')"), "{found:?}");
}

#[test]
fn macro_that_calls_one_of_another_file_brings_it_along() {
    let project = Project::from_files(files(&[
        (
            "macros/a.sql",
            "{% macro thousand(x) -%}\n{{ won(x) }} * {{ factor }}\n{%- endmacro %}".to_owned(),
        ),
        ("macros/_factor.sql", "{%- set factor = 1000 -%}".to_owned()),
        ("marts/a.sql", model("", "select {{ thousand('y') }}")),
    ]))
    .unwrap();
    let compiled = project.compile(project.model("marts.a").unwrap(), &Vars::new());
    assert_eq!(
        compiled.unwrap().sql,
        "select cast(y as decimal(18,0)) -- \"core\".\"person\"\n * 1000"
    );
}

#[test]
fn macro_file_that_is_no_template_is_one_problem_whoever_calls_it() {
    let found = problems(&[
        ("macros/idle.sql", "\n{% macro idle(x) %}{{ x }".to_owned()),
        ("marts/a.sql", model("", "select {{ idle('x') }}")),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("macros/idle.sql:2:"), "{found:?}");
}

#[test]
fn circle_is_named() {
    let found = problems(&[
        ("core/a.sql", model("", "select * from {{ ref('b') }}")),
        ("core/b.sql", model("", "select * from {{ ref('a') }}")),
        ("core/c.sql", model("", "select * from {{ ref('b') }}")),
    ]);
    assert!(
        found[0].contains("core.a reads core.b reads core.a"),
        "{found:?}"
    );
}

#[test]
fn histories_are_read_by_day_only_where_no_view_shows_the_rest() {
    let header = "materialized: partitioned\npartition_by: month\npartitions_from: spell\n";
    let select = "select 1 from {{ source('spell') }}, {{ ref('stay') }}, {{ ref('shown') }}";
    let found = problems(&[
        ("core/stay.sql", model("", "select 1")),
        (
            "core/shown.sql",
            model("materialized: view\n", "select * from {{ ref('stay') }}"),
        ),
        (
            "core/a.sql",
            model(
                &format!("{header}during: {{stay: [from_on, to_on]}}\n"),
                select,
            ),
        ),
        (
            "core/b.sql",
            model(
                &format!("{header}during: {{stays: [from_on, to_on]}}\n"),
                select,
            ),
        ),
        (
            "core/c.sql",
            model(
                &format!("{header}reads: {{spell: [0, 0]}}\nduring: {{spell: [from_on, to_on]}}\n"),
                select,
            ),
        ),
        (
            "core/d.sql",
            model("during: {spell: [from_on, to_on]}\n", select),
        ),
    ]);
    for (file, problem) in [
        (
            "core/a.sql",
            "which the model also reads through core.shown",
        ),
        (
            "core/b.sql",
            "no model is called `stays`; did you mean `stay`?",
        ),
        ("core/c.sql", "a table is read in one way"),
        (
            "core/d.sql",
            "core/d.sql:4:1: `during` is for `materialized: partitioned`",
        ),
    ] {
        assert!(
            found
                .iter()
                .any(|found| found.contains(file) && found.contains(problem)),
            "{file}: {found:#?}"
        );
    }
}

#[test]
fn everything_wrong_is_listed_at_once() {
    let found = problems(&[
        ("core/a.sql", "select 1".to_owned()),
        ("core/b.sql", model("partition_by: month\n", "select 1")),
        ("core/c.sql", model("colums: {}\n", "select 1")),
        (
            "core/d.sql",
            model(
                "materialized: partitioned\npartition_by: month\nreads: {wage: [0, 0]}\n",
                "select 1 from {{ seed('wage') }}",
            ),
        ),
        ("seeds/x.csv", "a\n".to_owned()),
        (
            "checks/y.sql",
            "select 1 from {{ ref('nothing') }}".to_owned(),
        ),
    ]);
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(
        found
            .iter()
            .any(|text| text.contains("did you mean `columns`"))
    );
}

#[test]
fn selection_follows_the_graph() {
    let project = Project::from_files(files(&[])).unwrap();
    for (words, expected) in [
        (vec!["person"], vec!["core.person"]),
        (
            vec!["+heads"],
            vec!["core.month", "core.person", "marts.heads"],
        ),
        (vec!["month+"], vec!["core.month", "marts.heads"]),
        (
            vec!["spell+"],
            vec!["core.month", "core.person", "marts.heads"],
        ),
        (vec!["spell+1"], vec!["core.month", "core.person"]),
        (
            vec!["tag:daily", "path:marts"],
            vec!["core.person", "marts.heads"],
        ),
        (vec!["path:sql/core/person.sql"], vec!["core.person"]),
        (vec!["core.*,tag:daily"], vec!["core.person"]),
        (vec![], vec!["core.month", "core.person", "marts.heads"]),
    ] {
        let selected = Selection::of(words.clone()).resolve(&project).unwrap();
        assert_eq!(selected, tables(&expected), "{words:?}");
    }
}

#[test]
fn empty_selection_is_an_error() {
    let project = Project::from_files(files(&[])).unwrap();
    let error = Selection::of(["persn"]).resolve(&project).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no model matches `persn`; did you mean `person`?"
    );
    let everything_excluded = Selection {
        select: vec!["person".into()],
        exclude: vec!["core.*".into()],
        state: None,
    };
    assert_eq!(
        everything_excluded.resolve(&project),
        Err(SelectionError::Empty)
    );
    let empty = Selection::of(["core.*,tag:none"]);
    assert!(empty.resolve(&project).is_err());
}

#[test]
fn stored_order_is_total_and_starts_with_the_person() {
    let project = Project::from_files(files(&[(
        "core/e.sql",
        "/*---\ndescription: d\ngrain: [month, person_key]\n---*/\nselect 1".to_owned(),
    )]))
    .unwrap();
    assert_eq!(project.model("e").unwrap().sort_by, ["person_key", "month"]);
}

#[test]
fn embedded_project_is_valid() {
    Project::embedded().unwrap();
}

#[test]
fn every_rule_states_law_version_severity_evidence_look_back_sources_and_what_clears() {
    let project = Project::embedded().unwrap();
    let delivered: BTreeSet<String> = project
        .contracts()
        .values()
        .map(|contract| contract.source.to_string())
        .collect();
    let mut seen = 0;
    for (table, model) in project.models() {
        let name = table.to_string();
        let rule = name
            .strip_prefix("detect.")
            .and_then(|rule| rule.strip_prefix(['f', 'r']));
        if rule.is_none_or(|number| number.parse::<u8>().is_err()) {
            continue;
        }
        let header = &model.header;
        assert!(header.version.is_some(), "{name}: version");
        assert!(header.legal_basis.is_some(), "{name}: legal_basis");
        for key in ["severity", "evidence", "look_back"] {
            let text = header.meta.get(key).and_then(|value| value.as_str());
            assert!(text.is_some_and(|text| !text.is_empty()), "{name}: {key}");
        }
        for key in ["clears", "sources"] {
            let list = header.meta.get(key).and_then(|value| value.as_sequence());
            assert!(list.is_some_and(|list| !list.is_empty()), "{name}: {key}");
        }
        for source in header.meta["sources"].as_sequence().unwrap() {
            let source = source.as_str().unwrap();
            assert!(delivered.contains(source), "{name}: no source {source}");
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}

const PARENT: &str = "\
source: post
title: posts
provider: somebody
cadence: daily
files: [\"post_*.json\"]
manifest: none
revision: append
format: {kind: json, record: /result}
columns:
  - {name: post_no, type: code}
";
const CHILD: &str = "\
source: step
title: steps
provider: somebody
cadence: daily
child_of: post
manifest: none
revision: append
format: {kind: json, record: /result/*/steps}
columns:
  - {name: post_no, from: ../post_no, type: code}
";

#[test]
fn child_source_agrees_with_its_parent_or_is_explained() {
    let project = |child: &str| {
        Project::from_files(files(&[
            ("sources/post.yml", PARENT.to_owned()),
            ("sources/step.yml", child.to_owned()),
        ]))
    };
    project(CHILD).unwrap();
    for (from, to, expected) in [
        ("child_of: post", "child_of: pots", "did you mean `post`?"),
        (
            "revision: append",
            "revision: upsert",
            "`revision` differs from that of `post`",
        ),
        (
            "record: /result/*/steps",
            "record: /result/*/steps, compression: zip",
            "`compression` differs from that of `post`",
        ),
        (
            "manifest: none",
            "manifest: none\nperiod: {from: manifest}",
            "`period` differs from that of `post`",
        ),
    ] {
        let error = project(&CHILD.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn calendar_of_deliveries_says_what_the_contracts_say() {
    let project = Project::embedded().unwrap();
    let calendar = include_str!("../../../../sql/seeds/source_calendar.csv");
    let rows: BTreeSet<String> = calendar
        .lines()
        .skip(1)
        .map(|line| line.splitn(4, ',').take(3).collect::<Vec<_>>().join(","))
        .collect();
    let line = |contract: &Contract| {
        let due_days = contract.due_days.map(|days| days.to_string());
        let cadence = contract.cadence.as_str();
        format!(
            "{},{cadence},{}",
            contract.source,
            due_days.unwrap_or_default()
        )
    };
    let all: BTreeSet<String> = project.contracts().values().map(line).collect();
    let wrong: Vec<&String> = rows.difference(&all).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let must_stand_there: BTreeSet<String> = project
        .contracts()
        .values()
        .filter(|contract| contract.manifest == crate::contract::ManifestRule::Required)
        .filter(|contract| contract.due_days.is_some())
        .map(line)
        .collect();
    let missing: Vec<&String> = must_stand_there.difference(&rows).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn contracts(columns: &str, rest: &str) -> String {
    let source = SOURCE.replace("source: spell", "source: loss");
    let source = source.replace("revision: upsert\nkey: [person_key]", "revision: append");
    source.replace(
        "columns:\n  - {name: person_key, type: bigint}",
        &format!("columns:\n{columns}{rest}"),
    )
}

#[test]
fn codes_of_a_seed_reach_the_contract_with_their_days() {
    let seed = "seed: area\norigin: a notice\nkey: [area]\ncolumns:\n  - {name: area, type: code}\n  - {name: until, type: date, nullable: true}\n";
    let list = |column: &str| {
        contracts(
            &format!(
                "  - {{name: person_key, type: bigint}}\n  - {{name: area, type: code, code_list: {{seed: area, column: {column}, valid_to: until}}}}\n"
            ),
            "",
        )
    };
    let with = |column: &str, csv: &str| {
        Project::from_files(files(&[
            ("seeds/area.yml", seed.to_owned()),
            ("seeds/area.csv", csv.to_owned()),
            ("sources/loss.yml", list(column)),
        ]))
    };
    let project = with("area", "area,until\n11,\n42,2023-06-10\n42,1999-12-31\n").unwrap();
    let codes = project.contracts()["loss"].columns[1]
        .code_list
        .as_ref()
        .unwrap()
        .codes
        .clone()
        .unwrap();
    assert_eq!(codes.spans["11"], [(i32::MIN, i32::MAX)]);
    assert_eq!(codes.spans["42"], [(i32::MIN, 19_518), (i32::MIN, 10_956)]);
    for (column, csv, message) in [
        ("aera", "area,until\n11,\n", "no column `aera`"),
        (
            "area",
            "area,until\n11,soon\n",
            "row 1 of seed `area` holds `soon`",
        ),
        ("area", "area,until\n", "holds no code"),
    ] {
        let error = with(column, csv).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn references_become_one_table_of_what_waits() {
    let reference = |target: &str, to: &str| {
        contracts(
            "  - {name: person_key, type: bigint}\n  - {name: note, type: string}\n",
            &format!("references:\n  - {{columns: [person_key], source: {target}, to: [{to}]}}\n"),
        )
    };
    let with = |target: &str, to: &str| {
        Project::from_files(files(&[("sources/loss.yml", reference(target, to))]))
    };
    let project = with("spell", "person_key").unwrap();
    let model = project.model("pending_references").unwrap();
    assert_eq!(model.table.to_string(), "ops.pending_references");
    let inputs: Vec<String> = model.inputs.iter().map(ToString::to_string).collect();
    assert_eq!(inputs, ["staging.loss", "staging.spell"]);
    let sql = project.compile(model, &Vars::new()).unwrap().sql;
    assert!(
        sql.contains("target.person_key = waiting.person_key"),
        "{sql}"
    );
    for (target, to, message) in [
        ("spel", "person_key", "did you mean `spell`?"),
        ("spell", "person", "`spell.person`, which is no column"),
    ] {
        let error = with(target, to).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn project_without_references_has_no_table_of_what_waits() {
    let project = Project::from_files(files(&[])).unwrap();
    assert!(project.model("pending_references").is_err());
}

#[test]
fn words_select_by_method_pattern_and_neighbourhood() {
    let project = Project::from_files(files(&[
        (
            "marts/loud.sql",
            model(
                "owner: analysts\nmaterialized: view\n",
                "select 1 from {{ ref('person') }}",
            ),
        ),
        (
            "marts/late.sql",
            model(
                "",
                "select 1 from {{ ref('loud') }} cross join {{ seed('wage') }}",
            ),
        ),
    ]))
    .unwrap();
    for (word, expected) in [
        ("owner:analysts", vec!["marts.loud"]),
        ("materialized:view", vec!["marts.loud"]),
        ("marts.l*", vec!["marts.late", "marts.loud"]),
        ("path:marts/l*.sql,materialized:table", vec!["marts.late"]),
        ("schema:core", vec!["core.month", "core.person"]),
        ("seed:wage+1", vec!["core.month", "marts.late", "seed.wage"]),
        (
            "1+marts.late",
            vec!["marts.late", "marts.loud", "seed.wage"],
        ),
        (
            "@loud",
            vec![
                "core.person",
                "marts.late",
                "marts.loud",
                "seed.wage",
                "staging.spell",
            ],
        ),
        ("source:spell", vec!["staging.spell"]),
        ("path:sources", vec!["staging.spell"]),
    ] {
        let selected = Selection::of([word]).resolve_tables(&project).unwrap();
        assert_eq!(selected, tables(&expected), "{word}");
    }
    for (word, advice) in [
        ("tag:dayly", "did you mean `tag:daily`?"),
        ("tga:daily", "did you mean `tag:daily`?"),
        ("owner:analyst", "did you mean `owner:analysts`?"),
    ] {
        let error = Selection::of([word])
            .resolve(&project)
            .unwrap_err()
            .to_string();
        assert!(error.contains(advice), "{error}");
    }
}

#[test]
fn state_selects_what_means_something_else_now() {
    let before = Project::from_files(files(&[])).unwrap();
    let state = ProjectState::of(&before);
    let select = |project: &Project, word: &str| {
        Selection {
            select: vec![word.to_owned()],
            state: Some(state.clone()),
            ..Selection::default()
        }
        .resolve_tables(project)
    };
    assert_eq!(
        select(&before, "state:modified"),
        Err(SelectionError::Empty)
    );
    let reworded = model(
        "tags: [daily]\nowner: somebody\n",
        "SELECT *  -- all\nfrom {{ source('spell') }}",
    );
    let after = Project::from_files(files(&[
        ("core/person.sql", reworded),
        ("core/added.sql", model("", "select 1 as x")),
        ("seeds/wage.csv", "year\n2025\n".to_owned()),
    ]))
    .unwrap();
    assert_eq!(
        select(&after, "state:modified").unwrap(),
        tables(&["core.added", "seed.wage"])
    );
    assert_eq!(
        select(&after, "state:modified+").unwrap(),
        tables(&["core.added", "seed.wage", "core.month", "marts.heads"])
    );
    assert_eq!(
        select(&after, "state:new").unwrap(),
        tables(&["core.added"])
    );
    let without = Selection::of(["state:new"]).resolve(&after).unwrap_err();
    assert!(without.to_string().contains("--state"), "{without}");
}

#[test]
fn unknown_variable_is_refused_with_the_nearest() {
    let text = model("", "select 1 where {{ var('least_won', '0') }} > 1");
    let project = Project::from_files(files(&[("core/v.sql", text)])).unwrap();
    assert_eq!(project.check_var("least_won"), Ok(()));
    let message = project.check_var("least_wan").unwrap_err();
    assert!(message.ends_with("did you mean `least_won`?"), "{message}");
    assert!(project.check_var("as_of").unwrap_err().contains("--as-of"));
}

#[test]
fn declared_types_and_test_shapes_are_checked() {
    for (header, message) in [
        (
            "contract: {enforced: true}\ncolumns: {a: {}}\n",
            "contract: a has no type",
        ),
        ("columns: {a: {type: bigin}}\n", "did you mean `bigint`?"),
        (
            "columns: {a: {tests: [{rang: {min: 0}}]}}\n",
            "did you mean `range`?",
        ),
        (
            "tests: [{range: {column: a}}]\n",
            "range has neither min nor max",
        ),
        (
            "tests: [{unique: [a], severty: warn}]\n",
            "did you mean `severity`?",
        ),
    ] {
        let found = problems(&[("marts/a.sql", model(header, "select 1 as a"))]);
        assert!(found[0].contains(message), "{found:?}");
    }
}
