#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use goyong_catalog::{Project, ProjectFiles};
use goyong_types::TableName;

use crate::lineage::{ColumnRef, Direction, ProjectLineage};
use crate::session::{Limits, Purpose, SessionFactory};

const SEEKER: &str = "\
source: seeker
title: seeker
description: seeker
provider: somebody
cadence: monthly
manifest: none
period: none
revision: append
known_on: registered_on
key: [seeker_no]
format: {kind: csv}
columns:
  - {name: seeker_no, from: 번호, type: code}
  - {name: person_key, from: 주민등록번호, type: rrn, tags: [pseudonym], derive: [birth_date, sex]}
  - {name: registered_on, type: date}
  - {name: wage_won, type: won, tags: [sensitive]}
  - {name: letter, type: text, tags: [free_text]}
  - {name: lost_on, type: date, nullable: true, known_on: lost_reported_on}
  - {name: lost_reported_on, type: date, nullable: true}
";

const EVENT: &str = "\
source: event
title: event
description: event
provider: somebody
cadence: monthly
manifest: none
period: none
revision: append
key: [seeker_no]
format: {kind: csv}
columns:
  - {name: seeker_no, type: code}
  - {name: points, type: int}
";

/// A lineage of two sources and the models given by file and text.
pub(super) async fn lineage_of(models: &[(&str, &str)]) -> ProjectLineage {
    let mut files: BTreeMap<String, String> = [
        ("sources/seeker.yml".to_owned(), SEEKER.to_owned()),
        ("sources/event.yml".to_owned(), EVENT.to_owned()),
    ]
    .into();
    for (file, text) in models {
        let text = if file.ends_with(".sql") && !text.starts_with("/*---") {
            format!("/*---\ndescription: x\ngrain: [x]\n---*/\n{text}")
        } else {
            (*text).to_owned()
        };
        files.insert((*file).to_owned(), text);
    }
    let project = Project::from_files(ProjectFiles::from_texts(files))
        .unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        threads: 1,
        memory_bytes: 64 << 20,
        spill_bytes: 1 << 20,
    };
    let factory = SessionFactory::without_lake(folder.path(), &limits, Purpose::Build).unwrap();
    ProjectLineage::without_warehouse(&project, &factory)
        .await
        .unwrap()
}

fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

fn tags(lineage: &ProjectLineage, name: &str, column: &str) -> String {
    let node = lineage.node(&table(name)).unwrap();
    assert_eq!(node.unplanned, None, "{name}");
    let tags = lineage.tags(&table(name), column);
    tags.into_iter().collect::<Vec<_>>().join(" ")
}

fn problem(lineage: &ProjectLineage, name: &str) -> String {
    let node = lineage.node(&table(name)).unwrap();
    assert_eq!(node.unplanned, None, "{name}");
    lineage.problem_of(&table(name)).unwrap_or_default()
}

#[tokio::test]
async fn tags_follow_values_and_stay_behind_counts_and_conditions() {
    let lineage = lineage_of(&[
        (
            "core/x.sql",
            "with a as (select *, upper(letter) as loud from {{ source('seeker') }})
         select seeker_no as x, person_key as who, loud, birth_date, count(*) over () as n,
           case when wage_won > 5 then 'rich' else 'poor' end as class,
           letter is null as silent
         from a where person_key > 5",
        ),
        (
            "marts/y.sql",
            "select class as x, count(distinct who) as persons, min(who) as first_person,
           max(loud) as loud, count(loud) as letters
         from {{ ref('core.x') }} group by class",
        ),
    ])
    .await;
    let of = |name, column| tags(&lineage, name, column);
    assert_eq!(of("core.x", "who"), "pseudonym");
    assert_eq!(of("core.x", "loud"), "free_text");
    assert_eq!(of("core.x", "birth_date"), "quasi_identifier");
    assert_eq!(of("core.x", "n"), "");
    assert_eq!(of("core.x", "class"), "");
    assert_eq!(of("core.x", "silent"), "");
    assert_eq!(of("marts.y", "persons"), "");
    assert_eq!(of("marts.y", "first_person"), "pseudonym");
    assert_eq!(of("marts.y", "loud"), "free_text");
    assert_eq!(of("marts.y", "letters"), "");
}

