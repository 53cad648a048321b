/*---
description: {ko: "월·주 노동시장표의 취득은 신고된 취득과 같다", en: "acquisitions, claims and hires by month and by week equal those of the core tables over the same days"}
severity: error
---*/
with monthly as (
  select
    min(month) as first_day,
    month_end(max(month)) as last_day,
    sum(acquired) as acquired,
    sum(claims_new) as claims_new,
    sum(hires) as hires
  from {{ ref('labour_market_monthly') }}
),
weekly as (
  select
    min(week_from) as first_day,
    max(week_to) as last_day,
    sum(acquired) as acquired,
    sum(claims_new) as claims_new,
    sum(hires) as hires
  from {{ ref('labour_market_weekly') }}
),
published as (
  select 'monthly' as mart, first_day, last_day, acquired, claims_new, hires from monthly
  union all
  select 'weekly' as mart, first_day, last_day, acquired, claims_new, hires from weekly
),
acquisition as (
  select acquired_on as day, count(*) as events from {{ ref('insured_spell') }} where not cancelled group by acquired_on
),
claim as (
  select applied_on as day, count(*) as events from {{ ref('claim') }} group by applied_on
),
hire as (
  select occurred_on as day, count(*) as events from {{ ref('match_event') }} where kind = 'hire' group by occurred_on
),
counted as (
  select published.mart, 'acquired' as measure, coalesce(sum(acquisition.events), 0) as events, max(published.acquired) as shown
  from published
  left join acquisition
    on acquisition.day between published.first_day and published.last_day
  group by published.mart
  union all
  select published.mart, 'claims_new' as measure, coalesce(sum(claim.events), 0) as events, max(published.claims_new) as shown
  from published
  left join claim
    on claim.day between published.first_day and published.last_day
  group by published.mart
  union all
  select published.mart, 'hires' as measure, coalesce(sum(hire.events), 0) as events, max(published.hires) as shown
  from published
  left join hire
    on hire.day between published.first_day and published.last_day
  group by published.mart
),
broken as (
  select * from counted where shown <> events
)
select * from broken
