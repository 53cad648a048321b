/*---
description: {ko: "급여 프로필의 신청·지급·종료는 원장과 같다", en: "claims, benefit paid and ends in claims_profile_monthly equal claims, certifications and claim outcomes, month by month"}
severity: error
---*/
with profile as (
  select
    month,
    sum(claims_new) as claims_new,
    sum(paid_won) as paid_won,
    sum(days_paid) as days_paid,
    sum(ended) as ended,
    sum(exhausted + reemployed + expired) as ended_by_reason
  from {{ ref('claims_profile_monthly') }}
  group by month
),
claim as (
  select month, count(*) as claims_new from {{ ref('claim') }} group by month
),
payment as (
  select month, sum(amount_won) as paid_won, sum(days_paid) as days_paid from {{ ref('certification') }} group by month
),
ending as (
  select month_start(ended_on) as month, count(*) as ended
  from {{ ref('claim_outcome') }}
  where ended_on is not null
  group by month_start(ended_on)
),
month as (
  select month from profile
  union
  select month from claim
  union
  select month from payment
),
broken as (
  select month.month, profile.claims_new, claim.claims_new as counted_claims, profile.paid_won, payment.paid_won as counted_won
  from month
  left join profile
    on profile.month = month.month
  left join claim
    on claim.month = month.month
  left join payment
    on payment.month = month.month
  left join ending
    on ending.month = month.month
  where coalesce(profile.claims_new, 0) <> coalesce(claim.claims_new, 0)
    or coalesce(profile.paid_won, 0) <> coalesce(payment.paid_won, 0)
    or coalesce(profile.days_paid, 0) <> coalesce(payment.days_paid, 0)
    or coalesce(profile.ended, 0) <> coalesce(ending.ended, 0)
    or coalesce(profile.ended, 0) <> coalesce(profile.ended_by_reason, 0)
)
select * from broken
