//! Codes of two versions of a classification meet through a crosswalk or not at all.

use std::fs;
use std::path::Path;

use crate::support::{goyong, goyong_ok};

const MODEL: &str = "/*---
description: industries in another revision
grain: [workplace_no]
---*/
with workplace as (
  select * from {{ ref('workplace') }}
),
ksic as (
  select * from {{ crosswalk('FROM', 'TO') }}
)
select workplace.workplace_no, max(ksic.to_code) as ksic
from workplace
left join ksic
  on ksic.from_code = workplace.ksic
group by workplace.workplace_no
";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_pair_of_versions_without_a_crosswalk_does_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    let text = project.to_str().unwrap();
    goyong_ok(&["--dir", text, "init"]);
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql");
    copy(&sql, &project.join("sql"));
    let settings = project.join("goyong.toml");
    let written = fs::read_to_string(&settings).unwrap();
    if !written.lines().any(|line| line.starts_with("sql =")) {
        fs::write(&settings, format!("sql = \"sql\"\n{written}")).unwrap();
    }
    let model = project.join("sql/core/industry_elsewhere.sql");
    let show = |from: &str, to: &str| {
        fs::write(&model, MODEL.replace("FROM", from).replace("TO", to)).unwrap();
        goyong(&[
            "--dir",
            text,
            "show",
            "core.industry_elsewhere",
            "--as-of",
            "2025-01-31",
        ])
    };

    let known = show("KSIC9", "KSIC10");
    assert!(known.status.success(), "{known:?}");
    for (from, to) in [("KSIC11", "KSIC10"), ("KECO2018", "KSIC10")] {
        let refused = show(from, to);
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8(refused.stderr).unwrap();
        let missing = format!("crosswalk_{}_{}", from.to_lowercase(), to.to_lowercase());
        assert!(said.contains("macros/crosswalk.sql"), "{said}");
        assert!(said.contains("industry_elsewhere.sql"), "{said}");
        assert!(said.contains(&missing), "{said}");
        assert!(said.contains("did you mean `crosswalk_"), "{said}");
    }
}
