/*---
description:
  ko: 직업심리검사 결과. 문항 응답은 합계와 무응답 수로만 남긴다.
  en: "vocational tests taken; of the item responses only their sum and the number left out are kept"
grain: [person_key, test, taken_on]
materialized: table
owner: core
legal_basis: 직업안정법 제14조
columns:
  person_key: {tags: [pseudonym]}
  test: {tests: [{accepted_values: [SRT, OCA, OVT]}]}
  answered: {description: items answered, tests: [{range: {min: 0, max: 40}}]}
  score: {description: "sum of the answers, 1 to 5 each", tags: [sensitive], tests: [{range: {min: 0, max: 200}}]}
---*/
with changes as (
  select * from {{ source('wn_assessment') }}
),
latest as (
  {{ latest_version('changes', ['person_key', 'test', 'taken_on']) }}
),
-- how often a digit stands in the responses is what their length loses without it
counted as (
  select
    latest.*,
    40 - character_length(replace(latest.responses, '0', '')) as zeros,
    40 - character_length(replace(latest.responses, '1', '')) as ones,
    40 - character_length(replace(latest.responses, '2', '')) as twos,
    40 - character_length(replace(latest.responses, '3', '')) as threes,
    40 - character_length(replace(latest.responses, '4', '')) as fours,
    40 - character_length(replace(latest.responses, '5', '')) as fives
  from latest
),
assessment as (
  select
    -- ids
    counted.person_key,
    counted.test,
    -- dates
    counted.taken_on,
    month_start(counted.taken_on) as month,
    counted._known_on as known_on,
    -- result
    counted.minutes,
    cast(40 - counted.zeros as int) as answered,
    cast(counted.ones + 2 * counted.twos + 3 * counted.threes + 4 * counted.fours + 5 * counted.fives as int) as score
  from counted
)
select * from assessment
