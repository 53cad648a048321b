/*---
description:
  ko: "한 수급자격을 묶는 것들은 한 조직에 있고, 조직의 수와 구성원은 그 묶음과 같다"
  en: "no claim is tied into two rings, no tie lies in two, and each ring has the members, ties and won of its rows"
severity: error
---*/
with tie as (
  select * from {{ ref('ring_tie') }}
  where role = 'anchor'
),
member as (
  select * from {{ ref('ring_member') }}
),
ring as (
  select * from {{ ref('ring') }}
),
-- explained ties join nothing, so a claim may lie in several of those
torn as (
  select 'a claim in two rings' as what, tie.claim_no as found
  from tie
  where tie.cleared_by is null
  group by tie.claim_no
  having count(distinct tie.ring_id) > 1
  union all
  select 'a tie in two rings' as what, tie.tie_kind as found
  from tie
  group by tie.tie_kind, tie.tie_key
  having count(distinct tie.ring_id) > 1
),
tied as (
  select ring_id, count(distinct claim_no) as claims, count(distinct tie_kind || '/' || tie_key) as ties from tie group by ring_id
),
joined as (
  select ring_id, count(*) as claims, count(distinct person_key) as members, sum(amount_won) as amount_won from member group by ring_id
),
unequal as (
  select 'a ring unlike its rows' as what, coalesce(ring.ring_id, tied.ring_id) as found
  from ring
  full outer join tied
    on tied.ring_id = ring.ring_id
  left join joined
    on joined.ring_id = tied.ring_id
  where ring.ring_id is null
    or tied.ring_id is null
    or ring.claims <> tied.claims
    or ring.ties <> tied.ties
    or (ring.claims is distinct from joined.claims)
    or (ring.members is distinct from joined.members)
    or (ring.amount_won is distinct from joined.amount_won)
),
broken as (
  select what, found from torn
  union all
  select what, found from unequal
)
select * from broken