#[tokio::test]
async fn sum_keeps_the_tag_because_a_group_may_have_one_row() {
    let lineage = lineage_of(&[(
        "core/x.sql",
        "select seeker_no as x, sum(wage_won) as wages from {{ source('seeker') }} group by seeker_no",
    )])
    .await;
    assert_eq!(tags(&lineage, "core.x", "wages"), "sensitive");
}

#[tokio::test]
async fn header_raises_and_declassifies_with_a_reason() {
    let lineage = lineage_of(&[(
        "core/x.sql",
        "/*---
description: x
grain: [x]
columns:
  points: {tags: [sensitive]}
declassify:
  who: {remove: [pseudonym], reason: modulo ten says nothing of anybody}
---*/
select seeker.seeker_no as x, seeker.person_key % 10 as who, event.points
from {{ source('seeker') }} as seeker
inner join {{ source('event') }} as event on event.seeker_no = seeker.seeker_no",
    )])
    .await;
    assert_eq!(problem(&lineage, "core.x"), "");
    assert_eq!(tags(&lineage, "core.x", "who"), "");
    assert_eq!(tags(&lineage, "core.x", "points"), "sensitive");
    let node = lineage.node(&table("core.x")).unwrap();
    assert_eq!(node.declassified.len(), 1);
    assert_eq!(node.declassified[0].tag, "pseudonym");
}

#[tokio::test]
async fn declassification_without_need_reason_or_column_is_an_error() {
    for (declassify, expected) in [
        (
            "points: {remove: [pseudonym], reason: because}",
            "does not have the tag `pseudonym`",
        ),
        ("who: {remove: [pseudonym], reason: ' '}", "gives no reason"),
        (
            "whom: {remove: [pseudonym], reason: because}",
            "did you mean `who`?",
        ),
        ("who: {remove: [], reason: because}", "removes nothing"),
    ] {
        let text = format!(
            "/*---\ndescription: x\ngrain: [x]\ndeclassify:\n  {declassify}\n---*/\n\
             select s.seeker_no as x, s.person_key as who, e.points from {{{{ source('seeker') }}}} as s \
             cross join {{{{ source('event') }}}} as e"
        );
        let lineage = lineage_of(&[("core/x.sql", &text)]).await;
        let problem = problem(&lineage, "core.x");
        assert!(problem.contains(expected), "{declassify}: {problem}");
    }
}

#[tokio::test]
async fn misspelt_tag_is_an_error_and_no_remark() {
    let lineage = lineage_of(&[(
        "core/x.sql",
        "/*---\ndescription: x\ngrain: [x]\ncolumns: {x: {tags: [pseudonim]}}\n---*/\nselect points as x from {{ source('event') }}",
    )])
    .await;
    assert!(problem(&lineage, "core.x").contains("did you mean `pseudonym`?"));
}

#[tokio::test]
async fn report_that_would_receive_a_person_names_the_way_from_the_contract() {
    let report = "\
slug: people
tables:
  - name: list
    sql: |
      select who, n from {{ ref('y') }}
    disclosure: {}
  - name: births
    sql: |
      select birth_date, n from {{ ref('y') }}
  - name: protected
    sql: |
      select birth_date, n from {{ ref('y') }}
    disclosure: {}
";
    let lineage = lineage_of(&[
        ("core/x.sql", "select seeker_no as x, person_key as who, birth_date from {{ source('seeker') }}"),
        ("marts/y.sql", "select who, birth_date, count(*) as n from {{ ref('core.x') }} group by who, birth_date"),
        ("reports/people.yml", report),
    ])
    .await;
    let problems = lineage.problems_of_reports();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(
        problems[0],
        "reports/people.yml:3: table list: column `who` is a pseudonym: who ← marts.y.who ← core.x.who ← staging.seeker.person_key; leave it out, count it, or declassify it in the model with a reason"
    );
    assert!(problems[1].contains("table births: column `birth_date` is a quasi identifier"));
}

