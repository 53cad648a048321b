/*---
description: {ko: "소정급여일수는 별표의 값이다", en: "entitled days follow the table of insured time and age, at 50 disabled persons may have more"}
severity: warn
---*/
with claim as (
  select * from {{ ref('claim') }}
),
entitled as (
  select * from {{ seed('entitled_days') }}
),
table_value as (
  select claim.claim_no, claim.entitled_days, max(entitled.entitled_days) as highest_days
  from claim
  cross join entitled
  where claim.insured_days >= entitled.insured_days_from
    and claim.insured_days < entitled.insured_days_to
  group by claim.claim_no, claim.entitled_days
),
broken as (
  select * from table_value where entitled_days > highest_days
)
select * from broken
