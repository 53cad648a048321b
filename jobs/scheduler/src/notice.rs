//! What people are told of, and the seam to whatever tells them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// A run failed.
    Failed,
    /// A run should have succeeded by now. It may never have started.
    DeadlineMissed,
    /// A run succeeded after whoever is told had been told of trouble.
    Recovered,
    /// A figure of a step is above the plan's limit.
    OverLimit,
    /// Somebody tries whether notices arrive.
    Test,
}

impl NoticeKind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Failed,
        Self::DeadlineMissed,
        Self::Recovered,
        Self::OverLimit,
        Self::Test,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::DeadlineMissed => "deadline_missed",
            Self::Recovered => "recovered",
            Self::OverLimit => "over_limit",
            Self::Test => "test",
        }
    }
}

/// A notice to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The fact and the target; the same for every attempt to deliver it.
    pub id: String,
    /// What it tells.
    pub kind: NoticeKind,
    /// The plan.
    pub plan: String,
    /// The occurrence.
    pub scheduled_at: DateTime<Utc>,
    /// The run, where there is one.
    pub run_id: Option<String>,
    /// Who is told, as the plan names them.
    pub target: String,
    /// What happened: `reason`, `steps`, `deadline`, `standing`, `step`, `figure`, `value`, `limit`. No text of an
    /// error, which may quote what nobody outside shall see.
    pub facts: BTreeMap<String, String>,
    /// When the fact was written down.
    pub decided_at: DateTime<Utc>,
    /// Attempts to deliver it, this one included.
    pub attempts: u32,
}

/// Delivers notices.
#[async_trait]
pub trait NoticeSender: Debug + Send + Sync {
    /// Delivers one; says in a line why it could not. It is tried again later then.
    async fn send(&self, notice: &Notice) -> Result<(), String>;
}
