/*---
description: {ko: "취업이력의 하루는 한 줄에만 속한다(열여섯 명에 한 명을 본다)", en: "no two pieces of a biography share a day; one person of sixteen is looked at"}
severity: error
---*/
with piece as (
  select
    person_key,
    from_on,
    coalesce(to_on, date '9999-12-31') as to_on
  from {{ ref('employment_biography') }}
  where person_key % 16 = 0
),
ordered as (
  select
    piece.*,
    lag(piece.to_on) over (partition by piece.person_key order by piece.from_on) as previous_to_on
  from piece
),
broken as (
  select ordered.person_key, ordered.from_on, ordered.previous_to_on
  from ordered
  where ordered.previous_to_on >= ordered.from_on
)
select * from broken
