/*---
description:
  ko: 겹침을 푼 피보험 기간. 한 사람의 하루는 한 사업장에만 속한다.
  en: >-
    insured days of each person cut so that a person-day belongs to one workplace. Where spells overlap the day goes
    to the spell with the higher monthly wage, then longer hours, then the earlier acquisition (the order of
    Enforcement Decree on double employment). Persons whose spells do not overlap pass through untouched
grain: [person_key, from_on]
materialized: keyed
key: person_key
owner: core
legal_basis: 고용보험법 제18조
sort_by: [person_key, from_on]
tests:
  - {expression: "to_on is null or to_on >= from_on"}
columns:
  person_key: {tags: [pseudonym]}
  to_on: {description: last insured day of the piece; null while insured}
  starts_spell: {description: the piece begins where the reported spell begins}
  ends_spell: {description: the piece ends where the reported spell ends}
  loss_reason: {description: only on the piece that ends the spell}
---*/
with insured_spell as (
  select * from {{ ref('insured_spell') }}
),
spell as (
  select * from insured_spell
  where not cancelled
),
-- only persons with several spells can overlap: the self-join sees a small part of the table
repeated as (
  select spell.person_key
  from spell
  group by spell.person_key
  having count(*) > 1
),
candidate_spell as (
  select spell.person_key, spell.workplace_no, spell.insured_from, spell.insured_to
  from spell
  inner join repeated
    on repeated.person_key = spell.person_key
),
overlapping as (
  select earlier.person_key
  from candidate_spell as earlier
  inner join candidate_spell as later
    on later.person_key = earlier.person_key
  where (later.insured_from > earlier.insured_from
      or (later.insured_from = earlier.insured_from and later.workplace_no > earlier.workplace_no))
    and (earlier.insured_to is null or later.insured_from <= earlier.insured_to)
  group by earlier.person_key
),
untouched as (
  select
    spell.person_key,
    spell.workplace_no,
    spell.acquired_on,
    spell.insured_from as from_on,
    spell.insured_to as to_on
  from spell
  where not exists (select 1 from overlapping where overlapping.person_key = spell.person_key)
),
entangled as (
  select spell.*
  from spell
  inner join overlapping
    on overlapping.person_key = spell.person_key
),
-- the days on which something begins or has just ended cut the time of a person into segments
edge as (
  select entangled.person_key, entangled.insured_from as edge_on from entangled
  union
  select entangled.person_key, add_days(entangled.insured_to, 1) as edge_on from entangled
  where entangled.insured_to is not null
),
segment as (
  select
    edge.person_key,
    edge.edge_on as from_on,
    add_days(lead(edge.edge_on) over (partition by edge.person_key order by edge.edge_on), -1) as to_on
  from edge
),
ranked as (
  select
    segment.person_key,
    segment.from_on,
    segment.to_on,
    entangled.workplace_no,
    entangled.acquired_on,
    row_number() over (
      partition by segment.person_key, segment.from_on
      order by entangled.monthly_wage_won desc, entangled.weekly_hours desc, entangled.acquired_on, entangled.workplace_no
    ) as priority
  from segment
  inner join entangled
    on entangled.person_key = segment.person_key
  where entangled.insured_from <= segment.from_on
    and (entangled.insured_to is null or entangled.insured_to >= segment.from_on)
),
winner as (
  select
    ranked.*,
    lag(ranked.to_on) over (partition by ranked.person_key order by ranked.from_on) as previous_to_on,
    lag(ranked.workplace_no) over (partition by ranked.person_key order by ranked.from_on) as previous_workplace_no,
    lag(ranked.acquired_on) over (partition by ranked.person_key order by ranked.from_on) as previous_acquired_on
  from ranked
  where ranked.priority = 1
),
-- neighbouring segments won by the same spell are one piece again
piece as (
  select
    winner.*,
    count(*) filter (
      where winner.previous_to_on is null
        or winner.previous_workplace_no <> winner.workplace_no
        or winner.previous_acquired_on <> winner.acquired_on
        or add_days(winner.previous_to_on, 1) <> winner.from_on
    ) over (
      partition by winner.person_key order by winner.from_on
      rows between unbounded preceding and current row
    ) as piece_no
  from winner
),
resolved as (
  select
    piece.person_key,
    piece.workplace_no,
    piece.acquired_on,
    min(piece.from_on) as from_on,
    case when count(*) = count(piece.to_on) then max(piece.to_on) end as to_on
  from piece
  group by piece.person_key, piece.workplace_no, piece.acquired_on, piece.piece_no
),
pieces as (
  select person_key, workplace_no, acquired_on, from_on, to_on from untouched
  union all
  select person_key, workplace_no, acquired_on, from_on, to_on from resolved
),
employment_spell as (
  select
    -- ids
    pieces.person_key,
    pieces.workplace_no,
    spell.biz_no,
    spell.sido,
    spell.section,
    -- person
    spell.birth_date,
    spell.sex,
    -- dates
    pieces.from_on,
    pieces.to_on,
    spell.acquired_on,
    spell.lost_on,
    spell.acquired_reported_on,
    spell.lost_reported_on,
    spell.known_on,
    -- terms
    pieces.from_on = spell.insured_from as starts_spell,
    pieces.to_on is not distinct from spell.insured_to as ends_spell,
    case when pieces.to_on is not distinct from spell.insured_to then spell.loss_reason end as loss_reason,
    spell.weekly_hours,
    spell.occupation,
    spell.contract_kind,
    -- amounts
    spell.monthly_wage_won
  from pieces
  inner join spell
    on spell.person_key = pieces.person_key
    and spell.workplace_no = pieces.workplace_no
    and spell.acquired_on = pieces.acquired_on
)
select * from employment_spell
