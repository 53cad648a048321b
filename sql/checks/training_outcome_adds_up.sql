/*---
description: {ko: "훈련 성과표의 수강과 수료는 수강 기록과 같다", en: "enrolments and completions in training_outcome equal the enrolments, and nobody has two outcomes"}
severity: error
---*/
with published as (
  select coalesce(sum(enrolled), 0) as enrolled, coalesce(sum(completed), 0) as completed from {{ ref('training_outcome') }}
),
counted as (
  select count(*) as enrolled, count(*) filter (where completed) as completed from {{ ref('training') }}
),
broken as (
  select published.enrolled, counted.enrolled as counted_enrolled, published.completed, counted.completed as counted_completed
  from published
  cross join counted
  where published.enrolled <> counted.enrolled
    or published.completed <> counted.completed
)
select * from broken
