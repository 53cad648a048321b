//! Syntax, errors, and what the planner makes of a call.

use std::sync::Arc;

use super::{Draw, answer, plan_of, session, sorted, table};
use crate::intervals::{decode_node, decode_plan, encode_node, encode_plan};
use crate::planning::query;
use crate::tests::run;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

fn with_spells(threads: usize) -> SessionContext {
    let session = session(threads, 7, 64 << 20);
    let rows = sorted(&Draw::new(3).rows(80));
    let spell = Arc::new(table(&rows, 7, 1, true));
    session.register_table("core.spell", spell).unwrap();
    session
}

const GAPS: &str = "select person, gap_days from spell_gaps(core.spell, person, from_on, to_on)";

#[test]
fn sorted_tables_are_read_without_a_sort() {
    run(async {
        let plan = plan_of(&with_spells(1), GAPS).await;
        assert!(plan.contains("IntervalExec: spell_gaps"), "{plan}");
        assert!(!plan.contains("SortExec"), "{plan}");
        let plan = plan_of(
            &with_spells(1),
            "select * from spell_gaps((select * from core.spell where no > 3), person, from_on, to_on)",
        )
        .await;
        assert!(!plan.contains("SortExec"), "{plan}");
    });
}

#[test]
fn conditions_on_the_key_run_before_and_others_after() {
    run(async {
        let session = with_spells(1);
        let plan = plan_of(&session, &format!("{GAPS} where person = 7")).await;
        let (operator, filter) = (plan.find("IntervalExec"), plan.find("FilterExec"));
        assert!(operator < filter, "{plan}");
        let plan = plan_of(
            &session,
            &format!("{GAPS} where from_on > date '1970-01-09'"),
        )
        .await;
        let (operator, filter) = (plan.find("IntervalExec"), plan.find("FilterExec"));
        assert!(filter < operator, "{plan}");
        let all = answer(&session, GAPS).await.unwrap();
        let of_one = answer(&session, &format!("{GAPS} where person = 7"))
            .await
            .unwrap();
        let expected: Vec<&String> = all.iter().filter(|row| row.starts_with("7 ")).collect();
        assert_eq!(of_one.iter().collect::<Vec<_>>(), expected);
    });
}

#[test]
fn columns_nobody_reads_are_not_read() {
    run(async {
        let frame = query(&with_spells(1), GAPS).await.unwrap();
        let plan = frame
            .into_optimized_plan()
            .unwrap()
            .display_indent()
            .to_string();
        assert!(
            plan.contains("projection=[person, from_on, to_on]"),
            "{plan}"
        );
    });
}

#[test]
fn tables_may_be_named_in_every_way() {
    run(async {
        let session = with_spells(2);
        let mut expected = answer(&session, GAPS).await.unwrap();
        expected.sort();
        for sql in [
            "with s as (select * from core.spell) select person, gap_days from spell_gaps(s, person, from_on, to_on)",
            "select g.person, g.gap_days from spell_gaps(\"core\".\"spell\", \"person\", 'from_on', s.to_on) as g",
            "select person, gap_days from spell_gaps((select * from core.spell as s), s.person, from_on, to_on)",
            "select person, gap_days from spell_gaps(spell, (person), from_on, to_on)",
        ] {
            let sql = sql.replace("s.to_on) as g", "to_on) as g");
            let mut found = answer(&session, &sql).await.unwrap();
            found.sort();
            assert_eq!(found, expected, "{sql}");
        }
    });
}

