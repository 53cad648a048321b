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
placed as (
  select
    greatest(piece_from.day, first_day.day) as day,
    coalesce(piece_from.sido, '00') as sido,
    piece_from.pieces as insured_in,
    0 as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    0 as claims_new
  from piece_from
  cross join first_day
  union all
  select
    greatest(piece_to.day, first_day.day) as day,
    coalesce(piece_to.sido, '00') as sido,
    0 as insured_in,
    piece_to.pieces as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    0 as claims_new
  from piece_to
  cross join first_day
  union all
  select
    greatest(acquisition.day, first_day.day) as day,
    coalesce(acquisition.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    case when acquisition.day >= first_day.day then acquisition.spells else 0 end as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    0 as claims_new
  from acquisition
  cross join first_day
  union all
  select
    greatest(loss.day, first_day.day) as day,
    coalesce(loss.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    0 as acquired,
    case when loss.day >= first_day.day then loss.spells else 0 end as lost,
    case when loss.day >= first_day.day then loss.entitling else 0 end as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    0 as claims_new
  from loss
  cross join first_day
  union all
  select
    greatest(registration.day, first_day.day) as day,
    coalesce(registration.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    registration.seekers as seekers_in,
    0 as seekers_out,
    case when registration.day >= first_day.day then registration.seekers else 0 end as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    0 as claims_new
  from registration
  cross join first_day
  union all
  select
    greatest(closing.day, first_day.day) as day,
    coalesce(closing.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    closing.seekers as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    0 as claims_new
  from closing
  cross join first_day
  union all
  select
    greatest(opening.day, first_day.day) as day,
    coalesce(opening.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    opening.vacancies as vacancies_in,
    0 as vacancies_out,
    opening.openings as openings_in,
    0 as openings_out,
    case when opening.day >= first_day.day then opening.vacancies else 0 end as vacancies_new,
    case when opening.day >= first_day.day then opening.openings else 0 end as openings_new,
    0 as hires,
    0 as claims_new
  from opening
  cross join first_day
  union all
  select
    greatest(ending.day, first_day.day) as day,
    coalesce(ending.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    ending.vacancies as vacancies_out,
    0 as openings_in,
    ending.openings as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    0 as claims_new
  from ending
  cross join first_day
  union all
  select
    greatest(hire.day, first_day.day) as day,
    coalesce(hire.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    case when hire.day >= first_day.day then hire.hires else 0 end as hires,
    0 as claims_new
  from hire
  cross join first_day
  union all
  select
    greatest(claimed.day, first_day.day) as day,
    coalesce(claimed.sido, '00') as sido,
    0 as insured_in,
    0 as insured_out,
    0 as acquired,
    0 as lost,
    0 as lost_involuntary,
    0 as seekers_in,
    0 as seekers_out,
    0 as seekers_new,
    0 as vacancies_in,
    0 as vacancies_out,
    0 as openings_in,
    0 as openings_out,
    0 as vacancies_new,
    0 as openings_new,
    0 as hires,
    case when claimed.day >= first_day.day then claimed.claims else 0 end as claims_new
  from claimed
  cross join first_day
),
labour_market_daily as (
  select
    -- ids
    placed.day,
    placed.sido,
    -- insurance
    cast(sum(placed.insured_in) as bigint) as insured_in,
    cast(sum(placed.insured_out) as bigint) as insured_out,
    cast(sum(placed.acquired) as bigint) as acquired,
    cast(sum(placed.lost) as bigint) as lost,
    cast(sum(placed.lost_involuntary) as bigint) as lost_involuntary,
    -- search
    cast(sum(placed.seekers_in) as bigint) as seekers_in,
    cast(sum(placed.seekers_out) as bigint) as seekers_out,
    cast(sum(placed.seekers_new) as bigint) as seekers_new,
    -- vacancies
    cast(sum(placed.vacancies_in) as bigint) as vacancies_in,
    cast(sum(placed.vacancies_out) as bigint) as vacancies_out,
    cast(sum(placed.openings_in) as bigint) as openings_in,
    cast(sum(placed.openings_out) as bigint) as openings_out,
    cast(sum(placed.vacancies_new) as bigint) as vacancies_new,
    cast(sum(placed.openings_new) as bigint) as openings_new,
    cast(sum(placed.hires) as bigint) as hires,
    -- benefit
    cast(sum(placed.claims_new) as bigint) as claims_new
  from placed
  group by placed.day, placed.sido
)
select * from labour_market_daily
