{#- The day an outcome of `day` is known, for success and failure alike: an insured job is due to be reported by the
    15th of the next month (고용보험법 시행령 제7조), a filling comes with its month, and both are delivered before the
    month after ends. -#}
{% macro outcome_known_on(day) -%}
month_end(add_months(month_start({{ day }}), 1))
{%- endmacro %}

{#- A label: `outcome`, or null while it cannot be known what happened until the day `until`, and for ever where the
    row began before the first delivered month, because of those only the ones came that were still open. Reads the
    relation covered (first_month, until). -#}
{% macro known_outcome(outcome, began_on, until) -%}
case
      when {{ outcome_known_on(until) }} > date '{{ var('as_of') }}' then cast(null as boolean)
      when {{ until }} > covered.until then cast(null as boolean)
      when {{ began_on }} < covered.first_month then cast(null as boolean)
      else {{ outcome }} end
{%- endmacro %}

{#- The relations that labels of job search are made from: seeker, covered, and first_find, the first regular insured
    spell acquired within 180 days of each registration. -#}
{% macro search_outcome() -%}
seeker as (
  select * from {{ ref('seeker') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
registered as (
  select * from {{ source('wn_seeker') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
covered as (
  select registered.first_month, delivered.until
  from (select min(registered._period) as first_month from registered) as registered
  -- reports that arrive until the 15th stand in the delivery of the month before
  cross join (select {{ delivered_until('delivered') }} as until from delivered) as delivered
),
first_find as (
  select seeker.seeker_no, min(insured_spell.acquired_on) as found_on
  from seeker
  inner join insured_spell
    on insured_spell.person_key = seeker.person_key
  where not insured_spell.cancelled
    and insured_spell.acquired_on > seeker.registered_on
    and insured_spell.acquired_on <= add_days(seeker.registered_on, 180)
  group by seeker.seeker_no
)
{%- endmacro %}
