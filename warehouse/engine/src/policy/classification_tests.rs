//! Plans over tables whose columns say their classification.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use goyong_types::TableName;

use super::classification::{Classified, classify};

const COLUMNS: [(&str, &str, &str); 7] = [
    ("old", "ksic", "KSIC9"),
    ("new", "ksic", "KSIC10"),
    ("crosswalk", "from_code", "KSIC9"),
    ("crosswalk", "to_code", "KSIC10"),
    ("job", "keco", "KECO2018"),
    ("mixed", "ksic", "KSIC@ksic_version"),
    ("mixed", "ksic_version", ""),
];
const TABLES: [&str; 5] = ["old", "new", "crosswalk", "job", "mixed"];

async fn plan(sql: &str) -> LogicalPlan {
    let mut config = SessionConfig::new().with_default_catalog_and_schema("warehouse", "core");
    config.options_mut().sql_parser.collect_spans = true;
    let config = config.with_create_default_catalog_and_schema(false);
    let session = SessionContext::new_with_config(config);
    let catalog = Arc::new(MemoryCatalogProvider::new());
    let schema = Arc::new(MemorySchemaProvider::new());
    catalog.register_schema("core", schema).unwrap();
    session.register_catalog("warehouse", catalog);
    for table in TABLES {
        let columns = COLUMNS.iter().filter(|(of, ..)| *of == table);
        let fields: Vec<Field> = columns
            .map(|(_, name, _)| Field::new(*name, DataType::Utf8, true))
            .chain([Field::new("amount", DataType::Int64, true)])
            .collect();
        let empty = MemTable::try_new(Arc::new(Schema::new(fields)), vec![vec![]]).unwrap();
        session.register_table(table, Arc::new(empty)).unwrap();
    }
    session.state().create_logical_plan(sql).await.unwrap()
}

fn known(table: &TableName, column: &str) -> Option<String> {
    COLUMNS
        .iter()
        .find(|(of, name, class)| *of == table.table() && *name == column && !class.is_empty())
        .map(|(_, _, class)| (*class).to_owned())
}

fn looked_at(sql: &str) -> Classified {
    let sql = sql.to_owned();
    crate::block_on(1, async move {
        let has_crosswalk = |from: &str, to: &str| (from, to) == ("KSIC9", "KSIC10");
        classify(&plan(&sql).await, &known, &has_crosswalk)
    })
    .unwrap()
}

#[test]
fn codes_of_one_version_meet() {
    for sql in [
        "select * from old a join old b on a.ksic = b.ksic",
        "select * from old a join old b using (ksic)",
        "select * from old a join crosswalk x on x.from_code = a.ksic join new b on b.ksic = x.to_code",
        "select * from old a where a.ksic = '10730'",
        "select * from old a join old b on left(a.ksic, 2) = substr(b.ksic, 1, 2)",
        "select * from mixed a join new b on a.ksic = b.ksic and a.ksic_version = '10'",
        "select * from mixed a left join new b on substr(a.ksic, 1, 2) = b.ksic and a.ksic_version in ('10', '11')",
        "select * from mixed a join mixed b on a.ksic = b.ksic and a.ksic_version = b.ksic_version",
        "select ksic from new union all select to_code from crosswalk",
        "select ksic from new union all select cast(null as varchar)",
        "select ksic from new intersect select to_code from crosswalk",
        "select ksic from old where ksic in (select from_code from crosswalk)",
        "select * from old a where not exists (select 1 from crosswalk x where x.from_code = a.ksic)",
        "select * from mixed a, mixed b where a.ksic <> b.ksic or a.ksic_version <> b.ksic_version",
        "select coalesce(x.to_code, b.ksic) from crosswalk x left join new b on b.ksic = x.to_code",
        "with one as (select case when a.ksic_version = '10' then a.ksic else x.to_code end as ksic10 \
           from mixed a left join crosswalk x on x.from_code = a.ksic and a.ksic_version = '9') \
         select * from one join new b on b.ksic = one.ksic10",
    ] {
        assert_eq!(looked_at(sql).crossings, [], "{sql}");
    }
}

