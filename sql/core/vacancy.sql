/*---
description:
  ko: 구인신청의 최신 상태. 임금을 월액으로 환산하고 최저임금 미달을 표시한다.
  en: latest state of each vacancy, with the offered wage as a monthly amount and a mark when it is below the minimum wage
grain: [vacancy_no]
materialized: keyed
key: vacancy_no
owner: core
known_on: opened_on
legal_basis: 직업안정법 제8조 · 최저임금법 제6조
columns:
  vacancy_no: {tests: [not_null, unique]}
  month: {description: month of opening}
  monthly_wage_won: {description: "hour x 209, day x 21.75, year / 12; 209 hours are a month of 40-hour weeks with paid rest"}
  below_minimum_wage: {description: "full-time month of 209 hours at the minimum wage of the opening year; hourly and daily (8 h) offers directly"}
---*/
with changes as (
  select * from {{ source('wn_vacancy') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
occupation as (
  select * from {{ seed('keco_minor') }}
),
minimum_wage as (
  select * from {{ seed('minimum_wage') }}
),
latest as (
  {{ latest_version('changes', ['vacancy_no']) }}
),
priced as (
  select
    latest.*,
    cast(case latest.wage_kind
      when 'hour' then latest.min_wage_won * 209
      when 'day' then latest.min_wage_won * 2175 / 100
      when 'year' then latest.min_wage_won / 12
      else latest.min_wage_won end as decimal(18, 0)) as monthly_wage_won
  from latest
),
vacancy as (
  select
    -- ids
    priced.vacancy_no,
    priced.workplace_no,
    workplace.biz_no,
    priced.title,
    -- dates
    priced.opened_on,
    month_start(priced.opened_on) as month,
    priced.closes_on,
    priced.filled_on,
    priced._known_on as known_on,
    -- terms
    priced.occupation,
    occupation.major,
    priced.sigungu,
    substr(priced.sigungu, 1, 2) as sido,
    priced.contract_kind,
    priced.career,
    priced.education,
    priced.openings,
    -- amounts
    priced.wage_kind,
    priced.min_wage_won,
    priced.max_wage_won,
    priced.monthly_wage_won,
    {{ below_minimum_wage('priced.contract_kind', 'priced.wage_kind', 'priced.min_wage_won', 'priced.monthly_wage_won', 'minimum_wage.hourly_won') }} as below_minimum_wage
  from priced
  left join workplace
    on workplace.workplace_no = priced.workplace_no
  left join occupation
    on occupation.occupation = priced.occupation
  left join minimum_wage
    on minimum_wage.year = cast(date_part('year', priced.opened_on) as int)
)
select * from vacancy
