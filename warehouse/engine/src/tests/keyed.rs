//! Models with a key: what is recomputed, what is refused, and that it equals a full refresh.

use std::sync::atomic::{AtomicUsize, Ordering};

use goyong_store::StoreError;

use super::*;
use crate::{BuildEvent, EngineError, Progress};

const WORK: &str = "\
source: work
title: work
description: work
provider: somebody
cadence: monthly
due_days: 15
manifest: required
period: {from: manifest}
revision: replace_period
key: [person_key, firm_no]
reject_threshold: 0.05
format: {kind: csv}
columns:
  - {name: person_key, type: bigint}
  - {name: firm_no, type: code}
  - {name: paid_won, type: won}
";

const FIRM_SEED: &str = "\
seed: firm_list
title: firms
description: firms
origin: made up
key: [firm_no]
columns:
  - {name: firm_no, type: code}
  - {name: size, type: bigint}
  - {name: remark, type: string, nullable: true}
";

const FIRM: &str = "\
/*---
description: firms
grain: [firm_no]
---*/
select firm_no, size, remark from {{ seed('firm_list') }}
";

const PERSON_FIRM: &str = "\
/*---
description: what a person earned from each firm, with the rank of the firm
grain: [person_key, firm_no]
materialized: keyed
key: person_key
---*/
with work as (select * from {{ source('work') }}),
firm as (select * from {{ ref('firm') }}),
named as (
  select work.*, firm.size
  from work
  left join firm on firm.firm_no = work.firm_no
),
summed as (
  select person_key, firm_no, max(size) as size, sum(paid_won) as paid_won, count(*) as payments
  from named
  group by person_key, firm_no
),
several as (
  select person_key from summed group by person_key having count(*) > 1
)
select
  summed.person_key, summed.firm_no, summed.size,
  cast(summed.paid_won as decimal(18, 0)) as paid_won, summed.payments,
  row_number() over (partition by summed.person_key order by summed.paid_won desc, summed.firm_no) as rank,
  several.person_key is not null as has_several
from summed
left join several on several.person_key = summed.person_key
";

const PERSON_MONTH: &str = "\
/*---
description: pay of this and the month before with the firms of a person
grain: [person_key, month]
materialized: partitioned
partition_by: month
key: person_key
partitions_from: work
reads: {work: [-1, 0]}
---*/
with work as (select * from {{ source('work') }}),
person_firm as (select * from {{ ref('person_firm') }}),
firms as (
  select person_key, count(*) as firms, max(size) as largest from person_firm group by person_key
),
paid as (
  select person_key, sum(paid_won) as paid_won from work group by person_key
)
select
  paid.person_key, date '{{ var('partition_start') }}' as month,
  cast(paid.paid_won as decimal(18, 0)) as paid_won, firms.firms, firms.largest
from paid
inner join firms on firms.person_key = paid.person_key
";

const FIRM_TOTAL: &str = "\
/*---
description: persons and pay of a firm
grain: [firm_no]
---*/
select firm_no, count(*) as persons, sum(paid_won) as paid_won
from {{ ref('person_firm') }}
group by firm_no
";

/// Without the log of tests, which says when they ran.
fn models_of(mut hashes: BTreeMap<String, String>) -> BTreeMap<String, String> {
    hashes.retain(|table, _| !table.starts_with("ops."));
    hashes
}

fn project(firms: &[(&str, i64, &str)]) -> BTreeMap<String, String> {
    let mut list = String::from("firm_no,size,remark\n");
    for (firm, size, remark) in firms {
        list.push_str(&format!("{firm},{size},{remark}\n"));
    }
    [
        ("sources/work.yml", WORK.to_owned()),
        ("seeds/firm_list.yml", FIRM_SEED.to_owned()),
        ("seeds/firm_list.csv", list),
        ("core/firm.sql", FIRM.to_owned()),
        ("core/person_firm.sql", PERSON_FIRM.to_owned()),
        ("core/person_month.sql", PERSON_MONTH.to_owned()),
        ("marts/firm_total.sql", FIRM_TOTAL.to_owned()),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text))
    .collect()
}

