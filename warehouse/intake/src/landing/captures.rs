//! Pages of one capture lie in a folder as files of their own; together they are one candidate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Candidate, name_of};
use crate::deliver::IntakeContext;
use crate::identity::hex;
use crate::pages::PageName;

/// Joins candidates that are pages of one capture, in the order of their numbers.
pub(super) fn join_pages(context: &IntakeContext, candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut joined = Vec::new();
    let mut captures: BTreeMap<(String, PathBuf, String), Vec<(u64, Candidate)>> = BTreeMap::new();
    for candidate in candidates {
        let pages = context
            .contracts
            .get(&candidate.source)
            .and_then(|contract| contract.pages.as_ref());
        let page = pages.map(|pages| PageName::of(pages, &name_of(&candidate.path)));
        match page {
            Some(PageName {
                capture,
                number: Some(number),
            }) => {
                let folder = candidate
                    .path
                    .parent()
                    .map(PathBuf::from)
                    .unwrap_or_default();
                captures
                    .entry((candidate.source.clone(), folder, capture))
                    .or_default()
                    .push((number, candidate));
            }
            _ => joined.push(candidate),
        }
    }
    for ((_, _, _), mut pages) in captures {
        pages.sort_by(|left, right| (left.0, &left.1.path).cmp(&(right.0, &right.1.path)));
        joined.extend(join(pages));
    }
    joined
}

/// One candidate of several; the first page stands for all of them.
fn join(pages: Vec<(u64, Candidate)>) -> Option<Candidate> {
    let mut pages = pages.into_iter().map(|(_, candidate)| candidate);
    let mut first = pages.next()?;
    let mut marks = vec![first.mark.clone()];
    for page in pages {
        first.bytes += page.bytes;
        marks.push(format!("{}:{}", page.path.display(), page.mark));
        first.pages.push(page.path);
        // A manifest beside any page is judged as one beside the first.
        if !matches!(first.manifest, Err(_) | Ok(Some(_))) {
            first.manifest = page.manifest;
        }
    }
    if marks.len() > 1 {
        first.mark = hex(&Sha256::digest(marks.join("\n").as_bytes())[..16]);
    }
    Some(first)
}
