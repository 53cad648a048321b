//! Queries over tables on a cluster of processes that open the same warehouse (Ballista).
//!
//! The client plans, commits and tests as it does alone; only the rows of a query are computed elsewhere:
//!
//! ```text
//!  client                       scheduler                    executors
//!  plan, optimise ── plan ────▶ open (table, version),
//!                               cut into stages ── stages ─▶ read lake files, shuffle
//!  sort, check, hash, commit ◀──────────── rows ─────────────┘
//! ```
//!
//! What travels is a logical plan. A table is named in it by version and commit ([`codec`]), so a node that sees another
//! warehouse refuses instead of reading other rows, and a node of another build refuses instead of meaning something else
//! by the same bytes ([`build_id`]). Functions travel by name: every node has the same ones, from the one session builder.
//!
//! *Invariant.* Nodes write nothing but shuffle files in a private folder that is emptied when they start and when they
//! end, and read nothing but Parquet files below `lake/`. The wire is neither encrypted nor authenticated.

mod build_id;
mod codec;
mod deep_plans;
mod exchange_order;
mod executor;
mod join_modes;
mod operators;
mod planner;
mod query;
mod scheduler;
mod stages;
mod table;
mod work_folder;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::extension::SessionConfigExt;
use ballista_core::optimizer::with_ballista_optimizer_rules;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionState;
use datafusion::optimizer::OptimizerRule;
use datafusion::prelude::SessionConfig;

pub use executor::{ExecutorOptions, run_executor};
pub use scheduler::{SchedulerOptions, run_scheduler};

use crate::error::{EngineError, Result};

pub(crate) use query::ran_on_cluster;

const SCHEME: &str = "ballista";

/// How long a scheduler may take to answer before a build is given up.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How often a node that starts is asked whether it listens.
const LISTENS_AGAIN: Duration = Duration::from_millis(20);

/// Where the queries of a build run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Backend {
    /// In this process.
    #[default]
    Local,
    /// On the executors of a scheduler.
    Cluster(Cluster),
}

/// A scheduler's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Name or address; an IPv6 address without brackets.
    pub host: String,
    /// Port of the scheduler.
    pub port: u16,
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "local" {
            return Ok(Self::Local);
        }
        text.parse().map(Self::Cluster)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => formatter.write_str("local"),
            Self::Cluster(cluster) => cluster.fmt(formatter),
        }
    }
}

impl FromStr for Cluster {
    type Err = String;

    /// The message says what an address looks like.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = |problem: String| {
            format!("`{text}` is no engine: {problem}; write `local` or `{SCHEME}://host:port`")
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            let advice = goyong_types::nearest_name(text, ["local", SCHEME])
                .map(|nearest| format!(" (did you mean `{nearest}`?)"))
                .unwrap_or_default();
            return Err(wrong(format!("it has no scheme{advice}")));
        };
        if scheme != SCHEME {
            return Err(wrong(format!("the scheme `{scheme}` is unknown")));
        }
        let (host, port) = rest
            .trim_end_matches('/')
            .rsplit_once(':')
            .ok_or_else(|| wrong("it has no port".into()))?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| wrong(format!("`{port}` is no port")))?;
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            Some(_) => return Err(wrong(format!("`{host}` is no address"))),
            None => host,
        };
        let is_name = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':'));
        if host.is_empty() || !is_name {
            return Err(wrong(format!("`{host}` is no host")));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{SCHEME}://{}:{}",
            bracketed(&self.host),
            self.port
        )
    }
}

impl Cluster {
    /// The address as gRPC clients want it.
    fn http_url(&self) -> String {
        format!("http://{}:{}", bracketed(&self.host), self.port)
    }

    /// Whether somebody listens there.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`], saying what to do.
    pub(crate) async fn check_reachable(&self) -> Result<()> {
        let connected = tokio::time::timeout(
            CONNECT_LIMIT,
            tokio::net::TcpStream::connect((self.host.as_str(), self.port)),
        );
        let problem = match connected.await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", CONNECT_LIMIT.as_secs()),
        };
        Err(EngineError::Unreachable {
            engine: self.to_string(),
            problem,
        })
    }
}

impl Cluster {
    /// Ends when somebody listens there.
    async fn listens(&self) {
        let address = (self.host.as_str(), self.port);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(LISTENS_AGAIN).await;
        }
    }
}