#[tokio::test]
async fn walk_reaches_the_providers_field_and_the_report() {
    let report =
        "slug: r\ntables:\n  - {name: t, sql: \"select n from {{ ref('y') }}\", disclosure: {}}\n";
    let lineage = lineage_of(&[
        (
            "core/x.sql",
            "select seeker_no as x, person_key as who from {{ source('seeker') }}",
        ),
        (
            "marts/y.sql",
            "select x, count(who) as n from {{ ref('core.x') }} group by x",
        ),
        ("reports/r.yml", report),
    ])
    .await;
    let start = ColumnRef::new(&table("marts.y"), "n");
    let up = lineage.walk(&start, Direction::Upstream);
    let end = up
        .iter()
        .find(|step| step.source.table.schema() == "staging")
        .unwrap();
    assert_eq!(
        (end.source.column.as_str(), end.field.as_str()),
        ("person_key", "주민등록번호")
    );
    assert!(up.iter().any(|step| step.subtype == "group_by"));
    let start = ColumnRef::new(&table("staging.seeker"), "person_key");
    let down = lineage.walk(&start, Direction::Downstream);
    let last = down.last().unwrap();
    assert_eq!(last.target.to_string(), "report.r_t.n");
    assert_eq!(
        lineage.find("y.n").unwrap(),
        (table("marts.y"), Some("n".into()))
    );
    assert!(
        lineage
            .find("y.nn")
            .unwrap_err()
            .contains("did you mean `n`?")
    );
}

/// The problem of a feature over both sources.
async fn feature(sql: &str) -> String {
    let lineage = lineage_of(&[
        (
            "core/seeker.sql",
            "/*---\ndescription: x\ngrain: [seeker_no]\nknown_on: registered_on\n---*/\n\
             select seeker_no, person_key, registered_on, wage_won, lost_on, lost_reported_on, lost_on is not null as lost \
             from {{ source('seeker') }}",
        ),
        (
            "core/event.sql",
            "/*---\ndescription: x\ngrain: [seeker_no]\n---*/\n\
             select seeker_no, points, _known_on as known_on from {{ source('event') }}",
        ),
        (
            "core/score.sql",
            "/*---\ndescription: x\ngrain: [seeker_no]\n---*/\n\
             select seeker_no, sum(points) as points from {{ ref('event') }} group by seeker_no",
        ),
        (
            "features/answer.sql",
            "/*---\ndescription: x\ngrain: [seeker_no]\nlabel: true\n---*/\n\
             select seeker_no, lost from {{ ref('seeker') }}",
        ),
        ("features/f.sql", sql),
    ])
    .await;
    assert_eq!(problem(&lineage, "features.answer"), "");
    problem(&lineage, "features.f")
}

const REGISTERED: &str = "with r as (select * from {{ ref('seeker') }} where registered_on <= date '{{ var('as_of') }}')";

#[tokio::test]
async fn feature_bounded_by_as_of_compiles() {
    for sql in [
        "select seeker_no as x from r",
        // a bound that rests on a bounded date
        "select r.seeker_no as x, sum(e.points) as p from r inner join {{ ref('event') }} as e
           on e.seeker_no = r.seeker_no where e.known_on <= r.registered_on group by r.seeker_no",
        // inside the join, before the day, before a month before
        "select r.seeker_no as x, e.points from r left join {{ ref('event') }} as e
           on e.seeker_no = r.seeker_no and e.known_on < add_months(r.registered_on, -1)",
        // the event alone
        "select seeker_no as x, count(*) as n from {{ ref('event') }} where known_on between date '2020-01-01' and date '{{ var('as_of') }}' group by seeker_no",
        // a column with a day of its own
        "select seeker_no as x, case when lost_reported_on <= registered_on then lost_on end as lost_on from r",
        "select seeker_no as x from r where not (lost and lost_reported_on <= registered_on)",
        // a filtered aggregate
        "select r.seeker_no as x, count(*) filter (where r.lost_reported_on <= r.registered_on) as n from r group by r.seeker_no",
        "select seeker_no as x from r where exists (select 1 from {{ ref('event') }} as e where e.seeker_no = r.seeker_no and e.known_on <= r.registered_on)",
    ] {
        let problem = feature(&format!("{REGISTERED} {sql}")).await;
        assert_eq!(problem, "", "{sql}");
    }
}

