/*---
description:
  ko: 청구가 부정으로 확인되었는지(연구자료)
  en: whether fraud was confirmed (research data)
grain: [policy_no]
materialized: table
owner: learning
label: true
tags: [research]
sort_by: [policy_no]
columns:
  policy_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
---*/
with claim as (
  select * from {{ source('vehicle_claim') }}
),
vehicle_fraud_label as (
  select
    claim.policy_no,
    claim._known_on as recorded_on,
    claim.is_fraud as label,
    claim._known_on as label_known_on
  from claim
)
select * from vehicle_fraud_label
