/*---
description:
  ko: 고용24 공개 API의 공채속보. 공고마다 최신 내용과 목록에 있던 기간을 둔다.
  en: "open recruitment of larger employers from the Work24 open interface: what a notice says last, and the days it was listed"
grain: [recruitment_no]
materialized: table
owner: core
columns:
  employer_kind: {description: "대기업, 공기업 and so on, in the words of the interface"}
  employment_kind: {description: "정규직, 계약직 and so on, in the words of the interface"}
  closes_on: {description: "last day of application; null where none is stated"}
  first_listed_on: {description: day of the first delivery that lists it}
  last_listed_on: {description: day of the last one}
---*/
with listed as (
  select * from {{ source('work24_open_recruitment') }}
),
latest as (
  {{ latest_listed('listed', ['recruitment_no']) }}
),
presence as (
  select
    listed.recruitment_no,
    min(listed._known_on) as first_listed_on,
    max(listed._known_on) as last_listed_on
  from listed
  group by listed.recruitment_no
),
open_recruitment as (
  select
    -- ids
    latest.recruitment_no,
    latest.title,
    latest.employer,
    latest.employer_kind,
    latest.employment_kind,
    latest.url,
    -- dates
    latest.opens_on,
    latest.closes_on,
    presence.first_listed_on,
    presence.last_listed_on,
    latest._known_on as known_on
  from latest
  inner join presence
    on presence.recruitment_no = latest.recruitment_no
)
select * from open_recruitment