#[tokio::test]
async fn feature_that_looks_ahead_names_the_path_of_the_leak() {
    for (sql, expected) in [
        (
            "select seeker_no as x from {{ ref('seeker') }}",
            "core.seeker without a bound on registered_on",
        ),
        // bounded on one side of a self join only
        (
            "select r.seeker_no as x from r inner join {{ ref('seeker') }} as later on later.person_key = r.person_key",
            "features.f (which rows it has) ← later ← core.seeker without a bound on registered_on",
        ),
        // a bound that is not bounded itself
        (
            "select r.seeker_no as x from r inner join {{ ref('event') }} as e on e.seeker_no = r.seeker_no where e.known_on <= r.lost_on",
            "core.event without a bound on known_on",
        ),
        // the wrong direction, and a day later
        (
            "select seeker_no as x from {{ ref('event') }} where known_on >= date '{{ var('as_of') }}'",
            "core.event without a bound on known_on",
        ),
        (
            "select seeker_no as x from {{ ref('event') }} where known_on <= add_days(date '{{ var('as_of') }}', 30)",
            "core.event without a bound on known_on",
        ),
        (
            "select seeker_no as x from {{ ref('event') }} where known_on <= date '2025-01-01'",
            "core.event without a bound on known_on",
        ),
        // too late: the rows were put together before
        (
            "select x, n from (select seeker_no as x, count(*) as n, max(known_on) as k from {{ ref('event') }} group by seeker_no) where k <= date '{{ var('as_of') }}'",
            "core.event without a bound on known_on",
        ),
        (
            "select x from (select seeker_no as x, known_on, row_number() over (partition by seeker_no order by known_on desc) as n from {{ ref('event') }}) where n = 1 and known_on <= date '{{ var('as_of') }}'",
            "core.event without a bound on known_on",
        ),
        (
            "select seeker_no as x from r where not exists (select 1 from {{ ref('event') }} as e where e.seeker_no = r.seeker_no)",
            "core.event without a bound on known_on",
        ),
        // only one branch is bounded
        (
            "select seeker_no as x from {{ ref('event') }} where known_on <= date '{{ var('as_of') }}' or points > 3",
            "core.event without a bound on known_on",
        ),
        (
            "select seeker_no as x from r union all select seeker_no from {{ ref('event') }}",
            "core.event without a bound on known_on",
        ),
        // known later than its row
        (
            "select seeker_no as x, lost_on from r",
            "features.f.lost_on ← r ← core.seeker without a bound on lost_reported_on",
        ),
        (
            "select seeker_no as x, lost from r",
            "without a bound on lost_reported_on",
        ),
        (
            "select seeker_no as x from r where lost",
            "without a bound on lost_reported_on",
        ),
        // a table that carries no day
        (
            "select r.seeker_no as x, s.points from r inner join {{ ref('score') }} as s on s.seeker_no = r.seeker_no",
            "core.score, of which no column says when it was known",
        ),
        // a label, also at a distance
        (
            "select a.seeker_no as x from {{ ref('features.answer') }} as a",
            "a feature reads the label features.answer",
        ),
    ] {
        let problem = feature(&format!("{REGISTERED} {sql}")).await;
        assert!(problem.contains(expected), "{sql}\n{problem}");
        assert!(problem.starts_with("features/f.sql: "), "{problem}");
    }
}

#[tokio::test]
async fn the_built_in_project_obeys_its_own_rules() {
    let project = Project::embedded().unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        threads: 1,
        memory_bytes: 64 << 20,
        spill_bytes: 1 << 20,
    };
    let factory = SessionFactory::without_lake(folder.path(), &limits, Purpose::Build).unwrap();
    let lineage = ProjectLineage::without_warehouse(&project, &factory)
        .await
        .unwrap();
    let mut problems: Vec<String> = Vec::new();
    for (table, node) in lineage.nodes() {
        if let Some(reason) = &node.unplanned
            && !reason.contains("are not known yet")
        {
            problems.push(format!("{table}: {reason}"));
        }
        problems.extend(node.problems.iter().cloned());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let feature = lineage.node(&table("features.employment_success")).unwrap();
    assert_eq!(feature.unplanned, None);
    assert!(feature.leaks.is_empty());
}

