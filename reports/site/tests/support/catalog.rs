//! A made-up catalogue: one table of each kind, every result, tags that travel; and one of any size.

use goyong_site::{
    Bilingual, Catalog, CatalogChange, CatalogCheck, CatalogColumn, CatalogDefinition,
    CatalogTable, CatalogTest, Declassification, Freshness, LineageEdge, PartitionSize,
    StoredTable, TestResult,
};

use super::{HOSTILE, day};

pub fn catalog() -> Catalog {
    Catalog {
        tables: vec![
            spell_source(),
            undelivered_source(),
            seed(),
            job_table(),
            spell(),
            certification(),
            view(),
            mart(
                "labour_market_monthly",
                &["core.employment_spell", "seed.sido"],
            ),
            mart("claims_monthly", &["core.certification"]),
            mart(
                "blind_spot_monthly",
                &["core.spell_month", "ops.deliveries"],
            ),
        ],
        checks: vec![CatalogCheck {
            name: "spells_never_overlap".into(),
            description: Bilingual::new(
                "한 사람의 기간은 겹치지 않는다",
                "spells of a person never overlap",
            ),
            owner: "core".into(),
            warns: true,
            reads: vec!["core.employment_spell".into()],
            outcome: test("spells_never_overlap", TestResult::Warned, 2),
            definition: CatalogDefinition {
                path: "checks/spells_never_overlap.sql".into(),
                text: "select 1 where false".into(),
            },
            ..CatalogCheck::default()
        }],
        lineage: vec![
            edge(
                "core.employment_spell.person_key",
                "staging.ei_insured_spell.person_key",
                "identity",
                "",
            ),
            edge(
                "core.employment_spell.from_on",
                "staging.ei_insured_spell.acquired_on",
                "transformation",
                "coalesce(acquired_on, reported_on)",
            ),
            edge(
                "core.employment_spell.person_key",
                "staging.ei_insured_spell.acquired_on",
                "filter",
                "acquired_on is not null",
            ),
            edge(
                "core.employment_spell.from_on",
                "staging.ei_insured_spell.acquired_on",
                "filter",
                "acquired_on is not null",
            ),
            edge(
                "core.spell_month.person_key",
                "core.employment_spell.person_key",
                "identity",
                "",
            ),
            edge(
                "marts.labour_market_monthly.*",
                "core.employment_spell.*",
                "filter",
                "",
            ),
            edge(
                "report.labour_market_insured.persons",
                "marts.labour_market_monthly.persons",
                "identity",
                "",
            ),
            edge(
                "marts.labour_market_monthly.month",
                "core.employment_spell.from_on",
                "transformation",
                "month_start(from_on)",
            ),
            edge(
                "marts.labour_market_monthly.sido",
                "seed.sido.sido",
                "identity",
                "",
            ),
            edge(
                "marts.labour_market_monthly.persons",
                "core.employment_spell.person_key",
                "aggregation",
                "count(distinct person_key)",
            ),
        ],
    }
}

fn edge(target: &str, source: &str, subtype: &str, expression: &str) -> LineageEdge {
    let (target_table, target_column) = target.rsplit_once('.').unwrap();
    let (source_table, source_column) = source.rsplit_once('.').unwrap();
    LineageEdge {
        target_table: target_table.into(),
        target_column: target_column.into(),
        source_table: source_table.into(),
        source_column: source_column.into(),
        influence: matches!(subtype, "filter" | "join"),
        subtype: subtype.into(),
        expression: expression.into(),
    }
}

fn test(name: &str, result: TestResult, failing_rows: u64) -> CatalogTest {
    CatalogTest {
        name: name.into(),
        result,
        failing_rows,
        as_of: (result != TestResult::NotRun).then(|| day(2025, 12, 31)),
    }
}

fn column(name: &str, data_type: &str, description: &str, tags: &[&str]) -> CatalogColumn {
    CatalogColumn {
        name: name.into(),
        data_type: data_type.into(),
        description: Bilingual::same(description),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..CatalogColumn::default()
    }
}

fn table(schema: &str, name: &str, kind: &str, columns: Vec<CatalogColumn>) -> CatalogTable {
    CatalogTable {
        schema: schema.into(),
        name: name.into(),
        kind: kind.into(),
        columns,
        ..CatalogTable::default()
    }
}

fn stored(rows: u64, partitions: &[&str]) -> StoredTable {
    StoredTable {
        version: 3,
        content_hash: format!("9b74c9897bac770ffc029102a200c5de:{rows}"),
        rows,
        bytes: rows * 31,
        files: partitions.len().max(1) as u64,
        partitions: partitions
            .iter()
            .map(|name| PartitionSize {
                name: (*name).into(),
                rows: rows / partitions.len() as u64,
            })
            .collect(),
    }
}

