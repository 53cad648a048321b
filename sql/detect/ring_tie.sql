/*---
description:
  ko: 조직마다 구성원을 잇는 것. 우연을 넘는 묶음과, 그 사이의 배경(같은 세대, 같은 대표, 함께 이직)
  en: "the ties that join the members of each ring: those beyond chance, and beside them what else they share (household, owner, separation)"
schema: alerts
grain: [ring_id, tie_kind, tie_key, claim_no]
materialized: table
owner: detection
columns:
  ring_id: {tags: [account, firm]}
  tie_kind: {tests: [{accepted_values: [account, device, rehired, late_report, unpaid, whole_staff, separation, household, owner]}]}
  tie_key: {tags: [account, firm, quasi_identifier]}
  person_key: {tags: [pseudonym]}
  role: {description: "anchor: beyond chance, makes the ring; context: shown beside it, makes nothing", tests: [{accepted_values: [anchor, context]}]}
  tied: {tests: [{range: {min: 1}}]}
  p_value: {description: null for context}
---*/
with anchor as (
  select * from {{ ref('ring_anchor') }}
),
component as (
  select * from {{ ref('ring_component') }}
),
mark as (
  select * from {{ ref('claim_mark') }}
),
linked as (
  select * from {{ ref('linked_business') }}
),
-- a layoff beside marks of the same people is context of their ring, not a case of its own
tied as (
  select
    component.ring_id,
    component.is_cleared,
    anchor.*
  from anchor
  inner join component
    on component.tie_kind = anchor.tie_kind
    and component.tie_key = anchor.tie_key
),
member as (
  select distinct tied.ring_id, tied.claim_no
  from tied
  where not tied.is_cleared
),
overlapped as (
  select tied.tie_kind, tied.tie_key
  from tied
  where tied.is_cleared
    and exists (select 1 from member where member.claim_no = tied.claim_no)
  group by tied.tie_kind, tied.tie_key
),
beside as (
  select
    member.ring_id,
    anchor.*
  from overlapped
  inner join anchor
    on anchor.tie_kind = overlapped.tie_kind
    and anchor.tie_key = overlapped.tie_key
  inner join member
    on member.claim_no = anchor.claim_no
),
household as (
  select member.ring_id, mark.household_digest
  from member
  inner join mark
    on mark.claim_no = member.claim_no
  group by member.ring_id, mark.household_digest
  having count(distinct mark.person_key) >= 2
),
owner as (
  select member.ring_id, mark.business_group
  from member
  inner join mark
    on mark.claim_no = member.claim_no
  inner join linked
    on linked.workplace_no = mark.workplace_no
  where linked.linked_by = 'owner'
    and linked.business_group = mark.business_group
  group by member.ring_id, mark.business_group
),
ring_tie as (
  select
    tied.ring_id,
    'anchor' as role,
    tied.tie_kind,
    tied.tie_key,
    tied.claim_no,
    tied.person_key,
    tied.evidence_from,
    tied.evidence_to,
    tied.fact_on,
    tied.known_on,
    tied.tied,
    tied.pool,
    tied.households,
    tied.p_value,
    tied.cleared_by
  from tied
  where not exists (
    select 1 from overlapped
    where overlapped.tie_kind = tied.tie_kind
      and overlapped.tie_key = tied.tie_key
  )
  union all
  select
    beside.ring_id,
    'context' as role,
    beside.tie_kind,
    beside.tie_key,
    beside.claim_no,
    beside.person_key,
    beside.evidence_from,
    beside.evidence_to,
    beside.fact_on,
    beside.known_on,
    beside.tied,
    beside.pool,
    beside.households,
    cast(null as double) as p_value,
    beside.cleared_by
  from beside
  union all
  select
    member.ring_id,
    'context' as role,
    'household' as tie_kind,
    household.household_digest as tie_key,
    member.claim_no,
    mark.person_key,
    mark.applied_on as evidence_from,
    mark.payable_until as evidence_to,
    cast(null as date) as fact_on,
    mark.known_on,
    count(*) over (partition by member.ring_id, household.household_digest) as tied,
    count(*) over (partition by member.ring_id, household.household_digest) as pool,
    cast(1 as bigint) as households,
    cast(null as double) as p_value,
    'one household' as cleared_by
  from household
  inner join member
    on member.ring_id = household.ring_id
  inner join mark
    on mark.claim_no = member.claim_no
    and mark.household_digest = household.household_digest
  union all
  select
    member.ring_id,
    'context' as role,
    'owner' as tie_kind,
    owner.business_group as tie_key,
    member.claim_no,
    mark.person_key,
    mark.separated_on as evidence_from,
    mark.payable_until as evidence_to,
    cast(null as date) as fact_on,
    mark.known_on,
    count(*) over (partition by member.ring_id, owner.business_group) as tied,
    count(*) over (partition by member.ring_id, owner.business_group) as pool,
    cast(1 as bigint) as households,
    cast(null as double) as p_value,
    'one owner of several businesses' as cleared_by
  from owner
  inner join member
    on member.ring_id = owner.ring_id
  inner join mark
    on mark.claim_no = member.claim_no
    and mark.business_group = owner.business_group
)
select * from ring_tie
