/*---
description:
  ko: 월·시군구·성·연령대별 주민등록인구
  en: registered residents by month, district, sex and age group
grain: [month, sigungu, sex, age_group]
materialized: table
owner: core
legal_basis: 주민등록법 제7조
columns:
  sex: {tests: [{accepted_values: [m, f]}]}
  persons: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('kostat_population') }}
),
latest as (
  {{ latest_version('changes', ['population_month', 'sigungu', 'sex', 'age_group']) }}
),
population as (
  select
    -- ids
    latest.population_month as month,
    latest.sigungu,
    substr(latest.sigungu, 1, 2) as sido,
    latest.sex,
    latest.age_group,
    latest._known_on as known_on,
    -- counts
    latest.persons
  from latest
)
select * from population
