//! Finds duplicates among made-up advertisements and compares a part with all pairs of an employer.
//!
//! `cargo run --release -p goyong-advert --example duplicates -- 1000000 2`

use std::time::Instant;

use goyong_advert::{
    DuplicateOptions, DuplicateText, Folded, Terms, find_duplicates, jaccard, shingles,
};
use rand::prelude::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Ads of one employer and pay that may be the same job.
const JOBS_OF_EMPLOYER: u64 = 6;
const COMPARED_EXACTLY: usize = 30_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |otherwise: usize| {
        let text = arguments.next();
        text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (count, threads) = (next(1_000_000), next(2));
    let ads = make(count);
    let letters: usize = ads.iter().map(|ad| ad.1.chars().count()).sum();
    let texts: Vec<DuplicateText<'_>> = ads
        .iter()
        .map(|(terms, text)| DuplicateText {
            terms: *terms,
            title: "",
            text,
        })
        .collect();
    let options = DuplicateOptions {
        threads,
        ..DuplicateOptions::default()
    };
    let started = Instant::now();
    let found = find_duplicates(&texts, &options);
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{count} ads of {:.0} letters, {threads} threads: {seconds:.1} s, {} candidates, {} pairs, {} skipped",
        letters as f64 / count as f64,
        found.compared,
        found.pairs.len(),
        found.skipped
    );
    let part = count.min(COMPARED_EXACTLY);
    let sets: Vec<_> = texts[..part]
        .iter()
        .map(|one| shingles(&Folded::new(one.text)))
        .collect();
    let mut exact = 0;
    for left in 0..part {
        for right in left + 1..part {
            let (one, two) = (texts[left].terms, texts[right].terms);
            if one == two && jaccard(&sets[left], &sets[right]) >= options.least_similarity {
                exact += 1;
            }
        }
    }
    let both = found
        .pairs
        .iter()
        .filter(|pair| (pair.1 as usize) < part)
        .count();
    println!(
        "of {exact} pairs among the first {part} that all comparisons find, {both} were found"
    );
}

fn make(count: usize) -> Vec<(Terms, String)> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let words: Vec<String> = (0..5_000)
        .map(|_| {
            let length = random.random_range(2..5);
            (0..length)
                .filter_map(|_| char::from_u32(random.random_range(0xac00..0xd7a4)))
                .collect()
        })
        .collect();
    let employers = (count as u64 / JOBS_OF_EMPLOYER).max(1);
    let mut ads: Vec<(Terms, String)> = Vec::with_capacity(count);
    while ads.len() < count {
        let terms = Terms {
            employer: random.random_range(0..employers),
            conditions: 0,
            opened: 0,
            closes: 30,
        };
        let drawn: Vec<&str> = (0..45)
            .filter_map(|_| words.choose(&mut random))
            .map(String::as_str)
            .collect();
        ads.push((terms, drawn.join(" ")));
        // A quarter is posted again with some words changed.
        if random.random_bool(0.32) && ads.len() < count {
            let changed: Vec<&str> = drawn
                .iter()
                .filter_map(|word| {
                    if random.random_bool(0.15) {
                        words.choose(&mut random).map(String::as_str)
                    } else {
                        Some(*word)
                    }
                })
                .collect();
            ads.push((terms, changed.join(" ★ ")));
        }
    }
    ads
}
