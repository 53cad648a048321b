/*---
description:
  ko: "취업이력의 피보험일수와 처음·마지막 날은 겹침을 푼 피보험 기간과 같다"
  en: "insured days, first and last insured day of each person are those of the resolved employment spells"
severity: error
---*/
with resolved as (
  select
    person_key,
    min(from_on) as first_on,
    case when count(*) = count(to_on) then max(to_on) end as last_on,
    sum(days_between(from_on, coalesce(to_on, date '9999-12-31'))) + count(*) as days
  from {{ ref('employment_spell') }}
  group by person_key
),
split as (
  select
    person_key,
    min(from_on) as first_on,
    case when count(*) = count(to_on) then max(to_on) end as last_on,
    sum(days_between(from_on, coalesce(to_on, date '9999-12-31'))) + count(*) as days
  from {{ ref('employment_biography') }}
  where insured
  group by person_key
),
broken as (
  select coalesce(resolved.person_key, split.person_key) as person_key, resolved.days as resolved_days, split.days as split_days
  from resolved
  full outer join split
    on split.person_key = resolved.person_key
  where (resolved.days is distinct from split.days)
    or (resolved.first_on is distinct from split.first_on)
    or (resolved.last_on is distinct from split.last_on)
)
select * from broken
