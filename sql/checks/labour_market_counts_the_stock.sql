/*---
description: {ko: "마지막 달의 피보험자 수는 직접 센 것과 같다", en: "insured persons at the end of the last month, kept as running sums, equal a direct count"}
severity: error
---*/
with published as (
  select * from {{ ref('labour_market_monthly') }}
),
last_month as (
  select max(month) as month from published
),
stock as (
  select coalesce(sum(published.insured_persons), 0) as persons
  from published
  inner join last_month
    on last_month.month = published.month
),
counted as (
  select count(*) as persons
  from {{ ref('employment_spell') }} as piece
  cross join last_month
  where piece.from_on <= month_end(last_month.month)
    and (piece.to_on is null or piece.to_on >= month_end(last_month.month))
),
broken as (
  select stock.persons as published_persons, counted.persons as counted_persons
  from stock
  cross join counted
  where stock.persons <> counted.persons
)
select * from broken
