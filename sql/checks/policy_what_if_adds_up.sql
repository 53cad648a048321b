/*---
description: {ko: "가정의 분포는 합계와 같다", en: "the groups of a scenario add up to its total, claims and won within rounding"}
severity: error
---*/
with what_if as (
  select * from {{ ref('policy_what_if') }}
),
added as (
  select
    scenario,
    dimension,
    count(*) as groups,
    sum(separations) as separations,
    sum(eligible) as eligible,
    sum(claims) as claims,
    sum(cost_won) as cost_won,
    sum(paid_won) as paid_won
  from what_if
  group by scenario, dimension
),
total as (
  select * from what_if where dimension = 'all'
),
broken as (
  select added.scenario, added.dimension, added.cost_won, total.cost_won as total_won
  from added
  inner join total
    on total.scenario = added.scenario
  where added.separations <> total.separations
    or added.eligible <> total.eligible
    or added.paid_won <> total.paid_won
    or abs(added.claims - total.claims) > added.groups
    or abs(added.cost_won - total.cost_won) > 10 * added.groups
)
select * from broken
