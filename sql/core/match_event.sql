/*---
description: {ko: 열람·지원·알선·면접·채용 사건, en: "views, applications, referrals, interviews and hires, one row per event"}
grain: [seeker_no, vacancy_no, kind, occurred_at]
materialized: partitioned
partition_by: month
reads: {wn_event: [0, 0]}
owner: core
legal_basis: 직업안정법 제10조
sort_by: [seeker_no, occurred_at, vacancy_no, kind]
columns:
  kind: {tests: [{accepted_values: [view, apply, refer, interview, hire]}]}
  month: {description: month of the event}
---*/
with event as (
  select * from {{ source('wn_event') }}
),
match_event as (
  select
    -- ids
    event.seeker_no,
    event.vacancy_no,
    event.kind,
    -- dates
    event.occurred_at,
    cast(event.occurred_at as date) as occurred_on,
    month_start(cast(event.occurred_at as date)) as month,
    min(event._known_on) as known_on
  from event
  where event.occurred_at >= timestamp '{{ var('partition_start') }} 00:00:00'
    and event.occurred_at < timestamp '{{ var('partition_end') }} 00:00:00'
  group by event.seeker_no, event.vacancy_no, event.kind, event.occurred_at
)
select * from match_event
