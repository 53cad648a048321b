/*---
description:
  ko: 부정수급 결정과 불복 결과. 학습의 정답이며 규칙이 읽지 않는다.
  en: "decisions on fraud and the outcome of appeals; labels for learning, which no rule of detection reads"
grain: [claim_no, decided_on, kind]
materialized: table
owner: core
legal_basis: 고용보험법 제61조 · 제62조 · 제116조
columns:
  person_key: {tags: [pseudonym]}
  kind: {tags: [label]}
  stands: {description: "the decision was not overturned on appeal", tags: [label]}
  amount_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('ei_sanction') }}
),
claim as (
  select * from {{ ref('claim') }}
),
latest as (
  {{ latest_version('changes', ['claim_no', 'decided_on', 'kind']) }}
),
sanction as (
  select
    -- ids
    latest.claim_no,
    coalesce(claim.person_key, latest.person_key) as person_key,
    latest.kind,
    -- dates
    latest.decided_on,
    month_start(latest.decided_on) as month,
    latest._known_on as known_on,
    -- result
    latest.appeal_outcome,
    latest.appeal_outcome is distinct from 'overturned' as stands,
    latest.amount_won
  from latest
  left join claim
    on claim.claim_no = latest.claim_no
)
select * from sanction
