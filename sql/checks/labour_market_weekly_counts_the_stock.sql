/*---
description: {ko: "마지막 주의 피보험자와 구직자는 직접 센 것과 같다", en: "insured persons, seekers and vacancies on the last Sunday, kept as running sums, equal a direct count"}
severity: error
---*/
with published as (
  select * from {{ ref('labour_market_weekly') }}
),
last_week as (
  select max(published.week_to) as day from published
),
stock as (
  select
    sum(published.insured_persons) as insured_persons,
    sum(published.seekers_open) as seekers_open,
    sum(published.vacancies_open) as vacancies_open
  from published
  inner join last_week
    on last_week.day = published.week_to
),
insured as (
  select count(*) as persons
  from {{ ref('employment_spell') }} as piece
  cross join last_week
  where piece.from_on <= last_week.day
    and (piece.to_on is null or piece.to_on >= last_week.day)
),
seeking as (
  select count(*) as registrations
  from {{ ref('seeker') }} as seeker
  cross join last_week
  where seeker.registered_on <= last_week.day
    and (seeker.closed_on is null or seeker.closed_on > last_week.day)
),
hiring as (
  select count(*) as vacancies
  from {{ ref('vacancy') }} as vacancy
  cross join last_week
  where vacancy.opened_on <= last_week.day
    and vacancy.closes_on >= last_week.day
    and (vacancy.filled_on is null or vacancy.filled_on > last_week.day)
),
broken as (
  select
    stock.insured_persons,
    insured.persons as insured_counted,
    stock.seekers_open,
    seeking.registrations as seekers_counted,
    stock.vacancies_open,
    hiring.vacancies as vacancies_counted
  from stock
  cross join insured
  cross join seeking
  cross join hiring
  where stock.insured_persons <> insured.persons
    or stock.seekers_open <> seeking.registrations
    or stock.vacancies_open <> hiring.vacancies
)
select * from broken
