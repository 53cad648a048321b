//! The crash battery: for every durable operation of a small build and publication the process ends there, and the
//! next run ends with the same tables, versions and releases as one that nothing happened to.

use std::path::Path;

use super::{
    BUILD, Draws, OTHER_FAULTS, PUBLISH, at_every_operation, build, copy_folder, damaged, faults,
    publish, published_project, repetitions, small_project, state, try_all, with_fault,
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

    let lengths = [true, false].map(|of_publication| {
        at_every_operation(|at| {
            let case = Case {
                fault: "die",
                at,
                of_publication,
            };
            survive(case, &empty, &built, &clean)
        })
    });
    println!("operations of a publication and of a build: {lengths:?}");
    assert!(lengths[0] > 5 && lengths[1] > 50, "{lengths:?}");

    let mut draws = Draws::seeded();
    let drawn = repetitions("GOYONG_FAULTS", 16);
    // A publication is short: an eighth of what is drawn.
    let of = [(true, drawn / 8), (false, drawn - drawn / 8)];
    let cases = of
        .into_iter()
        .zip(lengths)
        .flat_map(|((of_publication, drawn), length)| {
            faults(&OTHER_FAULTS, length, drawn, &mut draws)
                .into_iter()
                .map(move |(fault, at)| Case {
                    fault,
                    at,
                    of_publication,
                })
        })
        .collect();
    try_all(cases, |case| {
        survive(case, &empty, &built, &clean);
    });
}
