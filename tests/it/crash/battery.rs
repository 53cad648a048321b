//! The crash battery: for every durable operation of a small build and publication the process ends there, and the
//! next run ends with the same tables, versions and releases as one that nothing happened to.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    BUILD, Draws, PUBLISH, build, copy_folder, damaged, publish, published_project, repetitions,
    small_project, state, with_fault,
};

/// What happens at which operation of which command.
#[derive(Debug, Clone, Copy)]
struct Case {
    fault: &'static str,
    at: u64,
    of_publication: bool,
}

/// Whether the command got as far as the fault.
fn survive(case: Case, empty: &Path, built: &Path, clean: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("shop");
    let (from, command): (&Path, &[&str]) = match case.of_publication {
        false => (empty, &BUILD),
        true => (built, &PUBLISH),
    };
    copy_folder(from, &project);
    let fault = format!("{}@{}", case.fault, case.at);
    let first = with_fault(&project, command, &fault);
    let (named, code) = damaged(&project);
    assert!(named.is_empty() && code == 0, "{case:?}: {named:?}");
    build(&project);
    publish(&project);
    assert_eq!(state(&project), clean, "{case:?}");
    let (named, code) = damaged(&project);
    assert!(named.is_empty() && code == 0, "{case:?}: {named:?}");
    !first.status.success()
}

#[test]
fn process_that_dies_at_any_durable_operation_leaves_what_the_next_run_completes() {
    let folder = tempfile::tempdir().unwrap();
    let empty = small_project(&folder.path().join("empty"));
    let built = small_project(&folder.path().join("built"));
    build(&built);
    let clean = state(&published_project(&folder.path().join("clean")));

    // Where nothing was reached any more, the command has no further operation.
    let mut lengths = Vec::new();
    for of_publication in [true, false] {
        let next = AtomicU64::new(1);
        let length = AtomicU64::new(u64::MAX);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::SeqCst);
                        if at >= length.load(Ordering::SeqCst) {
                            break;
                        }
                        let case = Case {
                            fault: "die",
                            at,
                            of_publication,
                        };
                        if !survive(case, &empty, &built, &clean) {
                            length.fetch_min(at, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        lengths.push(length.into_inner());
    }
    println!("operations of a publication and of a build: {lengths:?}");
    assert!(lengths[0] > 5 && lengths[1] > 50, "{lengths:?}");

    let mut draws = Draws::seeded();
    let cases: Vec<Case> = (0..repetitions("GOYONG_FAULTS", 16))
        .map(|number| {
            let fault = ["fail", "lost", "full", "torn"][(number % 4) as usize];
            let of_publication = draws.below(8) == 0;
            let length = lengths[usize::from(!of_publication)];
            Case {
                fault,
                at: draws.below(length - 1) + 1,
                of_publication,
            }
        })
        .collect();
    let waiting = Mutex::new(cases.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let case = waiting.lock().unwrap().next();
                    let Some(case) = case else { break };
                    survive(case, &empty, &built, &clean);
                }
            });
        }
    });
}
