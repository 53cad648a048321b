/*---
description: {ko: 원천별 최신성, en: "for each source that delivers by period: the last period delivered, when the next one is due, and how late it is"}
grain: [source]
materialized: table
owner: operations
sort_by: [source]
expects:
  ops.deliveries:
    source: string
    period: string
    known_on: date
    status: string
columns:
  state: {description: "in_time, overdue, or never: a source that never delivered has no due day yet", tests: [{accepted_values: [in_time, overdue, never]}]}
  last_period_from: {description: first day of the last period delivered}
  periods_missing: {description: periods between the first and the last one delivered that never came}
  due_on: {description: working day by which the next period is due}
  days_late: {description: "days since the due day, 0 when it has not passed"}
---*/
with delivery as (
  select * from {{ ops('deliveries') }}
),
calendar as (
  select * from {{ seed('source_calendar') }}
),
-- what was known on the day
known as (
  select
    delivery.source,
    delivery.known_on,
    {{ period_from('delivery.period') }} as period_from
  from delivery
  where delivery.status in ('accepted', 'accepted_with_quarantine', 'superseded')
    and delivery.known_on <= date '{{ var('as_of') }}'
),
latest as (
  select
    known.source,
    min(known.period_from) as first_period_from,
    max(known.period_from) as last_period_from,
    count(distinct known.period_from) as periods,
    max(known.known_on) as last_known_on
  from known
  where known.period_from is not null
  group by known.source
),
upcoming as (
  select
    calendar.source,
    calendar.cadence,
    calendar.due_days,
    latest.first_period_from,
    latest.last_period_from,
    latest.periods,
    latest.last_known_on,
    {{ next_period_from('latest.last_period_from', 'calendar.cadence') }} as next_period_from
  from calendar
  left join latest
    on latest.source = calendar.source
  where calendar.due_days is not null
),
due as (
  select
    upcoming.*,
    add_days({{ next_period_from('upcoming.next_period_from', 'upcoming.cadence') }}, upcoming.due_days - 1) as due_by
  from upcoming
),
working as (
  {{ working_days('due') }}
),
source_freshness as (
  select
    -- ids
    due.source,
    case
      when due.last_period_from is null then 'never'
      when working.due_on < date '{{ var('as_of') }}' then 'overdue'
      else 'in_time' end as state,
    due.cadence,
    -- dates
    due.last_period_from,
    due.last_known_on,
    due.next_period_from,
    working.due_on,
    coalesce(greatest(0, days_between(working.due_on, date '{{ var('as_of') }}')), 0) as days_late,
    -- gaps
    cast(coalesce(
      case due.cadence
        when 'daily' then days_between(due.first_period_from, due.last_period_from) + 1
        when 'weekly' then days_between(due.first_period_from, due.last_period_from) / 7 + 1
        when 'quarterly' then months_between(due.first_period_from, due.last_period_from) / 3 + 1
        when 'half_yearly' then months_between(due.first_period_from, due.last_period_from) / 6 + 1
        when 'yearly' then months_between(due.first_period_from, due.last_period_from) / 12 + 1
        else months_between(due.first_period_from, due.last_period_from) + 1 end
      - due.periods, 0) as bigint) as periods_missing
  from due
  left join working
    on working.due_by = due.due_by
)
select * from source_freshness
