/*---
description:
  ko: 참여율을 재는 사건. 구직등록과 수급 사유의 이직.
  en: the events whose take-up is measured, registrations of seekers and losses of insurance for an entitling reason
grain: [event_id]
materialized: table
owner: programmes
legal_basis: 고용정책 기본법 제11조 · 고용보험법 제40조
sort_by: [person_key, on_day, event_id]
columns:
  person_key: {tags: [pseudonym]}
  base: {tests: [{accepted_values: [registration, loss]}]}
  on_day: {description: "day of registration, or the first day without insurance"}
  sido: {description: "province the seeker wishes for, or of the workplace left; 00 is unknown"}
---*/
with seeker as (
  select * from {{ ref('seeker') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
first_month as (
  select min(delivered._period) as month from delivered
),
-- several jobs may end on one day: one event
loss as (
  select spell.person_key, spell.lost_on as on_day, max(coalesce(spell.sido, '00')) as sido
  from spell
  inner join reason
    on reason.loss_reason = spell.loss_reason
  cross join first_month
  where not spell.cancelled
    and reason.entitling = 'yes'
    and spell.lost_on >= first_month.month
    and spell.lost_on <= date '{{ var('as_of') }}'
  group by spell.person_key, spell.lost_on
),
programme_event as (
  select
    concat('R', seeker.seeker_no) as event_id,
    seeker.person_key,
    'registration' as base,
    coalesce(seeker.wished_sido, '00') as sido,
    seeker.registered_on as on_day,
    month_start(seeker.registered_on) as month
  from seeker
  cross join first_month
  where seeker.registered_on >= first_month.month
    and seeker.registered_on <= date '{{ var('as_of') }}'
  union all
  select
    concat('L', cast(loss.person_key as varchar), '-', cast(loss.on_day as varchar)) as event_id,
    loss.person_key,
    'loss' as base,
    loss.sido,
    loss.on_day,
    month_start(loss.on_day) as month
  from loss
)
select * from programme_event
