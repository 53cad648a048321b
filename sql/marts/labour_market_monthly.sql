/*---
description:
  ko: 월·시도별 노동시장. 피보험자, 취득·상실, 구직, 구인, 채용, 구직급여.
  en: the labour market by month and province, with insured persons, acquisitions and losses, seekers, vacancies, hires and benefit
grain: [month, sido]
materialized: table
owner: labour_market
columns:
  sido: {description: "province of the workplace for insured persons and vacancies, wished province for seekers, province of the centre for benefit; 00 is unknown"}
  insured_persons: {description: persons insured on the last day of the month, tests: [{range: {min: 0}}]}
  seekers_open: {description: registrations still open on the last day of the month, tests: [{range: {min: 0}}]}
  paid_won: {tests: [{range: {min: 0}}]}
---*/
with delivered as (
  select * from {{ source('ei_insured_spell') }}
),
sido as (
  select * from {{ seed('sido') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
piece as (
  select * from {{ ref('employment_spell') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
match_event as (
  select * from {{ ref('match_event') }}
),
claims as (
  select * from {{ ref('claims_monthly') }}
),
-- the calendar is what has been delivered
calendar as (
  select delivered._period as month
  from delivered
  group by delivered._period
),
first_month as (
  select min(calendar.month) as month from calendar
),
-- stocks at the month's end are running sums of entries and exits; an exit counts in the month whose last day it misses
insured_change as (
  select greatest(month_start(piece.from_on), first_month.month) as month, coalesce(piece.sido, '00') as sido, count(*) as change
  from piece
  cross join first_month
  group by greatest(month_start(piece.from_on), first_month.month), coalesce(piece.sido, '00')
  union all
  select
    greatest(month_start(add_days(piece.to_on, 1)), first_month.month) as month,
    coalesce(piece.sido, '00') as sido,
    - count(*) as change
  from piece
  cross join first_month
  where piece.to_on is not null
  group by greatest(month_start(add_days(piece.to_on, 1)), first_month.month), coalesce(piece.sido, '00')
),
seeker_change as (
  select greatest(seeker.month, first_month.month) as month, coalesce(seeker.wished_sido, '00') as sido, count(*) as change
  from seeker
  cross join first_month
  group by greatest(seeker.month, first_month.month), coalesce(seeker.wished_sido, '00')
  union all
  select greatest(month_start(seeker.closed_on), first_month.month) as month, coalesce(seeker.wished_sido, '00') as sido, - count(*) as change
  from seeker
  cross join first_month
  where seeker.closed_on is not null
  group by greatest(month_start(seeker.closed_on), first_month.month), coalesce(seeker.wished_sido, '00')
),
region as (
  select sido.sido from sido
  union
  select insured_change.sido from insured_change
  union
  select seeker_change.sido from seeker_change
),
grid as (
  select calendar.month, region.sido
  from calendar
  cross join region
),
measure as (
  select month, sido, 'insured_change' as name, cast(change as decimal(28, 0)) as value from insured_change
  union all
  select month, sido, 'seeker_change' as name, cast(change as decimal(28, 0)) as value from seeker_change
  union all
  select month_start(acquired_on) as month, coalesce(sido, '00') as sido, 'acquired' as name, cast(count(*) as decimal(28, 0)) as value
  from spell where not cancelled
  group by month_start(acquired_on), coalesce(sido, '00')
  union all
  select month_start(lost_on) as month, coalesce(sido, '00') as sido, 'lost' as name, cast(count(*) as decimal(28, 0)) as value
  from spell where not cancelled and lost_on is not null
  group by month_start(lost_on), coalesce(sido, '00')
  union all
  select month, coalesce(wished_sido, '00') as sido, 'seekers_new' as name, cast(count(*) as decimal(28, 0)) as value
  from seeker
  group by month, coalesce(wished_sido, '00')
  union all
  select month, coalesce(sido, '00') as sido, 'vacancies_new' as name, cast(count(*) as decimal(28, 0)) as value
  from vacancy
  group by month, coalesce(sido, '00')
  union all
  select month, coalesce(sido, '00') as sido, 'openings_new' as name, cast(sum(openings) as decimal(28, 0)) as value
  from vacancy
  group by month, coalesce(sido, '00')
  union all
  select match_event.month, coalesce(vacancy.sido, '00') as sido, 'hires' as name, cast(count(*) as decimal(28, 0)) as value
  from match_event
  left join vacancy
    on vacancy.vacancy_no = match_event.vacancy_no
  where match_event.kind = 'hire'
  group by match_event.month, coalesce(vacancy.sido, '00')
  union all
  select month, sido, 'claims_new' as name, cast(claims_new as decimal(28, 0)) as value from claims
  union all
  select month, sido, 'recipients' as name, cast(recipients as decimal(28, 0)) as value from claims
  union all
  select month, sido, 'paid_won' as name, cast(paid_won as decimal(28, 0)) as value from claims
),
wide as (
  select
    measure.month,
    measure.sido,
    sum(measure.value) filter (where measure.name = 'insured_change') as insured_change,
    sum(measure.value) filter (where measure.name = 'seeker_change') as seeker_change,
    sum(measure.value) filter (where measure.name = 'acquired') as acquired,
    sum(measure.value) filter (where measure.name = 'lost') as lost,
    sum(measure.value) filter (where measure.name = 'seekers_new') as seekers_new,
    sum(measure.value) filter (where measure.name = 'vacancies_new') as vacancies_new,
    sum(measure.value) filter (where measure.name = 'openings_new') as openings_new,
    sum(measure.value) filter (where measure.name = 'hires') as hires,
    sum(measure.value) filter (where measure.name = 'claims_new') as claims_new,
    sum(measure.value) filter (where measure.name = 'recipients') as recipients,
    sum(measure.value) filter (where measure.name = 'paid_won') as paid_won
  from measure
  group by measure.month, measure.sido
),
stock as (
  select
    grid.month,
    grid.sido,
    sum(coalesce(wide.insured_change, 0)) over (
      partition by grid.sido order by grid.month rows between unbounded preceding and current row) as insured_persons,
    sum(coalesce(wide.seeker_change, 0)) over (
      partition by grid.sido order by grid.month rows between unbounded preceding and current row) as seekers_open
  from grid
  left join wide
    on wide.month = grid.month
    and wide.sido = grid.sido
),
labour_market_monthly as (
  select
    -- ids
    stock.month,
    stock.sido,
    -- insurance
    cast(stock.insured_persons as bigint) as insured_persons,
    cast(coalesce(wide.acquired, 0) as bigint) as acquired,
    cast(coalesce(wide.lost, 0) as bigint) as lost,
    -- search
    cast(coalesce(wide.seekers_new, 0) as bigint) as seekers_new,
    cast(stock.seekers_open as bigint) as seekers_open,
    cast(coalesce(wide.vacancies_new, 0) as bigint) as vacancies_new,
    cast(coalesce(wide.openings_new, 0) as bigint) as openings_new,
    cast(coalesce(wide.hires, 0) as bigint) as hires,
    -- benefit
    cast(coalesce(wide.claims_new, 0) as bigint) as claims_new,
    cast(coalesce(wide.recipients, 0) as bigint) as recipients,
    cast(coalesce(wide.paid_won, 0) as decimal(28, 0)) as paid_won
  from stock
  left join wide
    on wide.month = stock.month
    and wide.sido = stock.sido
)
select * from labour_market_monthly
