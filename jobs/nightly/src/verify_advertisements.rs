//! Verifies advertisements: what the law forbids, pay below the minimum, jobs that are posted twice, and
//! a learned score for what no rule names.
//!
//! Texts of advertisements may hold telephone numbers. They are read from staging and leave this step
//! as places and as words of the list, never as text; a title is masked.

mod adequacy;
mod read;
mod tables;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use goyong_advert::{
    Advertisement, Clusters, Decision, DuplicateOptions, DuplicateText, Finding, Verifier,
    find_duplicates,
};
use goyong_types::TableName;
use sha2::{Digest, Sha256};

use crate::plan::NightContext;
use crate::project::OpenProject;
use crate::step::{NightEvent, StepOutcome};
use read::Posting;

/// Changes with anything in this step or in the crate that changes a result.
const PROCEDURE: &str = "advertisements/1";

/// Header of the list of suspected advertisements, as the ministry's form has it.
pub const ADVERTISEMENT_HEADER: [&str; 8] = [
    "게시여부",
    "연계기관",
    "구인인증번호",
    "구인제목",
    "근무지역",
    "고용형태",
    "고용형태 기타",
    "의심항목",
];

/// Tables whose content decides what is found.
const INPUTS: [&str; 8] = [
    "staging.portal_ad",
    "staging.wn_vacancy",
    "core.portal_ad",
    "core.vacancy",
    "core.ad_review",
    "seed.ad_rule",
    "seed.ad_phrase",
    "seed.minimum_wage",
];

/// What was found, in the order of the postings.
struct Found {
    findings: Vec<Vec<Finding>>,
    clusters: Clusters,
    pairs: usize,
    compared: u64,
    skipped: u64,
}

/// Verifies all advertisements when one of them, a phrase or the day changed.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let project = night.project;
    let as_of = night.as_of().await?;
    let Some(fingerprint) = fingerprint(project, as_of).await? else {
        return Ok(StepOutcome::nothing("no advertisements or no phrases yet"));
    };
    let memo = project.warehouse().memo_get("verify", PROCEDURE).await?;
    if memo.as_deref() == Some(fingerprint.as_str()) && !night.options.full_refresh {
        return Ok(StepOutcome::nothing("advertisements and phrases unchanged"));
    }
    let verifier = Verifier::new(
        read::phrases(project).await?,
        read::minimum_wages(project).await?,
    )
    .context("sql/seeds/ad_phrase.csv")?;
    let postings = read::postings(project).await?;
    (night.events)(NightEvent::Working(format!(
        "verifying {} advertisements",
        postings.len()
    )));
    let threads = project.configuration().worker_threads();
    let found = tokio::task::block_in_place(|| verify(&verifier, &postings, threads));
    tables::write_findings(project, &postings, &found).await?;
    tables::write_duplicates(project, &postings, &found).await?;
    let adequacy = adequacy::score(project, &postings, as_of, &fingerprint).await?;
    let rules = read::rule_names(project).await?;
    let listed = tables::write_list(project, &postings, &found, &adequacy, &rules, as_of).await?;
    project
        .warehouse()
        .memo_put("verify", PROCEDURE, &fingerprint)
        .await?;
    let decided = |wanted| {
        let all = found.findings.iter().flatten();
        all.filter(|one| one.decision == wanted).count()
    };
    let mut details = vec![adequacy.summary.clone()];
    if found.skipped > 0 {
        details.push(format!(
            "{} pairs of buckets above the cap not compared",
            found.skipped
        ));
    }
    Ok(StepOutcome::done(format!(
        "{} advertisements: {} violations, {} look-alikes cleared, {} pairs of duplicates of {} compared; {listed} suspected",
        postings.len(),
        decided(Decision::Violation),
        decided(Decision::Cleared),
        found.pairs,
        found.compared,
    ))
    .with_details(details))
}

fn verify(verifier: &Verifier, postings: &[Posting], threads: usize) -> Found {
    let advertisements: Vec<Advertisement<'_>> =
        postings.iter().map(Posting::advertisement).collect();
    let findings = verifier.verify_all(&advertisements, threads);
    let texts: Vec<DuplicateText<'_>> = postings.iter().map(Posting::duplicate_text).collect();
    let options = DuplicateOptions {
        threads,
        ..DuplicateOptions::default()
    };
    let duplicates = find_duplicates(&texts, &options);
    Found {
        findings,
        pairs: duplicates.pairs.len(),
        compared: duplicates.compared,
        skipped: duplicates.skipped,
        clusters: duplicates.clusters,
    }
}

/// Nothing when there is nothing to verify, or nothing to verify it with.
async fn fingerprint(project: &OpenProject, as_of: NaiveDate) -> Result<Option<String>> {
    let mut hasher = Sha256::new();
    hasher.update(PROCEDURE);
    hasher.update(as_of.to_string());
    for name in INPUTS {
        let table: TableName = name.parse()?;
        match project.warehouse().snapshot(&table).await? {
            Some(snapshot) => {
                hasher.update(name);
                hasher.update(snapshot.content_hash());
            }
            None if name.starts_with("staging.") || name == "core.ad_review" => {}
            None => return Ok(None),
        }
    }
    let digest = hasher.finalize();
    Ok(Some(
        digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

impl OpenProject {
    /// The suspected advertisements in the columns of [`ADVERTISEMENT_HEADER`], by agency and number.
    ///
    /// # Errors
    /// When no night has verified advertisements yet.
    pub async fn suspected_advertisements(&self) -> Result<Vec<Vec<String>>> {
        let columns = [
            "posting_state",
            "agency",
            "ad_no",
            "title",
            "region",
            "contract",
            "contract_other",
            "suspicion",
        ];
        let rows = self
            .texts(
                "select posting_state, agency, ad_no, title, region, contract, contract_other, suspicion \
                 from alerts.ad_verification order by ad_source, agency, ad_no",
                columns,
            )
            .await
            .context("no advertisements were verified yet; `goyong night` does it")?;
        Ok(rows.into_iter().map(Vec::from).collect())
    }
}
