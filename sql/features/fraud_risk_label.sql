/*---
description:
  ko: 관찰한 날 뒤 180일 안에 부정수급으로 결정되고 불복으로 취소되지 않았는지. 아직 알 수 없으면 비어 있다.
  en: >-
    whether a claim was decided to be fraud within 180 days after the day of observation, by a decision that stands.
    Null while it cannot be known: what is not decided yet is no negative. Null for ever where it was decided before
    the day, where the day lies before the first delivered decisions, and from the fourth stretch on, when few decisions
    are still to come: what nobody looked at would teach that the facts mean nothing
grain: [claim_no, entered_on]
materialized: table
owner: detection
label: true
legal_basis: 고용보험법 제61조 · 제62조 · 제116조
sort_by: [claim_no, entered_on]
meta:
  label_known_on: >-
    decisions of a month are delivered by the 15th of the next and loaded before it ends, so the answer is known on the
    last day of the month after the 180th day, for decided and undecided claims alike
  selection: >-
    these labels are selected. Only what somebody investigated was decided; false says that nothing was decided within
    180 days, not that nothing was there. How frequent fraud is, only claims drawn at random can say (docs/cases.md)
columns:
  claim_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
  label_known_on: {description: "of a claim decided before: the day the decision became known, so that it is scored no more", tests: [not_null]}
---*/
with observation as (
  select claim_no, entered_on, observed_on, months_after from {{ ref('fraud_risk') }}
),
fraud_decision as (
  select * from {{ ref('fraud_decision') }}
),
delivered as (
  select * from {{ source('ei_sanction') }}
),
decision as (
  select observation.claim_no, observation.entered_on, fraud_decision.decided_on, fraud_decision.known_on, fraud_decision.stands
  from observation
  inner join fraud_decision
    on fraud_decision.claim_no = observation.claim_no
),
{{ decided_steps('claim_no') }},
fraud_risk_label as (
  select
    dated.claim_no,
    dated.entered_on,
    {{ decided_label('dated.months_after > 7') }}
  from dated
  cross join covered
)
select * from fraud_risk_label
