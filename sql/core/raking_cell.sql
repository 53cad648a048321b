/*---
description:
  ko: 조사에 맞출 행정자료 미가입자의 칸. 응답자가 적은 주변은 합친다.
  en: >-
    uninsured persons of the registers at work in the reference week, in the cells that are raked to the survey; each
    with the member of every margin it belongs to
grain: [month, work_kind, sex, age_third, section, sido, size]
materialized: partitioned
partition_by: month
partitions_from: survey_margin
reads: {coverage_cell: [0, 0], survey_margin: [0, 0]}
owner: coverage
meta:
  formula:
    - "a member with fewer than least_respondents in the whole sample is pooled with the others of its kind of work, and a kind of work with fewer with the other such kinds"
  assumptions:
    - whose work no record dates works in the reference week as often as those of the same kind whom the insurance hears of
columns:
  section: {tags: ["classification:KSIC10"]}
  open_persons: {description: "not exempt, at work in the week", tests: [{range: {min: 0}}]}
  exempt_persons: {description: "exempt, at work in the week; public service and the age of exemption are left out", tests: [{range: {min: 0}}]}
---*/
with cell as (
  select * from {{ ref('coverage_cell') }}
  where month = date '{{ var('partition_start') }}'
),
margin as (
  select * from {{ ref('survey_margin') }}
  where month = date '{{ var('partition_start') }}'
),
setting as (
  select {{ blind_spot_setting('least_respondents') }} as least_respondents
),
-- how often those of a kind whose days are dated work in the reference week
dated as (
  select
    cell.work_kind,
    cast(sum(cell.in_week) as double) / nullif(cast(sum(cell.persons - cell.undated) as double), 0.0) as share
  from cell
  where cell.class = 'insured'
  group by cell.work_kind
),
uninsured as (
  select
    cell.work_kind,
    cell.sex || '/' || {{ age_third('cell.age_band') }} as sex_age,
    cell.sex,
    {{ age_third('cell.age_band') }} as age_third,
    cell.section,
    substr(cell.sigungu, 1, 2) as sido,
    {{ size_third('cell.size_class') }} as size,
    cast(coalesce(sum(cell.in_week) filter (where cell.class <> 'exempt'), 0) as double)
      + cast(coalesce(sum(cell.undated) filter (where cell.class <> 'exempt'), 0) as double) * coalesce(max(dated.share), 1.0) as open_persons,
    cast(coalesce(sum(cell.in_week) filter (where cell.class = 'exempt'), 0) as double)
      + cast(coalesce(sum(cell.undated) filter (where cell.class = 'exempt'), 0) as double) * coalesce(max(dated.share), 1.0) as exempt_persons
  from cell
  left join dated
    on dated.work_kind = cell.work_kind
  where cell.class <> 'insured'
    and cell.reason not in ('public_service', 'new_hire_65')
  group by cell.work_kind, cell.sex, cell.age_band, cell.section, substr(cell.sigungu, 1, 2), {{ size_third('cell.size_class') }}
),
{{ kept_by_survey() }},
placed as (
  select
    uninsured.*,
    {% for margin, member in [('sex_age', 'sex_age'), ('section', 'section'), ('sido', 'sido'), ('size', 'size')] -%}
    case when kept_kind.work_kind is null then 'rest' when kept_{{ margin }}.member is null then uninsured.work_kind || '/rest'
         else uninsured.work_kind || '/' || uninsured.{{ member }} end as in_{{ margin }}{{ '' if loop.last else ',' }}
    {% endfor %}
  from uninsured
  left join kept_kind
    on kept_kind.work_kind = uninsured.work_kind
  {% for margin in ['sex_age', 'section', 'sido', 'size'] -%}
  left join kept as kept_{{ margin }}
    on kept_{{ margin }}.margin = '{{ margin }}'
    and kept_{{ margin }}.work_kind = uninsured.work_kind
    and kept_{{ margin }}.member = uninsured.{{ margin }}
  {% endfor %}
)
select
  date '{{ var('partition_start') }}' as month,
  -- cell
  placed.work_kind,
  placed.sex,
  placed.age_third,
  placed.section,
  placed.sido,
  placed.size,
  -- member of each margin
  placed.in_sex_age,
  placed.in_section,
  placed.in_sido,
  placed.in_size,
  -- counts
  sum(cast(placed.open_persons as decimal(24, 4))) as open_persons,
  sum(cast(placed.exempt_persons as decimal(24, 4))) as exempt_persons
from placed
group by placed.work_kind, placed.sex, placed.age_third, placed.section, placed.sido, placed.size,
  placed.in_sex_age, placed.in_section, placed.in_sido, placed.in_size
