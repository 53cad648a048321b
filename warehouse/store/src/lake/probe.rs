//! Whether a lake does what every commit rests on: it is asked by storing a small object under a name nobody reads.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::remote::Patience;
use super::{Lake, as_io, without_credentials};
use crate::warehouse::StoreConfig;

/// Holds the objects of probes. No table's name begins so.
const FOLDER: &str = "_goyong_probe";
/// Objects older than this were left by a probe that died.
const LEFT: TimeDelta = TimeDelta::hours(1);
/// What a store answers when the clock of a request is too far from its own.
const SKEWED: &str = "RequestTimeTooSkewed";
const REFUSED: [&str; 2] = ["401 Unauthorized", "403 Forbidden"];

/// What is wrong with a lake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LakeFault {
    /// URL, variables or credential files cannot work; nothing was sent.
    #[error("{0}")]
    Settings(String),
    /// Nothing answers, or not in time.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// There is no such folder or bucket.
    #[error("there is no such folder or bucket")]
    Missing,
    /// It does not let these credentials, or this user, do what a night does.
    #[error("does not allow to {operation}: {problem}")]
    Refused {
        /// List, store, read or remove.
        operation: &'static str,
        /// What it answered.
        problem: String,
    },
    /// It answers only to clocks that are nearer to its own.
    #[error("refuses the time of this machine")]
    Skewed,
    /// A second conditional put of one name was not refused.
    #[error("ignores If-None-Match: a put of a name that exists was not refused")]
    IgnoresConditions,
    /// A read gave other bytes than were stored.
    #[error("gave other bytes back than it had acknowledged")]
    Altered,
    /// The probe's object is still there.
    #[error("{name} could not be removed: {problem}")]
    Left {
        /// The object.
        name: String,
        /// What it answered.
        problem: String,
    },
}

/// How a lake answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeProbe {
    /// Its folder or URL, without credentials.
    pub location: String,
    /// Whether another machine is asked.
    pub is_remote: bool,
    /// What is wrong; empty when nothing is.
    pub faults: Vec<LakeFault>,
    /// Its clock minus this machine's, where it told the time.
    pub clock_ahead: Option<TimeDelta>,
}

/// Asks a lake. Each request is sent once, so that a dead store is told within seconds. The object of the probe is
/// removed again, whatever was found; what a killed probe left is removed by the next one an hour later.
pub async fn probe_lake(config: &StoreConfig) -> LakeProbe {
    match Lake::open_with(&config.root, config.lake.as_deref(), Patience::Question) {
        Ok(lake) => lake.probe().await,
        Err(error) => LakeProbe {
            location: without_credentials(config.lake.as_deref().unwrap_or_default()),
            is_remote: config.lake.is_some(),
            faults: vec![LakeFault::Settings(error.to_string())],
            clock_ahead: None,
        },
    }
}

impl Lake {
    pub(crate) async fn probe(&self) -> LakeProbe {
        let mut probe = LakeProbe {
            location: self.base().display().to_string(),
            is_remote: self.is_remote(),
            faults: Vec::new(),
            clock_ahead: None,
        };
        // A store of this machine would make the folder.
        if !self.is_remote() && !self.base().is_dir() {
            probe.faults.push(LakeFault::Missing);
            return probe;
        }
        let folder = self.base().join(FOLDER);
        let path = folder.join(Uuid::new_v4().to_string());
        if let Err(fault) = self.clear(&folder, Utc::now()).await {
            probe.faults.push(fault);
            return probe;
        }
        let asked = self.ask(&path, &mut probe.clock_ahead).await;
        probe.faults.extend(asked.err());
        // Also after a put that failed: its answer may be all that was lost.
        if let Err(problem) = self.remove(std::slice::from_ref(&path)).await {
            probe.faults.push(LakeFault::Left {
                name: path.display().to_string(),
                problem: problem.to_string(),
            });
        }
        if !self.is_remote() {
            // Another probe may be at work there.
            let _in_use = std::fs::remove_dir(&folder);
        }
        probe
    }

    /// Removes what earlier probes left.
    async fn clear(&self, folder: &Path, now: DateTime<Utc>) -> Result<(), LakeFault> {
        let found = self.list(folder).await.map_err(fault("list"))?;
        let left: Vec<PathBuf> = found
            .into_iter()
            .filter(|file| now - file.modified > LEFT)
            .map(|file| file.path)
            .collect();
        match left.is_empty() {
            true => Ok(()),
            false => self.remove(&left).await.map_err(fault("remove")),
        }
    }

    async fn ask(&self, path: &Path, ahead: &mut Option<TimeDelta>) -> Result<(), LakeFault> {
        let bytes = Bytes::from(format!("{}\n", path.display()));
        let before = Utc::now();
        let created = self.create(path, bytes.clone()).await;
        created.map_err(as_io).map_err(fault("store"))?;
        let after = Utc::now();
        let stored = self.stat(path).await.map_err(fault("read"))?;
        *ahead = Some(apart(stored.modified, before, after));
        let read = self.read(path).await.map_err(fault("read"))?;
        if read != bytes {
            return Err(LakeFault::Altered);
        }
        match self.create(path, Bytes::from_static(b"twice\n")).await {
            Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Ok(()) => Err(LakeFault::IgnoresConditions),
            Err(error) => Err(fault("store")(as_io(error))),
        }
    }
}

/// How far a moment lies outside an interval. Stores tell seconds, so less than one is none.
fn apart(at: DateTime<Utc>, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
    let difference = match at {
        at if at < from => at - from,
        at if at > to => at - to,
        _ => TimeDelta::zero(),
    };
    TimeDelta::seconds(difference.num_seconds())
}

fn fault(operation: &'static str) -> impl Fn(Error) -> LakeFault {
    move |error| {
        let problem = error.to_string();
        // Answers to listings come without a kind.
        let is_refused = REFUSED.iter().any(|code| problem.contains(code));
        match error.kind() {
            _ if problem.contains(SKEWED) => LakeFault::Skewed,
            ErrorKind::PermissionDenied => LakeFault::Refused { operation, problem },
            _ if is_refused => LakeFault::Refused { operation, problem },
            ErrorKind::NotFound => LakeFault::Missing,
            _ if problem.contains("NoSuchBucket") => LakeFault::Missing,
            _ => LakeFault::Unreachable(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clock_is_apart_by_what_lies_outside_the_request() {
        let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap();
        let seconds = |told: i64| apart(at(told), at(100), at(102)).num_seconds();
        assert_eq!([seconds(101), seconds(40), seconds(1102)], [0, -60, 1000]);
    }

    #[test]
    fn answers_of_stores_are_told_apart() {
        let denied = |code: &str| {
            let source = format!("403 Forbidden: {code}").into();
            let path = "x".to_owned();
            fault("store")(as_io(object_store::Error::PermissionDenied {
                path,
                source,
            }))
        };
        assert_eq!(denied(SKEWED), LakeFault::Skewed);
        let refused = denied("InvalidAccessKeyId");
        assert!(matches!(refused, LakeFault::Refused { operation, .. } if operation == "store"));
        let listing = fault("list")(Error::other("status code: 403 Forbidden: AccessDenied"));
        assert!(matches!(listing, LakeFault::Refused { .. }));
        let bucket = fault("list")(Error::other("404: NoSuchBucket"));
        assert_eq!(bucket, LakeFault::Missing);
        let silent = fault("list")(Error::other("connection refused"));
        assert!(matches!(silent, LakeFault::Unreachable(_)));
    }
}