/// Fails where an event does not have the shape published under openlineage.io/spec.
fn assert_open_lineage(event: &serde_json::Value) {
    let text = |value: &serde_json::Value, key: &str| {
        let text = value[key].as_str();
        text.unwrap_or_else(|| panic!("{key} of {value}"))
            .to_owned()
    };
    let is_uri = |uri: &str| assert!(url::Url::parse(uri).is_ok(), "{uri}");
    let facets = |value: &serde_json::Value| {
        for facet in value["facets"].as_object().unwrap().values() {
            is_uri(&text(facet, "_producer"));
            is_uri(&text(facet, "_schemaURL"));
        }
    };
    let input_fields = |fields: &serde_json::Value| {
        for field in fields.as_array().unwrap() {
            for key in ["namespace", "name", "field"] {
                assert!(!text(field, key).is_empty());
            }
            for transformation in field["transformations"].as_array().unwrap() {
                let allowed: &[&str] = match text(transformation, "type").as_str() {
                    "DIRECT" => &["IDENTITY", "TRANSFORMATION", "AGGREGATION"],
                    "INDIRECT" => &[
                        "JOIN",
                        "GROUP_BY",
                        "FILTER",
                        "SORT",
                        "WINDOW",
                        "CONDITIONAL",
                    ],
                    other => panic!("{other}"),
                };
                assert!(allowed.contains(&text(transformation, "subtype").as_str()));
                assert!(transformation["masking"].is_boolean());
                text(transformation, "description");
            }
        }
    };
    assert_eq!(text(event, "eventType"), "COMPLETE");
    let time = text(event, "eventTime");
    assert!(
        chrono::DateTime::parse_from_rfc3339(&time).is_ok(),
        "{time}"
    );
    is_uri(&text(event, "producer"));
    is_uri(&text(event, "schemaURL"));
    let run = text(&event["run"], "runId");
    let groups: Vec<usize> = run.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{run}");
    assert!(
        run.bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    );
    for key in ["namespace", "name"] {
        text(&event["job"], key);
    }
    facets(&event["job"]);
    for side in ["inputs", "outputs"] {
        for dataset in event[side].as_array().unwrap() {
            for key in ["namespace", "name"] {
                text(dataset, key);
            }
            facets(dataset);
        }
    }
    let lineage = &event["outputs"][0]["facets"]["columnLineage"];
    for column in lineage["fields"].as_object().unwrap().values() {
        input_fields(&column["inputFields"]);
    }
    input_fields(&lineage["dataset"]);
}

#[tokio::test]
async fn events_have_the_published_shape_and_are_the_same_every_time() {
    let project = Project::embedded().unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        threads: 1,
        memory_bytes: 64 << 20,
        spill_bytes: 1 << 20,
    };
    let factory = SessionFactory::without_lake(folder.path(), &limits, Purpose::Build).unwrap();
    let lineage = ProjectLineage::without_warehouse(&project, &factory)
        .await
        .unwrap();
    let run = crate::lineage::OpenLineageRun {
        namespace: "goyong".into(),
        as_of: chrono::NaiveDate::from_ymd_opt(2025, 12, 31).unwrap(),
    };
    let events = lineage.open_lineage(&project, &run);
    assert!(events.len() > project.models().len() / 2);
    for event in &events {
        assert_open_lineage(event);
    }
    assert_eq!(events, lineage.open_lineage(&project, &run));
    let claim = events
        .iter()
        .find(|event| event["job"]["name"] == "core.claim")
        .unwrap();
    let fields = &claim["outputs"][0]["facets"]["columnLineage"]["fields"];
    assert_eq!(
        fields["claim_no"]["inputFields"],
        serde_json::json!([{
            "namespace": "goyong",
            "name": "staging.ei_benefit_claim",
            "field": "claim_no",
            "transformations": [{"type": "DIRECT", "subtype": "IDENTITY", "description": "", "masking": false}],
        }])
    );
}