#[test]
fn a_wrong_call_says_what_to_write() {
    run(async {
        let session = with_spells(1);
        for (call, problem) in [
            (
                "spell_gap(core.spell, person, from_on, to_on)",
                "did you mean `spell_gaps`?",
            ),
            (
                "spell_gaps(core.spell, persn, from_on, to_on)",
                "did you mean `person`?",
            ),
            (
                "spell_gaps(core.spell, person, no, to_on)",
                "`no` is Int64, not a date; cast(no as date)",
            ),
            (
                "spell_gaps(core.spell, person, from_on)",
                "3 arguments without a name, 4 are needed",
            ),
            (
                "spell_gaps(core.spell, person, from_on, to_on, ends => 1)",
                "no option `ends`",
            ),
            (
                "spell_gaps(core.spell, person, from_on, to_on, next_within_days => 'x')",
                "must be a whole number",
            ),
            (
                "spell_gaps(core.spell, person, from_on, to_on, end_is => 'open')",
                "'inclusive' or 'exclusive'",
            ),
            (
                "spell_gaps(core.spell, person, from_on, from_on)",
                "the same column",
            ),
            (
                "spell_gaps(core.spell, person, from_on + 1, to_on)",
                "compute it in a subquery",
            ),
            (
                "spell_gaps((select *, no as gap_days from core.spell), person, from_on, to_on)",
                "`gap_days` is a column of the result already",
            ),
            (
                "spell_join(core.spell, core.spell, person, from_on, to_on, from_on, to_on)",
                "`from_on` is in both tables",
            ),
            ("spell_gaps(core.spel, person, from_on, to_on)", "spel"),
            ("spell_gaps(1, person, from_on, to_on)", "is no table"),
        ] {
            let error = answer(&session, &format!("select * from {call}"))
                .await
                .unwrap_err();
            assert!(error.contains(problem), "{call}: {error}");
        }
    });
}

#[test]
fn rows_that_cover_no_day_are_refused_or_left_out() {
    run(async {
        let session = session(1, 7, 64 << 20);
        let rows = [
            (Some(1), 5, Some(9), 1),
            (Some(1), 8, Some(7), 2),
            (Some(1), 20, None, 3),
        ];
        session
            .register_table("core.spell", Arc::new(table(&rows, 7, 1, false)))
            .unwrap();
        let call = "select no, gap_days from spell_gaps(core.spell, person, from_on, to_on";
        let error = answer(&session, &format!("{call})")).await.unwrap_err();
        assert!(error.contains("to_on comes before from_on"), "{error}");
        assert!(!error.contains('8'), "{error}");
        let found = answer(&session, &format!("{call}, invalid => 'skip')"))
            .await
            .unwrap();
        assert_eq!(found, ["1 -", "3 10"]);
        let null = "select * from spell_depth((select person, cast(null as date) as f, to_on from core.spell), person, f, to_on)";
        let error = answer(&session, null).await.unwrap_err();
        assert!(error.contains("have no f"), "{error}");
    });
}

#[test]
fn a_call_arrives_as_it_was_sent() {
    run(async {
        let session = with_spells(2);
        session
            .register_table(
                "core.other",
                Arc::new(table(&Draw::new(9).rows(30), 7, 2, false)),
            )
            .unwrap();
        for sql in [
            "select * from spell_gaps(core.spell, person, from_on, to_on, next_within_months => 6)",
            "select * from spell_join(core.spell, (select person, from_on as f, to_on as t from core.other), person, from_on, to_on, f, t, kind => 'left')",
        ] {
            let frame = query(&session, sql).await.unwrap();
            let mut nodes = 0;
            datafusion::common::tree_node::TreeNode::apply(
                frame.logical_plan(),
                |plan: &LogicalPlan| {
                    if let LogicalPlan::Extension(extension) = plan {
                        let bytes = encode_node(extension.node.as_ref()).unwrap().unwrap();
                        let inputs: Vec<LogicalPlan> =
                            extension.node.inputs().into_iter().cloned().collect();
                        let decoded = decode_node(&bytes, &inputs).unwrap();
                        assert!(extension.node.dyn_eq(&decoded));
                        nodes += 1;
                    }
                    Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
                },
            )
            .unwrap();
            assert_eq!(nodes, 1);
            let mut expected = answer(&session, sql).await.unwrap();
            let plan = frame.create_physical_plan().await.unwrap();
            let operator = datafusion::common::tree_node::TreeNode::transform_up(plan, |plan| {
                let Some(bytes) = encode_plan(plan.as_ref())? else {
                    return Ok(datafusion::common::tree_node::Transformed::no(plan));
                };
                let inputs: Vec<_> = plan.children().into_iter().cloned().collect();
                decode_plan(&bytes, &inputs).map(datafusion::common::tree_node::Transformed::yes)
            })
            .unwrap();
            assert!(operator.transformed);
            let batches = datafusion::physical_plan::collect(operator.data, session.task_ctx())
                .await
                .unwrap();
            let rows: usize = batches.iter().map(arrow_array::RecordBatch::num_rows).sum();
            expected.sort();
            assert_eq!(rows, expected.len());
        }
        assert!(decode_plan(b"{}", &[]).is_err());
    });
}
