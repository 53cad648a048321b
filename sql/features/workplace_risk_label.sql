/*---
description:
  ko: >-
    관찰한 날 뒤 180일 안에, 그날까지 아홉 달 안에 신청한 이직자의 수급자격이 사업주의 거짓 신고가 있어야 하는 유형(F05–F08)의
    부정수급으로 결정되고 불복으로 취소되지 않았는지. 아직 알 수 없으면 비어 있다.
  en: >-
    whether within 180 days after the day of observation one of the claims that the row looks at was decided to be fraud
    of a kind that rests on what the employer reported (F05 to F08), by a decision that stands. Null while it cannot be
    known. Null for ever where one of these claims was decided before the day, and where the day lies before the first
    delivered decisions. Work hidden from the office (F01 to F04, F09) and shared accounts (F10) say nothing of the
    workplace that was left; subsidies (F11) are decided elsewhere and no source tells
grain: [workplace_no, entered_on]
materialized: table
owner: detection
label: true
legal_basis: 고용보험법 제61조 · 제62조 · 제116조
sort_by: [workplace_no, entered_on]
meta:
  label_known_on: as that of fraud_risk
  selection: >-
    these labels are selected, and more than those of claims: an employer is decided about only where somebody looked at
    one of its leavers, and looked beyond that leaver. False says that nothing was decided, not that nothing was there
columns:
  workplace_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
  label_known_on: {description: "of a workplace decided before: the day the decision became known, so that it is scored no more while these claims are looked at", tests: [not_null]}
---*/
with observation as (
  select workplace_no, entered_on, observed_on from {{ ref('workplace_risk') }}
),
claim as (
  select * from {{ ref('claim') }}
),
fraud_decision as (
  select * from {{ ref('fraud_decision') }}
),
delivered as (
  select * from {{ source('ei_sanction') }}
),
decision as (
  select observation.workplace_no, observation.entered_on, fraud_decision.decided_on, fraud_decision.known_on, fraud_decision.stands
  from observation
  inner join claim
    on claim.workplace_no = observation.workplace_no
  inner join fraud_decision
    on fraud_decision.claim_no = claim.claim_no
  where claim.applied_on <= observation.observed_on
    and claim.applied_on > add_months(observation.observed_on, -9)
    and fraud_decision.kind in ('F05', 'F06', 'F07', 'F08')
),
{{ decided_steps('workplace_no') }},
workplace_risk_label as (
  select
    dated.workplace_no,
    dated.entered_on,
    {{ decided_label() }}
  from dated
  cross join covered
)
select * from workplace_risk_label
