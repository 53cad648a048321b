/*---
description: {ko: "사업체별 미가입 소득은 지급자별 소득의 합과 같다", en: "the work-list adds up to the uninsured pay it is made of"}
severity: error
---*/
with pay as (
  select count(*) as months, coalesce(sum(gross_won), 0) as gross_won from {{ ref('uninsured_pay') }}
),
listed as (
  select coalesce(sum(uninsured_months), 0) as months, coalesce(sum(uninsured_won), 0) as gross_won
  from {{ ref('blind_spot_workplace') }}
),
broken as (
  select pay.months as pay_months, listed.months as listed_months, pay.gross_won as pay_won, listed.gross_won as listed_won
  from pay
  cross join listed
  where pay.months <> listed.months
    or pay.gross_won <> listed.gross_won
)
select * from broken
