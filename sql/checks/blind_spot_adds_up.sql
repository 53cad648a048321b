/*---
description: {ko: "사각지대표의 인원과 금액은 적용 상태표와 같다", en: "persons and won in blind_spot_monthly equal coverage_month, and each interval holds its estimate"}
severity: error
---*/
with coverage as (
  select month, class, count(*) as persons, sum(uninsured_won) as uninsured_won
  from {{ ref('coverage_month') }}
  group by month, class
),
published as (
  select * from {{ ref('blind_spot_monthly') }}
),
broken as (
  select published.month, published.class
  from published
  left join coverage
    on coverage.month = published.month
    and coverage.class = published.class
  where published.persons <> coalesce(coverage.persons, 0)
    or published.uninsured_won <> coalesce(coverage.uninsured_won, 0)
    or published.estimate_persons < published.estimate_low
    or published.estimate_persons > published.estimate_high
)
select * from broken
