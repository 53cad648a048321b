//! Three hundred generated models: an edit rebuilds exactly what depends on it.

use std::collections::BTreeSet;

use super::*;

const MODELS: usize = 300;
const MONTHS: [&str; 3] = ["2024-01-01", "2024-02-01", "2024-03-01"];

fn name(number: usize) -> String {
    format!("m{number:03}")
}

fn schema(number: usize) -> &'static str {
    match number {
        0..100 => "core",
        100..200 => "marts",
        _ => "detect",
    }
}

/// The models a model reads: a chain in the first hundred, a fan-out from a few of them in the
/// second, joins of two in the third.
fn parents(number: usize) -> Vec<usize> {
    match number {
        0 => vec![],
        1..100 if number.is_multiple_of(10) => vec![number - 10],
        1..100 => vec![number - 1],
        100..200 => vec![(number % 7) * 10],
        _ => vec![number - 100, number - 190],
    }
}

/// Every third model of the fan-out is a view, and one chain is stored by month.
fn materialized(number: usize) -> &'static str {
    match number {
        100..200 if number.is_multiple_of(3) => "view",
        1..10 => "partitioned",
        _ => "table",
    }
}

fn text(number: usize, note: &str) -> String {
    let kind = materialized(number);
    let parents = parents(number);
    let by_month = match (kind, number) {
        ("partitioned", 1) => "partition_by: month\nreads: {pay: [0, 0]}\n".to_owned(),
        ("partitioned", _) => {
            format!(
                "partition_by: month\nreads: {{{}: [0, 0]}}\n",
                name(number - 1)
            )
        }
        _ => String::new(),
    };
    let body = match (number, parents.as_slice()) {
        (0 | 1, _) => {
            "select person_key, _period as month, paid_won from {{ source('pay') }}".to_owned()
        }
        (_, [one]) => format!(
            "with parent as (\n  select * from {{{{ ref('{}') }}}}\n)\nselect person_key, month, paid_won + {number} as paid_won\nfrom parent",
            name(*one)
        ),
        (_, [left, right]) => format!(
            "select l.person_key, l.month, l.paid_won + r.paid_won as paid_won\nfrom {{{{ ref('{}') }}}} as l\ninner join {{{{ ref('{}') }}}} as r\n  on r.person_key = l.person_key and r.month = l.month",
            name(*left),
            name(*right)
        ),
        _ => unreachable!("one or two parents"),
    };
    format!(
        "/*---\ndescription: generated\ngrain: [person_key, month]\nmaterialized: {kind}\n{by_month}---*/\n{note}{body}\n"
    )
}

/// The project of a model count; the benchmark writes the same.
fn files() -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = (0..MODELS)
        .map(|number| {
            let path = format!("{}/{}.sql", schema(number), name(number));
            (path, text(number, ""))
        })
        .collect();
    files.insert("sources/pay.yml".into(), PAY.into());
    files
}

/// A model and everything that reads it, directly or not.
fn dependants(edited: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([edited]);
    for number in 0..MODELS {
        if reads(number).iter().any(|parent| reached.contains(parent)) {
            reached.insert(number);
        }
    }
    reached
}

fn reads(number: usize) -> Vec<usize> {
    match number {
        1 => vec![],
        _ => parents(number),
    }
}

fn built(report: &BuildReport) -> BTreeSet<String> {
    let built = report
        .models
        .iter()
        .filter(|model| model.outcome == Outcome::Built);
    built.map(|model| model.table.table().to_owned()).collect()
}

#[test]
fn edit_of_one_of_three_hundred_models_rebuilds_exactly_its_dependants() {
    run(async {
        let fixture = Fixture::new().await;
        for month in MONTHS {
            fixture.deliver(month, &[(1, 100), (2, 7)]).await;
        }
        let mut files = files();
        let first = fixture.build(&files).await;
        assert!(first.succeeded(), "{:?}", first.failures().next());
        assert_eq!(first.models.len(), MODELS);
        for (edited, change) in [
            (5, "+ 50"),
            (50, "+ 51"),
            (102, "+ 52"),
            (110, "+ 53"),
            (299, "* 2"),
        ] {
            let path = format!("{}/{}.sql", schema(edited), name(edited));
            // A comment and another layout first: nothing may run.
            let dressed = text(edited, "-- why\n").replace("\nfrom", "\n\n   FROM");
            files.insert(path.clone(), dressed);
            assert!(fixture.build(&files).await.did_nothing(), "{edited}");
            let before = fixture.hashes().await;
            let mut body = text(edited, "");
            let at = body.rfind(" as paid_won").unwrap();
            body.insert_str(at, &format!(" {change}"));
            files.insert(path, body);
            let report = fixture.build(&files).await;
            assert!(report.succeeded(), "{:?}", report.failures().next());
            let stored = |number: &usize| materialized(*number) != "view";
            let expected: BTreeSet<String> = dependants(edited)
                .iter()
                .filter(|number| stored(number))
                .map(|number| name(*number))
                .collect();
            assert_eq!(built(&report), expected, "edit of {}", name(edited));
            let after = fixture.hashes().await;
            let changed: BTreeSet<String> = after
                .iter()
                .filter(|(table, hash)| {
                    before.get(*table) != Some(hash) && !table.starts_with("ops.")
                })
                .map(|(table, _)| table.rsplit('.').next().unwrap().to_owned())
                .collect();
            assert_eq!(changed, expected, "the ledger agrees");
        }
    });
}
