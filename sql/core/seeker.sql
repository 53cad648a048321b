/*---
description: {ko: 구직신청의 최신 상태, en: latest state of each job seeker registration}
grain: [seeker_no]
materialized: keyed
key: seeker_no
owner: core
known_on: registered_on
legal_basis: 직업안정법 제9조
columns:
  seeker_no: {tests: [not_null, unique]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  month: {description: month of registration}
---*/
with changes as (
  select * from {{ source('wn_seeker') }}
),
occupation as (
  select * from {{ seed('keco_minor') }}
),
latest as (
  {{ latest_version('changes', ['seeker_no']) }}
),
seeker as (
  select
    -- ids
    latest.seeker_no,
    latest.person_key,
    -- person
    latest.birth_date,
    latest.sex,
    -- dates
    latest.registered_on,
    month_start(latest.registered_on) as month,
    latest.closed_on,
    latest._known_on as known_on,
    -- wishes
    latest.wished_occupation,
    occupation.major as wished_major,
    latest.wished_sigungu,
    substr(latest.wished_sigungu, 1, 2) as wished_sido,
    latest.desired_contract,
    -- background
    latest.education,
    latest.licences,
    latest.career_months,
    -- amounts
    latest.wished_wage_won
  from latest
  left join occupation
    on occupation.occupation = latest.wished_occupation
)
select * from seeker
