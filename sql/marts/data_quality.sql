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
columns:
  balanced: {description: "delivered = accepted + quarantined + rejected, in rows and in won where the source has a control total"}
  days_late: {description: "days between the due day and the day the delivery became known, 0 when in time, null without a period"}
---*/
with delivery as (
  select * from {{ ops('deliveries') }}
),
calendar as (
  select * from {{ seed('source_calendar') }}
),
-- a period is a month (2024-08), a half (2024-H2), a year (2024), a day, or nothing
dated as (
  select
    delivery.*,
    calendar.due_days,
    case
      when calendar.cadence = 'half_yearly' then 6
      when calendar.cadence = 'yearly' then 12
      else 1 end as period_months,
    case
      when character_length(cast(delivery.period as varchar)) = 10 then try_cast(delivery.period as date)
      when cast(delivery.period as varchar) like '____-H1' then try_cast(substr(cast(delivery.period as varchar), 1, 4) || '-01-01' as date)
      when cast(delivery.period as varchar) like '____-H2' then try_cast(substr(cast(delivery.period as varchar), 1, 4) || '-07-01' as date)
      when character_length(cast(delivery.period as varchar)) = 7 then try_cast(cast(delivery.period as varchar) || '-01' as date)
      when character_length(cast(delivery.period as varchar)) = 4 then try_cast(cast(delivery.period as varchar) || '-01-01' as date)
      end as period_from
  from delivery
  left join calendar
    on calendar.source = delivery.source
),
due as (
  select
    dated.*,
    add_days(month_end(add_months(month_start(dated.period_from), dated.period_months - 1)), dated.due_days) as due_on
  from dated
),
data_quality as (
  select
    -- ids
    due.delivery_id,
    due.source,
    due.period,
    due.status,
    -- rows
    due.rows_delivered,
    due.rows_accepted,
    due.rows_quarantined,
    due.rows_rejected,
    due.rows_flagged,
    -- amounts
    due.won_delivered,
    due.won_accepted,
    due.won_quarantined,
    due.won_rejected,
    due.rows_delivered = due.rows_accepted + due.rows_quarantined + due.rows_rejected
      and coalesce(due.won_delivered = due.won_accepted + due.won_quarantined + due.won_rejected, true) as balanced,
    -- dates
    due.known_on,
    due.due_on,
    greatest(0, days_between(due.due_on, due.known_on)) as days_late
  from due
)
select * from data_quality
