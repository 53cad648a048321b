/*---
description:
  ko: 해외 체류. 아직 돌아오지 않은 체류는 자료가 닿는 마지막 날까지만 확실하다.
  en: stays abroad; a stay without a return is certain only up to the last day the deliveries cover
grain: [person_key, left_on]
materialized: table
owner: core
legal_basis: 고용보험법 제11조의2
tests:
  - {expression: "entered_on is null or entered_on >= left_on"}
columns:
  person_key: {tags: [pseudonym]}
  abroad_until: {description: "day of return, or the last day covered by deliveries while there is none"}
---*/
with crossing as (
  select * from {{ source('moj_border') }}
),
covered as (
  select month_end(max(crossing._period)) as covered_until from crossing
),
border_stay as (
  select
    -- ids
    crossing.person_key,
    -- dates
    crossing.left_on,
    -- a stay may be delivered again with its return
    max(crossing.entered_on) as entered_on,
    coalesce(max(crossing.entered_on), max(covered.covered_until)) as abroad_until,
    max(crossing._known_on) as known_on
  from crossing
  cross join covered
  group by crossing.person_key, crossing.left_on
)
select * from border_stay
