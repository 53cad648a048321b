/*---
description: {ko: "전달된 일용 신고가 하나도 빠지지 않는다", en: "every daily work report delivered stands in core.daily_work, once"}
severity: error
---*/
with delivered as (
  select person_key, workplace_no, work_month
  from {{ source('ei_daily_work') }}
  group by person_key, workplace_no, work_month
),
delivered_count as (
  select count(*) as reports from delivered
),
core_count as (
  select count(*) as reports from {{ ref('daily_work') }}
),
broken as (
  select delivered_count.reports as delivered_reports, core_count.reports as core_reports
  from delivered_count
  cross join core_count
  where delivered_count.reports <> core_count.reports
)
select * from broken
