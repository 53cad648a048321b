/*---
description: {ko: 전달별 정합성과 지연, en: "every delivery with its balance of rows and won, and how late it became known"}
grain: [delivery_id]
materialized: table
owner: operations
sort_by: [source, period, delivery_id]
expects:
  ops.deliveries:
    delivery_id: string
    source: string
    period: string
    revision: int
    known_on: date
    status: string
    rows_delivered: bigint
    rows_accepted: bigint
    rows_quarantined: bigint
    rows_rejected: bigint
    rows_flagged: bigint
    won_delivered: decimal(28,0)
    won_accepted: decimal(28,0)
    won_quarantined: decimal(28,0)
    won_rejected: decimal(28,0)
    rows_released: bigint
    rows_discarded: bigint
    superseded_by: string
columns:
  superseded_by: {description: the delivery of a higher revision that took its place}
  rows_released: {description: accepted rows that were in quarantine before}
  rows_discarded: {description: rejected rows that were in quarantine before}
  due_on: {description: "days allowed after the end of the period, then the next working day"}
  balanced: {description: "delivered = accepted + quarantined + rejected, in rows and in won where the source has a control total"}
  days_late: {description: "days between the due day and the day the delivery became known, 0 when in time, null without a period"}
---*/
with delivery as (
  select * from {{ ops('deliveries') }}
),
calendar as (
  select * from {{ seed('source_calendar') }}
),
dated as (
  select
    delivery.*,
    calendar.cadence,
    calendar.due_days,
    {{ period_from('delivery.period') }} as period_from
  from delivery
  left join calendar
    on calendar.source = delivery.source
),
due as (
  select
    dated.*,
    add_days({{ next_period_from('dated.period_from', 'dated.cadence') }}, dated.due_days - 1) as due_by
  from dated
),
working as (
  {{ working_days('due') }}
),
data_quality as (
  select
    -- ids
    due.delivery_id,
    due.source,
    due.period,
    due.status,
    due.superseded_by,
    -- rows
    due.rows_delivered,
    due.rows_accepted,
    due.rows_quarantined,
    due.rows_rejected,
    due.rows_flagged,
    due.rows_released,
    due.rows_discarded,
    -- amounts
    due.won_delivered,
    due.won_accepted,
    due.won_quarantined,
    due.won_rejected,
    due.rows_delivered = due.rows_accepted + due.rows_quarantined + due.rows_rejected
      and coalesce(due.won_delivered = due.won_accepted + due.won_quarantined + due.won_rejected, true) as balanced,
    -- dates
    due.known_on,
    working.due_on,
    case when working.due_on is not null
      then greatest(0, days_between(working.due_on, due.known_on)) end as days_late
  from due
  left join working
    on working.due_by = due.due_by
)
select * from data_quality
