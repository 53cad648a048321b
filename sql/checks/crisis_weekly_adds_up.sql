/*---
description: {ko: "위기 감시의 모든 수준은 주간 노동시장의 신청·상실·구인과 같다", en: "every level of crisis_weekly adds up to the claims, losses and openings of labour_market_weekly, week by week"}
severity: error
---*/
with counted as (
  select measure, level, week_from, sum(persons) as persons
  from {{ ref('crisis_weekly') }}
  group by measure, level, week_from
),
market as (
  select week_from, sum(claims_new) as claims, sum(lost) as losses, sum(openings_new) as vacancies
  from {{ ref('labour_market_weekly') }}
  group by week_from
),
level as (
  select distinct measure, level from counted
),
broken as (
  select level.measure, level.level, market.week_from, counted.persons
  from market
  cross join level
  left join counted
    on counted.measure = level.measure
    and counted.level = level.level
    and counted.week_from = market.week_from
  where coalesce(counted.persons, 0)
    <> case level.measure when 'claims' then market.claims when 'losses' then market.losses else market.vacancies end
)
select * from broken
