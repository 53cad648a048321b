/*---
description:
  ko: 월·시도별 노동시장. 피보험자, 취득·상실, 구직, 구인, 채용, 구직급여.
  en: the labour market by month and province, with insured persons, acquisitions and losses, seekers, vacancies, hires and benefit
grain: [month, sido]
materialized: table
owner: labour_market
legal_basis: 고용보험법 제15조 · 직업안정법 제8조 · 제9조
columns:
  sido: {description: "province of the workplace for insured persons and vacancies, wished province for seekers, province of the centre for benefit; 00 is unknown"}
  insured_persons: {description: persons insured on the last day of the month, tests: [{range: {min: 0}}]}
  lost_involuntary: {description: losses with a reason that entitles to benefit, tests: [{range: {min: 0}}]}
  seekers_open: {description: registrations still open on the last day of the month, tests: [{range: {min: 0}}]}
  vacancies_open: {description: "vacancies neither filled nor past their last day, on the last day of the month", tests: [{range: {min: 0}}]}
  openings_open: {description: places of those vacancies, tests: [{range: {min: 0}}]}
  paid_won: {tests: [{range: {min: 0}}]}
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
claims as (
  select * from {{ ref('claims_monthly') }}
),
-- every month between the first and the last one delivered: what a month without a delivery changed is known from others
calendar as (
  select unnest(months_series(min(delivered._period), max(delivered._period))) as month from delivered
),
region as (
  select sido.sido from sido
  union
  select daily.sido from daily
  union
  select claims.sido from claims
),
grid as (
  select calendar.month, region.sido
  from calendar
  cross join region
),
flow as (
  select
    month_start(daily.day) as month,
    daily.sido,
    sum(daily.insured_in - daily.insured_out) as insured_change,
    sum(daily.acquired) as acquired,
    sum(daily.lost) as lost,
    sum(daily.lost_involuntary) as lost_involuntary,
    sum(daily.seekers_in - daily.seekers_out) as seeker_change,
    sum(daily.seekers_new) as seekers_new,
    sum(daily.vacancies_in - daily.vacancies_out) as vacancy_change,
    sum(daily.openings_in - daily.openings_out) as opening_change,
    sum(daily.vacancies_new) as vacancies_new,
    sum(daily.openings_new) as openings_new,
    sum(daily.hires) as hires
  from daily
  group by month_start(daily.day), daily.sido
),
-- stocks at the month's end are running sums of entries and exits; an exit counts in the month whose last day it misses
stock as (
  select
    grid.month,
    grid.sido,
    flow.acquired,
    flow.lost,
    flow.lost_involuntary,
    flow.seekers_new,
    flow.vacancies_new,
    flow.openings_new,
    flow.hires,
    sum(coalesce(flow.insured_change, 0)) over (
      partition by grid.sido order by grid.month rows between unbounded preceding and current row) as insured_persons,
    sum(coalesce(flow.seeker_change, 0)) over (
      partition by grid.sido order by grid.month rows between unbounded preceding and current row) as seekers_open,
    sum(coalesce(flow.vacancy_change, 0)) over (
      partition by grid.sido order by grid.month rows between unbounded preceding and current row) as vacancies_open,
    sum(coalesce(flow.opening_change, 0)) over (
      partition by grid.sido order by grid.month rows between unbounded preceding and current row) as openings_open
  from grid
  left join flow
    on flow.month = grid.month
    and flow.sido = grid.sido
),
labour_market_monthly as (
  select
    -- ids
    stock.month,
    stock.sido,
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
    cast(coalesce(claims.claims_new, 0) as bigint) as claims_new,
    cast(coalesce(claims.recipients, 0) as bigint) as recipients,
    cast(coalesce(claims.paid_won, 0) as decimal(28, 0)) as paid_won
  from stock
  left join claims
    on claims.month = stock.month
    and claims.sido = stock.sido
)
select * from labour_market_monthly
