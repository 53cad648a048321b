//! Why a row has its score, and what the score would be on other terms. Associations, not causes.

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use goyong_catalog::DeclaredModel;
use goyong_learn::Contribution;

use crate::model_registry::Registry;
use crate::project::OpenProject;
use crate::train_models::alternatives;
use crate::train_models::completeness::{Gaps, INCOMPLETE};

/// Columns of an explanation.
pub const EXPLANATION_HEADER: [&str; 6] =
    ["theme", "feature", "title", "value", "log_odds", "model"];
/// Columns of what a score would be on other terms.
pub const WHAT_IF_HEADER: [&str; 5] = ["alternative", "title", "probability", "change", "model"];

/// Why a row has its score.
#[derive(Debug)]
pub struct ScoreExplanation {
    /// The declared model.
    pub model: String,
    /// The version that serves.
    pub version: String,
    /// What it says of the row.
    pub said: Said,
    /// Each theme with its sum, then its features with their values: log-odds before calibration
    /// against the average row, the largest first.
    pub rows: Vec<Vec<String>>,
}

/// What a version says of a row.
#[derive(Debug)]
pub enum Said {
    /// A probability.
    Score {
        /// Calibrated.
        probability: f64,
        /// Its 95 % interval; none of a version older than intervals.
        interval: Option<(f64, f64)>,
        /// The map from the log-odds explained to that probability.
        calibrator: String,
    },
    /// No number: the titles of what is not known of the row.
    Incomplete(String),
}

impl ScoreExplanation {
    /// What is said, in a sentence.
    pub fn sentence(&self, language: &str) -> String {
        let said = match &self.said {
            Said::Score {
                probability,
                interval,
                calibrator,
            } => {
                let ends = interval.map(|(low, high)| format!("{low:.3}–{high:.3}"));
                match language {
                    "ko" => format!(
                        "확률 {probability:.3}{}. 아래 값은 평균과 비교한 보정 전 로그 오즈({calibrator})이며, 연관성일 뿐 인과가 아닙니다",
                        ends.map_or_else(String::new, |ends| format!(" (95% 구간 {ends})")),
                    ),
                    _ => format!(
                        "probability {probability:.3}{}; log-odds against the average row before calibration ({calibrator}), associations and not causes",
                        ends.map_or_else(String::new, |ends| format!(" (95 % interval {ends})")),
                    ),
                }
            }
            Said::Incomplete(missing) => match language {
                "ko" => format!(
                    "필요한 정보가 빠져 확률을 내지 않습니다. 먼저 확인할 항목: {missing} ({INCOMPLETE})"
                ),
                _ => {
                    format!("no score, the file is incomplete; not known: {missing} ({INCOMPLETE})")
                }
            },
        };
        format!("{} {}: {said}", self.model, self.version)
    }
}

impl OpenProject {
    /// Why the versions that serve give a seeker, person or vacancy their scores: by the key that a
    /// model scores, or by person key where the feature model has one. Of several rows the newest
    /// that has begun. Where the file is incomplete there is no score, and what is missing is the answer.
    pub async fn explain_score(
        &self,
        subject: &str,
        model: Option<&str>,
        language: &str,
    ) -> Result<Vec<ScoreExplanation>> {
        refuse_what_is_no_key(subject)?;
        let registry = Registry::open(self).await?;
        let declared: Vec<_> = match model {
            Some(model) => vec![self.declared_model(model)?],
            None => self.project().declared_models().values().collect(),
        };
        let as_of = self.as_of_or_latest(None).await?;
        let mut serving = 0;
        let mut explanations = Vec::new();
        for declared in declared {
            let Some(version) = registry.champion(&declared.model) else {
                continue;
            };
            serving += 1;
            let snapshot = self.warehouse().snapshot(&declared.features).await?;
            let schema = snapshot
                .with_context(|| format!("no table {}", declared.features))?
                .schema;
            let keys = [declared.entity.as_str(), "person_key"];
            let keys = keys
                .iter()
                .filter(|key| schema.field_with_name(key).is_ok());
            let entered_on = &declared.entered_on;
            let wanted: Vec<String> = keys
                .map(|key| format!("cast({key} as varchar) = '{subject}'"))
                .collect();
            let sql = format!(
                "select * from {} where ({}) and {entered_on} <= date '{as_of}' \
                 order by {entered_on} desc limit 1",
                declared.features,
                wanted.join(" or "),
            );
            let mut batches = self.query_latest(&sql).await?;
            while let Some(batch) = batches.next().await {
                let batch = batch?;
                if batch.num_rows() == 0 {
                    continue;
                }
                let features = self.project().models().get(&declared.features);
                let gaps = Gaps::of(declared, features, &batch)?;
                let (said, rows) = match gaps.missing(0, language) {
                    Some(missing) => (Said::Incomplete(missing), Vec::new()),
                    None => {
                        let artefact = registry.artefact(self, &declared.model, version).await?;
                        let scoring = artefact.scoring()?;
                        let explained = scoring.model.explain(&batch, 0, usize::MAX)?;
                        let probability = scoring.calibrator.apply(explained.probability);
                        let interval = scoring.interval.as_ref();
                        let said = Said::Score {
                            probability,
                            interval: interval.map(|interval| interval.about(probability)),
                            calibrator: scoring.calibrator.name().to_owned(),
                        };
                        (said, by_theme(declared, explained.contributions, language))
                    }
                };
                explanations.push(ScoreExplanation {
                    model: declared.model.clone(),
                    version: version.to_owned(),
                    said,
                    rows,
                });
            }
        }
        match serving {
            0 => bail!("no version serves; `goyong models ls` says why"),
            _ if explanations.is_empty() => {
                bail!("no model that serves scores `{subject}`; name a key of its feature model")
            }
            _ => Ok(explanations),
        }
    }