fn history(rows: u64, partitions: &[&str]) -> Vec<CatalogChange> {
    let change = |release: &str, month, version, rows, partitions: &[&str]| CatalogChange {
        release: release.into(),
        business_date: day(2025, month, 30),
        version,
        rows,
        content_hash: format!("9b74c9897bac770ffc029102a200c5de:{rows}"),
        partitions: partitions.iter().map(|name| (*name).to_owned()).collect(),
    };
    vec![
        change("2025-12-31.1", 12, 3, rows, partitions),
        change("2025-11-30.1", 11, 1, rows - 7, &[]),
    ]
}

fn spell_source() -> CatalogTable {
    let person = CatalogColumn {
        fields: vec!["주민등록번호".into()],
        ..column("person_key", "bigint", "key of the person", &["pseudonym"])
    };
    let acquired = CatalogColumn {
        fields: vec!["취득일".into()],
        description: Bilingual::new("피보험자격을 얻은 날", "first insured day"),
        ..column("acquired_on", "date", "", &[])
    };
    CatalogTable {
        title: Bilingual::new(
            "고용보험 피보험자격 취득·상실",
            "Employment insurance spells",
        ),
        description: Bilingual::new("취득과 상실 신고", "acquisitions and losses"),
        owner: Bilingual::new("근로복지공단", "Workers Compensation and Welfare Service"),
        legal_basis: Bilingual::same("고용보험법 제13조"),
        grain: vec!["person_key".into(), "acquired_on".into()],
        partition_by: Some("_period".into()),
        definition: Some(CatalogDefinition {
            path: "sources/ei_insured_spell.yml".into(),
            text: "source: ei_insured_spell\ncadence: monthly\n".into(),
        }),
        stored: Some(stored(20_000, &["2025-10", "2025-11", "2025-12"])),
        history: history(20_000, &["2025-12"]),
        freshness: Some(Freshness {
            cadence: "monthly".into(),
            due_days: Some(15),
            state: "overdue".into(),
            last_period: "2025-12".into(),
            last_known_on: "2026-01-15".into(),
            due_on: "2026-02-15".into(),
            days_late: 3,
            periods_missing: 1,
            deliveries: 24,
        }),
        ..table(
            "staging",
            "ei_insured_spell",
            "source",
            vec![person, acquired],
        )
    }
}

fn undelivered_source() -> CatalogTable {
    CatalogTable {
        title: Bilingual::new("월별 공석", "Monthly vacancies"),
        freshness: Some(Freshness {
            cadence: "irregular".into(),
            ..Freshness::default()
        }),
        ..table("staging", "open_positions", "source", Vec::new())
    }
}

fn seed() -> CatalogTable {
    CatalogTable {
        title: Bilingual::new("시도", "Provinces and metropolitan cities"),
        origin: Bilingual::new("행정표준코드", "standard codes"),
        licence: "KOGL 1".into(),
        grain: vec!["sido".into()],
        stored: Some(stored(18, &[])),
        history: history(18, &[]),
        ..table(
            "seed",
            "sido",
            "seed",
            vec![column("sido", "text", "two-digit code", &[])],
        )
    }
}

fn job_table() -> CatalogTable {
    CatalogTable {
        stored: Some(stored(240, &[])),
        history: history(240, &[]),
        ..table(
            "ops",
            "deliveries",
            "job",
            vec![column("source", "text", "", &[])],
        )
    }
}

fn spell() -> CatalogTable {
    let birth = CatalogColumn {
        declassified: Some(Declassification {
            removed: vec!["quasi_identifier".into()],
            reason: "only the year is kept".into(),
        }),
        unit: "year".into(),
        ..column("birth_year", "int", "", &[])
    };
    CatalogTable {
        title: Bilingual::new("고용 기간", "Employment spells"),
        description: Bilingual::new("겹침을 푼 피보험 기간", "insured days without overlap"),
        owner: Bilingual::same("core"),
        legal_basis: Bilingual::same("고용보험법 제18조"),
        grain: vec!["person_key".into(), "from_on".into()],
        tags: vec!["spells".into()],
        reads: vec!["staging.ei_insured_spell".into()],
        tests: vec![
            test("unique(person_key, from_on)", TestResult::Passed, 0),
            test("not_null(person_key)", TestResult::Failed, 4),
            test("range(birth_year)", TestResult::Error, 0),
            test("expression(to_on >= from_on)", TestResult::NotRun, 0),
        ],
        definition: Some(CatalogDefinition {
            path: "core/employment_spell.sql".into(),
            text: "/*---\ndescription: insured days\n---*/\nselect * from {{ source('ei_insured_spell') }}\n".into(),
        }),
        stored: Some(stored(19_000, &[])),
        history: history(19_000, &[]),
        ..table(
            "core",
            "employment_spell",
            "table",
            vec![column("person_key", "bigint", "", &["pseudonym"]), column("from_on", "date", HOSTILE, &[]), birth],
        )
    }
}

