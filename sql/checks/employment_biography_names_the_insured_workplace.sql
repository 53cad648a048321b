/*---
description:
  ko: "취업이력의 피보험 사업장은 겹침을 푼 피보험 기간의 사업장이다"
  en: "the workplace of an insured piece is the one that employment_spell gives its first day to"
severity: error
---*/
with piece as (
  select person_key, from_on, workplace_no
  from {{ ref('employment_biography') }}
  where insured
),
spell as (
  select * from {{ ref('employment_spell') }}
),
broken as (
  select piece.person_key, piece.from_on, piece.workplace_no, spell.workplace_no as resolved_workplace_no
  from piece
  inner join spell
    on spell.person_key = piece.person_key
    and spell.from_on <= piece.from_on
    and (spell.to_on is null or spell.to_on >= piece.from_on)
  where spell.workplace_no <> piece.workplace_no
)
select * from broken
