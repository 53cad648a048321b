{#- Whether a fraud was decided within 180 days after an observation, by a decision that stands. -#}

{#- Steps of a `with` that end in `dated`. Over `observation` (`key`, entered_on, observed_on), `decision` (`key`,
    entered_on, decided_on, known_on, stands: a row for each observation it concerns) and `delivered`, the source
    ei_sanction. -#}
{% macro decided_steps(key) -%}
covered as (
  select min(delivered._period) as first_month, {{ delivered_until('delivered') }} as until from delivered
),
decided as (
  select
    observation.{{ key }},
    observation.entered_on,
    min(decision.known_on) filter (where decision.decided_on <= observation.observed_on) as known_before_on,
    count(*) filter (
      where decision.stands
        and decision.decided_on > observation.observed_on
        and decision.decided_on <= add_days(observation.observed_on, 180)) as decisions
  from observation
  inner join decision
    on decision.{{ key }} = observation.{{ key }}
    and decision.entered_on = observation.entered_on
  where decision.known_on <= date '{{ var('as_of') }}'
  group by observation.{{ key }}, observation.entered_on
),
dated as (
  select
    observation.*,
    month_end(add_months(month_start(add_days(observation.observed_on, 180)), 1)) as answered_on,
    decided.known_before_on,
    coalesce(decided.decisions, 0) > 0 as is_decided
  from observation
  left join decided
    on decided.{{ key }} = observation.{{ key }}
    and decided.entered_on = observation.entered_on
)
{%- endmacro %}

{#- Over `dated` and `covered`; `never` is true of rows that teach nothing. -#}
{% macro decided_label(never='false') -%}
case
      when dated.known_before_on is not null then cast(null as boolean)
      when {{ never }} then cast(null as boolean)
      when dated.answered_on > date '{{ var('as_of') }}' then cast(null as boolean)
      when covered.until is null or add_days(dated.observed_on, 180) > covered.until then cast(null as boolean)
      when dated.observed_on < covered.first_month then cast(null as boolean)
      else dated.is_decided end as label,
    least(dated.answered_on, coalesce(dated.known_before_on, dated.answered_on)) as label_known_on
{%- endmacro %}
