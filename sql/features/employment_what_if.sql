/*---
description:
  ko: 열린 구직신청의 조건이 하나씩 달랐다면의 특성. 훈련, 자격증, 희망 지역, 희망 직종, 희망 고용형태, 희망 임금. 그대로인 경우도 있다.
  en: >-
    features of open registrations with one thing different that lies within the person's power: a course of training,
    one more licence, the neighbouring province or the neighbouring occupation with most openings per seeker, the
    occupation last worked in, another contract, a lower wish of pay; and the registration as it is. Everything else is
    as in features.employment_success
grain: [seeker_no, alternative]
materialized: table
owner: learning
legal_basis: 직업안정법 제9조 · 고용보험법 제15조 · 제42조 · 제43조 · 국민 평생 직업능력 개발법 제6조
sort_by: [seeker_no]
meta:
  one_at_a_time: "nobody is told to change everything at once, and all terms crossed would be a hundred rows a person"
  training_near: "offered only where a course began in the wished province within the past year"
  pay: "never below the minimum wage of a full month; not of part-timers, whose hours are not known"
columns:
  seeker_no: {tests: [not_null]}
  alternative:
    description: what is different; as_it_is when nothing is
    tests: [not_null, {accepted_values: [as_it_is, training, licence, place, near_occupation, last_occupation, contract, pay_5, pay_10]}]
  kind: {tests: [{accepted_values: [none, training, place, occupation, contract, pay]}]}
---*/
with feature as (
  select * from {{ ref('employment_success') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
course as (
  select * from {{ ref('training_course') }}
),
occupation as (
  select * from {{ seed('keco_minor') }}
),
sido as (
  select * from {{ seed('sido') }}
),
sido_neighbour as (
  select * from {{ seed('sido_neighbour') }}
),
minimum_wage as (
  select * from {{ seed('minimum_wage') }}
),
term as (
  select * from (values
    ('as_it_is', 'none', 0), ('training', 'training', 0), ('licence', 'training', 0), ('place', 'place', 0),
    ('near_occupation', 'occupation', 0), ('last_occupation', 'occupation', 0), ('contract', 'contract', 0),
    ('pay_5', 'pay', 5), ('pay_10', 'pay', 10)) as terms (alternative, kind, percent)
),
{{ market_cells('vacancy') }},
month_before as (
  select distinct feature.month, add_months(feature.month, -1) as before from feature
),
wish_cell as (
  select month_before.month, occupation.occupation as wished_occupation
  from month_before
  cross join occupation
),
{{ wish_cells('wish_cell') }},
-- of the neighbouring provinces the one with most openings per seeker of the group, of equals the lower number
place_ranked as (
  select
    month_before.month,
    major.major,
    sido_neighbour.sido,
    sido_neighbour.neighbour,
    row_number() over (
      partition by month_before.month, major.major, sido_neighbour.sido
      order by cast(coalesce(opening_cell.openings, 0) as double) / (cast(coalesce(seeker_cell.seekers, 0) as double) + 1.0) desc,
        sido_neighbour.neighbour) as place
  from month_before
  cross join (select distinct occupation.major from occupation) as major
  cross join sido_neighbour
  left join opening_cell
    on opening_cell.month = month_before.before
    and opening_cell.major = major.major
    and opening_cell.sido = sido_neighbour.neighbour
  left join seeker_cell
    on seeker_cell.month = month_before.before
    and seeker_cell.major = major.major
    and seeker_cell.sido = sido_neighbour.neighbour
),
-- openings and seekers of an occupation in the month before
offered as (
  select vacancy.month, vacancy.occupation, sum(vacancy.openings) as openings
  from vacancy
  where vacancy.opened_on <= date '{{ var('as_of') }}'
  group by vacancy.month, vacancy.occupation
),
sought as (
  select seeker.month, seeker.wished_occupation as occupation, count(*) as seekers
  from seeker
  where seeker.registered_on <= date '{{ var('as_of') }}'
  group by seeker.month, seeker.wished_occupation
),
-- two places: where the first is what the person wishes already, the second is the neighbour
occupation_ranked as (
  select
    month_before.month,
    occupation.major,
    occupation.occupation,
    row_number() over (
      partition by month_before.month, occupation.major
      order by cast(offered.openings as double) / (cast(coalesce(sought.seekers, 0) as double) + 1.0) desc,
        occupation.occupation) as place
  from month_before
  cross join occupation
  inner join offered
    on offered.month = month_before.before
    and offered.occupation = occupation.occupation
  left join sought
    on sought.month = month_before.before
    and sought.occupation = occupation.occupation
),
course_near as (
  select course.sido, count(*) as courses
  from course
  where course.known_on <= date '{{ var('as_of') }}'
    and course.counts
    and course.starts_on > add_months(date '{{ var('as_of') }}', -12)
  group by course.sido
),
open_registration as (
  select
    feature.*,
    add_months(feature.month, -1) as month_before,
    seeker.wished_wage_won,
    minimum_wage.hourly_won,
    course_near.courses,
    place_ranked.neighbour as near_sido,
    case when first_choice.occupation = feature.wished_occupation then second_choice.occupation
         else first_choice.occupation end as near_occupation
  from feature
  inner join seeker
    on seeker.seeker_no = feature.seeker_no
  left join minimum_wage
    on minimum_wage.year = cast(date_part('year', date '{{ var('as_of') }}') as int)
  left join course_near
    on course_near.sido = feature.wished_sido
  left join place_ranked
    on place_ranked.month = feature.month
    and place_ranked.major = feature.wished_major
    and place_ranked.sido = feature.wished_sido
    and place_ranked.place = 1
  left join occupation_ranked as first_choice
    on first_choice.month = feature.month
    and first_choice.major = feature.wished_major
    and first_choice.place = 1
  left join occupation_ranked as second_choice
    on second_choice.month = feature.month
    and second_choice.major = feature.wished_major
    and second_choice.place = 2
  where seeker.registered_on <= date '{{ var('as_of') }}'
    and not coalesce(seeker.closed_on <= date '{{ var('as_of') }}', false)
),
other as (
  select
    open_registration.*,
    term.alternative,
    term.kind,
    cast(100 - term.percent as double) / 100.0 as factor,
    term.percent,
    case
      when term.alternative = 'near_occupation' then open_registration.near_occupation
      when term.alternative = 'last_occupation' then open_registration.last_occupation
      else open_registration.wished_occupation end as new_occupation,
    case when term.alternative = 'place' then open_registration.near_sido else open_registration.wished_sido end as new_sido,
    case
      when term.alternative <> 'contract' then open_registration.desired_contract
      when open_registration.desired_contract = 'regular' then 'fixed_term'
      else 'regular' end as new_contract
  from open_registration
  cross join term
  where term.alternative = 'as_it_is'
    or term.alternative = 'training' and not open_registration.in_training and open_registration.courses > 0
    or term.alternative = 'licence' and open_registration.licences_to_four < 4 and open_registration.courses > 0
    or term.alternative = 'place' and open_registration.near_sido is not null
    or term.alternative = 'near_occupation' and open_registration.near_occupation is not null
    or term.alternative = 'last_occupation' and open_registration.last_occupation <> open_registration.wished_occupation
      and coalesce(open_registration.last_occupation <> open_registration.near_occupation, true)
    -- part-time is a matter of the day, not of the search
    or term.alternative = 'contract' and open_registration.desired_contract in ('regular', 'fixed_term')
    or term.kind = 'pay' and open_registration.desired_contract <> 'part_time'
      and cast(open_registration.wished_wage_won as double) * cast(100 - term.percent as double) / 100.0
        >= cast(open_registration.hourly_won as double) * 209.0
),
employment_what_if as (
  select
    -- ids and dates
    other.seeker_no,
    other.person_key,
    other.registered_on,
    other.alternative,
    other.kind,
    case
      when other.alternative = 'training' then '직업훈련 수강'
      when other.alternative = 'licence' then '자격증 하나 더'
      when other.alternative = 'place' then concat('희망 근무지 ', sido.short_ko)
      when other.kind = 'occupation' then concat('희망 직종 ', new_name.name_ko)
      when other.alternative = 'contract' and other.new_contract = 'regular' then '희망 고용형태 상용직'
      when other.alternative = 'contract' then '희망 고용형태 기간제'
      when other.kind = 'pay' then concat('희망 임금 ', other.percent, '% 낮춤')
      else '그대로' end as title_ko,
    case
      when other.alternative = 'training' then 'a course of training'
      when other.alternative = 'licence' then 'one more licence'
      when other.alternative = 'place' then concat('work wished in ', sido.name_en)
      when other.alternative = 'last_occupation' then concat('a wish for the occupation last worked in, ', other.new_occupation)
      when other.alternative = 'near_occupation' then concat('a wish for the neighbouring occupation ', other.new_occupation)
      when other.alternative = 'contract' and other.new_contract = 'regular' then 'a wish for a regular contract'
      when other.alternative = 'contract' then 'a wish for a fixed-term contract'
      when other.kind = 'pay' then concat('a wish of ', other.percent, ' % less pay')
      else 'as it is' end as title_en,
    -- person
    other.age,
    other.years_over_36,
    other.years_under_25,
    other.near_65,
    other.education,
    cast(case when other.alternative = 'licence' then other.licences_to_four + 1 else other.licences_to_four end as int) as licences_to_four,
    other.career_log,
    -- wishes
    other.new_occupation as wished_occupation,
    other.new_sido as wished_sido,
    other.new_contract as desired_contract,
    case when other.wished_wage_won > 0
         then ln(cast(other.wished_wage_won as double) * other.factor / new_wish.won) end as wish_to_market_log,
    other.wish_to_last_log + ln(other.factor) as wish_to_last_log,
    case when new_wish.won > 0 then other.last_to_market_log + ln(old_wish.won) - ln(new_wish.won) end as last_to_market_log,
    coalesce(other.last_occupation = other.new_occupation, false) as same_occupation,
    -- search
    other.registration_gap,
    other.search_score,
    -- work
    other.idle_days,
    other.idle_log,
    other.idle_a_year,
    other.insured_at_registration,
    other.last_loss_reason,
    other.last_contract_kind,
    other.insured_months_12,
    other.daily_work_days_12,
    -- benefit
    other.claim_state,
    other.benefit_ahead,
    other.benefit_days_ahead,
    other.entitled_days_left,
    -- training
    other.in_training or other.alternative = 'training' as in_training,
    -- demand in the month before
    cast(coalesce(opening_cell.openings, 0) as double) / (cast(coalesce(seeker_cell.seekers, 0) as double) + 1.0) as openings_per_seeker,
    cast(coalesce(opening_major.openings, 0) as double) / (cast(coalesce(seeker_major.seekers, 0) as double) + 1.0) as openings_per_seeker_occupation
  from other
  left join occupation as new_name
    on new_name.occupation = other.new_occupation
  left join sido
    on sido.sido = other.new_sido
  left join wish_before as old_wish
    on old_wish.wished_occupation = other.wished_occupation
    and old_wish.month = other.month
  left join wish_before as new_wish
    on new_wish.wished_occupation = other.new_occupation
    and new_wish.month = other.month
  left join opening_cell
    on opening_cell.month = other.month_before
    and opening_cell.major = new_name.major
    and opening_cell.sido = other.new_sido
  left join seeker_cell
    on seeker_cell.month = other.month_before
    and seeker_cell.major = new_name.major
    and seeker_cell.sido = other.new_sido
  left join opening_major
    on opening_major.month = other.month_before
    and opening_major.major = new_name.major
  left join seeker_major
    on seeker_major.month = other.month_before
    and seeker_major.major = new_name.major
)
select * from employment_what_if
