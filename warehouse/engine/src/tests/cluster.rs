//! A scheduler and executors inside the test's process, on loopback.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ballista_core::config::BallistaConfig;
use ballista_core::execution_plans::{DistributedQueryExec, execute_physical_plan};
use ballista_core::extension::SessionConfigExt;
use datafusion::error::Result as PlanResult;
use datafusion::physical_plan::{ExecutionPlan, common};
use datafusion::prelude::{CsvReadOptions, SessionConfig, SessionContext};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::sync::oneshot;

use super::*;
use crate::{Backend, Cluster, ExecutorOptions, SchedulerOptions, run_executor, run_scheduler};

/// Nodes that live as long as the runtime of the test.
async fn start(fixture: &Fixture, executor_memory: &[usize]) -> Cluster {
    start_counting(fixture, executor_memory, &Arc::default()).await
}

/// The same, with the tasks that the executors compute.
async fn start_counting(
    fixture: &Fixture,
    executor_memory: &[usize],
    tasks: &Arc<AtomicU64>,
) -> Cluster {
    let options = SchedulerOptions {
        bind: "127.0.0.1".parse().unwrap(),
        port: 0,
        insecure_network: false,
    };
    let (ready, is_ready) = oneshot::channel();
    let warehouse = fixture.warehouse.clone();
    tokio::spawn(async move {
        let say = |address: &Cluster| ready.send(address.clone()).unwrap();
        run_scheduler(warehouse, options, say, std::future::pending()).await
    });
    let cluster = is_ready.await.unwrap();
    for memory in executor_memory {
        let options = ExecutorOptions {
            scheduler: cluster.clone(),
            wait_seconds: 10,
            bind: "127.0.0.1".parse().unwrap(),
            port: 0,
            control_port: 0,
            advertise: None,
            insecure_network: false,
            warehouse: StoreConfig::in_folder(fixture.warehouse.root()),
            work_folder: Some(fixture.folder.path().join("work")),
            threads: 1,
            memory_limit_bytes: *memory,
            tasks: Arc::clone(tasks),
        };
        let (ready, is_ready) = oneshot::channel();
        tokio::spawn(run_executor(options, |address| {
            ready.send(address).unwrap()
        }));
        is_ready.await.unwrap();
    }
    cluster
}

fn engine_on(fixture: &Fixture, files: &BTreeMap<String, String>, cluster: &Cluster) -> Engine {
    let project = Project::from_files(ProjectFiles::from_texts(files.clone())).unwrap();
    let config = EngineConfig {
        threads: 2,
        memory_limit_bytes: 256 << 20,
        backend: Backend::Cluster(cluster.clone()),
        ..EngineConfig::default()
    };
    Engine::new(fixture.warehouse.clone(), project, config).unwrap()
}

#[test]
fn two_executors_build_what_one_process_builds() {
    run(async {
        let (alone, together) = (Fixture::new().await, Fixture::new().await);
        for fixture in [&alone, &together] {
            fixture
                .deliver("2024-01-01", &[(1, 100), (2, 50), (3, 7)])
                .await;
            fixture.deliver("2024-02-01", &[(1, 30), (4, 11)]).await;
        }
        assert!(alone.build(&sql()).await.succeeded());
        let cluster = start(&together, &[64 << 20, 64 << 20]).await;
        let report = build(&engine_on(&together, &sql(), &cluster)).await;
        assert!(report.succeeded(), "{report:#?}");
        assert_eq!(alone.hashes().await, together.hashes().await);
        for model in &report.models {
            let expected = (model.outcome == Outcome::Built).then_some("cluster");
            assert_eq!(model.ran_on(), expected, "{}", model.table);
        }
        let again = build(&engine_on(&together, &sql(), &cluster)).await;
        assert!(again.did_nothing(), "{again:#?}");
    });
}

/// A model whose plan nests a hundred operators, all of them by the same key.
fn deep_model() -> String {
    let mut steps = vec!["s0 as (select person_key, paid_won from {{ source('pay') }})".to_owned()];
    for step in 1..=50 {
        let before = step - 1;
        steps.push(format!(
            "s{step} as (select person_key, max(paid_won) + {step} as paid_won from s{before} group by person_key)"
        ));
    }
    let steps = steps.join(",\n");
    format!("/*---\ndescription: d\ngrain: [person_key]\n---*/\nwith {steps}\nselect * from s50")
}

const GAPS: &str = "/*---
description: d
grain: [person_key, start_on]
---*/
select person_key, start_on, gap_days, tenure_days
from spell_gaps(
  (select person_key, _period as start_on, _period + interval '9' day as end_on from {{ source('pay') }}),
  person_key, start_on, end_on)";

