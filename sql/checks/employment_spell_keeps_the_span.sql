/*---
description: {ko: "겹침을 풀어도 처음과 마지막 피보험일은 그대로다", en: "resolving overlaps keeps each person's first and last insured day"}
severity: error
---*/
with reported as (
  select
    person_key,
    min(insured_from) as first_on,
    case when count(*) = count(insured_to) then max(insured_to) end as last_on
  from {{ ref('insured_spell') }}
  where not cancelled
  group by person_key
),
resolved as (
  select
    person_key,
    min(from_on) as first_on,
    case when count(*) = count(to_on) then max(to_on) end as last_on
  from {{ ref('employment_spell') }}
  group by person_key
),
broken as (
  select coalesce(reported.person_key, resolved.person_key) as person_key
  from reported
  full outer join resolved
    on resolved.person_key = reported.person_key
  where (reported.first_on is distinct from resolved.first_on)
    or (reported.last_on is distinct from resolved.last_on)
)
select * from broken
