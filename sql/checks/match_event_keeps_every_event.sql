/*---
description: {ko: "전달된 사건이 하나도 빠지지 않는다", en: "every event delivered stands in core.match_event, once"}
severity: error
---*/
with delivered as (
  select seeker_no, vacancy_no, kind, occurred_at
  from {{ source('wn_event') }}
  group by seeker_no, vacancy_no, kind, occurred_at
),
delivered_count as (
  select count(*) as events from delivered
),
core_count as (
  select count(*) as events from {{ ref('match_event') }}
),
broken as (
  select delivered_count.events as delivered_events, core_count.events as core_events
  from delivered_count
  cross join core_count
  where delivered_count.events <> core_count.events
)
select * from broken
