/*---
description: {ko: 경제활동인구조사 응답자와 승수, en: respondents of the labour-force survey with their weights}
grain: [household_no, member_no, month]
materialized: partitioned
partition_by: month
reads: {kostat_lfs: [0, 0]}
owner: core
legal_basis: 통계법 제18조
columns:
  household_no: {tags: [respondent]}
  member_no: {tags: [respondent]}
  status: {tests: [{accepted_values: [employed_wage, employed_self, unemployed, inactive]}]}
  industry: {description: "KSIC section; null for persons without work"}
  work_kind: {tests: [{accepted_values: [regular, daily, contractor, owner]}]}
  work_sido: {description: "province of the place of work; sido is that of residence"}
  weight: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('kostat_lfs') }}
),
latest as (
  {{ latest_version('changes', ['household_no', 'member_no', 'survey_month']) }}
),
labour_force_survey as (
  select
    -- ids
    latest.household_no,
    latest.member_no,
    latest.stratum,
    latest.survey_month as month,
    latest.sido,
    latest._known_on as known_on,
    -- person
    latest.sex,
    latest.age,
    {{ age_band('latest.age') }} as age_band,
    -- work
    latest.status,
    latest.industry,
    latest.insured,
    latest.work_kind,
    latest.work_size,
    latest.work_sido,
    -- weight
    latest.weight
  from latest
  where latest.survey_month = date '{{ var('partition_start') }}'
)
select * from labour_force_survey