fn certification() -> CatalogTable {
    CatalogTable {
        description: Bilingual::same(HOSTILE),
        reads: vec!["staging.missing".into()],
        stored: Some(stored(400, &[])),
        history: history(400, &[]),
        ..table(
            "core",
            "certification",
            "keyed",
            vec![column("person_key", "bigint", HOSTILE, &["pseudonym"])],
        )
    }
}

fn view() -> CatalogTable {
    CatalogTable {
        description: Bilingual::new("사람과 달", "person and month"),
        reads: vec!["core.employment_spell".into()],
        definition: Some(CatalogDefinition {
            path: "core/spell_month.sql".into(),
            text: "select person_key from {{ ref('employment_spell') }}".into(),
        }),
        ..table(
            "core",
            "spell_month",
            "view",
            vec![column("person_key", "", "", &["pseudonym"])],
        )
    }
}

fn mart(name: &str, reads: &[&str]) -> CatalogTable {
    CatalogTable {
        title: Bilingual::new("월별 집계", "Monthly figures"),
        description: Bilingual::new("월·시도별 집계", "one row per month and region"),
        owner: Bilingual::same("labour_market"),
        grain: vec!["month".into(), "sido".into()],
        tests: vec![
            test("unique(month, sido)", TestResult::Passed, 0),
            test("not_null(month)", TestResult::Passed, 0),
        ],
        definition: Some(CatalogDefinition {
            path: format!("marts/{name}.sql"),
            text: "select month, sido, count(*) as persons\nfrom core.employment_spell\ngroup by month, sido".into(),
        }),
        reads: reads.iter().map(|read| (*read).to_owned()).collect(),
        stored: Some(stored(408, &[])),
        history: history(408, &[]),
        ..table(
            "marts",
            name,
            "table",
            vec![
                column("month", "date", "first day of the month", &[]),
                column("sido", "text", "", &[]),
                column("persons", "bigint", "persons insured at the end of the month", &[]),
            ],
        )
    }
}

/// Models in layers of ten, each reading five of the layer before, twelve columns, each from two of an input's and
/// influenced by two more.
pub fn large(models: usize) -> Catalog {
    let name = |index: usize| format!("core.model_{index:03}");
    let inputs = |index: usize| -> Vec<usize> {
        let layer = index / 10;
        (0..5)
            .filter(|_| layer > 0)
            .map(|step| (layer - 1) * 10 + (index * 3 + step) % 10)
            .collect()
    };
    let mut catalog = Catalog::default();
    for index in 0..models {
        let columns: Vec<CatalogColumn> = (0..12)
            .map(|number| {
                column(
                    &format!("column_{number:02}"),
                    "decimal(18,0)",
                    "won paid in the month to which the statement belongs, without what was paid back later",
                    &["sensitive"],
                )
            })
            .collect();
        catalog.tables.push(CatalogTable {
            title: Bilingual::new("월별 지급액", "Won paid by month"),
            description: Bilingual::new(
                "한 사람이 한 달에 받은 급여와 되돌려준 급여를 신고한 달이 아니라 일한 달로 모은 표",
                "one row per person and month with what was paid and paid back, by the month worked and not reported",
            ),
            owner: Bilingual::same("core"),
            grain: vec!["column_00".into()],
            reads: inputs(index).into_iter().map(name).collect(),
            tests: (0..6)
                .map(|number| test(&format!("not_null(column_{number:02})"), TestResult::Passed, 0))
                .collect(),
            definition: Some(CatalogDefinition {
                path: format!("core/model_{index:03}.sql"),
                text: "select column_00, sum(column_01) as column_01\n".repeat(40),
            }),
            stored: Some(stored(1_000_000, &["2025-10", "2025-11", "2025-12"])),
            history: history(1_000_000, &["2025-12"]),
            ..table("core", &format!("model_{index:03}"), "table", columns)
        });
        for input in inputs(index) {
            for number in 0..12 {
                for (source, subtype) in [
                    (number, "identity"),
                    ((number + 1) % 12, "transformation"),
                    ((number + 2) % 12, "filter"),
                    ((number + 3) % 12, "join"),
                ] {
                    catalog.lineage.push(edge(
                        &format!("{}.column_{number:02}", name(index)),
                        &format!("{}.column_{source:02}", name(input)),
                        subtype,
                        "case when column_01 > 0 then column_01 end",
                    ));
                }
            }
        }
    }
    catalog
}
