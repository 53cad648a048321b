/*---
description: {ko: 구직급여 신청과 지급, en: "claims, recipients and benefit paid by month and province of the centre"}
grain: [month, sido]
materialized: table
owner: benefits
columns:
  month: {description: month of application for claims and month of certification for the rest}
  claims_new: {tests: [{range: {min: 0}}]}
  recipients: {description: persons with a certification that paid in the month, tests: [{range: {min: 0}}]}
  paid_won: {tests: [{range: {min: 0}}]}
---*/
with claim as (
  select * from {{ ref('claim') }}
),
certification as (
  select * from {{ ref('certification') }}
),
new_claim as (
  select claim.month, coalesce(claim.sido, '00') as sido, count(*) as claims_new
  from claim
  group by claim.month, coalesce(claim.sido, '00')
),
person_month as (
  select
    certification.month,
    coalesce(certification.sido, '00') as sido,
    certification.person_key,
    count(*) as certifications,
    sum(certification.days_paid) as days_paid,
    sum(certification.amount_won) as paid_won
  from certification
  group by certification.month, coalesce(certification.sido, '00'), certification.person_key
),
payment as (
  select
    person_month.month,
    person_month.sido,
    count(*) filter (where person_month.paid_won > 0) as recipients,
    sum(person_month.certifications) as certifications,
    sum(person_month.days_paid) as days_paid,
    sum(person_month.paid_won) as paid_won
  from person_month
  group by person_month.month, person_month.sido
),
claims_monthly as (
  select
    -- ids
    coalesce(payment.month, new_claim.month) as month,
    coalesce(payment.sido, new_claim.sido) as sido,
    -- counts
    coalesce(new_claim.claims_new, 0) as claims_new,
    coalesce(payment.recipients, 0) as recipients,
    cast(coalesce(payment.certifications, 0) as bigint) as certifications,
    cast(coalesce(payment.days_paid, 0) as bigint) as days_paid,
    -- amounts
    cast(coalesce(payment.paid_won, 0) as decimal(28, 0)) as paid_won
  from payment
  full outer join new_claim
    on new_claim.month = payment.month
    and new_claim.sido = payment.sido
)
select * from claims_monthly
