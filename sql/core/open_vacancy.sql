/*---
description:
  ko: 고용24 공개 API의 채용정보. 상세와 강소기업 여부를 함께 둔다.
  en: "vacancies of the Work24 open interface with their detail, and whether the employer is listed as a strong small firm"
grain: [vacancy_no]
materialized: table
owner: core
columns:
  closes_on: {description: "last day of application; null when only `until filled` is stated"}
  until_filled: {description: the ad closes when the job is filled}
  monthly_wage_won: {description: "hour x 209, day x 21.75, year / 12"}
  wage_kind: {tests: [{accepted_values: [hour, day, month, year]}]}
  headcount: {description: "persons of the firm, from the detail"}
---*/
with listed as (
  select * from {{ source('work24_vacancy') }}
),
detail as (
  select * from {{ source('work24_vacancy_detail') }}
),
giant as (
  select * from {{ source('work24_small_giant') }}
),
latest as (
  {{ latest_listed('listed', ['vacancy_no']) }}
),
detail_latest as (
  {{ latest_listed('detail', ['vacancy_no']) }}
),
strong_firm as (
  select distinct biz_no from giant
),
priced as (
  select
    latest.*,
    case latest.wage_kind when '시급' then 'hour' when '일급' then 'day' when '연봉' then 'year' else 'month' end as wage_basis
  from latest
),
open_vacancy as (
  select
    -- ids
    priced.vacancy_no,
    priced.biz_no,
    priced.firm_name,
    priced.title,
    priced.origin,
    -- dates
    priced.opened_on,
    priced.closes_on,
    priced._known_on as known_on,
    -- terms
    coalesce(priced.occupation_code, detail_latest.occupation_code) as occupation,
    priced.region,
    priced.career,
    priced.closes_when_filled is not null as until_filled,
    detail_latest.openings,
    -- firm
    detail_latest.headcount,
    detail_latest.firm_size,
    strong_firm.biz_no is not null as is_strong_small_firm,
    -- amounts
    priced.wage_basis as wage_kind,
    priced.min_wage_won,
    priced.max_wage_won,
    cast(case priced.wage_basis
      when 'hour' then priced.min_wage_won * 209
      when 'day' then priced.min_wage_won * 2175 / 100
      when 'year' then priced.min_wage_won / 12
      else priced.min_wage_won end as decimal(18, 0)) as monthly_wage_won
  from priced
  left join detail_latest
    on detail_latest.vacancy_no = priced.vacancy_no
  left join strong_firm
    on strong_firm.biz_no = priced.biz_no
)
select * from open_vacancy
