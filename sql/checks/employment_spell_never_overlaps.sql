/*---
description: {ko: "한 사람의 피보험 기간은 겹치지 않는다", en: "no two pieces of a person share a day"}
severity: error
---*/
with piece as (
  select * from {{ ref('employment_spell') }}
),
repeated as (
  select person_key from piece group by person_key having count(*) > 1
),
candidate_piece as (
  select piece.person_key, piece.from_on, piece.to_on
  from piece
  inner join repeated
    on repeated.person_key = piece.person_key
),
broken as (
  select earlier.person_key, earlier.from_on, earlier.to_on, later.from_on as later_from_on
  from candidate_piece as earlier
  inner join candidate_piece as later
    on later.person_key = earlier.person_key
  where later.from_on > earlier.from_on
    and (earlier.to_on is null or later.from_on <= earlier.to_on)
)
select * from broken