const STRETCH: &str = "\
/*---
description: months in a row in which somebody was paid
grain: [person_key, from_on]
materialized: keyed
key: person_key
---*/
select person_key, from_on, to_on, spells
from spell_merge(
  (select person_key, _period as from_on, month_end(_period) as to_on from {{ source('work') }}),
  person_key, from_on, to_on)
";

const PRESENT: &str = "\
/*---
description: days of the month in which somebody was in a stretch
grain: [person_key, month]
materialized: partitioned
partition_by: month
key: person_key
partitions_from: work
reads: {work: [0, 0]}
during: {stretch: [from_on, to_on]}
---*/
with stretch as (select * from {{ ref('stretch') }}),
paid as (
  select person_key, sum(paid_won) as paid_won from {{ source('work') }} group by person_key
)
select
  stretch.person_key, date '{{ var('partition_start') }}' as month,
  min(stretch.from_on) as first_day, max(stretch.to_on) as last_day,
  cast(max(paid.paid_won) as decimal(18, 0)) as paid_won
from stretch
left join paid on paid.person_key = stretch.person_key
group by stretch.person_key
";

const FIRMS: [(&str, i64, &str); 3] = [("A", 10, ""), ("B", 20, ""), ("C", 30, "")];

type Work<'a> = (i64, &'a str, i128);

async fn deliver(fixture: &Fixture, month: &str, rows: &[Work<'_>]) {
    let schema = staging_schema(&Contract::parse(WORK, "work.yml").unwrap());
    let count = rows.len();
    let day = day(month);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>()),
        Arc::new(
            rows.iter()
                .map(|row| Some(row.2))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(18, 0)
                .unwrap(),
        ),
        Arc::new(StringArray::from(vec!["d"; count])),
        Arc::new((1..=count as i64).collect::<Int64Array>()),
        Arc::new(Date32Array::from(vec![day; count])),
        Arc::new(StringArray::from(vec![None::<&str>; count])),
        Arc::new(Date32Array::from(vec![day; count])),
    ];
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let options = WriteOptions {
        partition_column: Some("_period".into()),
        ..WriteOptions::default()
    };
    let table = table("staging.work");
    let mut writer = fixture
        .warehouse
        .writer(&table, schema, options)
        .await
        .unwrap();
    writer.write(Some(month), &batch).unwrap();
    let mode = CommitMode::ReplacePartitions(vec![Some(month.to_owned())]);
    writer.commit(mode, CommitDetails::default()).await.unwrap();
}

/// Many persons, so that a few touched ones are few.
fn many() -> Vec<Work<'static>> {
    (0..40)
        .map(|person| (person, "A", 100 + i128::from(person)))
        .collect()
}

async fn keys_touched(
    fixture: &Fixture,
    files: &BTreeMap<String, String>,
    name: &str,
) -> (u64, usize) {
    let report = fixture.build(files).await;
    assert!(report.succeeded(), "{report:#?}");
    let model = report
        .models
        .iter()
        .find(|model| model.table == table(name))
        .unwrap();
    (model.keys_touched, model.partitions_built)
}

async fn refreshed(
    fixture: &Fixture,
    files: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let engine = fixture.engine(files, 1);
    let plan = engine
        .plan_full_refresh(&Selection::all(), as_of())
        .await
        .unwrap();
    let report = engine.build(&plan, &Silent).await.unwrap();
    assert!(report.succeeded(), "{report:#?}");
    models_of(fixture.hashes().await)
}

#[test]
fn only_touched_keys_are_computed_and_the_rest_of_the_file_stays() {
    run(async {
        let fixture = Fixture::new().await;
        let files = project(&FIRMS);
        deliver(&fixture, "2024-01-01", &many()).await;
        deliver(&fixture, "2024-02-01", &many()).await;
        fixture.build(&files).await;
        let mut corrected = many();
        corrected[7].2 = 5;
        corrected[8].1 = "B";
        deliver(&fixture, "2024-02-01", &corrected).await;
        assert_eq!(
            keys_touched(&fixture, &files, "core.person_firm").await,
            (2, 1)
        );
        let after = models_of(fixture.hashes().await);
        assert_eq!(after, refreshed(&fixture, &files).await);
    });
}

