/*---
description:
  ko: 조사 승수를 맞출 주변합. 주민등록인구와 조사 주간의 피보험자·공무원 수이다.
  en: >-
    what the weights of the labour-force survey are raked to: residents of 15 and over by province, and by sex, age and
    whether the registers count them at insured work or in public service in the reference week
grain: [month, margin, member]
materialized: partitioned
partition_by: month
partitions_from: coverage_cell
reads: {coverage_cell: [0, 0], kostat_population: [0, 0]}
owner: coverage
legal_basis: 통계법 제18조
columns:
  margin: {tests: [{accepted_values: [status, sido]}]}
---*/
with cell as (
  select * from {{ ref('coverage_cell') }}
  where month = date '{{ var('partition_start') }}'
),
changes as (
  select * from {{ source('kostat_population') }}
  where population_month = date '{{ var('partition_start') }}'
),
latest as (
  {{ latest_version('changes', ['population_month', 'sigungu', 'sex', 'age_group']) }}
),
resident as (
  select
    substr(latest.sigungu, 1, 2) as sido,
    latest.sex,
    {{ age_third('latest.age_group') }} as age_third,
    sum(latest.persons) as persons
  from latest
  where latest.age_group <> '0-14'
  group by substr(latest.sigungu, 1, 2), latest.sex, {{ age_third('latest.age_group') }}
),
registered as (
  select
    cell.sex,
    {{ age_third('cell.age_band') }} as age_third,
    sum(cell.in_week) filter (where cell.class = 'insured') as insured,
    sum(cell.in_week) filter (where cell.reason = 'public_service') as public_service
  from cell
  group by cell.sex, {{ age_third('cell.age_band') }}
),
resident_group as (
  select resident.sex, resident.age_third, sum(resident.persons) as persons
  from resident
  group by resident.sex, resident.age_third
),
group_status as (
  select
    resident_group.sex,
    resident_group.age_third,
    coalesce(registered.insured, 0) as insured,
    coalesce(registered.public_service, 0) as public_service,
    resident_group.persons - coalesce(registered.insured, 0) - coalesce(registered.public_service, 0) as other
  from resident_group
  left join registered
    on registered.sex = resident_group.sex
    and registered.age_third = resident_group.age_third
),
survey_target as (
  select 'status' as margin, 'insured/' || sex || '/' || age_third as member, insured as persons from group_status
  union all
  select 'status' as margin, 'other/' || sex || '/' || age_third as member, other as persons from group_status
  union all
  select 'status' as margin, 'public' as member, sum(public_service) as persons from group_status
  having count(*) > 0
  union all
  select 'sido' as margin, sido as member, sum(persons) as persons from resident group by sido
)
select
  date '{{ var('partition_start') }}' as month,
  survey_target.margin,
  survey_target.member,
  cast(survey_target.persons as decimal(24, 4)) as persons
from survey_target
where survey_target.persons > 0
