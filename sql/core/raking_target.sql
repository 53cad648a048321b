/*---
description: {ko: 행정자료의 미가입자를 맞출 조사의 주변합, en: what the uninsured of the registers are raked to}
grain: [month, replicate, margin, member]
materialized: partitioned
partition_by: month
partitions_from: raking_cell
reads: {raking_cell: [0, 0], survey_margin: [0, 0]}
owner: coverage
meta:
  formula:
    - "target of a margin = survey persons of it who say they are not insured, public service and the age of exemption aside - exempt persons of it in the registers at work in the week; not below lowest_factor_percent of those the registers name"
  assumptions:
    - whom the survey finds beyond the registers belongs to no exempt class, since exempt work is paid by those who file
columns:
  margin: {tests: [{accepted_values: [in_sex_age, in_section, in_sido, in_size]}]}
---*/
with cell as (
  select * from {{ ref('raking_cell') }}
  where month = date '{{ var('partition_start') }}'
),
margin as (
  select * from {{ ref('survey_margin') }}
  where month = date '{{ var('partition_start') }}'
),
setting as (
  select
    {{ blind_spot_setting('least_respondents') }} as least_respondents,
    cast({{ blind_spot_setting('lowest_factor_percent') }} as double) / 100.0 as lowest_factor
),
{{ kept_by_survey() }},
survey as (
  select
    margin.replicate,
    margin.margin,
    case when kept_kind.work_kind is null then 'rest' when kept.member is null then margin.work_kind || '/rest'
         else margin.work_kind || '/' || margin.member end as member,
    sum(margin.persons) as persons
  from margin
  left join kept_kind
    on kept_kind.work_kind = margin.work_kind
  left join kept
    on kept.margin = margin.margin
    and kept.work_kind = margin.work_kind
    and kept.member = margin.member
  where margin.margin <> 'all'
  group by margin.replicate, margin.margin,
    case when kept_kind.work_kind is null then 'rest' when kept.member is null then margin.work_kind || '/rest'
         else margin.work_kind || '/' || margin.member end
),
marked as (
  select
    mark.margin,
    case mark.margin when 'sex_age' then cell.in_sex_age when 'section' then cell.in_section
         when 'sido' then cell.in_sido else cell.in_size end as member,
    cell.open_persons,
    cell.exempt_persons
  from cell
  cross join (values ('sex_age'), ('section'), ('sido'), ('size')) as mark (margin)
),
registered as (
  select
    marked.margin,
    marked.member,
    sum(cast(marked.open_persons as decimal(24, 4))) as open_persons,
    sum(cast(marked.exempt_persons as decimal(24, 4))) as exempt_persons
  from marked
  group by marked.margin, marked.member
),
raking_target as (
  select
    survey.replicate,
    'in_' || survey.margin as margin,
    survey.member,
    cast(greatest(
      cast(survey.persons as double) - cast(registered.exempt_persons as double),
      setting.lowest_factor * cast(registered.open_persons as double)) as decimal(28, 8)) as persons
  from survey
  inner join registered
    on registered.margin = survey.margin
    and registered.member = survey.member
  cross join setting
  where registered.open_persons > 0
)
select
  date '{{ var('partition_start') }}' as month,
  raking_target.replicate,
  raking_target.margin,
  raking_target.member,
  raking_target.persons
from raking_target
