/*---
description:
  ko: >-
    고용센터가 오늘 먼저 도울 구직자 목록. 집중 상담, 훈련, 빠른 알선을 센터의 여력만큼만 담고, 확률이 없는 사람은 따로 모두 담아
    상담원이 먼저 본다.
  en: >-
    the seekers whom a centre helps first: open registrations in one list each, ranked within centre and list and cut at
    the centre's capacity. Whoever has no score stands in the list no_score, whole and never ranked by chance: a
    counsellor looks there first
grain: [seeker_no]
materialized: table
owner: learning
legal_basis: 직업안정법 제9조 · 국민 평생 직업능력 개발법 제6조
meta:
  who: "registrations that are open and after which no insured job is reported; of a person the newest"
  intensive_counselling: "whom the threshold of the artefact selects, lowest probability first"
  training: "of the others below one half, those for whom training or a licence goes with at least two points more, largest difference first; an association"
  quick_placement: "whoever finds work more likely than not, and the rest, highest probability first"
  centre: "that of a claim of the past year, else that of the district wished (seed centre_district)"
  decides: "an order of offers of help; no payment and no sanction"
expects:
  models.employment_success:
    seeker_no: string
    registered_on: date
    purpose: string
    probability: float
    threshold: float
    selected: boolean
    model_version: string
tests:
  - {unique: [person_key]}
  - {unique: [centre, list, place]}
  - {expression: "places is null or place <= places"}
  - {expression: "(list = 'no_score') = (probability is null)"}
columns:
  centre: {description: "0000 where neither a claim nor the district names one", tests: [not_null]}
  list: {tests: [not_null, {accepted_values: [no_score, intensive_counselling, training, quick_placement]}]}
  place: {description: "within centre and list, 1 comes first; of equals the lower seeker number", tests: [not_null]}
  places: {description: "capacity of the centre on this list (seed intervention_capacity); null of no_score and where the centre declared none: these are not cut"}
  seeker_no: {tests: [not_null]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  probability: {description: of an insured job within six months, tests: [{range: {min: 0, max: 1}}]}
  threshold: {description: of the version that serves}
  training_points: {description: "percentage points that go with training or a licence, where at least two"}
  no_score_because: {tests: [{accepted_values: [no_model, longer_than_six_months, incomplete_file]}]}
  why_ko: {description: why the person stands on this list}
  why_en: {description: the same in English}
---*/
with seeker as (
  select * from {{ ref('seeker') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
claim as (
  select * from {{ ref('claim') }}
),
score as (
  select * from {{ table('models.employment_success') }}
),
advice as (
  select * from {{ ref('seeker_advice') }}
),
centre_district as (
  select * from {{ seed('centre_district') }}
),
capacity as (
  select * from {{ seed('intervention_capacity') }}
),
found as (
  select distinct seeker.seeker_no
  from seeker
  inner join insured_spell
    on insured_spell.person_key = seeker.person_key
  where insured_spell.acquired_on > seeker.registered_on
    and insured_spell.acquired_reported_on <= date '{{ var('as_of') }}'
    and not insured_spell.cancelled
),
claiming as (
  select
    claim.person_key,
    claim.centre,
    row_number() over (partition by claim.person_key order by claim.applied_on desc, claim.claim_no desc) as place
  from claim
  where claim.applied_on <= date '{{ var('as_of') }}'
    and claim.applied_on > add_months(date '{{ var('as_of') }}', -12)
    and claim.centre is not null
),
current as (
  select score.* from score where score.purpose = 'current' and score.probability is not null
),
served as (
  select count(*) as scores from current
),
newest as (
  select
    seeker.seeker_no,
    seeker.person_key,
    seeker.registered_on,
    coalesce(claiming.centre, centre_district.centre, '0000') as centre,
    row_number() over (partition by seeker.person_key order by seeker.registered_on desc, seeker.seeker_no desc) as place
  from seeker
  left join found
    on found.seeker_no = seeker.seeker_no
  left join claiming
    on claiming.person_key = seeker.person_key
    and claiming.place = 1
  left join centre_district
    on centre_district.sigungu = seeker.wished_sigungu
  where seeker.registered_on <= date '{{ var('as_of') }}'
    and not coalesce(seeker.closed_on <= date '{{ var('as_of') }}', false)
    and found.seeker_no is null
),
training as (
  select
    advice.seeker_no,
    advice.title_ko,
    advice.title_en,
    advice.points,
    row_number() over (partition by advice.seeker_no order by advice.place) as place
  from advice
  where advice.kind = 'training'
    and advice.is_higher
),
segmented as (
  select
    newest.seeker_no,
    newest.person_key,
    newest.registered_on,
    newest.centre,
    current.probability,
    current.threshold,
    training.points as training_points,
    training.title_ko as training_ko,
    training.title_en as training_en,
    current.model_version,
    case
      when current.seeker_no is null then 'no_score'
      when current.selected then 'intensive_counselling'
      when current.probability >= 0.5 then 'quick_placement'
      when training.seeker_no is not null then 'training'
      else 'quick_placement' end as list,
    case
      when current.seeker_no is not null then cast(null as varchar)
      when served.scores = 0 then 'no_model'
      when add_days(newest.registered_on, 180) < date '{{ var('as_of') }}' then 'longer_than_six_months'
      else 'incomplete_file' end as no_score_because
  from newest
  cross join served
  left join current
    on current.seeker_no = newest.seeker_no
    and current.registered_on = newest.registered_on
  left join training
    on training.seeker_no = newest.seeker_no
    and training.place = 1
  where newest.place = 1
),
ranked as (
  select
    segmented.*,
    row_number() over (
      partition by segmented.centre, segmented.list
      order by
        case segmented.list
          when 'intensive_counselling' then segmented.probability
          when 'training' then -segmented.training_points
          when 'quick_placement' then -segmented.probability end,
        -- without a score, who has waited longest comes first
        case when segmented.list = 'no_score' then segmented.registered_on end,
        segmented.seeker_no) as place
  from segmented
),
intervention_list as (
  select
    -- the list
    ranked.centre,
    ranked.list,
    ranked.place,
    capacity.places,
    -- ids and dates
    ranked.seeker_no,
    ranked.person_key,
    ranked.registered_on,
    -- the chance
    ranked.probability,
    ranked.threshold,
    ranked.training_points,
    ranked.no_score_because,
    -- why
    case
      when ranked.no_score_because = 'no_model' then '지금 쓰이는 모형이 없어 확률이 없습니다. 상담원이 먼저 봅니다.'
      when ranked.no_score_because = 'longer_than_six_months' then '등록한 지 여섯 달이 넘어 모형이 확률을 말하지 않습니다. 상담원이 먼저 봅니다.'
      when ranked.no_score_because = 'incomplete_file' then '파일이 불완전해 확률이 없습니다. 확률이 낮다는 뜻이 아니며, 상담원이 먼저 봅니다.'
      when ranked.list = 'intensive_counselling' then '여섯 달 안에 취업할 확률이 ' || {{ percent('ranked.probability') }}
        || '%로 기준 ' || {{ percent('ranked.threshold') }} || '% 이하여서 집중 상담을 먼저 권합니다.'
      when ranked.list = 'training' then '여섯 달 안에 취업할 확률은 ' || {{ percent('ranked.probability') }} || '%입니다. '
        || ranked.training_ko || ': 이런 사람들의 확률이 ' || cast(ranked.training_points as varchar)
        || '%포인트 높았습니다. 관련일 뿐 훈련의 효과는 아닙니다.'
      else '여섯 달 안에 취업할 확률이 ' || {{ percent('ranked.probability') }} || '%입니다. 알맞은 구인을 바로 알선합니다.' end as why_ko,
    case
      when ranked.no_score_because = 'no_model' then 'No model serves, so there is no probability. A counsellor looks first.'
      when ranked.no_score_because = 'longer_than_six_months' then 'Registered for more than six months, of which the model says nothing. A counsellor looks first.'
      when ranked.no_score_because = 'incomplete_file' then 'The file is incomplete, so there is no probability. This does not mean a low one; a counsellor looks first.'
      when ranked.list = 'intensive_counselling' then 'The chance of an insured job within six months is ' || {{ percent('ranked.probability') }}
        || ' %, not above the threshold of ' || {{ percent('ranked.threshold') }} || ' %: intensive counselling is offered first.'
      when ranked.list = 'training' then 'The chance of an insured job within six months is ' || {{ percent('ranked.probability') }} || ' %. With '
        || ranked.training_en || ' it was ' || cast(ranked.training_points as varchar)
        || ' points higher among those registered: an association, not an effect of training.'
      else 'The chance of an insured job within six months is ' || {{ percent('ranked.probability') }} || ' %: offers of work can go out at once.' end as why_en,
    ranked.model_version
  from ranked
  left join capacity
    on capacity.centre = ranked.centre
    and capacity.list = ranked.list
  where capacity.places is null
    or ranked.place <= capacity.places
)
select * from intervention_list