#[test]
fn months_that_read_their_own_days_of_a_history_ignore_other_days() {
    run(async {
        let fixture = Fixture::new().await;
        let mut files = project(&FIRMS);
        files.insert("core/stretch.sql".into(), STRETCH.into());
        files.insert("core/present.sql".into(), PRESENT.into());
        deliver(&fixture, "2024-01-01", &many()).await;
        deliver(&fixture, "2024-02-01", &many()).await;
        fixture.build(&files).await;
        // Three stretches go on for a month: the new month is computed, no person of the others.
        deliver(&fixture, "2024-03-01", &many()[3..6]).await;
        let report = keys_touched(&fixture, &files, "core.present").await;
        assert_eq!(report, (0, 3));
        let after = models_of(fixture.hashes().await);
        assert_eq!(after, refreshed(&fixture, &files).await);
        // A person less in January: the stretch begins later, which February does not see.
        let mut corrected = many();
        corrected.remove(7);
        deliver(&fixture, "2024-01-01", &corrected).await;
        let report = keys_touched(&fixture, &files, "core.present").await;
        assert_eq!(report.0, 1);
        let after = models_of(fixture.hashes().await);
        assert_eq!(after, refreshed(&fixture, &files).await);
    });
}

#[test]
fn keyed_models_over_spell_functions_compute_only_touched_keys() {
    run(async {
        let fixture = Fixture::new().await;
        let mut files = project(&FIRMS);
        files.insert("core/stretch.sql".into(), STRETCH.into());
        deliver(&fixture, "2024-01-01", &many()).await;
        deliver(&fixture, "2024-02-01", &many()).await;
        fixture.build(&files).await;
        deliver(&fixture, "2024-03-01", &many()[3..6]).await;
        assert_eq!(keys_touched(&fixture, &files, "core.stretch").await, (3, 1));
        let after = models_of(fixture.hashes().await);
        assert_eq!(after, refreshed(&fixture, &files).await);
    });
}

#[test]
fn keys_of_a_looked_up_row_are_touched_and_no_others() {
    run(async {
        let fixture = Fixture::new().await;
        let mut rows = many();
        rows[3].1 = "B";
        rows[4].1 = "B";
        deliver(&fixture, "2024-01-01", &rows).await;
        fixture.build(&project(&FIRMS)).await;
        // A column nobody looks at.
        let remarked = [("A", 10, ""), ("B", 20, "new"), ("C", 30, "")];
        assert_eq!(
            keys_touched(&fixture, &project(&remarked), "core.person_firm").await,
            (0, 1)
        );
        let grown = [("A", 10, ""), ("B", 25, "new"), ("C", 30, "")];
        let files = project(&grown);
        assert_eq!(
            keys_touched(&fixture, &files, "core.person_firm").await,
            (2, 1)
        );
        let after = models_of(fixture.hashes().await);
        assert_eq!(after, refreshed(&fixture, &files).await);
    });
}

#[test]
fn months_take_over_only_what_is_touched_in_them() {
    run(async {
        let fixture = Fixture::new().await;
        let files = project(&FIRMS);
        for month in ["2024-01-01", "2024-02-01", "2024-03-01"] {
            deliver(&fixture, month, &many()).await;
        }
        fixture.build(&files).await;
        let mut corrected = many();
        corrected[7].2 = 5;
        corrected.push((7, "C", 1));
        deliver(&fixture, "2024-01-01", &corrected).await;
        // The firms of person 7 are read by every month, its pay by January and February.
        assert_eq!(
            keys_touched(&fixture, &files, "core.person_month").await,
            (3, 3)
        );
        let after = models_of(fixture.hashes().await);
        assert_eq!(after, refreshed(&fixture, &files).await);
    });
}

