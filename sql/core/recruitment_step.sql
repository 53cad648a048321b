/*---
description: {ko: 공공기관 채용의 전형 단계와 경쟁률, en: "selection steps of public recruitment with applicants, openings and rate of competition"}
grain: [origin, step_no]
materialized: table
owner: core
columns:
  origin: {description: "monthly_list, or open_api for what no monthly list has brought yet, as in recruitment", tests: [{accepted_values: [monthly_list, open_api]}]}
  step_order: {description: "position of the step, from 1; the interface counts from 0"}
  applicants: {tests: [{range: {min: 0}}]}
---*/
with monthly as (
  select * from {{ source('alio_posting_step') }}
),
detail as (
  select * from {{ source('alio_recruitment_step') }}
),
monthly_latest as (
  {{ latest_version('monthly', ['step_no']) }}
),
detail_latest as (
  {{ latest_listed('detail', ['step_no']) }}
),
-- both lists number a notice and what belongs to it alike
detail_only as (
  select detail_latest.*
  from detail_latest
  left join monthly_latest
    on monthly_latest.step_no = detail_latest.step_no
    and monthly_latest.posting_no = detail_latest.posting_no
  where monthly_latest.step_no is null
),
recruitment_step as (
  select
    -- ids
    'monthly_list' as origin,
    step_no,
    posting_no,
    title,
    sort_order as step_order,
    -- dates
    held_on,
    _known_on as known_on,
    -- counts
    applicants,
    openings,
    competition_rate
  from monthly_latest
  union all
  select
    'open_api' as origin,
    step_no,
    posting_no,
    title,
    sort_order + 1 as step_order,
    cast(null as date) as held_on,
    _known_on as known_on,
    applicants,
    openings,
    try_cast(competition_rate as decimal(10, 2)) as competition_rate
  from detail_only
)
select * from recruitment_step
