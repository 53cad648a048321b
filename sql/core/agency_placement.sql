/*---
description:
  ko: 위탁한 구직자의 알선 결과. 취업과 6개월 고용유지는 그때까지 알려진 것이다.
  en: "seekers referred to agencies with what is known so far: the placement, and whether the job lasted six months"
grain: [agency_no, person_key, referred_on]
materialized: table
owner: core
legal_basis: 직업안정법 제4조의2
sort_by: [agency_no, referred_on, person_key]
columns:
  agency_no: {tests: [{relationships: {to: agency, field: agency_no}}]}
  person_key: {tags: [pseudonym]}
  programme: {tests: [{accepted_values: [kua, older, disabled]}]}
  month: {description: month of the referral}
  placed: {description: "a placement has been reported; false also for those still looked after"}
  retained_six_months: {description: "null until six months after the placement"}
  entity_id: {description: "business of the workplace placed in", tags: [firm]}
---*/
with changes as (
  select * from {{ source('agency_placement') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
entity as (
  select * from {{ ref('workplace_entity') }}
),
latest as (
  {{ latest_version('changes', ['agency_no', 'person_key', 'referred_on']) }}
),
agency_placement as (
  select
    -- ids
    latest.agency_no,
    latest.person_key,
    latest.programme,
    latest.workplace_no,
    workplace.biz_no,
    entity.entity_id,
    -- dates
    latest.referred_on,
    month_start(latest.referred_on) as month,
    latest.placed_on,
    latest._known_on as known_on,
    -- result
    latest.placed_on is not null as placed,
    latest.retained_six_months,
    latest.fee_won
  from latest
  left join workplace
    on workplace.workplace_no = latest.workplace_no
  left join entity
    on entity.source = 'ei_workplace'
    and entity.source_id = latest.workplace_no
)
select * from agency_placement