#[test]
fn rows_that_come_out_as_they_were_are_not_written() {
    run(async {
        let fixture = Fixture::new().await;
        let files = project(&FIRMS);
        deliver(&fixture, "2024-01-01", &many()).await;
        fixture.build(&files).await;
        let before = models_of(fixture.hashes().await);
        let version = |fixture: &Fixture| {
            let warehouse = fixture.warehouse.clone();
            async move {
                warehouse
                    .snapshot(&table("core.person_firm"))
                    .await
                    .unwrap()
                    .unwrap()
                    .version
            }
        };
        let first = version(&fixture).await;
        // The same rows in another order and file.
        let mut turned = many();
        turned.reverse();
        deliver(&fixture, "2024-01-01", &turned).await;
        assert!(fixture.build(&files).await.succeeded());
        assert_eq!(version(&fixture).await, first);
        let mut after = models_of(fixture.hashes().await);
        after.insert("staging.work".into(), before["staging.work"].clone());
        assert_eq!(after, before);
    });
}

#[test]
fn models_that_mix_keys_do_not_compile_and_the_operator_is_named() {
    run(async {
        let select = |body: &str| {
            let mut files = project(&FIRMS);
            let header = "/*---\ndescription: x\ngrain: [person_key]\nmaterialized: keyed\nkey: person_key\n---*/\n";
            files.insert("core/mixed.sql".into(), format!("{header}{body}"));
            files
        };
        let work = "{{ source('work') }}";
        let cases = [
            (
                format!("select max(person_key) as person_key from {work} group by firm_no"),
                "an aggregate",
            ),
            (
                format!("select person_key, rank() over (order by paid_won) as place from {work}"),
                "the window",
            ),
            (
                format!("select person_key from {work} order by paid_won limit 3"),
                "a limit",
            ),
            (
                format!(
                    "select one.person_key, count(*) as others from {work} as one \
                     inner join {work} as other on other.firm_no = one.firm_no group by one.person_key"
                ),
                "a join that does not equate it",
            ),
            (
                format!(
                    "with total as (select sum(paid_won) as won from {work}) \
                     select work.person_key, max(total.won) as won from {work} as work cross join total group by work.person_key"
                ),
                "an aggregate",
            ),
            (
                format!(
                    "select firm.firm_no, work.person_key from {} as firm left join {work} as work on work.firm_no = firm.firm_no",
                    "{{ ref('firm') }}"
                ),
                "keeps rows of an input without it",
            ),
            (
                format!(
                    "select person_key from spell_gaps((select *, month_end(_period) as to_on from {work}), \
                     (firm_no, _row_number), _period, to_on)"
                ),
                "spell_gaps, whose key does not hold it",
            ),
            (
                format!("select person_key + 1 as person_key from {work}"),
                "is computed",
            ),
            (
                format!(
                    "select person_key from {work} where person_key not in (select person_key from {})",
                    "{{ ref('person_firm') }}"
                ),
                "a join that does not equate it",
            ),
        ];
        for (body, operator) in cases {
            let fixture = Fixture::new().await;
            deliver(&fixture, "2024-01-01", &many()).await;
            let report = fixture.build(&select(&body)).await;
            let model = report
                .models
                .iter()
                .find(|model| model.table == table("core.mixed"))
                .unwrap();
            assert_eq!(model.outcome, Outcome::Failed, "{body}");
            assert!(model.reason.contains(operator), "{body}: {}", model.reason);
            assert!(model.reason.contains("core/mixed.sql"), "{}", model.reason);
        }
    });
}

/// Stops listening after some events, so that the build can be dropped there.
struct StopsAfter {
    events: AtomicUsize,
    reached: tokio::sync::Notify,
}

impl Progress for StopsAfter {
    fn event(&self, _event: BuildEvent<'_>) {
        if self.events.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.reached.notify_one();
        }
    }
}

/// Runs a build and gives it up after some events, as a crash would.
async fn build_and_crash(engine: &Engine, events: usize) {
    let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
    let stops = StopsAfter {
        events: AtomicUsize::new(events),
        reached: tokio::sync::Notify::new(),
    };
    tokio::select! {
        _ = engine.build(&plan, &stops) => {}
        () = stops.reached.notified() => {}
    }
}

