//! Reads `sql/` into a typed graph: contracts, seeds, models, checks.
//!
//! Knows no planner: what it hands out is SQL text with every name resolved, and the order in which
//! the texts can be run. Text in, types out; only [`ProjectFiles`] touches a folder.
//!
//! ```
//! use goyong_catalog::{Project, ProjectFiles, Vars};
//!
//! let project = Project::from_files(ProjectFiles::from_texts([
//!     ("core/person.sql", "/*---\ndescription: a person\ngrain: [person_key]\n---*/\nselect 1 as person_key"),
//!     ("marts/heads.sql", "/*---\ndescription: a count\ngrain: [heads]\n---*/\nselect count(*) as heads from {{ ref('person') }}"),
//! ]))?;
//! let heads = project.model("heads")?;
//! let compiled = project.compile(heads, &Vars::new())?;
//! assert_eq!(compiled.sql, r#"select count(*) as heads from "core"."person""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod contract;
mod declared_model;
mod declared_test;
mod files;
mod graph;
mod header;
pub mod manifest;
mod model;
mod normalise;
mod problem;
mod project;
mod project_state;
mod report_query;
mod roles;
mod seed;
mod selection;
mod source_map;
mod template;
mod unit_test;

pub use declared_model::{
    Baseline, CalibratorName, Capacity, DeclaredModel, Direction, End, EvaluationDesign,
    FairnessCheck, FeatureUse, GateSettings, GroupUse, Learner, LearnerKind, Promotion, Theme,
};
pub use declared_test::{
    ColumnTest, ColumnTestKind, DeclaredTest, ModelRange, ModelTest, ModelTestKind, Range,
    Relationship, Scalar, Severity,
};
pub use files::ProjectFiles;
pub use header::{
    CheckHeader, ColumnContract, ColumnHeader, Declassification, Materialized, ModelHeader,
    SnapshotHeader,
};
pub use model::{Check, Model, Test, TestKind, is_person_column};
pub use normalise::normalise_sql;
pub use problem::{Problem, ProjectError};
pub use project::{Project, TableOrigin};
pub use project_state::ProjectState;
pub use report_query::ReportQuery;
pub use roles::Role;
pub use seed::{Seed, SeedColumn, SeedHeader};
pub use selection::{Selection, SelectionError};
pub use source_map::{Place, SourceMap};
pub use template::{Compiled, Vars};
pub use unit_test::{Given, UnitRow, UnitTest};
