/*---
description: {ko: "claims_monthly의 지급액은 실업인정의 지급액과 같다", en: "won paid in claims_monthly equals won in the accepted certifications, month by month"}
severity: error
---*/
with certified as (
  select month, sum(amount_won) as paid_won, count(*) as certifications from {{ ref('certification') }} group by month
),
published as (
  select month, sum(paid_won) as paid_won, sum(certifications) as certifications from {{ ref('claims_monthly') }} group by month
),
compared as (
  select
    coalesce(certified.month, published.month) as month,
    coalesce(certified.paid_won, 0) as certified_won,
    coalesce(published.paid_won, 0) as published_won,
    coalesce(certified.certifications, 0) as certified_rounds,
    coalesce(published.certifications, 0) as published_rounds
  from certified
  full outer join published
    on published.month = certified.month
),
broken as (
  select * from compared where certified_won <> published_won or certified_rounds <> published_rounds
)
select * from broken
