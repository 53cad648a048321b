with spell as (
  select * from "core"."biography_spell"
),
-- what ends on one day and goes on under the same number on the next cuts nothing; daily work is reported by month
event as (
  select
    spell.person_key,
    spell.state,
    spell.spell_id,
    case when side.change = 1 then spell.from_on else add_days(spell.to_on, 1) end as edge_on,
    side.change
  from spell
  cross join (values (1), (-1)) as side (change)
  where side.change = 1 or spell.to_on < date '9999-12-31'
),
lasting as (
  select event.person_key, event.edge_on
  from event
  group by event.person_key, event.state, event.spell_id, event.edge_on
  having sum(event.change) <> 0 or event.state = 'daily'
),
edge as (
  select distinct person_key, edge_on from lasting
),
segment as (
  select
    edge.person_key,
    edge.edge_on as from_on,
    coalesce(
      add_days(lead(edge.edge_on) over (partition by edge.person_key order by edge.edge_on), -1),
      date '9999-12-31'
    ) as to_on
  from edge
),
-- a day labourer has hundreds of segments and of days in a row; both lie within a month, and meet by month
searched as (
  select
    segment.person_key,
    segment.from_on,
    segment.to_on,
    case when kind.is_daily = 1 then month_start(segment.from_on) else date '1900-01-01' end as bucket
  from segment
  cross join (values (0), (1)) as kind (is_daily)
),
placed as (
  select
    spell.*,
    case when spell.state = 'daily' then month_start(spell.from_on) else date '1900-01-01' end as bucket
  from spell
),
-- every spell that touches a segment lies on all of it, alone or together with its continuation
described as (
  select
    searched.person_key,
    searched.from_on,
    searched.to_on,
    count(*) as spells,
    min(placed.precedence) filter (where placed.state = 'insured') as insured_first,
    max(placed.precedence) filter (where placed.state = 'insured') as insured_last,
    min(placed.spell_id) filter (where placed.state = 'contractor') as contractor_no,
    max(placed.spell_id) filter (where placed.state = 'contractor') as contractor_last,
    min(placed.spell_id) filter (where placed.state = 'daily') as daily_no,
    max(placed.spell_id) filter (where placed.state = 'daily') as daily_last,
    min(placed.spell_id) filter (where placed.state = 'taxed_wage') as wage_payer,
    max(placed.spell_id) filter (where placed.state = 'taxed_wage') as wage_payer_last,
    min(placed.spell_id) filter (where placed.state = 'taxed_business') as business_payer,
    max(placed.spell_id) filter (where placed.state = 'taxed_business') as business_payer_last,
    min(placed.spell_id) filter (where placed.state = 'benefit') as claim_no,
    max(placed.spell_id) filter (where placed.state = 'benefit') as claim_last,
    min(placed.spell_id) filter (where placed.state = 'training') as course_no,
    max(placed.spell_id) filter (where placed.state = 'training') as course_last,
    min(placed.spell_id) filter (where placed.state = 'job_search') as seeker_no,
    max(placed.spell_id) filter (where placed.state = 'job_search') as seeker_last,
    max(placed.known_on) as known_on
  from searched
  inner join placed
    on placed.person_key = searched.person_key
    and placed.bucket = searched.bucket
    and placed.from_on <= searched.to_on
    and placed.to_on >= searched.from_on
  group by searched.person_key, searched.from_on, searched.to_on
),
