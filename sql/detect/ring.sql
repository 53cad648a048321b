/*---
description:
  ko: 함께 묶인 수급자들의 조직. 조사 대상 제안일 뿐 처분이 아니다. 소명된 무리도 사유와 함께 남긴다.
  en: >-
    groups of claimants that more ties join than chance gives, one row per ring. A proposal to look and never a
    sanction; groups that are explained stay, with their reason, and are no candidates
schema: alerts
grain: [ring_id]
materialized: table
owner: detection
legal_basis: 고용보험법 제61조 · 제62조 · 제116조
version: 1
meta:
  look_back: three years from separation (고용보험법 제62조 제3항)
  density: >-
    pairs of members whom two kinds of tie join, against the configuration model (Newman, Networks, 2018, ch. 12): ties keep
    their sizes and their users are drawn at random, so a pair of claims meets in a kind with that kind's pairs over all
    pairs of claims, and in two kinds with the product. P-value as for the ties, times the rings
  pivot: >-
    a ring of one workplace without a shared account or device is the case of that workplace, so that what the rules
    say of it stands in the same case; a ring with a shared account or device is named by that, as the rule about them names it
columns:
  ring_id: {tags: [account, firm]}
  pivot_key: {description: the case, tags: [account, firm]}
  members: {description: persons, tests: [{range: {min: 2}}]}
  workplaces: {description: workplaces the members left}
  p_value: {description: the lowest of its ties, tests: [{range: {min: 0, max: 1}}]}
  density: {description: "ties beyond chance per member; 1 where one tie holds all", tests: [{range: {min: 1}}]}
  double_ties: {description: pairs of members joined by two kinds of tie or more, tests: [{range: {min: 0}}]}
  expected_double_ties: {description: as many as the configuration model gives a group of that size}
  double_p_value: {tests: [{range: {min: 0, max: 1}}]}
  severity: {description: "critical from five members, double ties beyond chance (p at most 0.01) or 30 million won, otherwise high; low when explained", tests: [{accepted_values: [low, high, critical]}]}
---*/
with tie as (
  select * from {{ ref('ring_tie') }}
  where role = 'anchor'
),
member as (
  select * from {{ ref('ring_member') }}
),
mark as (
  select * from {{ ref('claim_mark') }}
),
-- only who is held twice can be in a pair that is joined twice
held_twice as (
  select tie.ring_id, tie.tie_kind, tie.tie_key, tie.claim_no
  from tie
  inner join member
    on member.ring_id = tie.ring_id
    and member.claim_no = tie.claim_no
  where tie.cleared_by is null
    and member.ties >= 2
),
pair as (
  select one.ring_id, one.claim_no, other.claim_no as other_no
  from held_twice as one
  inner join held_twice as other
    on other.tie_kind = one.tie_kind
    and other.tie_key = one.tie_key
  where one.claim_no < other.claim_no
  group by one.ring_id, one.claim_no, other.claim_no
  having count(distinct one.tie_kind) >= 2
),
doubled as (
  select ring_id, count(*) as double_ties from pair group by ring_id
),
claims as (
  select cast(count(*) as double) * cast(greatest(count(*) - 1, 1) as double) / 2.0 as pairs from mark
),
tie_size as (
  select tie_kind, tie_key, count(*) as size from tie where cleared_by is null group by tie_kind, tie_key
),
meeting as (
  select tie_size.tie_kind, cast(sum(tie_size.size * (tie_size.size - 1) / 2) as bigint) as met
  from tie_size
  group by tie_size.tie_kind
),
-- pairs of pairs, whole numbers until the end: the sum over two different kinds of the product of their pairs
chance as (
  select
    cast(coalesce(sum(cast(one.met as decimal(38, 0)) * cast(other.met as decimal(38, 0))), 0) as double)
      / (max(claims.pairs) * max(claims.pairs)) as rate
  from claims
  left join meeting as one
    on true
  left join meeting as other
    on other.tie_kind > one.tie_kind
),
rings as (
  select cast(count(distinct ring_id) as double) as rings from tie
),
joined as (
  select
    tie.ring_id,
    string_agg(distinct tie.tie_kind, ',' order by tie.tie_kind) as tie_kinds,
    count(distinct tie.tie_kind || '/' || tie.tie_key) as ties,
    min(tie.p_value) as p_value,
    max(tie.cleared_by) as cleared_by,
    min(tie.tie_key) filter (where tie.tie_kind = 'account') as account,
    min(tie.tie_key) filter (where tie.tie_kind = 'device') as device
  from tie
  group by tie.ring_id
),
sized as (
  select
    member.ring_id,
    count(distinct member.person_key) as members,
    count(*) as claims,
    count(distinct member.workplace_no) as workplaces,
    min(member.workplace_no) as workplace_no,
    cast(sum(member.ties) as bigint) as held,
    min(member.first_on) as first_on,
    max(member.paid_to) as last_on,
    max(member.known_on) as known_on,
    cast(sum(member.amount_won) as decimal(18, 0)) as amount_won
  from member
  group by member.ring_id
),
weighed as (
  select
    sized.*,
    coalesce(doubled.double_ties, 0) as double_ties,
    cast(sized.claims as double) * cast(sized.claims - 1 as double) / 2.0 * chance.rate as expected_double_ties,
    case when doubled.double_ties is null then 1.0
      else least(1.0, rings.rings * exp(-{{ poisson_ratio(
        'cast(doubled.double_ties as double)',
        'cast(sized.claims as double) * cast(sized.claims - 1 as double) / 2.0 * chance.rate') }})) end as double_p_value
  from sized
  cross join chance
  cross join rings
  left join doubled
    on doubled.ring_id = sized.ring_id
),
ring as (
  select
    -- ids
    weighed.ring_id,
    case
      when joined.account is not null then 'ring/' || joined.account
      when joined.device is not null then 'ring/' || joined.device
      when weighed.workplaces = 1 then 'workplace/' || weighed.workplace_no
      else 'ring/' || weighed.ring_id end as pivot_key,
    -- who and what
    weighed.members,
    weighed.claims,
    weighed.workplaces,
    joined.tie_kinds,
    joined.ties,
    cast(weighed.held as double) / cast(weighed.claims as double) as density,
    joined.p_value,
    weighed.double_ties,
    weighed.expected_double_ties,
    weighed.double_p_value,
    -- dates
    weighed.first_on,
    weighed.last_on,
    weighed.known_on,
    -- amounts
    weighed.amount_won,
    case
      when joined.cleared_by is not null then 'low'
      when weighed.members >= 5 or weighed.double_p_value <= 0.01 or weighed.amount_won >= 30000000 then 'critical'
      else 'high' end as severity,
    -- what clears it
    joined.cleared_by is not null as cleared,
    joined.cleared_by
  from weighed
  inner join joined
    on joined.ring_id = weighed.ring_id
)
select * from ring
