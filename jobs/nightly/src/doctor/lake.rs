//! Whether the store of the tables, a folder or a bucket, does what every commit rests on.

use goyong_store::{LakeFault, LakeProbe, probe_lake};

use super::{Examination, Health};
use crate::configuration::Configuration;

/// A store's clock may be apart by so much, in seconds. Stores refuse requests that are apart by a quarter of an hour.
const CLOCK_TOLERANCE: i64 = 60;

/// Answers whether it is worth opening the warehouse.
pub(super) async fn examine(found: &mut Examination, configuration: &Configuration) -> bool {
    let probe = probe_lake(&configuration.store()).await;
    for fault in &probe.faults {
        let finding = match fault {
            LakeFault::Settings(problem) => problem.clone(),
            fault => format!("{}: {fault}", probe.location),
        };
        let (health, advice) = advice(fault, probe.is_remote);
        found.note("lake", health, finding, advice);
    }
    if probe.faults.is_empty() {
        let finding = format!(
            "{} stores, gives back, refuses a second put of a name, and removes",
            probe.location
        );
        found.note("lake", Health::Ok, finding, "");
    }
    clock(found, &probe);
    let can_be_read = |fault: &LakeFault| match fault {
        LakeFault::Left { .. } | LakeFault::IgnoresConditions | LakeFault::Altered => true,
        LakeFault::Refused { operation, .. } => *operation != "list" && *operation != "read",
        _ => false,
    };
    probe.faults.iter().all(can_be_read)
}

fn clock(found: &mut Examination, probe: &LakeProbe) {
    let Some(ahead) = probe.clock_ahead else {
        return;
    };
    let apart = ahead.num_seconds();
    if apart.abs() > CLOCK_TOLERANCE {
        let side = if apart > 0 { "ahead of" } else { "behind" };
        let finding = format!(
            "the clock of {} is {} s {side} this machine's",
            probe.location,
            apart.abs()
        );
        let advice =
            "let both keep their time by NTP; an object store refuses every request at 15 minutes";
        found.note("lake", Health::Warn, finding, advice);
    }
}

/// How bad it is, and what to do.
fn advice(fault: &LakeFault, is_remote: bool) -> (Health, &'static str) {
    let advice = match fault {
        LakeFault::Settings(_) => {
            "correct `lake` in goyong.toml or the AWS_* variables; docs/object-stores.md lists them"
        }
        LakeFault::Unreachable(_) if is_remote => {
            "look whether AWS_ENDPOINT_URL names the store, whether it runs, and whether a firewall lets this machine through"
        }
        LakeFault::Unreachable(_) => {
            "look whether the disk is mounted, writable and not full (`df`, `mount`)"
        }
        LakeFault::Missing if is_remote => {
            "make the bucket, or correct its name in `lake` of goyong.toml"
        }
        LakeFault::Missing => "run `goyong init`, or mount the disk that holds it",
        LakeFault::Refused { .. } if is_remote => {
            "renew the credentials that the AWS_* variables or their files hold, and give them the right to list, get, put and delete below the prefix"
        }
        LakeFault::Refused { .. } => "give the user that runs goyong the right to write there",
        LakeFault::Skewed => {
            "let this machine keep its time by NTP (chrony, systemd-timesyncd): it is a quarter of an hour off or more"
        }
        LakeFault::IgnoresConditions => {
            "use a store with conditional writes, or switch them on in it: here one commit could overwrite another, so let no night run"
        }
        LakeFault::Altered => {
            "let no night run; run `goyong verify` and check the store and what lies between"
        }
        LakeFault::Left { .. } => {
            return (
                Health::Warn,
                "give the credentials the right to delete: without it `goyong releases expire` fails",
            );
        }
    };
    (Health::Fail, advice)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn clock_of_a_store_is_told_when_it_is_a_minute_apart() {
        for (seconds, expected) in [(0, 0), (-60, 0), (61, 1), (-900, 1)] {
            let mut found = Examination::default();
            let probe = LakeProbe {
                location: "s3://bucket".to_owned(),
                is_remote: true,
                faults: Vec::new(),
                clock_ahead: Some(TimeDelta::seconds(seconds)),
            };
            clock(&mut found, &probe);
            assert_eq!(found.rows.len(), expected, "{seconds}");
        }
    }
}
