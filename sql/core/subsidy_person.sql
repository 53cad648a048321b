/*---
description: {ko: 지원금 결정의 대상 근로자, en: the people each decision to pay a subsidy names}
grain: [decision_no, person_key]
materialized: table
owner: core
legal_basis: 고용보험법 제20조 · 제23조 · 제35조
columns:
  person_key: {tags: [pseudonym]}
  secondment_approved: {description: the person's secondment to another employer was approved for these months}
---*/
with changes as (
  select * from {{ source('ei_subsidy_person') }}
),
latest as (
  {{ latest_version('changes', ['decision_no', 'person_key']) }}
),
subsidy_person as (
  select
    latest.decision_no,
    latest.person_key,
    latest.from_month,
    latest.to_month,
    latest.secondment_approved,
    latest._known_on as known_on
  from latest
)
select * from subsidy_person
