/*---
description:
  ko: 구인신청의 최신 상태. 임금을 월액으로 환산하고 최저임금 미달을 표시한다.
  en: latest state of each vacancy, with the offered wage as a monthly amount and a mark when it is below the minimum wage
grain: [vacancy_no]
materialized: table
owner: core
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
versions as (
  select changes.vacancy_no, max({{ row_version('changes') }}) as version
  from changes
  group by changes.vacancy_no
),
latest as (
  select
    changes.*,
    cast(case changes.wage_kind
      when 'hour' then changes.min_wage_won * 209
      when 'day' then changes.min_wage_won * 2175 / 100
      when 'year' then changes.min_wage_won / 12
      else changes.min_wage_won end as decimal(18, 0)) as monthly_wage_won
  from changes
  inner join versions
    on versions.vacancy_no = changes.vacancy_no
    and versions.version = {{ row_version('changes') }}
),
vacancy as (
  select
    -- ids
    latest.vacancy_no,
    latest.workplace_no,
    workplace.biz_no,
    latest.title,
    -- dates
    latest.opened_on,
    month_start(latest.opened_on) as month,
    latest.closes_on,
    latest.filled_on,
    latest._known_on as known_on,
    -- terms
    latest.occupation,
    occupation.major,
    latest.sigungu,
    substr(latest.sigungu, 1, 2) as sido,
    latest.contract_kind,
    latest.career,
    latest.education,
    latest.openings,
    -- amounts
    latest.wage_kind,
    latest.min_wage_won,
    latest.max_wage_won,
    latest.monthly_wage_won,
    coalesce(
      latest.contract_kind <> 'part_time' and latest.monthly_wage_won < minimum_wage.hourly_won * 209
      or latest.wage_kind = 'hour' and latest.min_wage_won < minimum_wage.hourly_won
      or latest.wage_kind = 'day' and latest.contract_kind <> 'part_time' and latest.min_wage_won < minimum_wage.hourly_won * 8,
      false) as below_minimum_wage
  from latest
  left join workplace
    on workplace.workplace_no = latest.workplace_no
  left join occupation
    on occupation.occupation = latest.occupation
  left join minimum_wage
    on minimum_wage.year = cast(date_part('year', latest.opened_on) as int)
)
select * from vacancy
