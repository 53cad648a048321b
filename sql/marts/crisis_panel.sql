/*---
description:
  ko: 위기 전후 취약집단의 상실과 신청. 지난해 같은 주와 견주고, 그 밖의 사람들과 다시 견준다.
  en: >-
    losses and claims of vulnerable groups in the weeks of a crisis and in the same weeks a year before, beside everybody
    else: a before/after panel in which the season is out
grain: [panel_group, measure]
materialized: table
owner: labour_market
legal_basis: 고용정책 기본법 제6조 · 제32조
meta:
  period: "13 whole weeks from the variable crisis_from (a day in the first week); without one the last 13 weeks delivered. Before is the same 13 weeks 364 days earlier"
  method: >-
    rates per 1,000 persons insured on the day before each period; the ratio after to before with its 95 % interval on the
    log scale (Rothman, Greenland and Lash, Modern Epidemiology, ch. 14), and the ratio of that to the ratio of all other
    insured persons (a difference in differences on the log scale)
columns:
  panel_group: {description: "groups overlap: a person may be in several", tests: [{accepted_values: [young, older, women, short_contract, part_time, short_tenure]}]}
  measure: {tests: [{accepted_values: [losses, claims]}]}
  insured_before: {tests: [{range: {min: 0}}]}
  insured_after: {tests: [{range: {min: 0}}]}
  events_before: {tests: [{range: {min: 0}}]}
  events_after: {tests: [{range: {min: 0}}]}
  rate_ratio: {description: "null with fewer than 5 events in either period"}
  relative_ratio: {description: "the group's ratio over that of all others; above 1 the group was hit harder"}
  verdict: {tests: [{accepted_values: [too_few, above, below, as_expected]}]}
---*/
with week as (
  select * from {{ ref('labour_market_weekly') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
),
claim as (
  select * from {{ ref('claim') }}
),
span as (
  select max(week.week_to) as last_on from week
),
chosen as (
  select
    case when '{{ var('crisis_from', 'last') }}' = 'last' then add_days(span.last_on, -90)
      else {{ week_start("try_cast('" ~ var('crisis_from', '1900-01-01') ~ "' as date)") }} end as after_from
  from span
),
period as (
  select 'after' as period, chosen.after_from as from_on, add_days(chosen.after_from, 90) as to_on from chosen
  union all
  select 'before' as period, add_days(chosen.after_from, -364) as from_on, add_days(chosen.after_from, -274) as to_on from chosen
),
exposed as (
  select
    period.period,
    period.from_on,
    period.to_on,
    spell.person_key,
    spell.workplace_no,
    spell.insured_to,
    spell.lost_on,
    age_at(spell.birth_date, period.from_on) < 30 as young,
    age_at(spell.birth_date, period.from_on) >= 60 as older,
    spell.sex = 'f' as women,
    spell.contract_kind = 'fixed_term' as short_contract,
    spell.weekly_hours < 30 as part_time,
    days_between(spell.acquired_on, period.from_on) < 365 as short_tenure
  from period
  inner join spell
    on spell.insured_from < period.from_on
  where spell.insured_to is null
    or spell.insured_to >= add_days(period.from_on, -1)
),
-- everything below works on what the groups can tell apart
profile as (
  select
    exposed.period,
    exposed.young,
    exposed.older,
    exposed.women,
    exposed.short_contract,
    exposed.part_time,
    exposed.short_tenure,
    count(*) as insured,
    count(*) filter (where exposed.lost_on between exposed.from_on and exposed.to_on) as losses,
    cast(0 as bigint) as claims
  from exposed
  group by exposed.period, exposed.young, exposed.older, exposed.women, exposed.short_contract, exposed.part_time, exposed.short_tenure
  union all
  select
    exposed.period,
    exposed.young,
    exposed.older,
    exposed.women,
    exposed.short_contract,
    exposed.part_time,
    exposed.short_tenure,
    cast(0 as bigint) as insured,
    cast(0 as bigint) as losses,
    count(*) as claims
  from exposed
  inner join claim
    on claim.person_key = exposed.person_key
    and claim.workplace_no = exposed.workplace_no
    and claim.separated_on = exposed.insured_to
  where claim.applied_on between exposed.from_on and exposed.to_on
  group by exposed.period, exposed.young, exposed.older, exposed.women, exposed.short_contract, exposed.part_time, exposed.short_tenure
),
placed as (
  {% for group in ['young', 'older', 'women', 'short_contract', 'part_time', 'short_tenure'] -%}
  {%- for measure in ['losses', 'claims'] -%}
  select '{{ group }}' as panel_group, '{{ measure }}' as measure, profile.{{ group }} as is_in, profile.period, profile.insured, profile.{{ measure }} as events from profile
  {% if not loop.last %}union all
  {% endif %}
  {%- endfor %}
  {%- if not loop.last %}union all
  {% endif %}
  {%- endfor %}
),
part as (
  select
    placed.panel_group,
    placed.measure,
    case when placed.is_in then 'group' else 'others' end || '_' || placed.period as part,
    cast(sum(placed.insured) as bigint) as insured,
    cast(sum(placed.events) as bigint) as events
  from placed
  group by placed.panel_group, placed.measure, case when placed.is_in then 'group' else 'others' end || '_' || placed.period
),
subject as (
  select distinct panel_group, measure from part
),
counted as (
  select
    subject.panel_group,
    subject.measure,
    {% for part, column in [('group_before', 'insured_before'), ('group_after', 'insured_after'), ('others_before', 'others_before'), ('others_after', 'others_after')] %}
    coalesce({{ part }}.insured, 0) as {{ column }},
    {% endfor %}
    {% for part, column in [('group_before', 'events_before'), ('group_after', 'events_after'), ('others_before', 'other_events_before'), ('others_after', 'other_events_after')] %}
    coalesce({{ part }}.events, 0) as {{ column }}{% if not loop.last %},{% endif %}
    {% endfor %}
  from subject
  {% for part in ['group_before', 'group_after', 'others_before', 'others_after'] %}
  left join part as {{ part }}
    on {{ part }}.panel_group = subject.panel_group
    and {{ part }}.measure = subject.measure
    and {{ part }}.part = '{{ part }}'
  {% endfor %}
),
rated as (
  select
    counted.*,
    least(events_before, events_after, other_events_before, other_events_after) >= 5 as is_enough,
    cast(events_before as double) / nullif(cast(insured_before as double), 0.0) as rate_before,
    cast(events_after as double) / nullif(cast(insured_after as double), 0.0) as rate_after,
    cast(other_events_before as double) / nullif(cast(others_before as double), 0.0) as other_rate_before,
    cast(other_events_after as double) / nullif(cast(others_after as double), 0.0) as other_rate_after
  from counted
),
compared as (
  select
    rated.*,
    case when is_enough then ln(rate_after / rate_before) end as log_ratio,
    case when is_enough then sqrt(1.0 / cast(events_before as double) + 1.0 / cast(events_after as double)) end as log_error,
    case when is_enough then ln(rate_after / rate_before) - ln(other_rate_after / other_rate_before) end as log_relative,
    case when is_enough then sqrt(1.0 / cast(events_before as double) + 1.0 / cast(events_after as double) + 1.0 / cast(other_events_before as double) + 1.0 / cast(other_events_after as double)) end as relative_error
  from rated
),
crisis_panel as (
  select
    -- ids
    compared.panel_group,
    compared.measure,
    chosen.after_from as crisis_from,
    add_days(chosen.after_from, 90) as crisis_to,
    -- counts
    compared.insured_before,
    compared.events_before,
    compared.insured_after,
    compared.events_after,
    -- rates
    1000.0 * compared.rate_before as per_1000_before,
    1000.0 * compared.rate_after as per_1000_after,
    exp(compared.log_ratio) as rate_ratio,
    exp(compared.log_ratio - 1.96 * compared.log_error) as rate_ratio_low,
    exp(compared.log_ratio + 1.96 * compared.log_error) as rate_ratio_high,
    exp(compared.log_relative) as relative_ratio,
    exp(compared.log_relative - 1.96 * compared.relative_error) as relative_low,
    exp(compared.log_relative + 1.96 * compared.relative_error) as relative_high,
    case
      when not compared.is_enough then 'too_few'
      when compared.log_relative - 1.96 * compared.relative_error > 0.0 then 'above'
      when compared.log_relative + 1.96 * compared.relative_error < 0.0 then 'below'
      else 'as_expected' end as verdict
  from compared
  cross join chosen
)
select * from crisis_panel
