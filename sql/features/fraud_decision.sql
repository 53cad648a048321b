/*---
description:
  ko: 수급자격에 대한 부정수급 결정. 행정청이 전달한 처분과 이곳에서 종결한 사건의 결과를 함께 둔다.
  en: >-
    decisions that a claim was fraud, from both places they come from: sanctions as delivered, and cases of alerts closed
    here as confirmed_fraud, known on the day they were closed. Labels for learning, which no rule of detection reads. A
    case and the sanction that follows it stand here both; what reads them asks for the first
grain: [claim_no, decided_on, kind, origin]
materialized: table
owner: detection
label: true
legal_basis: 고용보험법 제61조 · 제62조 · 제116조
expects:
  alerts.case_label:
    rule_id: string
    subject_kind: string
    subject_key: string
    outcome: string
    decided_on: string
    appeal: string
columns:
  kind: {description: "the rule or the kind of fraud, F01 to F10 and R01", tags: [label]}
  origin: {tests: [{accepted_values: [sanction, case]}]}
  stands: {description: "the decision was not overturned on appeal", tags: [label]}
---*/
with sanction as (
  select * from {{ ref('sanction') }}
),
case_label as (
  select * from {{ table('alerts.case_label') }}
),
-- a case has a label for each row of evidence it was decided on
closed as (
  select
    split_part(case_label.subject_key, '/', 1) as claim_no,
    case_label.rule_id,
    cast(case_label.decided_on as date) as decided_on,
    bool_or(case_label.appeal <> 'overturned') as stands
  from case_label
  where case_label.outcome = 'confirmed_fraud'
    and case_label.subject_kind in ('claim', 'round')
  group by split_part(case_label.subject_key, '/', 1), case_label.rule_id, cast(case_label.decided_on as date)
),
fraud_decision as (
  select
    sanction.claim_no,
    sanction.kind,
    'sanction' as origin,
    sanction.decided_on,
    sanction.known_on,
    sanction.stands
  from sanction
  union all
  select
    closed.claim_no,
    closed.rule_id as kind,
    'case' as origin,
    closed.decided_on,
    closed.decided_on as known_on,
    closed.stands
  from closed
)
select * from fraud_decision
