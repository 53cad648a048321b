/*---
description:
  ko: F07 임금 지급명세서가 한 건도 없고 곧 폐업한 사업장의 피보험 기간으로 수급
  en: "F07: claims on insured months without one wage statement, at a workplace whose whole staff stayed about 180 days and that closed with them"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 2
legal_basis: 고용보험법 제40조 · 제61조 · 제62조 · 제116조
meta:
  severity: critical
  evidence: spell x wage statements of that payer x closing of the workplace; one row per claimant
  threshold: nobody there was insured for more than 270 days, all left within 31 days, and it closed within 90 days of the last
  sources: [ei_insured_spell, nts_wage_statement, ei_workplace, nts_business_registration, ei_benefit_claim]
  look_back: three years from separation (고용보험법 제62조 제3항)
  clears:
    - {ko: "기한이 지나 들어온 명세서가 피보험 기간 가운데 세 달분이 안 됨(소득세법 제164조의3)", en: "fewer than three of the insured months have statements that are due and delivered (소득세법 제164조의3)"}
    - {ko: "이직 뒤 14일 안에 줄 임금의 명세서가 아직 제출 기한 전임(근로기준법 제36조 · 소득세법 제164조의3)", en: "the pay due within 14 days of leaving (근로기준법 제36조) belongs to statements that are not due yet: an employer who pays when they leave files for that half-year"}
    - {ko: "그곳의 누군가에게 임금을 준 명세서가 있음", en: "somebody there was paid according to a statement of the payer"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [no_wage_statement]}]}
  evidence_from: {description: acquisition}
  evidence_to: {description: last insured day}
  fact_on: {description: day the workplace closed}
  group_size: {description: people ever insured there, tests: [{range: {min: 1}}]}
  group_matched: {description: those without a wage statement of the payer}
  months_observed: {description: insured months whose statements are due and delivered}
  statements: {description: months for which that payer stated wages of the person}
  statements_until: {description: last month whose statements are due and delivered}
  amount_at_risk_won: {description: the whole claim since the employment itself is false, tests: [{range: {min: 0}}]}
---*/
with insured_spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
),
workplace as (
  select * from {{ ref('workplace') }}
),
business as (
  select * from {{ ref('business') }}
),
income as (
  select * from {{ ref('income_month') }}
  where income_kind = 'wage'
),
claim as (
  select * from {{ ref('claim') }}
),
paid as (
  {{ paid_claim() }}
),
observed as (
  select min(income.month) as first_month, max(income.month) as last_month from income
),
closed as (
  select
    workplace.workplace_no,
    workplace.biz_no,
    least(coalesce(workplace.closed_on, business.closed_on), coalesce(business.closed_on, workplace.closed_on)) as closed_on,
    greatest(workplace.known_on, coalesce(business.known_on, workplace.known_on)) as known_on
  from workplace
  left join business
    on business.biz_no = workplace.biz_no
    and business.closed_on is not null
  where workplace.closed_on is not null
    or business.closed_on is not null
),
staff as (
  select
    closed.workplace_no,
    closed.biz_no,
    closed.closed_on,
    closed.known_on,
    min(insured_spell.acquired_on) as first_on,
    max(insured_spell.insured_to) as last_on,
    count(distinct insured_spell.person_key) as group_size
  from closed
  inner join insured_spell
    on insured_spell.workplace_no = closed.workplace_no
  group by closed.workplace_no, closed.biz_no, closed.closed_on, closed.known_on
  having count(*) = count(insured_spell.insured_to)
    and max(days_between(insured_spell.acquired_on, insured_spell.insured_to)) <= 270
    and days_between(min(insured_spell.insured_to), max(insured_spell.insured_to)) <= 31
    and days_between(max(insured_spell.insured_to), closed.closed_on) between -31 and 90
),
stated as (
  select staff.workplace_no, income.person_key, count(*) as statements
  from staff
  inner join income
    on income.payer_biz_no = staff.biz_no
  where income.month >= month_start(staff.first_on)
  group by staff.workplace_no, income.person_key
),
unpaid_spell as (
  select
    staff.*,
    insured_spell.person_key,
    insured_spell.acquired_on,
    insured_spell.insured_to,
    insured_spell.known_on as spell_known_on,
    observed.last_month,
    coalesce(stated.statements, 0) as statements,
    month_start(add_days(insured_spell.insured_to, 14)) as last_pay_month,
    greatest(0, months_between(
      greatest(month_start(insured_spell.acquired_on), observed.first_month),
      least(month_start(insured_spell.insured_to), observed.last_month)) + 1) as months_observed
  from staff
  inner join insured_spell
    on insured_spell.workplace_no = staff.workplace_no
  cross join observed
  left join stated
    on stated.workplace_no = staff.workplace_no
    and stated.person_key = insured_spell.person_key
  where coalesce(stated.statements, 0) = 0
),
unpaid_staff as (
  select unpaid_spell.workplace_no, count(distinct unpaid_spell.person_key) as group_matched
  from unpaid_spell
  group by unpaid_spell.workplace_no
),
f07 as (
  select
    -- rule
    'F07' as rule_id,
    2 as rule_version,
    -- ids
    'workplace/' || unpaid_spell.workplace_no as pivot_key,
    claim.person_key,
    unpaid_spell.workplace_no,
    claim.claim_no,
    -- evidence
    'no_wage_statement' as evidence_kind,
    unpaid_spell.workplace_no || '/' || cast(unpaid_spell.acquired_on as varchar) as evidence_key,
    unpaid_spell.acquired_on as evidence_from,
    unpaid_spell.insured_to as evidence_to,
    unpaid_spell.closed_on as fact_on,
    paid.paid_from,
    paid.paid_to,
    unpaid_spell.group_size,
    unpaid_staff.group_matched,
    unpaid_spell.months_observed,
    paid.amount_won as amount_at_risk_won,
    greatest(claim.known_on, paid.known_on, unpaid_spell.known_on, unpaid_spell.spell_known_on) as known_on,
    -- what clears it
    unpaid_spell.months_observed < 3 or unpaid_spell.last_month < unpaid_spell.last_pay_month or unpaid_staff.group_matched < unpaid_spell.group_size as cleared,
    case
      when unpaid_spell.months_observed < 3 then 'fewer than three of these months have statements that are due and delivered'
      when unpaid_spell.last_month < unpaid_spell.last_pay_month then 'the statements for the pay due on leaving are not due yet'
      when unpaid_staff.group_matched < unpaid_spell.group_size then 'others there were paid according to statements' end as cleared_by,
    -- what derives it again
    paid.amount_won as paid_won,
    unpaid_spell.statements,
    unpaid_spell.last_month as statements_until
  from unpaid_spell
  inner join unpaid_staff
    on unpaid_staff.workplace_no = unpaid_spell.workplace_no
  inner join claim
    on claim.person_key = unpaid_spell.person_key
    and claim.workplace_no = unpaid_spell.workplace_no
    and claim.separated_on = unpaid_spell.insured_to
  inner join paid
    on paid.claim_no = claim.claim_no
)
select * from f07
