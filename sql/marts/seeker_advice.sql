/*---
description:
  ko: 열린 구직신청마다 본인이 바꿀 수 있는 조건과 그때의 확률, 상담 문구. 파일이 불완전해 확률이 없으면 줄도 없다.
  en: >-
    for each open registration what lies within the person's power (training, a licence, place, occupation, contract,
    pay), the probability learned from those registered on such terms, and the text for the conversation. Associations
    among those registered, not what a change would cause. Whoever has no score has no row
grain: [seeker_no, alternative]
materialized: table
owner: learning
legal_basis: 직업안정법 제9조 · 국민 평생 직업능력 개발법 제6조
meta:
  clear: "a difference of at least two percentage points either way; below that the text names no figure"
expects:
  models.employment_success:
    seeker_no: string
    registered_on: date
    purpose: string
    probability: float
    model_version: string
  models.employment_success_alternative:
    seeker_no: string
    registered_on: date
    alternative: string
    probability: float
    model_version: string
columns:
  seeker_no: {tests: [not_null]}
  person_key: {tags: [pseudonym]}
  probability: {description: "as the registration is", tests: [{range: {min: 0, max: 1}}]}
  other_probability: {description: on the other terms, tests: [{range: {min: 0, max: 1}}]}
  points: {description: "percentage points by which the other terms lie above", tests: [{range: {min: -100, max: 100}}]}
  place: {description: "1 has the largest difference upwards; of equals the first by name", tests: [{range: {min: 1}}]}
  is_higher: {description: "clearly higher: at least two points"}
  text_ko: {description: what the person is told}
  text_en: {description: the same in English}
---*/
with score as (
  select * from {{ table('models.employment_success') }}
),
alternative_score as (
  select * from {{ table('models.employment_success_alternative') }}
),
alternative as (
  select * from {{ ref('employment_what_if') }}
),
scored as (
  select
    alternative.seeker_no,
    alternative.person_key,
    alternative.registered_on,
    alternative.alternative,
    alternative.kind,
    alternative.title_ko,
    alternative.title_en,
    score.probability,
    alternative_score.probability as other_probability,
    (alternative_score.probability - score.probability) * 100.0 as points,
    score.model_version
  from alternative
  inner join score
    on score.seeker_no = alternative.seeker_no
    and score.registered_on = alternative.registered_on
  -- both by one version: between two the difference would be that of the versions
  inner join alternative_score
    on alternative_score.seeker_no = alternative.seeker_no
    and alternative_score.registered_on = alternative.registered_on
    and alternative_score.alternative = alternative.alternative
    and alternative_score.model_version = score.model_version
  where score.purpose = 'current'
    and score.probability is not null
    and alternative_score.probability is not null
    and alternative.kind <> 'none'
),
seeker_advice as (
  select
    -- ids and dates
    scored.seeker_no,
    scored.person_key,
    scored.registered_on,
    scored.alternative,
    scored.kind,
    scored.title_ko,
    scored.title_en,
    -- the chances
    scored.probability,
    scored.other_probability,
    round(scored.points, 1) as points,
    row_number() over (partition by scored.seeker_no order by scored.points desc, scored.alternative) as place,
    round(scored.points, 1) >= 2.0 as is_higher,
    -- for the conversation
    '지금 조건에서 여섯 달 안에 취업할 확률은 ' || {{ percent('scored.probability') }} || '%입니다. '
      || case when abs(round(scored.points, 1)) >= 2.0
              then scored.title_ko || ': 이런 조건으로 등록한 사람들에게서 배운 확률은 ' || {{ percent('scored.other_probability') }} || '%입니다.'
              else scored.title_ko || ': 뚜렷이 다른 확률은 보이지 않습니다.' end
      || ' 등록한 사람들 사이에서 보이는 관련일 뿐, 조건을 바꾸면 그렇게 된다는 뜻은 아닙니다.' as text_ko,
    'As registered, the chance of an insured job within six months is ' || {{ percent('scored.probability') }} || ' %. '
      || case when abs(round(scored.points, 1)) >= 2.0
              then 'With ' || scored.title_en || ', the chance learned from those registered so is ' || {{ percent('scored.other_probability') }} || ' %.'
              else 'With ' || scored.title_en || ', no clearly different chance is seen.' end
      || ' This is an association among those registered, not what a change would cause.' as text_en,
    scored.model_version
  from scored
)
select * from seeker_advice
