//! `goyong cluster`: the nodes that compute the queries of a build.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use clap::{Args, Subcommand};
use goyong_nightly::{
    Cluster, Configuration, ExecutorOptions, OpenProject, SchedulerOptions, run_executor,
    run_scheduler,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::CommonArguments;
use crate::commands;

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Run the scheduler: builds connect to it with `engine = "ballista://host:port"`
    Scheduler(SchedulerArguments),
    /// Run an executor: it computes on its threads what the scheduler hands out
    Executor(ExecutorArguments),
}

#[derive(Debug, Args)]
pub struct NetworkArguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Allow an address other machines can reach; rows then cross the network in the clear, for
    /// whoever asks
    #[arg(long)]
    insecure_network: bool,
}

#[derive(Debug, Args)]
pub struct SchedulerArguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 50050)]
    port: u16,
}

#[derive(Debug, Args)]
pub struct ExecutorArguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// The scheduler
    #[arg(long, value_name = "URL", default_value = "ballista://127.0.0.1:50050")]
    scheduler: Cluster,
    /// Seconds to wait for the scheduler
    #[arg(long, default_value_t = 10)]
    wait: u16,
    /// Port that rows are fetched from; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port that takes tasks; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    /// Name or address under which the other nodes reach this one [default: the bound address]
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// Folder for shuffle files and spilled rows, which are personal data: a private folder is made
    /// in it and removed at the end [default: state/cluster of the warehouse]
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
    /// Memory of all its tasks together [default: memory_limit_mib of goyong.toml]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..=16_777_216))]
    memory_limit_mib: Option<u64>,
}

/// Runs a node until it is told to stop.
pub async fn run(common: &CommonArguments, command: &ClusterCommand) -> Result<u8> {
    match command {
        ClusterCommand::Scheduler(arguments) => run_scheduler_node(common, arguments).await?,
        ClusterCommand::Executor(arguments) => run_executor_node(common, arguments).await?,
    }
    Ok(0)
}

async fn run_scheduler_node(
    common: &CommonArguments,
    arguments: &SchedulerArguments,
) -> Result<()> {
    let project = commands::open(common).await?;
    scheduler(&project, arguments).await
}

async fn scheduler(project: &OpenProject, arguments: &SchedulerArguments) -> Result<()> {
    let options = SchedulerOptions {
        bind: arguments.network.bind,
        port: arguments.port,
        insecure_network: arguments.network.insecure_network,
    };
    let mut terminated = signal(SignalKind::terminate())?;
    let stop = async move {
        terminated.recv().await;
    };
    let say = |address: &Cluster| announce(&format!("scheduler ready at {address}"));
    run_scheduler(project.warehouse().clone(), options, say, stop).await?;
    Ok(())
}

async fn run_executor_node(common: &CommonArguments, arguments: &ExecutorArguments) -> Result<()> {
    let mut configuration = Configuration::load(&common.dir)?;
    if let Some(threads) = common.threads {
        configuration.threads = threads;
    }
    let memory_mib = arguments
        .memory_limit_mib
        .map_or(configuration.memory_limit_mib, |mib| mib as usize);
    let tasks = Arc::new(AtomicU64::new(0));
    let options = ExecutorOptions {
        scheduler: arguments.scheduler.clone(),
        wait_seconds: arguments.wait,
        bind: arguments.network.bind,
        port: arguments.port,
        control_port: arguments.control_port,
        advertise: arguments.advertise.clone(),
        insecure_network: arguments.network.insecure_network,
        warehouse: configuration.store(),
        work_folder: arguments.work_dir.clone(),
        threads: configuration.worker_threads(),
        memory_limit_bytes: memory_mib << 20,
        tasks: Arc::clone(&tasks),
    };
    let scheduler = &arguments.scheduler;
    run_executor(options, |address| {
        announce(&format!("executor ready at {address} for {scheduler}"));
    })
    .await?;
    let tasks = tasks.load(Ordering::Relaxed);
    announce(&format!("executor ended after {tasks} tasks"));
    Ok(())
}

/// A line that scripts wait for.
fn announce(line: &str) {
    let mut stdout = std::io::stdout();
    // Nobody listens to a node whose output is closed; it works nevertheless.
    let _closed = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
