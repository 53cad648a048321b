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
  select spell.lost_on as day, spell.sido, spell.loss_reason, count(*) as spells
  from spell
  where not spell.cancelled
    and spell.lost_on is not null
  group by spell.lost_on, spell.sido, spell.loss_reason
),
opening as (
  select vacancy.opened_on as day, vacancy.sido, count(*) as vacancies, sum(vacancy.openings) as openings
  from vacancy
  group by vacancy.opened_on, vacancy.sido
),
ending as (
  select
    least(coalesce(vacancy.filled_on, add_days(vacancy.closes_on, 1)), add_days(vacancy.closes_on, 1)) as day,
    vacancy.sido,
    count(*) as vacancies,
    sum(vacancy.openings) as openings
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
measure as (
  select 'insured_in' as name, true as stock, day, sido, cast(pieces as decimal(28, 0)) as value from piece_from
  union all
  select 'insured_out' as name, true as stock, day, sido, cast(pieces as decimal(28, 0)) as value from piece_to
  union all
  select 'acquired' as name, false as stock, day, sido, cast(spells as decimal(28, 0)) as value from acquisition
  union all
  select 'lost' as name, false as stock, day, sido, cast(spells as decimal(28, 0)) as value from loss
  union all
  select 'lost_involuntary' as name, false as stock, loss.day, loss.sido, cast(loss.spells as decimal(28, 0)) as value
  from loss
  inner join reason
    on reason.loss_reason = loss.loss_reason
  where reason.entitling = 'yes'
  union all
  select 'seekers_in' as name, true as stock, registered_on as day, wished_sido as sido, cast(count(*) as decimal(28, 0)) as value
  from seeker
  group by registered_on, wished_sido
  union all
  select 'seekers_out' as name, true as stock, closed_on as day, wished_sido as sido, cast(count(*) as decimal(28, 0)) as value
  from seeker
  where closed_on is not null
  group by closed_on, wished_sido
  union all
  select 'seekers_new' as name, false as stock, registered_on as day, wished_sido as sido, cast(count(*) as decimal(28, 0)) as value
  from seeker
  group by registered_on, wished_sido
  union all
  select 'vacancies_in' as name, true as stock, day, sido, cast(vacancies as decimal(28, 0)) as value from opening
  union all
  select 'vacancies_out' as name, true as stock, day, sido, cast(vacancies as decimal(28, 0)) as value from ending
  union all
  select 'openings_in' as name, true as stock, day, sido, cast(openings as decimal(28, 0)) as value from opening
  union all
  select 'openings_out' as name, true as stock, day, sido, cast(openings as decimal(28, 0)) as value from ending
  union all
  select 'vacancies_new' as name, false as stock, day, sido, cast(vacancies as decimal(28, 0)) as value from opening
  union all
  select 'openings_new' as name, false as stock, day, sido, cast(openings as decimal(28, 0)) as value from opening
  union all
  select 'hires' as name, false as stock, day, sido, cast(hires as decimal(28, 0)) as value from hire
  union all
  select 'claims_new' as name, false as stock, applied_on as day, sido, cast(count(*) as decimal(28, 0)) as value
  from claim
  group by applied_on, sido
),
placed as (
  select
    measure.name,
    greatest(measure.day, first_day.day) as day,
    coalesce(measure.sido, '00') as sido,
    measure.value
  from measure
  cross join first_day
  where measure.stock
    or measure.day >= first_day.day
),
labour_market_daily as (
  select
    -- ids
    placed.day,
    placed.sido,
    -- insurance
    cast(coalesce(sum(placed.value) filter (where placed.name = 'insured_in'), 0) as bigint) as insured_in,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'insured_out'), 0) as bigint) as insured_out,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'acquired'), 0) as bigint) as acquired,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'lost'), 0) as bigint) as lost,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'lost_involuntary'), 0) as bigint) as lost_involuntary,
    -- search
    cast(coalesce(sum(placed.value) filter (where placed.name = 'seekers_in'), 0) as bigint) as seekers_in,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'seekers_out'), 0) as bigint) as seekers_out,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'seekers_new'), 0) as bigint) as seekers_new,
    -- vacancies
    cast(coalesce(sum(placed.value) filter (where placed.name = 'vacancies_in'), 0) as bigint) as vacancies_in,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'vacancies_out'), 0) as bigint) as vacancies_out,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'openings_in'), 0) as bigint) as openings_in,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'openings_out'), 0) as bigint) as openings_out,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'vacancies_new'), 0) as bigint) as vacancies_new,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'openings_new'), 0) as bigint) as openings_new,
    cast(coalesce(sum(placed.value) filter (where placed.name = 'hires'), 0) as bigint) as hires,
    -- benefit
    cast(coalesce(sum(placed.value) filter (where placed.name = 'claims_new'), 0) as bigint) as claims_new
  from placed
  group by placed.day, placed.sido
)
select * from labour_market_daily