/// Builds once what the dropped build still had under way is through: a commit of it that comes in between is a
/// conflict, which changes nothing.
async fn build_after_crash(engine: &Engine) -> BuildReport {
    for _ in 0..5 {
        let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
        match engine.build(&plan, &Silent).await {
            Err(EngineError::Store(StoreError::Conflict { .. })) => {}
            outcome => return outcome.unwrap(),
        }
    }
    panic!("one build cannot be in the way of five");
}

#[test]
fn any_edits_in_any_order_with_crashes_equal_a_full_refresh() {
    run(async {
        let (fixture, other) = (Fixture::new().await, Fixture::new().await);
        let mut state = 20_240_101u64;
        let mut draw = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let months = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"];
        let mut rows: Vec<Vec<Work<'_>>> = vec![many(); months.len()];
        let mut firms = FIRMS;
        for (month, rows) in months.iter().zip(&rows) {
            deliver(&fixture, month, rows).await;
            deliver(&other, month, rows).await;
        }
        fixture.build(&project(&firms)).await;
        for round in 0..24 {
            for _ in 0..=draw(2) {
                let month = draw(4) as usize;
                let names = ["A", "B", "C", "D"];
                for _ in 0..=draw(3) {
                    let row = draw(rows[month].len() as u64) as usize;
                    match draw(4) {
                        0 => rows[month][row].2 = i128::from(draw(1000)),
                        1 => rows[month][row].1 = names[draw(4) as usize],
                        2 if rows[month].len() > 30 => {
                            rows[month].remove(row);
                        }
                        _ => rows[month].push((draw(60) as i64, names[draw(4) as usize], 7)),
                    }
                }
                deliver(&fixture, months[month], &rows[month]).await;
                deliver(&other, months[month], &rows[month]).await;
            }
            if draw(3) == 0 {
                firms[draw(3) as usize].1 = draw(50) as i64;
            }
            let files = project(&firms);
            if draw(2) == 0 {
                build_and_crash(&fixture.engine(&files, 2), 1 + draw(25) as usize).await;
            }
            let report = build_after_crash(&fixture.engine(&files, 2)).await;
            assert!(report.succeeded(), "{report:#?}");
            assert_eq!(
                models_of(fixture.hashes().await),
                refreshed(&other, &files).await,
                "round {round}"
            );
        }
        let problems = fixture.warehouse.verify(None).await.unwrap().problems;
        assert!(problems.is_empty(), "{problems:?}");
    });
}

#[test]
fn months_that_were_committed_survive_a_crash() {
    run(async {
        let fixture = Fixture::new().await;
        let months: Vec<String> = (0..16)
            .map(|month| format!("{}-{:02}-01", 2022 + month / 12, 1 + month % 12))
            .collect();
        for month in &months {
            deliver(&fixture, month, &[(1, "A", 1)]).await;
        }
        let files = project(&FIRMS);
        // Gives up when the thirteenth month of the model is computed.
        struct Thirteenth(tokio::sync::Notify);
        impl Progress for Thirteenth {
            fn event(&self, event: BuildEvent<'_>) {
                if matches!(event, BuildEvent::Partition { done: 13, .. }) {
                    self.0.notify_one();
                }
            }
        }
        let engine = fixture.engine(&files, 2);
        let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
        let thirteenth = Thirteenth(tokio::sync::Notify::new());
        tokio::select! {
            _ = engine.build(&plan, &thirteenth) => panic!("it was to be given up"),
            () = thirteenth.0.notified() => {}
        }
        let report = fixture.build(&files).await;
        let (outcome, built, fresh) = of(&report, "core.person_month");
        assert_eq!(outcome, Outcome::Built);
        assert!(fresh >= 12, "{built} built, {fresh} kept");
        assert_eq!(built + fresh, 16);
        assert_eq!(
            models_of(fixture.hashes().await),
            refreshed(&fixture, &files).await
        );
    });
}
