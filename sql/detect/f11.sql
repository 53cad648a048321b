/*---
description:
  ko: F11 소급해 신고한 채용이나 다른 곳에서 일하는 사람으로 받은 지원금
  en: "F11: a subsidy for hires reported back-dated, or for people who were paid elsewhere in the subsidised months"
grain: [decision_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 1
legal_basis: 고용보험법 제35조 · 제116조 · 같은 법 시행령 제56조
meta:
  severity: high
  evidence: named person x spells x wage statements in the subsidised months; one row per person
  refused: people the employer paid for any of the subsidised days, and months whose statements are not due yet
  sources: [ei_subsidy, ei_subsidy_person, ei_insured_spell, nts_wage_statement, ei_workplace]
  look_back: five years from payment (고용보험법 제35조)
  clears:
    - {ko: "승인된 파견", en: "an approved secondment"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [back_dated_hire, at_work_elsewhere]}]}
  evidence_key: {description: "the named person, by the decision's own list", tags: [pseudonym]}
  evidence_from: {description: "acquisition as reported, or first day paid for elsewhere"}
  evidence_to: {description: "day before the report of the acquisition, or last day paid for elsewhere"}
  fact_on: {description: "day the acquisition was reported, or first day paid for elsewhere"}
  group_size: {description: people the subsidy was paid for, tests: [{range: {min: 1}}]}
  group_matched: {description: those named of whom this is so}
  paid_won: {description: the whole subsidy}
  statements: {description: "months with subsidised days for which the employer stated wages of the person"}
  document: {description: "secondment, when it was approved"}
  amount_at_risk_won: {description: the person's share of the subsidy, tests: [{range: {min: 0}}]}
---*/
with subsidy as (
  select * from {{ ref('subsidy') }}
),
named as (
  select * from {{ ref('subsidy_person') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
),
income as (
  select * from {{ ref('income_month') }}
  where income_kind = 'wage'
    and gross_won > 0
    and paid_from is not null
),
observed as (
  select min(income.month) as first_month, max(income.month) as last_month from income
),
subsidised as (
  select
    subsidy.decision_no,
    subsidy.workplace_no,
    subsidy.biz_no,
    subsidy.heads,
    subsidy.amount_won as paid_won,
    cast(round(subsidy.amount_won / subsidy.heads) as decimal(18, 0)) as amount_won,
    named.person_key,
    named.secondment_approved,
    named.from_month as subsidised_from,
    month_end(named.to_month) as subsidised_to,
    greatest(subsidy.known_on, named.known_on) as known_on
  from subsidy
  inner join named
    on named.decision_no = subsidy.decision_no
  cross join observed
  where named.from_month >= observed.first_month
    and named.to_month <= observed.last_month
),
-- what the named people were paid for the subsidised days, by whom
pay as (
  select
    subsidised.decision_no,
    subsidised.person_key,
    count(*) filter (where income.payer_biz_no = subsidised.biz_no) as statements,
    min(greatest(income.paid_from, subsidised.subsidised_from)) as first_on,
    max(least(income.paid_to, subsidised.subsidised_to)) as last_on,
    max(income.known_on) as known_on
  from subsidised
  inner join income
    on income.person_key = subsidised.person_key
  where income.paid_from <= subsidised.subsidised_to
    and income.paid_to >= subsidised.subsidised_from
  group by subsidised.decision_no, subsidised.person_key
),
back_dated as (
  select
    subsidised.decision_no,
    subsidised.person_key,
    min(insured_spell.acquired_on) as acquired_on,
    min(insured_spell.acquired_reported_on) as reported_on,
    min(insured_spell.known_on) as known_on
  from subsidised
  inner join insured_spell
    on insured_spell.person_key = subsidised.person_key
    and insured_spell.workplace_no = subsidised.workplace_no
  where insured_spell.acquired_on <= subsidised.subsidised_to
    and insured_spell.acquired_reported_on > subsidised.subsidised_to
    and insured_spell.acquired_reported_on >= add_months(insured_spell.acquired_on, 2)
  group by subsidised.decision_no, subsidised.person_key
),
found as (
  select
    subsidised.*,
    'back_dated_hire' as evidence_kind,
    back_dated.acquired_on as evidence_from,
    add_days(back_dated.reported_on, -1) as evidence_to,
    back_dated.reported_on as fact_on,
    coalesce(pay.statements, 0) as statements,
    back_dated.known_on as evidence_known_on
  from subsidised
  inner join back_dated
    on back_dated.decision_no = subsidised.decision_no
    and back_dated.person_key = subsidised.person_key
  left join pay
    on pay.decision_no = subsidised.decision_no
    and pay.person_key = subsidised.person_key
  where coalesce(pay.statements, 0) = 0
  union all
  select
    subsidised.*,
    'at_work_elsewhere' as evidence_kind,
    pay.first_on as evidence_from,
    pay.last_on as evidence_to,
    pay.first_on as fact_on,
    pay.statements,
    pay.known_on as evidence_known_on
  from subsidised
  inner join pay
    on pay.decision_no = subsidised.decision_no
    and pay.person_key = subsidised.person_key
  where pay.statements = 0
    -- most of the subsidised days, so that a job left or begun in a month is none
    and 2 * (days_between(pay.first_on, pay.last_on) + 1)
      > days_between(subsidised.subsidised_from, subsidised.subsidised_to) + 1
),
counted as (
  select decision_no, evidence_kind, count(*) as group_matched
  from found
  group by decision_no, evidence_kind
),
f11 as (
  select
    -- rule
    'F11' as rule_id,
    1 as rule_version,
    -- ids
    'workplace/' || found.workplace_no as pivot_key,
    found.person_key,
    found.workplace_no,
    found.decision_no,
    -- evidence
    found.evidence_kind,
    cast(found.person_key as varchar) as evidence_key,
    found.evidence_from,
    found.evidence_to,
    found.fact_on,
    found.subsidised_from,
    found.subsidised_to,
    cast(found.heads as bigint) as group_size,
    counted.group_matched,
    found.amount_won as amount_at_risk_won,
    greatest(found.known_on, found.evidence_known_on) as known_on,
    -- what clears it
    found.secondment_approved as cleared,
    case when found.secondment_approved then 'secondment approved' end as cleared_by,
    -- what derives it again
    found.paid_won,
    found.statements,
    case when found.secondment_approved then 'secondment' end as document
  from found
  inner join counted
    on counted.decision_no = found.decision_no
    and counted.evidence_kind = found.evidence_kind
)
select * from f11