#[test]
fn codes_of_two_versions_do_not() {
    let crosswalk = "join through {{ crosswalk('KSIC9', 'KSIC10') }}";
    for (sql, said, help, place) in [
        (
            "select * from old a join new b on a.ksic = b.ksic",
            "`a.ksic` is compared with `b.ksic`, a code of KSIC9 with one of KSIC10",
            crosswalk,
            Some((1, 35)),
        ),
        (
            "select * from new b join old a on a.ksic = b.ksic",
            "KSIC9",
            crosswalk,
            None,
        ),
        (
            "select * from old a join new b using (ksic)",
            "`a.ksic` is compared with `b.ksic`",
            crosswalk,
            None,
        ),
        (
            "select *\nfrom old a, new b\nwhere a.ksic = b.ksic",
            "`a.ksic` is compared",
            crosswalk,
            Some((3, 7)),
        ),
        (
            "select * from old a, new b where a.ksic <> b.ksic",
            "`a.ksic` is compared",
            crosswalk,
            None,
        ),
        (
            "select * from old a, new b where a.ksic < b.ksic",
            "`a.ksic` is compared",
            crosswalk,
            None,
        ),
        (
            "select a.ksic = b.ksic as same from old a, new b",
            "`a.ksic` is compared",
            crosswalk,
            None,
        ),
        (
            "with x as (select substr(ksic, 1, 2) as code from old) select * from x join new b on x.code = b.ksic",
            "`x.code` is compared with `b.ksic`",
            crosswalk,
            None,
        ),
        (
            "with x as (select ksic, count(*) as n from old group by ksic) select * from x join new b on x.ksic = b.ksic",
            "KSIC9",
            crosswalk,
            None,
        ),
        (
            "with x as (select lag(ksic) over (order by amount) as earlier from old) \
             select * from x join new b on x.earlier = b.ksic",
            "`x.earlier` is compared with `b.ksic`",
            crosswalk,
            None,
        ),
        (
            "select * from old where ksic in (select ksic from new)",
            "is looked up among `new.ksic`",
            crosswalk,
            Some((1, 25)),
        ),
        (
            "select * from old a where exists (select 1 from crosswalk x where x.from_code = x.to_code)",
            "`x.from_code` is compared with `x.to_code`",
            crosswalk,
            None,
        ),
        (
            "select * from old a where exists (select 1 from new b where b.ksic = a.ksic)",
            "`b.ksic` is compared with `outer_ref(a.ksic)`",
            crosswalk,
            None,
        ),
        (
            "select * from old a where a.ksic not in (select b.ksic from new b where b.amount > 1)",
            "is looked up among `b.ksic`",
            crosswalk,
            None,
        ),
        (
            "select ksic from old union all select ksic from new",
            "a union puts `old.ksic` and `new.ksic` into one column",
            crosswalk,
            Some((1, 39)),
        ),
        (
            "select ksic from old except select ksic from new",
            "is compared with",
            crosswalk,
            None,
        ),
        (
            "select coalesce(a.ksic, b.ksic) as code from old a, new b",
            "`a.ksic` and `b.ksic` are put into one column",
            crosswalk,
            Some((1, 25)),
        ),
        (
            "select case when a.amount > 1 then a.ksic else b.ksic end as code from old a, new b",
            "`a.ksic` and `b.ksic` are put into one column",
            crosswalk,
            None,
        ),
        (
            "select * from old a join job b on a.ksic = b.keco",
            "a code of KSIC9 with one of KECO2018",
            "no crosswalk joins KSIC9 and KECO2018",
            None,
        ),
        (
            "select * from mixed a join new b on a.ksic = b.ksic",
            "KSIC@ksic_version",
            "which `ksic_version` is meant",
            None,
        ),
        (
            "select * from mixed a join new b on a.ksic = b.ksic and a.ksic_version = '9'",
            "KSIC@ksic_version",
            "which `ksic_version` is meant",
            None,
        ),
    ] {
        let found = looked_at(sql).crossings;
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        assert!(found[0].message.contains(said), "{sql}: {found:?}");
        assert!(found[0].help.contains(help), "{sql}: {found:?}");
        if place.is_some() {
            assert_eq!(found[0].place, place, "{sql}");
        }
    }
}

