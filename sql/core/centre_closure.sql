/*---
description: {ko: 사업장이 고용센터에 미리 알린 계절 휴업, en: seasonal closures that workplaces told their employment centre of}
grain: [workplace_no, closes_on]
materialized: table
owner: core
known_on: filed_on
legal_basis: 고용정책 기본법 제33조
columns:
  closes_on: {description: first day on which nobody works}
  reopens_on: {description: the day work was expected to begin again}
---*/
with changes as (
  select * from {{ source('centre_closure') }}
),
latest as (
  {{ latest_version('changes', ['workplace_no', 'closes_on']) }}
),
centre_closure as (
  select
    latest.workplace_no,
    latest.closes_on,
    latest.reopens_on,
    latest.filed_on,
    latest._known_on as known_on
  from latest
)
select * from centre_closure
