/*---
description:
  ko: 주별 구직급여 신청, 피보험자격 상실, 신규 구인. 시군구 × 업종 × 연령과 그 합계 수준별로 센다.
  en: >-
    weekly claims, losses and new vacancies by sigungu, industry section and age band, and added up to the levels that the
    crisis monitor watches. Only weeks that were delivered whole; a cell without a row counted nothing
grain: [measure, level, area, section, age_band, week_from]
materialized: table
owner: labour_market
legal_basis: 고용정책 기본법 제15조 · 고용보험법 제15조
columns:
  measure: {tests: [{accepted_values: [claims, losses, vacancies]}]}
  level: {description: "what is kept apart; a cell is sigungu, section and age", tests: [{accepted_values: [nation, sido, section, age, sigungu, sigungu_section, cell]}]}
  area: {description: "sigungu or sido of the workplace; all where the level keeps none; 00000 is unknown"}
  section: {description: "KSIC section; all where the level keeps none; - is unknown"}
  age_band: {description: "age on the day; all where the level keeps none, and for vacancies, which have no age"}
  week_from: {description: Monday}
  persons: {description: "claims, reported losses, or openings of the vacancies of the week", tests: [{range: {min: 1}}]}
---*/
with week as (
  select distinct week_from from {{ ref('labour_market_weekly') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
claim as (
  select * from {{ ref('claim') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
    and lost_on is not null
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
happened as (
  select
    'claims' as measure,
    {{ week_start('claim.applied_on') }} as week_from,
    claim.workplace_no,
    {{ age_band('age_at(claim.birth_date, claim.applied_on)') }} as age_band,
    count(*) as persons
  from claim
  group by {{ week_start('claim.applied_on') }}, claim.workplace_no, {{ age_band('age_at(claim.birth_date, claim.applied_on)') }}
  union all
  select
    'losses' as measure,
    {{ week_start('spell.lost_on') }} as week_from,
    spell.workplace_no,
    {{ age_band('age_at(spell.birth_date, spell.lost_on)') }} as age_band,
    count(*) as persons
  from spell
  group by {{ week_start('spell.lost_on') }}, spell.workplace_no, {{ age_band('age_at(spell.birth_date, spell.lost_on)') }}
  union all
  select
    'vacancies' as measure,
    {{ week_start('vacancy.opened_on') }} as week_from,
    vacancy.workplace_no,
    'all' as age_band,
    cast(sum(vacancy.openings) as bigint) as persons
  from vacancy
  group by {{ week_start('vacancy.opened_on') }}, vacancy.workplace_no
),
cell as (
  select
    happened.measure,
    happened.week_from,
    coalesce(workplace.sigungu, '00000') as sigungu,
    coalesce(workplace.section, '-') as section,
    happened.age_band,
    cast(sum(happened.persons) as bigint) as persons
  from happened
  inner join week
    on week.week_from = happened.week_from
  left join workplace
    on workplace.workplace_no = happened.workplace_no
  group by happened.measure, happened.week_from, coalesce(workplace.sigungu, '00000'), coalesce(workplace.section, '-'), happened.age_band
),
level as (
  select level, keeps_area, keeps_section, keeps_age
  from (values
    ('nation', 0, false, false),
    ('sido', 2, false, false),
    ('section', 0, true, false),
    ('age', 0, false, true),
    ('sigungu', 5, false, false),
    ('sigungu_section', 5, true, false),
    ('cell', 5, true, true)
  ) as level (level, keeps_area, keeps_section, keeps_age)
),
crisis_weekly as (
  select
    -- ids
    cell.measure,
    level.level,
    case level.keeps_area when 0 then 'all' else substr(cell.sigungu, 1, level.keeps_area) end as area,
    case when level.keeps_section then cell.section else 'all' end as section,
    case when level.keeps_age then cell.age_band else 'all' end as age_band,
    cell.week_from,
    -- counts
    cast(sum(cell.persons) as bigint) as persons
  from cell
  cross join level
  -- vacancies have no age: what would be their cell is the level without it
  where cell.measure <> 'vacancies'
    or not level.keeps_age
  group by
    cell.measure,
    level.level,
    case level.keeps_area when 0 then 'all' else substr(cell.sigungu, 1, level.keeps_area) end,
    case when level.keeps_section then cell.section else 'all' end,
    case when level.keeps_age then cell.age_band else 'all' end,
    cell.week_from
)
select * from crisis_weekly
