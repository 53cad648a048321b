/*---
description:
  ko: 주·시도별 노동시장. 월요일에 시작하는 주이며 목요일이 든 달과 해에 속한다.
  en: >-
    the labour market by ISO week and province: vacancies, seekers, claims, acquisitions and losses. A week begins on
    Monday and belongs to the month and year of its Thursday (ISO 8601). Only weeks that have been delivered whole
grain: [week_from, sido]
materialized: table
owner: labour_market
legal_basis: 고용보험법 제15조 · 직업안정법 제8조 · 제9조
tests:
  - {expression: "days_between(week_from, week_to) = 6"}
columns:
  week: {description: "ISO week: 2024-W05"}
  week_from: {description: Monday}
  week_to: {description: Sunday}
  month: {description: month of the week's Thursday}
  sido: {description: "province of the workplace for insured persons and vacancies, wished province for seekers, province of the centre for benefit; 00 is unknown"}
  insured_persons: {description: persons insured on Sunday, tests: [{range: {min: 0}}]}
  seekers_open: {description: registrations open on Sunday, tests: [{range: {min: 0}}]}
  vacancies_open: {description: "vacancies neither filled nor past their last day, on Sunday", tests: [{range: {min: 0}}]}
  recipients: {description: persons with a certification that paid in the week, tests: [{range: {min: 0}}]}
  paid_won: {description: "benefit certified in the week, won", tests: [{range: {min: 0}}]}
---*/
with delivered as (
  select * from {{ source('ei_insured_spell') }}
),
sido as (
  select * from {{ seed('sido') }}
),
daily as (
  select * from {{ ref('labour_market_daily') }}
),
certification as (
  select * from {{ ref('certification') }}
),
span as (
  select min(delivered._period) as first_day, month_end(max(delivered._period)) as last_day from delivered
),
month as (
  select unnest(months_series(min(delivered._period), max(delivered._period))) as first_day from delivered
),
-- weeks that lie whole in what was delivered: the days of one that began before stay in the stocks
calendar as (
  select {{ week_start('add_days(month.first_day, shift.days)') }} as week_from
  from month
  cross join (values (0), (7), (14), (21), (28)) as shift (days)
  cross join span
  where {{ week_start('add_days(month.first_day, shift.days)') }} >= span.first_day
    and add_days({{ week_start('add_days(month.first_day, shift.days)') }}, 6) <= span.last_day
  group by {{ week_start('add_days(month.first_day, shift.days)') }}
),
region as (
  select sido.sido from sido
  union
  select daily.sido from daily
),
grid as (
  select calendar.week_from, region.sido
  from calendar
  cross join region
),
first_week as (
  select min(calendar.week_from) as week_from from calendar
),
flow as (
  select
    greatest({{ week_start('daily.day') }}, first_week.week_from) as week_from,
    daily.sido,
    sum(daily.insured_in - daily.insured_out) as insured_change,
    sum(daily.acquired) filter (where daily.day >= first_week.week_from) as acquired,
    sum(daily.lost) filter (where daily.day >= first_week.week_from) as lost,
    sum(daily.lost_involuntary) filter (where daily.day >= first_week.week_from) as lost_involuntary,
    sum(daily.seekers_in - daily.seekers_out) as seeker_change,
    sum(daily.seekers_new) filter (where daily.day >= first_week.week_from) as seekers_new,
    sum(daily.vacancies_in - daily.vacancies_out) as vacancy_change,
    sum(daily.openings_in - daily.openings_out) as opening_change,
    sum(daily.vacancies_new) filter (where daily.day >= first_week.week_from) as vacancies_new,
    sum(daily.openings_new) filter (where daily.day >= first_week.week_from) as openings_new,
    sum(daily.hires) filter (where daily.day >= first_week.week_from) as hires,
    sum(daily.claims_new) filter (where daily.day >= first_week.week_from) as claims_new
  from daily
  cross join first_week
  group by greatest({{ week_start('daily.day') }}, first_week.week_from), daily.sido
),
person_week as (
  select
    {{ week_start('certification.certified_on') }} as week_from,
    coalesce(certification.sido, '00') as sido,
    certification.person_key,
    sum(certification.amount_won) as paid_won
  from certification
  group by {{ week_start('certification.certified_on') }}, coalesce(certification.sido, '00'), certification.person_key
),
payment as (
  select
    person_week.week_from,
    person_week.sido,
    count(*) filter (where person_week.paid_won > 0) as recipients,
    sum(person_week.paid_won) as paid_won
  from person_week
  group by person_week.week_from, person_week.sido
),
stock as (
  select
    grid.week_from,
    grid.sido,
    flow.acquired,
    flow.lost,
    flow.lost_involuntary,
    flow.seekers_new,
    flow.vacancies_new,
    flow.openings_new,
    flow.hires,
    flow.claims_new,
    sum(coalesce(flow.insured_change, 0)) over (
      partition by grid.sido order by grid.week_from rows between unbounded preceding and current row) as insured_persons,
    sum(coalesce(flow.seeker_change, 0)) over (
      partition by grid.sido order by grid.week_from rows between unbounded preceding and current row) as seekers_open,
    sum(coalesce(flow.vacancy_change, 0)) over (
      partition by grid.sido order by grid.week_from rows between unbounded preceding and current row) as vacancies_open,
    sum(coalesce(flow.opening_change, 0)) over (
      partition by grid.sido order by grid.week_from rows between unbounded preceding and current row) as openings_open
  from grid
  left join flow
    on flow.week_from = grid.week_from
    and flow.sido = grid.sido
),
labour_market_weekly as (
  select
    -- ids
    concat(
      cast({{ iso_year('stock.week_from') }} as varchar), '-W',
      lpad(cast({{ iso_week('stock.week_from') }} as varchar), 2, '0')) as week,
    stock.sido,
    -- dates
    stock.week_from,
    add_days(stock.week_from, 6) as week_to,
    {{ iso_year('stock.week_from') }} as iso_year,
    {{ iso_week('stock.week_from') }} as iso_week,
    month_start(add_days(stock.week_from, 3)) as month,
    -- insurance
    cast(stock.insured_persons as bigint) as insured_persons,
    cast(coalesce(stock.acquired, 0) as bigint) as acquired,
    cast(coalesce(stock.lost, 0) as bigint) as lost,
    cast(coalesce(stock.lost_involuntary, 0) as bigint) as lost_involuntary,
    -- search
    cast(coalesce(stock.seekers_new, 0) as bigint) as seekers_new,
    cast(stock.seekers_open as bigint) as seekers_open,
    cast(coalesce(stock.vacancies_new, 0) as bigint) as vacancies_new,
    cast(stock.vacancies_open as bigint) as vacancies_open,
    cast(coalesce(stock.openings_new, 0) as bigint) as openings_new,
    cast(stock.openings_open as bigint) as openings_open,
    cast(coalesce(stock.hires, 0) as bigint) as hires,
    -- benefit
    cast(coalesce(stock.claims_new, 0) as bigint) as claims_new,
    coalesce(payment.recipients, 0) as recipients,
    cast(coalesce(payment.paid_won, 0) as decimal(28, 0)) as paid_won
  from stock
  left join payment
    on payment.week_from = stock.week_from
    and payment.sido = stock.sido
)
select * from labour_market_weekly
