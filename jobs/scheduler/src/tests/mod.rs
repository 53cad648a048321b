#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deciding;
mod encrypting;
mod expiring;
mod faults;
mod holding;
mod machine;
mod noticing;
pub(crate) mod places;
mod reading;
mod running;
mod time;

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::{Calendar, Plan};

/// Each scenario once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $scenario() {
                    let place = crate::tests::places::Place::sqlite();
                    crate::tests::in_time(super::$scenario(&place)).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $scenario() {
                    let place = crate::tests::places::Place::postgres();
                    crate::tests::in_time(super::$scenario(&place)).await;
                }
            )*
        }
    };
}
pub(crate) use on_both;

/// A scenario that waits for what never comes fails, instead of holding up all the others. Far above what any takes.
pub(crate) async fn in_time(scenario: impl Future<Output = ()>) {
    const LIMIT: Duration = Duration::from_secs(600);
    tokio::time::timeout(LIMIT, scenario)
        .await
        .expect("the scenario still waits after ten minutes");
}

/// `2026-03-08T07:00:00Z`.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A plan with one step under the given keys.
pub(crate) fn plan(keys: &str) -> Plan {
    let text = format!("{keys}\n[[step]]\nname = \"only\"\n");
    Plan::parse("night", "night.toml", &text).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Weekends, a fixed day, and a day declared free on short notice.
pub(crate) fn calendar() -> Calendar {
    let text = r#"
        weekend = ["saturday", "sunday"]
        dates_from = "days.csv"
        [[kind]]
        name_contains = "substitute"
        kind = "substitute"
        [[date]]
        date = 2025-01-27
        name = "temporary holiday"
        kind = "temporary"
        known_on = 2025-01-14
    "#;
    let days = |_: &str| {
        Some("day,name\n2025-01-01,new year\n2025-03-03,substitute (independence day)\n".to_owned())
    };
    Calendar::parse("test", "test.toml", text, &days).unwrap_or_else(|problem| panic!("{problem}"))
}
