/*---
description: {ko: 어느 한 자료에라도 나온 사람, en: every person who appears in a source that carries the resident number}
grain: [person_key]
materialized: table
owner: core
columns:
  person_key: {tags: [pseudonym], tests: [not_null, unique]}
  birth_date: {description: from the resident number}
  sex: {tests: [{accepted_values: [m, f]}]}
  foreigner: {tags: [sensitive], description: from the century digit; never a feature of a model}
  first_known_on: {description: the day the warehouse first knew of the person}
---*/
with sighting as (
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('ei_insured_spell') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('ei_contractor_spell') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('ei_daily_work') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('ei_benefit_claim') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('wn_seeker') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('nts_wage_statement') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('nts_daily_statement') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('nts_business_income') }}
  union all
  select person_key, birth_date, sex, foreigner, _known_on from {{ source('nts_business_registration') }}
),
person as (
  select
    sighting.person_key,
    -- the three come from the number itself, so every sighting agrees; max() only makes the choice explicit
    max(sighting.birth_date) as birth_date,
    max(sighting.sex) as sex,
    bool_or(sighting.foreigner) as foreigner,
    min(sighting._known_on) as first_known_on
  from sighting
  group by sighting.person_key
)
select * from person