#[test]
fn a_result_keeps_the_classification_of_its_codes() {
    let sql = "select ksic, substr(ksic, 1, 2) as division, max(ksic) over () as highest, amount, upper(ksic) as other from old";
    let class = Some("KSIC9".to_owned());
    assert_eq!(
        looked_at(sql).columns,
        [class.clone(), class.clone(), class, None, None]
    );
}

const FIRMS: [(&str, &str); 2] = [("old_firm", "KSIC9"), ("new_firm", "KSIC10")];

fn firm(source: &str, version: &str) -> String {
    format!(
        "source: {source}\ntitle: firms\ndescription: firms\nprovider: somebody\ncadence: monthly\nmanifest: none\n\
         period: none\nrevision: append\nkey: [firm_no]\nformat: {{kind: csv}}\ncolumns:\n  - {{name: firm_no, type: code}}\n  \
         - {{name: ksic, type: code, tags: [\"classification:{version}\"]}}\n"
    )
}

const CROSSWALK: &str = "seed: crosswalk_ksic9_ksic10\ntitle: crosswalk\ndescription: crosswalk\norigin: here\n\
    licence: none\nkey: [from_code, to_code]\ncolumns:\n  - {name: from_code, type: code, tags: [\"classification:KSIC9\"]}\n  \
    - {name: to_code, type: code, tags: [\"classification:KSIC10\"]}\n";

#[tokio::test]
async fn a_model_that_crosses_versions_does_not_compile_and_says_where() {
    let sources =
        FIRMS.map(|(source, version)| (format!("sources/{source}.yml"), firm(source, version)));
    let view = "/*---\ndescription: v\ngrain: [firm_no]\nmaterialized: view\n---*/\n\
        select firm_no, substr(ksic, 1, 2) as division from {{ source('old_firm') }}";
    let crossed = "/*---\ndescription: c\ngrain: [firm_no]\n---*/\nselect a.firm_no\nfrom {{ ref('division') }} as a\n\
        join {{ source('new_firm') }} as b\n  on b.ksic = a.division";
    let walked = "/*---\ndescription: w\ngrain: [firm_no]\n---*/\nselect a.firm_no, walk.to_code as ksic\n\
        from {{ source('old_firm') }} as a\njoin {{ seed('crosswalk_ksic9_ksic10') }} as walk on walk.from_code = a.ksic";
    let joined = "/*---\ndescription: j\ngrain: [firm_no]\n---*/\nselect a.firm_no from {{ ref('walked') }} as a\n\
        join {{ source('new_firm') }} as b on b.ksic = a.ksic";
    let renamed = "/*---\ndescription: r\ngrain: [firm_no]\ncolumns:\n  code: {tags: [\"classification:KSIC10\"]}\n---*/\n\
        select firm_no, upper(ksic) as code from {{ source('old_firm') }}";
    let believed = "/*---\ndescription: b\ngrain: [firm_no]\n---*/\nselect a.firm_no from {{ ref('renamed') }} as a\n\
        join {{ source('new_firm') }} as b on b.ksic = a.code";
    let mut files: Vec<(&str, &str)> = sources
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_str()))
        .collect();
    files.extend([
        ("seeds/crosswalk_ksic9_ksic10.yml", CROSSWALK),
        (
            "seeds/crosswalk_ksic9_ksic10.csv",
            "from_code,to_code\n01,02\n",
        ),
        ("core/division.sql", view),
        ("core/crossed.sql", crossed),
        ("core/walked.sql", walked),
        ("core/joined.sql", joined),
        ("core/renamed.sql", renamed),
        ("core/believed.sql", believed),
    ]);
    let lineage = super::tests::lineage_of(&files).await;
    let problem = |name: &str| lineage.problem_of(&name.parse().unwrap());
    assert_eq!(
        problem("core.crossed").unwrap(),
        "core/crossed.sql:8:6: `b.ksic` is compared with `a.division`, a code of KSIC10 with one of KSIC9; \
         join through {{ crosswalk('KSIC9', 'KSIC10') }}"
    );
    for fine in ["division", "walked", "joined", "renamed", "believed"] {
        assert_eq!(problem(&format!("core.{fine}")), None, "{fine}");
    }
    let walked = lineage.node(&"core.walked".parse().unwrap()).unwrap();
    assert_eq!(walked.classifications["ksic"], "KSIC10");
}
