/*---
description: {ko: 사업장의 최신 상태, en: "latest known state of each insured workplace, with its industry section and province"}
grain: [workplace_no]
materialized: table
owner: core
columns:
  workplace_no: {tests: [not_null, unique]}
  biz_no: {description: business number of the firm; one firm may hold several workplaces}
  section: {description: "KSIC section; null when the division is not in revisions 10 or 11, which share their divisions"}
  sido: {description: first two digits of the sigungu code}
---*/
with changes as (
  select * from {{ source('ei_workplace') }}
),
division as (
  select * from {{ seed('ksic_division') }}
),
latest as (
  {{ latest_version('changes', ['workplace_no']) }}
),
workplace as (
  select
    -- ids
    latest.workplace_no,
    latest.biz_no,
    latest.firm_name,
    -- codes
    latest.ksic,
    latest.ksic_version,
    substr(latest.ksic, 1, 2) as division,
    division.section,
    latest.sigungu,
    substr(latest.sigungu, 1, 2) as sido,
    -- dates
    latest.established_on,
    latest.closed_on,
    latest._known_on as known_on,
    -- size
    latest.headcount
  from latest
  left join division
    on division.division = substr(latest.ksic, 1, 2)
    and latest.ksic_version in ('10', '11')
)
select * from workplace