    /// What the versions that serve would say of a row on other terms, the highest first; beside each
    /// its difference from the row as it is.
    pub async fn score_alternatives(
        &self,
        subject: &str,
        model: Option<&str>,
        language: &str,
    ) -> Result<Vec<Vec<String>>> {
        refuse_what_is_no_key(subject)?;
        let declared: Vec<_> = match model {
            Some(model) => vec![self.declared_model(model)?],
            None => self.project().declared_models().values().collect(),
        };
        let mut rows = Vec::new();
        let mut are_scored = false;
        for declared in declared {
            let Some(alternatives) = &declared.alternatives else {
                continue;
            };
            let scores = alternatives::table_of(declared)?;
            if self.warehouse().snapshot(&scores).await?.is_none() {
                continue;
            }
            are_scored = true;
            let DeclaredModel {
                model,
                entity,
                entered_on,
                ..
            } = declared;
            let sql = format!(
                "select a.alternative, f.title_{language} as title, \
                 cast(round(a.probability, 4) as varchar) as chance, \
                 cast(round(a.probability - s.probability, 4) as varchar) as difference \
                 from {scores} a join {alternatives} f on cast(f.{entity} as varchar) = a.{entity} \
                 and f.{entered_on} = a.{entered_on} and f.alternative = a.alternative \
                 left join models.{model} s on s.{entity} = a.{entity} \
                 and s.{entered_on} = a.{entered_on} and s.purpose = 'current' \
                 where a.{entity} = '{subject}' order by a.probability desc, a.alternative"
            );
            let columns = ["alternative", "title", "chance", "difference"];
            for row in self.texts(&sql, columns).await? {
                rows.push(row.into_iter().chain([model.clone()]).collect());
            }
        }
        match (are_scored, rows.is_empty()) {
            (false, _) => {
                bail!(
                    "no alternatives are scored: no model declares `alternatives`, or no night has trained it yet"
                )
            }
            (true, true) => bail!(
                "nothing is scored on other terms for `{subject}`: its outcome is known, or no version serves"
            ),
            (true, false) => Ok(rows),
        }
    }
}

/// A key stands in a statement as it is.
pub(crate) fn refuse_what_is_no_key(subject: &str) -> Result<()> {
    let is_key = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if subject.is_empty() || !subject.chars().all(is_key) {
        bail!("`{subject}` is no key: keys are letters and digits, such as S000010000042");
    }
    Ok(())
}

/// Contributions summed by theme, the largest sum first; beneath each its features, the largest
/// first. What no theme names stands under one of its own.
fn by_theme(
    declared: &DeclaredModel,
    contributions: Vec<Contribution>,
    language: &str,
) -> Vec<Vec<String>> {
    let other = match language {
        "ko" => "그 밖",
        _ => "other",
    };
    let mut themes: Vec<(&str, f64, Vec<Contribution>)> = Vec::new();
    for one in contributions {
        let theme = declared
            .theme_of(&one.feature)
            .map_or(other, |theme| theme.title.in_language(language));
        match themes.iter_mut().find(|(title, ..)| *title == theme) {
            Some((_, sum, features)) => {
                *sum += one.log_odds;
                features.push(one);
            }
            None => themes.push((theme, one.log_odds, vec![one])),
        }
    }
    themes.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
    let mut rows = Vec::new();
    for (theme, sum, features) in themes {
        rows.push(explanation_row(declared, theme, Default::default(), sum));
        for one in features {
            let title = match language {
                "ko" => one.label_ko,
                _ => one.label_en,
            };
            let value = one.value.unwrap_or_else(|| "–".to_owned());
            rows.push(explanation_row(
                declared,
                theme,
                [one.feature, title, value],
                one.log_odds,
            ));
        }
    }
    rows
}

fn explanation_row(
    declared: &DeclaredModel,
    theme: &str,
    [feature, title, value]: [String; 3],
    log_odds: f64,
) -> Vec<String> {
    vec![
        theme.to_owned(),
        feature,
        title,
        value,
        format!("{log_odds:+.3}"),
        declared.model.clone(),
    ]
}