#[test]
fn deep_plans_and_spell_functions_are_computed_by_executors() {
    run(async {
        let (alone, together) = (Fixture::new().await, Fixture::new().await);
        for fixture in [&alone, &together] {
            let rows: Vec<(i64, i128)> = (0..500).map(|n| (n, i128::from(n % 7))).collect();
            fixture.deliver("2024-01-01", &rows).await;
            fixture.deliver("2024-03-01", &rows[100..400]).await;
        }
        let mut files = sql();
        files.insert("marts/deep.sql".into(), deep_model());
        files.insert("marts/gaps.sql".into(), GAPS.into());
        let engine_here = alone.engine(&files, 2);
        let tasks = Arc::default();
        let cluster = start_counting(&together, &[64 << 20, 64 << 20], &tasks).await;
        let engine_there = engine_on(&together, &files, &cluster);
        for model in ["deep", "gaps"] {
            let selected = Selection::of([model]);
            let plan = engine_here.plan(&selected, as_of()).await.unwrap();
            let here = engine_here.build(&plan, &Silent).await.unwrap();
            assert!(here.succeeded(), "{here:#?}");
            let before = tasks.load(Ordering::Relaxed);
            let plan = engine_there.plan(&selected, as_of()).await.unwrap();
            let there = engine_there.build(&plan, &Silent).await.unwrap();
            assert!(there.succeeded(), "{there:#?}");
            assert_eq!(there.models[0].ran_on(), Some("cluster"), "{model}");
            assert!(tasks.load(Ordering::Relaxed) > before, "{model}");
        }
        assert_eq!(alone.hashes().await, together.hashes().await);
    });
}

#[test]
fn join_that_does_not_fit_an_executor_is_planned_again_and_spills() {
    run(async {
        let fixture = Fixture::new().await;
        let rows: Vec<(i64, i128)> = (0..3_200_000)
            .map(|n| (n * 7_919 % 3_200_003, n as i128))
            .collect();
        fixture.deliver("2024-01-01", &rows).await;
        let cluster = start(&fixture, &[64 << 20]).await;
        let mut files = sql();
        let paired = "/*---\ndescription: d\ngrain: [person_key]\n---*/\n\
            select a.person_key, a.paid_won as one, b.paid_won as two, a._delivery_id as text\n\
            from {{ source('pay') }} as a join {{ source('pay') }} as b on a.person_key = b.person_key";
        files.insert("marts/paired.sql".into(), paired.into());
        let engine = engine_on(&fixture, &files, &cluster);
        let once = "select count(a.paid_won), count(b.paid_won), count(a._delivery_id), count(b._delivery_id) \
            from staging.pay as a join staging.pay as b on a.person_key = b.person_key";
        let error = engine.query_latest(once, as_of()).await.unwrap_err();
        assert!(error.is_memory(), "planned once, it does not fit: {error}");
        let selected = Selection::of(["paired"]);
        let plan = engine.plan(&selected, as_of()).await.unwrap();
        let report = engine.build(&plan, &Silent).await.unwrap();
        assert!(report.succeeded(), "{report:#?}");
        assert_eq!(report.models[0].rows, 3_200_000);
        assert_eq!(report.models[0].ran_on(), Some("cluster"));
    });
}

/// Rows of a plan that no client of ours would send.
async fn send_query(cluster: &Cluster, context: &SessionContext, sql: &str) -> PlanResult<usize> {
    let plan = context.sql(sql).await.unwrap().into_unoptimized_plan();
    let query = DistributedQueryExec::<LogicalPlanNode>::with_extension(
        url(cluster),
        BallistaConfig::default(),
        plan,
        context.copied_config().ballista_logical_extension_codec(),
        context.session_id(),
    );
    let rows = common::collect(query.execute(0, context.task_ctx())?).await?;
    Ok(rows.iter().map(RecordBatch::num_rows).sum())
}

async fn send_stages(cluster: &Cluster, context: &SessionContext, sql: &str) -> PlanResult<usize> {
    let plan = context.sql(sql).await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    let config = context.copied_config();
    let rows = execute_physical_plan::<PhysicalPlanNode>(
        url(cluster),
        &BallistaConfig::default(),
        plan,
        config.ballista_physical_extension_codec().as_ref(),
        context.session_id(),
        config,
    )
    .await?;
    let rows = common::collect(rows).await?;
    Ok(rows.iter().map(RecordBatch::num_rows).sum())
}

fn url(cluster: &Cluster) -> String {
    format!("http://{}:{}", cluster.host, cluster.port)
}

#[test]
fn a_hostile_client_reaches_no_file_beside_the_tables() {
    run(async {
        let fixture = Fixture::new().await;
        fixture.deliver("2024-01-01", &[(1, 100)]).await;
        let cluster = start(&fixture, &[64 << 20]).await;
        let secret = fixture.folder.path().join("secret.csv");
        std::fs::write(&secret, "name\nsomebody\n").unwrap();
        let context = SessionContext::new_with_config(SessionConfig::new_with_ballista());
        let named = |path: &Path| path.to_str().unwrap().to_owned();
        context
            .register_csv("secret", named(&secret), CsvReadOptions::new())
            .await
            .unwrap();
        let forbidden = [
            send_query(&cluster, &context, "select * from secret").await,
            send_stages(&cluster, &context, "select * from secret").await,
        ];
        for outcome in forbidden {
            let error = outcome.unwrap_err().to_string();
            assert!(
                error.contains("only tables of the warehouse can be read"),
                "{error}"
            );
            assert!(!error.contains("somebody"), "{error}");
        }
        let written = fixture.folder.path().join("written.parquet");
        for target in [
            named(&written),
            "goyong://lake/lake/core/written.parquet".into(),
        ] {
            let copy = format!("copy (select 1 as one) to '{target}' stored as parquet");
            let outcome = send_query(&cluster, &context, &copy).await;
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("queries write no files"), "{error}");
        }
        assert!(!written.exists());
        assert!(
            !fixture
                .warehouse
                .root()
                .join("lake/core/written.parquet")
                .exists()
        );
    });
}
