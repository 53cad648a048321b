/*---
description:
  ko: 모형의 명단과 다르게 정한 비율. 모형과 달마다 명단에 올린 사람 가운데 상담사가 사유를 남기고 바꾼 비율과 95% 구간을 두고, 2%에 못 미치면 명단을 그대로 따르는 것으로 본다.
  en: >-
    how often counsellors decide against the list of a model, by model and month of the first score: of the rows the list
    selected or a counsellor added, the share whose standing decision goes against the list, with Wilson's interval.
    Rates below 2 % look like rubber-stamping: the list decides, and nobody else
grain: [model, month]
materialized: table
owner: learning
expects:
  models.frozen_score:
    model: string
    entity: string
    entered_on: date
    scored_on: date
    selected: boolean
  models.override:
    sequence: int
    model: string
    entity: string
    entered_on: date
    listed: boolean
    decision: string
tests:
  - {expression: "taken_off + added = overridden and overridden <= decided"}
columns:
  decided: {description: rows that the list selected or a counsellor added, tests: [{range: {min: 1}}]}
  taken_off: {description: rows of the list that a counsellor left out}
  added: {description: rows that a counsellor took up though the list left them out}
  rate: {description: overridden rows over decided ones, tests: [{range: {min: 0, max: 1}}]}
  lower: {description: lower end of the 95 % interval of the rate}
  upper: {description: upper end of the 95 % interval of the rate}
  verdict:
    description: "rubber_stamping: the whole interval lies below 2 %; cannot_test: so few rows that it could not even without any override; not_shown otherwise"
    tests: [{accepted_values: [rubber_stamping, cannot_test, not_shown]}]
  rubber_stamping: {description: the verdict as a flag}
---*/
with scored as (
  select * from {{ table('models.frozen_score') }}
),
decision as (
  select * from {{ table('models.override') }}
),
numbered as (
  select
    decision.*,
    row_number() over (
      partition by decision.model, decision.entity, decision.entered_on order by decision.sequence desc
    ) as place
  from decision
),
-- who goes with the list again does not go against it
standing as (
  select numbered.model, numbered.entity, numbered.entered_on, numbered.decision
  from numbered
  where numbered.place = 1
    and numbered.decision <> 'list'
),
looked_at as (
  select
    scored.model,
    month_start(scored.scored_on) as month,
    coalesce(standing.decision = 'not_selected', false) as is_taken_off,
    coalesce(standing.decision = 'selected', false) as is_added
  from scored
  left join standing
    on standing.model = scored.model
    and standing.entity = scored.entity
    and standing.entered_on = scored.entered_on
  where scored.selected
    or standing.entity is not null
),
counted as (
  select
    looked_at.model,
    looked_at.month,
    count(*) as decided,
    count(*) filter (where looked_at.is_taken_off) as taken_off,
    count(*) filter (where looked_at.is_added) as added,
    count(*) filter (where looked_at.is_taken_off or looked_at.is_added) as overridden
  from looked_at
  group by looked_at.model, looked_at.month
),
bounded as (
  select
    counted.*,
    cast(counted.overridden as double) / cast(counted.decided as double) as rate,
    {{ wilson_lower('counted.overridden', 'counted.decided') }} as lower,
    {{ wilson_upper('counted.overridden', 'counted.decided') }} as upper,
    {{ wilson_upper('0', 'counted.decided') }} as upper_of_none
  from counted
),
override_rate as (
  select
    bounded.model,
    bounded.month,
    -- rows
    bounded.decided,
    bounded.taken_off,
    bounded.added,
    bounded.overridden,
    -- the rate
    bounded.rate,
    bounded.lower,
    bounded.upper,
    case
      when bounded.upper < 0.02 then 'rubber_stamping'
      when bounded.upper_of_none >= 0.02 then 'cannot_test'
      else 'not_shown'
    end as verdict,
    bounded.upper < 0.02 as rubber_stamping
  from bounded
)
select * from override_rate
