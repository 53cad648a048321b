/*---
description:
  ko: 달마다 직종과 시도의 구인 시장. 지난 열두 달에 제시된 임금과 지난달의 구직배수.
  en: >-
    the market a vacancy of an occupation opens into, by month and province: pay offered in the twelve months before,
    seekers per opening in the month before. Every province in which anything was offered, so that the same job can be
    seen elsewhere
grain: [month, occupation, sido]
materialized: table
owner: learning
legal_basis: 직업안정법 제8조
columns:
  month: {description: month of opening}
  occupation_pay_log: {description: "mean logarithm of monthly pay offered in the occupation; null where nothing was"}
  local_pay_log: {description: "the same in the province"}
  seekers_per_opening: {description: seekers per opening in occupation group and province in the month before, tests: [not_null]}
  seekers_per_opening_occupation: {description: the same in all provinces, tests: [not_null]}
  known_on: {description: "the last day on which anything of this became known; null where nothing was offered or sought"}
---*/
with vacancy as (
  select * from {{ ref('vacancy') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
offered as (
  {{ priced_vacancy('vacancy') }}
),
of_month as (
  select distinct offered.month, offered.occupation, offered.major from offered
),
province as (
  select distinct offered.sido from offered
),
cell as (
  select of_month.month, add_months(of_month.month, -1) as month_before, of_month.occupation, of_month.major, province.sido
  from of_month
  cross join province
),
pay_of_month as (
  select
    offered.occupation,
    offered.sido,
    offered.month,
    sum(offered.exact_pay_log) as pay_log,
    count(*) as vacancies,
    max(offered.opened_on) as known_on
  from offered
  group by offered.occupation, offered.sido, offered.month
),
pay_occupation as (
  select
    cell.occupation,
    cell.month,
    cast(sum(before.pay_log) as double) / cast(sum(before.vacancies) as double) as pay_log,
    max(before.known_on) as known_on
  from of_month as cell
  inner join pay_of_month as before
    on before.occupation = cell.occupation
  where before.month < cell.month
    and before.month >= add_months(cell.month, -12)
  group by cell.occupation, cell.month
),
pay_local as (
  select
    cell.occupation,
    cell.sido,
    cell.month,
    cast(sum(before.pay_log) as double) / cast(sum(before.vacancies) as double) as pay_log,
    max(before.known_on) as known_on
  from cell
  inner join pay_of_month as before
    on before.occupation = cell.occupation
    and before.sido = cell.sido
  where before.month < cell.month
    and before.month >= add_months(cell.month, -12)
  group by cell.occupation, cell.sido, cell.month
),
{{ market_cells('offered') }},
hiring_market as (
  select
    cell.month,
    cell.occupation,
    cell.major,
    cell.sido,
    pay_occupation.pay_log as occupation_pay_log,
    pay_local.pay_log as local_pay_log,
    cast(coalesce(seeker_cell.seekers, 0) as double) / (cast(coalesce(opening_cell.openings, 0) as double) + 1.0) as seekers_per_opening,
    cast(coalesce(seeker_major.seekers, 0) as double) / (cast(coalesce(opening_major.openings, 0) as double) + 1.0) as seekers_per_opening_occupation,
    greatest(pay_occupation.known_on, pay_local.known_on, seeker_cell.known_on, opening_cell.known_on,
      seeker_major.known_on, opening_major.known_on) as known_on
  from cell
  left join pay_occupation
    on pay_occupation.occupation = cell.occupation
    and pay_occupation.month = cell.month
  left join pay_local
    on pay_local.occupation = cell.occupation
    and pay_local.sido = cell.sido
    and pay_local.month = cell.month
  left join opening_cell
    on opening_cell.month = cell.month_before
    and opening_cell.major = cell.major
    and opening_cell.sido = cell.sido
  left join seeker_cell
    on seeker_cell.month = cell.month_before
    and seeker_cell.major = cell.major
    and seeker_cell.sido = cell.sido
  left join opening_major
    on opening_major.month = cell.month_before
    and opening_major.major = cell.major
  left join seeker_major
    on seeker_major.month = cell.month_before
    and seeker_major.major = cell.major
)
select * from hiring_market