/// A port by number, or a free one for 0.
fn free_port(address: IpAddr, port: u16) -> Result<u16> {
    std::net::TcpListener::bind((address, port))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| node_error("listen", error))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// A node's error, on one line.
fn node_error(what: &'static str, error: impl fmt::Display) -> EngineError {
    EngineError::Node {
        operation: what,
        problem: error.to_string(),
    }
}

/// Refuses an address that other machines can reach, unless that is wanted.
fn check_bind(address: IpAddr, insecure_network: bool) -> Result<()> {
    if address.is_loopback() || insecure_network {
        return Ok(());
    }
    Err(EngineError::Refused(format!(
        "{address} can be reached from other machines, and a cluster neither encrypts nor asks who is there: bind \
         127.0.0.1, or give --insecure-network on a network where everybody may see every row"
    )))
}

/// A session's settings with what queries on a cluster need.
pub(crate) fn cluster_config(config: SessionConfig) -> SessionConfig {
    // Joins that spill are the second try here as well, see `Limits`.
    let prefer_hash_join = config.options().optimizer.prefer_hash_join;
    let mut config = config
        .upgrade_for_ballista()
        // Stages are planned once, from exact row counts; planning again between them buys nothing here.
        .with_ballista_adaptive_query_planner(false);
    config.options_mut().optimizer.prefer_hash_join = prefer_hash_join;
    config
}

/// A session's optimizer rules with those that queries on a cluster need.
pub(crate) fn cluster_rules(
    rules: &[Arc<dyn OptimizerRule + Send + Sync>],
) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    with_ballista_optimizer_rules(rules)
}

/// Plans queries over tables for the cluster and all others as the session did before.
pub(crate) fn cluster_planner(
    cluster: &Cluster,
    state: &SessionState,
) -> Arc<dyn QueryPlanner + Send + Sync> {
    Arc::new(planner::ClusterPlanner::new(
        cluster.clone(),
        Arc::clone(state.query_planner()),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_engine_is_local_or_a_scheduler_with_its_port() {
        assert_eq!("local".parse(), Ok(Backend::Local));
        for (text, host, port) in [
            ("ballista://127.0.0.1:50050", "127.0.0.1", 50050),
            ("ballista://nodes.example:1/", "nodes.example", 1),
            ("ballista://[::1]:50050", "::1", 50050),
        ] {
            let backend: Backend = text.parse().unwrap();
            let host = host.to_owned();
            assert_eq!(backend, Backend::Cluster(Cluster { host, port }), "{text}");
            assert_eq!(backend.to_string(), text.trim_end_matches('/'));
        }
        for (text, problem) in [
            ("lokal", "did you mean `local`?"),
            ("spark://127.0.0.1:7077", "the scheme `spark` is unknown"),
            ("ballista://127.0.0.1", "it has no port"),
            ("ballista://127.0.0.1:0", "`0` is no port"),
            ("ballista://127.0.0.1:99999", "`99999` is no port"),
            ("ballista://:50050", "`` is no host"),
            ("ballista://a b:50050", "`a b` is no host"),
            ("ballista://[no]:50050", "`[no]` is no address"),
        ] {
            let error = text.parse::<Backend>().unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(error.contains("ballista://host:port"), "{error}");
        }
    }

    #[test]
    fn an_address_that_others_reach_is_bound_only_when_wanted() {
        for address in ["127.0.0.1", "127.8.0.1", "::1"] {
            assert!(check_bind(address.parse().unwrap(), false).is_ok());
        }
        for address in ["0.0.0.0", "192.168.0.7", "::"] {
            let error = check_bind(address.parse().unwrap(), false).unwrap_err();
            assert!(error.to_string().contains("--insecure-network"));
            assert!(check_bind(address.parse().unwrap(), true).is_ok());
        }
    }

    #[tokio::test]
    async fn a_scheduler_that_is_not_there_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let cluster = Cluster {
            host: "127.0.0.1".into(),
            port,
        };
        let error = cluster.check_reachable().await.unwrap_err().to_string();
        assert!(error.contains(&format!("ballista://127.0.0.1:{port}")));
        assert!(error.contains("goyong cluster scheduler"), "{error}");
    }
}
