/*---
description:
  ko: "원천의 기간마다 그 날들이 취업이력에 모두 표시되어 있다(열여섯 명에 한 명을 본다)"
  en: >-
    every day of every source's spell stands in the biography with its state; one person of sixteen is looked at. A
    state without a spell cannot stand there, since each piece is described by spells, so days agree exactly
severity: error
---*/
with spell as (
  select * from {{ ref('biography_spell') }}
  where person_key % 16 = 0
),
piece as (
  select
    person_key,
    from_on,
    coalesce(to_on, date '9999-12-31') as to_on,
    insured, contractor, daily_work, taxed_wage, taxed_business, benefit, training, job_search
  from {{ ref('employment_biography') }}
  where person_key % 16 = 0
),
covered as (
  select
    spell.person_key,
    spell.state,
    spell.spell_id,
    spell.from_on,
    spell.to_on,
    sum(days_overlap(spell.from_on, spell.to_on, piece.from_on, piece.to_on)) as days
  from spell
  left join piece
    on piece.person_key = spell.person_key
    and piece.from_on <= spell.to_on
    and piece.to_on >= spell.from_on
    and case spell.state
      when 'insured' then piece.insured
      when 'contractor' then piece.contractor
      when 'daily' then piece.daily_work
      when 'taxed_wage' then piece.taxed_wage
      when 'taxed_business' then piece.taxed_business
      when 'benefit' then piece.benefit
      when 'training' then piece.training
      else piece.job_search end
  group by spell.person_key, spell.state, spell.spell_id, spell.from_on, spell.to_on
),
broken as (
  select covered.person_key, covered.state, covered.from_on, covered.to_on, covered.days
  from covered
  where covered.days is distinct from days_between(covered.from_on, covered.to_on) + 1
)
select * from broken
