/*---
description:
  ko: 모집기간 안에 채워진 구인은 어느 한 주에 채워졌고, 다른 구인은 어느 주에도 채워지지 않았다
  en: a vacancy filled within its period was filled in exactly one of its weeks, any other in none
severity: error
---*/
with period as (
  select vacancy_no, label from {{ ref('hiring_success_label') }}
),
week as (
  select vacancy_no, label from {{ ref('hiring_hazard_label') }}
),
counted as (
  select
    week.vacancy_no,
    count(*) filter (where week.label) as filled,
    count(*) filter (where week.label is null) as unknown
  from week
  group by week.vacancy_no
),
broken as (
  select period.vacancy_no, period.label, counted.filled, counted.unknown
  from period
  left join counted
    on counted.vacancy_no = period.vacancy_no
  where period.label is not null
    and (counted.vacancy_no is null
      or counted.unknown > 0
      or counted.filled <> case when period.label then 1 else 0 end)
)
select * from broken
