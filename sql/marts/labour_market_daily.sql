/*---
description:
  ko: 일·시도별 노동시장의 드나듦. 월과 주의 표를 이 표에서 더한다.
  en: what entered and left the labour market by day and province; the tables of months and weeks are added up from it
grain: [day, sido]
materialized: table
owner: labour_market
legal_basis: 고용보험법 제15조 · 직업안정법 제8조 · 제9조
meta:
  clamped: what began before the first month delivered counts on its first day, so that running sums give stocks
columns:
  sido: {description: "province of the workplace for insured persons and vacancies, wished province for seekers, province of the centre for claims; 00 is unknown"}
  insured_in: {description: "pieces of insured time that begin on the day; a person-day belongs to one piece", tests: [{range: {min: 0}}]}
  insured_out: {description: pieces whose last insured day was the day before, tests: [{range: {min: 0}}]}
  acquired: {description: reported acquisitions that were not cancelled, tests: [{range: {min: 0}}]}
  lost: {description: reported losses, tests: [{range: {min: 0}}]}
  lost_involuntary: {description: "losses with an entitling reason (seed loss_reason)", tests: [{range: {min: 0}}]}
  seekers_in: {description: registrations that begin to be open, tests: [{range: {min: 0}}]}
  seekers_out: {description: registrations closed on the day, tests: [{range: {min: 0}}]}
  seekers_new: {description: registrations of the day, tests: [{range: {min: 0}}]}
  vacancies_in: {description: vacancies that begin to be open, tests: [{range: {min: 0}}]}
  vacancies_out: {description: vacancies filled on the day or past their last day, tests: [{range: {min: 0}}]}
  vacancies_new: {description: vacancies opened on the day, tests: [{range: {min: 0}}]}
  hires: {tests: [{range: {min: 0}}]}
  claims_new: {description: claims applied for on the day, tests: [{range: {min: 0}}]}
---*/
with delivered as (
  select * from {{ source('ei_insured_spell') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
piece as (
  select * from {{ ref('employment_spell') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
match_event as (
  select * from {{ ref('match_event') }}
),
claim as (
  select * from {{ ref('claim') }}
),
first_day as (
  select min(delivered._period) as day from delivered
),
-- many rows to few, once for each kind of day; what follows is small
piece_from as (
  select piece.from_on as day, piece.sido, count(*) as pieces from piece group by piece.from_on, piece.sido
),
piece_to as (
  select add_days(piece.to_on, 1) as day, piece.sido, count(*) as pieces
  from piece
  where piece.to_on is not null
  group by add_days(piece.to_on, 1), piece.sido
),
acquisition as (
  select spell.acquired_on as day, spell.sido, count(*) as spells
  from spell
  where not spell.cancelled
  group by spell.acquired_on, spell.sido
),
loss as (
  select
    spell.lost_on as day,
    spell.sido,
    count(*) as spells,
    count(reason.loss_reason) as entitling
  from spell
  left join reason
    on reason.loss_reason = spell.loss_reason
    and reason.entitling = 'yes'
  where not spell.cancelled
    and spell.lost_on is not null
  group by spell.lost_on, spell.sido
),
registration as (
  select seeker.registered_on as day, seeker.wished_sido as sido, count(*) as seekers
  from seeker
  group by seeker.registered_on, seeker.wished_sido
),
closing as (
  select seeker.closed_on as day, seeker.wished_sido as sido, count(*) as seekers
  from seeker
  where seeker.closed_on is not null
  group by seeker.closed_on, seeker.wished_sido
),
opening as (
  select vacancy.opened_on as day, vacancy.sido, count(*) as vacancies, cast(sum(vacancy.openings) as bigint) as openings
  from vacancy
  group by vacancy.opened_on, vacancy.sido
),
ending as (
  select
    least(coalesce(vacancy.filled_on, add_days(vacancy.closes_on, 1)), add_days(vacancy.closes_on, 1)) as day,
    vacancy.sido,
    count(*) as vacancies,
    cast(sum(vacancy.openings) as bigint) as openings
  from vacancy
  group by least(coalesce(vacancy.filled_on, add_days(vacancy.closes_on, 1)), add_days(vacancy.closes_on, 1)), vacancy.sido
),
hire as (
  select match_event.occurred_on as day, vacancy.sido, count(*) as hires
  from match_event
  left join vacancy
    on vacancy.vacancy_no = match_event.vacancy_no
  where match_event.kind = 'hire'
  group by match_event.occurred_on, vacancy.sido
),
claimed as (
  select claim.applied_on as day, claim.sido, count(*) as claims
  from claim
  group by claim.applied_on, claim.sido
),
-- one shape for all; `detail` is what else is counted of the same rows
movement as (
  select 'piece_from' as kind, piece_from.day, piece_from.sido, piece_from.pieces as number, 0 as detail from piece_from
  union all
  select 'piece_to' as kind, piece_to.day, piece_to.sido, piece_to.pieces as number, 0 as detail from piece_to
  union all
  select 'acquisition' as kind, acquisition.day, acquisition.sido, acquisition.spells as number, 0 as detail from acquisition
  union all
  select 'loss' as kind, loss.day, loss.sido, loss.spells as number, loss.entitling as detail from loss
  union all
  select 'registration' as kind, registration.day, registration.sido, registration.seekers as number, 0 as detail from registration
  union all
  select 'closing' as kind, closing.day, closing.sido, closing.seekers as number, 0 as detail from closing
  union all
  select 'opening' as kind, opening.day, opening.sido, opening.vacancies as number, opening.openings as detail from opening
  union all
  select 'ending' as kind, ending.day, ending.sido, ending.vacancies as number, ending.openings as detail from ending
  union all
  select 'hire' as kind, hire.day, hire.sido, hire.hires as number, 0 as detail from hire
  union all
  select 'claim' as kind, claimed.day, claimed.sido, claimed.claims as number, 0 as detail from claimed
),
placed as (
  select
    greatest(movement.day, first_day.day) as day,
    coalesce(movement.sido, '00') as sido,
    movement.kind,
    movement.day >= first_day.day as delivered,
    movement.number,
    movement.detail
  from movement
  cross join first_day
),
labour_market_daily as (
  select
    -- ids
    placed.day,
    placed.sido,
    -- insurance
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'piece_from'), 0) as bigint) as insured_in,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'piece_to'), 0) as bigint) as insured_out,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'acquisition' and placed.delivered), 0) as bigint) as acquired,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'loss' and placed.delivered), 0) as bigint) as lost,
    cast(coalesce(sum(placed.detail) filter (where placed.kind = 'loss' and placed.delivered), 0) as bigint) as lost_involuntary,
    -- search
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'registration'), 0) as bigint) as seekers_in,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'closing'), 0) as bigint) as seekers_out,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'registration' and placed.delivered), 0) as bigint) as seekers_new,
    -- vacancies
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'opening'), 0) as bigint) as vacancies_in,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'ending'), 0) as bigint) as vacancies_out,
    cast(coalesce(sum(placed.detail) filter (where placed.kind = 'opening'), 0) as bigint) as openings_in,
    cast(coalesce(sum(placed.detail) filter (where placed.kind = 'ending'), 0) as bigint) as openings_out,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'opening' and placed.delivered), 0) as bigint) as vacancies_new,
    cast(coalesce(sum(placed.detail) filter (where placed.kind = 'opening' and placed.delivered), 0) as bigint) as openings_new,
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'hire' and placed.delivered), 0) as bigint) as hires,
    -- benefit
    cast(coalesce(sum(placed.number) filter (where placed.kind = 'claim' and placed.delivered), 0) as bigint) as claims_new
  from placed
  group by placed.day, placed.sido
)
select * from labour_market_daily
