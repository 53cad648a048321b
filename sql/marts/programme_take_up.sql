/*---
description:
  ko: 월·프로그램·시도·연령대·성별 대상자와 참여자, 참여율
  en: >-
    take-up of programmes by month, province, age and sex: those who met the conditions on the day they registered or
    lost their job, and how many of them took part within the programme's months
grain: [month, programme, sido, age_band, sex]
materialized: table
owner: programmes
legal_basis: 고용정책 기본법 제11조 · 제15조의4
tests:
  - {expression: "participated <= observed and observed <= eligible"}
columns:
  programme: {tests: [{relationships: {to: programme_rule, field: programme}}]}
  eligible: {description: "events that met every condition of the policy in force on the day, as far as it is known", tests: [{range: {min: 0}}]}
  observed: {description: "of those, events whose months for taking part have all been delivered", tests: [{range: {min: 0}}]}
  participated: {description: of the observed ones those that took part in time, tests: [{range: {min: 0}}]}
  take_up_rate: {description: "participated / observed; null while nothing has been observed", tests: [{range: {min: 0, max: 1}}]}
---*/
with programme_event as (
  select * from {{ ref('programme_event') }}
),
event_standing as (
  select * from {{ ref('event_standing') }}
),
rule as (
  select * from {{ seed('programme_rule') }}
),
policy_row as (
  select * from {{ ref('policy_programme') }}
),
participation_row as (
  select * from {{ ref('programme_participation') }}
),
training as (
  select * from {{ ref('training') }}
),
claim as (
  select * from {{ ref('claim') }}
),
delivered as (
  select * from {{ source('wn_programme') }}
),
delivered_training as (
  select * from {{ source('hrd_enrolment') }}
),
delivered_claim as (
  select * from {{ source('ei_benefit_claim') }}
),
until_programme as (
  select {{ delivered_until('delivered') }} as until from delivered
),
until_training as (
  select {{ delivered_until('delivered_training') }} as until from delivered_training
),
until_claim as (
  select {{ delivered_until('delivered_claim') }} as until from delivered_claim
),
event as (
  select
    programme_event.event_id,
    programme_event.base,
    programme_event.sido,
    programme_event.month,
    event_standing.*
  from programme_event
  inner join event_standing
    on event_standing.person_key = programme_event.person_key
    and event_standing.on_day = programme_event.on_day
),
-- the versions of a policy follow one another; the next one's first day ends it
version as (
  select
    policy_row.*,
    lead(policy_row.valid_from) over (partition by policy_row.policy_no order by policy_row.valid_from) as next_from
  from policy_row
),
offered as (
  select
    rule.programme,
    rule.base,
    rule.window_months,
    case rule.programme
      when 'training_card' then until_training.until
      when 'job_seeking_benefit' then until_claim.until
      else until_programme.until end as until,
    rule.policy_no as wanted_policy_no,
    version.*
  from rule
  cross join until_programme
  cross join until_training
  cross join until_claim
  left join version
    on version.policy_no = rule.policy_no
),
eligible as (
  select
    event.event_id,
    event.person_key,
    event.month,
    event.sido,
    event.sex,
    {{ age_band('event.age') }} as age_band,
    event.on_day,
    add_months(event.on_day, offered.window_months) as last_day,
    offered.programme,
    coalesce(add_months(event.on_day, offered.window_months) <= offered.until, false) as observed
  from offered
  inner join event
    on event.base = offered.base
    and (offered.wanted_policy_no is null
      or event.on_day >= offered.valid_from and (offered.next_from is null or event.on_day < offered.next_from))
    and (offered.monthly_income_to is null or event.income_known)
    and {{ meets('offered', 'event', 'event.headcount') }}
),
participation as (
  select programme, person_key, from_on from participation_row
  union all
  select 'training_card' as programme, person_key, from_on from training
  union all
  select 'job_seeking_benefit' as programme, person_key, applied_on as from_on from claim
),
taken as (
  select eligible.event_id, eligible.programme
  from eligible
  inner join participation
    on participation.person_key = eligible.person_key
    and participation.programme = eligible.programme
  where participation.from_on >= eligible.on_day
    and participation.from_on <= eligible.last_day
  group by eligible.event_id, eligible.programme
),
total as (
  select
    eligible.month,
    eligible.programme,
    eligible.sido,
    eligible.age_band,
    eligible.sex,
    count(*) as eligible,
    count(*) filter (where eligible.observed) as observed,
    count(*) filter (where eligible.observed and taken.event_id is not null) as participated
  from eligible
  left join taken
    on taken.event_id = eligible.event_id
    and taken.programme = eligible.programme
  group by eligible.month, eligible.programme, eligible.sido, eligible.age_band, eligible.sex
),
programme_take_up as (
  select
    -- ids
    total.month,
    total.programme,
    total.sido,
    total.age_band,
    total.sex,
    -- persons
    total.eligible,
    total.observed,
    total.participated,
    case when total.observed > 0
         then cast(total.participated as double) / cast(total.observed as double) end as take_up_rate
  from total
)
select * from programme_take_up
