/*---
description: {ko: "구직급여일액은 상한을 넘지 않는다", en: "no daily benefit is above the ceiling in force at separation"}
severity: warn
---*/
with claim as (
  select * from {{ ref('claim') }}
),
ceiling as (
  select * from {{ seed('benefit_ceiling') }}
),
broken as (
  select claim.claim_no, claim.benefit_daily_won, ceiling.ceiling_daily_won
  from claim
  cross join ceiling
  where claim.separated_on between ceiling.valid_from and ceiling.valid_to
    and claim.benefit_daily_won > ceiling.ceiling_daily_won
)
select * from broken
