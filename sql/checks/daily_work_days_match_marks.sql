/*---
description: {ko: "근로일수는 근로일 표시의 수와 같다", en: "days of a daily work report equal its marks"}
severity: warn
---*/
with daily_work as (
  select * from {{ ref('daily_work') }}
),
broken as (
  select person_key, workplace_no, month, days, worked_days
  from daily_work
  where days <> character_length(replace(worked_days, '0', ''))
)
select * from broken
