/*---
description: {ko: 조직의 구성원, en: "members of each ring: the claims that its ties join"}
schema: alerts
grain: [ring_id, claim_no]
materialized: table
owner: detection
columns:
  ring_id: {tags: [account, firm]}
  person_key: {tags: [pseudonym]}
  tie_kinds: {description: "kinds of tie beyond chance that hold the member, joined by commas"}
  ties: {description: ties beyond chance, tests: [{range: {min: 1}}]}
  amount_won: {description: what the claim was paid so far, tests: [{range: {min: 0}}]}
---*/
with tie as (
  select * from {{ ref('ring_tie') }}
  where role = 'anchor'
),
mark as (
  select * from {{ ref('claim_mark') }}
),
held as (
  select
    tie.ring_id,
    tie.claim_no,
    string_agg(distinct tie.tie_kind, ',' order by tie.tie_kind) as tie_kinds,
    count(*) as ties,
    min(tie.evidence_from) as first_on,
    max(tie.known_on) as known_on
  from tie
  group by tie.ring_id, tie.claim_no
),
ring_member as (
  select
    -- ids
    held.ring_id,
    held.claim_no,
    mark.person_key,
    mark.workplace_no,
    -- ties
    held.tie_kinds,
    held.ties,
    -- dates
    held.first_on,
    mark.paid_from,
    mark.paid_to,
    held.known_on,
    -- amounts
    mark.amount_won
  from held
  inner join mark
    on mark.claim_no = held.claim_no
)
select * from ring_member
