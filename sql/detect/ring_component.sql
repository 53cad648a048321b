/*---
description:
  ko: 수급자격을 함께 가진 묶음들의 연결요소. 소명된 묶음은 아무것도 잇지 않는다.
  en: "connected components of ties that share a claim: the ring each tie belongs to. Cleared ties join nothing and are rings of their own"
grain: [tie_kind, tie_key]
materialized: table
owner: detection
meta:
  id: the earliest tie of the component names the ring, so that a ring that grows keeps its name
columns:
  tie_key: {tags: [account, firm]}
  ring_id: {tags: [account, firm], tests: [not_null]}
---*/
with recursive anchor as (
  select * from {{ ref('ring_anchor') }}
),
tie as (
  select
    anchor.tie_kind,
    anchor.tie_key,
    anchor.tie_kind || '/' || anchor.tie_key as tie_id,
    cast(min(anchor.evidence_from) as varchar) || '/' || anchor.tie_kind || '/' || anchor.tie_key as name,
    bool_or(anchor.cleared_by is not null) as is_cleared
  from anchor
  group by anchor.tie_kind, anchor.tie_key
),
link as (
  select distinct
    one.tie_kind || '/' || one.tie_key as tie_id,
    other.tie_kind || '/' || other.tie_key as other_id
  from anchor as one
  inner join anchor as other
    on other.claim_no = one.claim_no
  where one.cleared_by is null
    and other.cleared_by is null
),
reached as (
  select tie.tie_id, tie.name
  from tie
  union
  select link.other_id as tie_id, reached.name
  from reached
  inner join link
    on link.tie_id = reached.tie_id
),
named as (
  select reached.tie_id, min(reached.name) as name
  from reached
  group by reached.tie_id
),
ring_component as (
  select
    tie.tie_kind,
    tie.tie_key,
    substr(md5(named.name), 1, 16) as ring_id,
    tie.is_cleared
  from tie
  inner join named
    on named.tie_id = tie.tie_id
)
select * from ring_component
