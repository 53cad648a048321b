/*---
description: {ko: 국민취업지원제도 등 취업지원 프로그램 참여의 최신 상태, en: latest state of each participation in a support programme}
grain: [participation_no]
materialized: table
owner: core
legal_basis: 구직자 취업촉진 및 생활안정지원에 관한 법률 제7조 · 제8조
sort_by: [person_key, from_on, participation_no]
tests:
  - {expression: "to_on is null or to_on >= from_on"}
columns:
  person_key: {tags: [pseudonym], tests: [not_null]}
  programme: {tests: [{accepted_values: [kua_1, kua_2, youth_challenge, group_counselling]}]}
  month: {description: month of the start}
  to_on: {description: last day; null while it lasts}
  outcome: {tests: [{accepted_values: [employed, not_employed, dropped]}]}
  allowance_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('wn_programme') }}
),
latest as (
  {{ latest_version('changes', ['participation_no']) }}
),
programme_participation as (
  select
    -- ids
    latest.participation_no,
    latest.person_key,
    latest.programme,
    -- dates
    latest.from_on,
    month_start(latest.from_on) as month,
    latest.to_on,
    latest._known_on as known_on,
    -- result
    latest.outcome,
    latest.allowance_won
  from latest
)
select * from programme_participation
