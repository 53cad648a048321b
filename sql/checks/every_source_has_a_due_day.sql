/*---
description: {ko: "전달된 모든 원천이 일정표에 있다", en: "every delivered source stands in the delivery calendar"}
severity: warn
---*/
with quality as (
  select * from {{ ref('data_quality') }}
),
calendar as (
  select * from {{ seed('source_calendar') }}
),
broken as (
  select quality.source, count(*) as deliveries
  from quality
  where not exists (select 1 from calendar where calendar.source = quality.source)
  group by quality.source
)
select * from broken
