/*---
description:
  ko: 구직급여 수급자격마다 지급일수, 끝난 까닭(소진·재취업·수급기간 만료), 5년 안 반복 수급
  en: >-
    each claim with the days paid, how it ended (exhausted, re-employed, benefit year over) and the person's paid
    claims in five years. A claim whose end is not known yet is running, not unsuccessful
grain: [claim_no]
materialized: table
owner: benefits
legal_basis: 고용보험법 제48조 · 제50조 · 제69조의7
tests:
  - {expression: "ended_on is null or ended_on >= applied_on"}
  - {expression: "(end_state = 'running') = (ended_on is null)"}
columns:
  person_key: {tags: [pseudonym], tests: [not_null]}
  month: {description: month of application}
  age_band: {description: age on separation}
  section: {description: "KSIC section of the last workplace; unknown when the workplace is not known"}
  benefit_year_end: {description: "12 months after separation (Art. 48): no benefit is paid for later days"}
  last_paid_to: {description: last day of the last round that paid}
  reemployed_on: {description: "first acquisition after the last paid day, or after the application when nothing was paid, within the benefit year"}
  end_state: {description: "exhausted before re-employed before expired", tests: [{accepted_values: [exhausted, reemployed, expired, running]}]}
  paid_claims_5y: {description: "claims of the person that paid and were applied for in the five years up to this application, this one included; only as far back as was delivered", tests: [{range: {min: 0}}]}
  repeat_claimant: {description: "three or more of them, the usual threshold of 반복수급"}
  days_paid: {tests: [{range: {min: 0}}]}
  paid_won: {tests: [{range: {min: 0}}]}
---*/
with claim as (
  select * from {{ ref('claim') }}
),
certification as (
  select * from {{ ref('certification') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
observed as (
  select {{ insured_observed_until('delivered') }} as until from delivered
),
payment as (
  select
    certification.claim_no,
    count(*) as rounds,
    min(certification.certified_on) as first_certified_on,
    max(certification.period_to) filter (where certification.amount_won > 0) as last_paid_to,
    sum(certification.days_paid) as days_paid,
    sum(certification.amount_won) as paid_won
  from certification
  group by certification.claim_no
),
paid as (
  select
    claim.claim_no,
    claim.person_key,
    claim.applied_on,
    claim.entitled_days,
    add_months(claim.separated_on, 12) as benefit_year_end,
    coalesce(payment.last_paid_to, claim.applied_on) as job_after,
    payment.last_paid_to,
    payment.first_certified_on,
    coalesce(payment.rounds, 0) as rounds,
    coalesce(payment.days_paid, 0) as days_paid,
    coalesce(payment.paid_won, 0) as paid_won
  from claim
  left join payment
    on payment.claim_no = claim.claim_no
),
job as (
  select paid.claim_no, min(spell.acquired_on) as reemployed_on
  from paid
  inner join spell
    on spell.person_key = paid.person_key
  where not spell.cancelled
    and spell.acquired_on > paid.job_after
    and spell.acquired_on <= paid.benefit_year_end
  group by paid.claim_no
),
repeated as (
  select paid.claim_no, count(*) as paid_claims_5y
  from paid
  inner join paid as earlier
    on earlier.person_key = paid.person_key
  where earlier.paid_won > 0
    and earlier.applied_on > add_months(paid.applied_on, -60)
    and earlier.applied_on <= paid.applied_on
  group by paid.claim_no
),
ended as (
  select
    paid.*,
    job.reemployed_on,
    case
      when paid.days_paid >= paid.entitled_days and paid.last_paid_to is not null then 'exhausted'
      when job.reemployed_on is not null then 'reemployed'
      when paid.benefit_year_end <= observed.until then 'expired'
      else 'running' end as end_state
  from paid
  cross join observed
  left join job
    on job.claim_no = paid.claim_no
),
claim_outcome as (
  select
    -- ids
    claim.claim_no,
    claim.person_key,
    claim.workplace_no,
    claim.centre,
    claim.sido,
    coalesce(workplace.section, 'unknown') as section,
    claim.loss_reason,
    -- person
    claim.sex,
    {{ age_band('claim.age_at_separation') }} as age_band,
    -- dates
    claim.month,
    claim.separated_on,
    claim.applied_on,
    ended.benefit_year_end,
    ended.first_certified_on,
    ended.last_paid_to,
    ended.reemployed_on,
    case ended.end_state
      when 'exhausted' then greatest(ended.last_paid_to, claim.applied_on)
      when 'reemployed' then ended.reemployed_on
      when 'expired' then greatest(ended.benefit_year_end, claim.applied_on) end as ended_on,
    -- outcome
    ended.end_state,
    coalesce(repeated.paid_claims_5y, 0) as paid_claims_5y,
    coalesce(repeated.paid_claims_5y, 0) >= 3 as repeat_claimant,
    -- amounts
    ended.rounds,
    claim.entitled_days,
    cast(ended.days_paid as bigint) as days_paid,
    cast(ended.paid_won as decimal(28, 0)) as paid_won
  from claim
  inner join ended
    on ended.claim_no = claim.claim_no
  left join repeated
    on repeated.claim_no = claim.claim_no
  left join workplace
    on workplace.workplace_no = claim.workplace_no
)
select * from claim_outcome
