/*---
description: {ko: 개인사업자의 최신 등록 상태, en: latest known registration of each sole proprietor}
grain: [biz_no]
materialized: table
owner: core
columns:
  biz_no: {tests: [not_null, unique]}
  owner_key: {tags: [pseudonym], tests: [not_null]}
  status: {tests: [{accepted_values: [active, suspended, closed]}]}
---*/
with changes as (
  select * from {{ source('nts_business_registration') }}
),
latest as (
  {{ latest_version('changes', ['biz_no']) }}
),
business as (
  select
    -- ids
    latest.biz_no,
    latest.person_key as owner_key,
    latest.birth_date as owner_birth_date,
    latest.sex as owner_sex,
    latest.foreigner as owner_foreigner,
    -- state
    latest.status,
    latest.opened_on,
    latest.closed_on,
    latest._known_on as known_on
  from latest
)
select * from business
