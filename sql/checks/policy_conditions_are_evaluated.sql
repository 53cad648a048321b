/*---
description: {ko: "모든 정책의 요건을 셈할 수 있다", en: "no policy has a condition the inventory cannot evaluate, and every policy that began is listed"}
severity: error
---*/
with listed as (
  select * from {{ ref('policy_inventory') }}
),
begun as (
  select policy_no from {{ ref('policy_programme') }} where valid_from <= date '{{ var('as_of') }}' group by policy_no
),
broken as (
  select begun.policy_no, listed.unevaluated_conditions
  from begun
  left join listed
    on listed.policy_no = begun.policy_no
  where listed.policy_no is null
    or listed.unevaluated_conditions > 0
    or listed.eligible_persons is null and listed.eligible_workplaces is null
    or listed.eligible_persons > listed.persons
)
select * from broken
