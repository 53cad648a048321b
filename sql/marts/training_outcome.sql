/*---
description:
  ko: 과정·종료월별 훈련 성과. 수료, 6개월 안 취업, 6·12개월 고용유지, 앞뒤 임금. NCS·기관·지역으로 더할 수 있다.
  en: >-
    outcomes of training by course and month of the end: completions, jobs within six months, retention after six and
    twelve months, wages before and after. Counts and sums, so that they add up by NCS field, institution and region
grain: [course_no, month]
materialized: table
owner: training
legal_basis: 국민 평생 직업능력 개발법 제18조 · 제53조
tests:
  - {expression: "completed <= enrolled"}
  - {expression: "insured_6m <= observed_6m"}
  - {expression: "retained_6m <= retention_observed_6m and retained_12m <= retention_observed_12m"}
columns:
  month: {description: month in which the enrolment ended}
  ncs_field: {description: "first two digits of the NCS code: the major field"}
  seeking: {description: enrolments of persons who were not insured when training began}
  observed_6m: {description: seeking enrolments whose six months after the end have been observed, tests: [{range: {min: 0}}]}
  insured_6m: {description: of those with insured employment within the six months, tests: [{range: {min: 0}}]}
  retention_observed_6m: {description: "jobs of which it is known whether the person was insured six months after the start", tests: [{range: {min: 0}}]}
  wage_pairs: {description: enrolments with a wage before and after, tests: [{range: {min: 0}}]}
  wage_before_won: {description: sum of the wages before over those pairs}
  wage_after_won: {description: sum of the wages after over those pairs}
---*/
with outcome as (
  select * from {{ ref('trainee_outcome') }}
),
course as (
  select * from {{ ref('training_course') }}
),
total as (
  select
    outcome.course_no,
    outcome.month,
    count(*) as enrolled,
    count(*) filter (where outcome.completed) as completed,
    count(*) filter (where not outcome.employed_trainee) as seeking,
    count(outcome.insured_6m) as observed_6m,
    count(*) filter (where outcome.insured_6m) as insured_6m,
    count(outcome.retained_6m) as retention_observed_6m,
    count(*) filter (where outcome.retained_6m) as retained_6m,
    count(outcome.retained_12m) as retention_observed_12m,
    count(*) filter (where outcome.retained_12m) as retained_12m,
    count(*) filter (where outcome.wage_before_won is not null and outcome.wage_after_won is not null) as wage_pairs,
    sum(outcome.wage_before_won) filter (where outcome.wage_after_won is not null) as wage_before_won,
    sum(outcome.wage_after_won) filter (where outcome.wage_before_won is not null) as wage_after_won
  from outcome
  group by outcome.course_no, outcome.month
),
training_outcome as (
  select
    -- ids
    total.course_no,
    total.month,
    course.title,
    course.institution,
    course.ncs,
    course.ncs_major as ncs_field,
    course.sigungu,
    course.sido,
    -- course
    course.hours,
    course.fee_won,
    -- persons
    total.enrolled,
    total.completed,
    total.seeking,
    total.observed_6m,
    total.insured_6m,
    total.retention_observed_6m,
    total.retained_6m,
    total.retention_observed_12m,
    total.retained_12m,
    -- amounts
    total.wage_pairs,
    cast(coalesce(total.wage_before_won, 0) as decimal(28, 0)) as wage_before_won,
    cast(coalesce(total.wage_after_won, 0) as decimal(28, 0)) as wage_after_won
  from total
  left join course
    on course.course_no = total.course_no
    and course.origin = 'administrative'
)
select * from training_outcome
