/*---
description: {ko: "부문별 사각지대 인원을 더하면 전국 인원이다", en: "the members of every dimension of blind_spot_part add up to the nation, and each interval holds its estimate"}
severity: error
---*/
with part as (
  select * from {{ ref('blind_spot_part') }}
),
nation as (
  select month, class, persons, uninsured_won from part where dimension = 'nation'
),
summed as (
  select month, dimension, class, sum(persons) as persons, sum(uninsured_won) as uninsured_won
  from part
  group by month, dimension, class
),
broken as (
  select summed.month, summed.dimension, summed.class
  from summed
  inner join nation
    on nation.month = summed.month
    and nation.class = summed.class
  where nation.persons <> summed.persons
    or nation.uninsured_won <> summed.uninsured_won
  union all
  select part.month, part.dimension, part.class
  from part
  where part.estimate_persons < part.estimate_low
    or part.estimate_persons > part.estimate_high
)
select * from broken
