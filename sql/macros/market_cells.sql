{#- Openings and seekers of each month by occupation group, and by group and province, with the last day on which any of
    them became known: opening_cell, seeker_cell, opening_major, seeker_major. `vacancy` is a relation of vacancies; reads
    the relation seeker. -#}
{% macro market_cells(vacancy) -%}
opening_cell as (
  select {{ vacancy }}.month, {{ vacancy }}.major, {{ vacancy }}.sido, sum({{ vacancy }}.openings) as openings, max({{ vacancy }}.opened_on) as known_on
  from {{ vacancy }}
  where {{ vacancy }}.opened_on <= date '{{ var('as_of') }}'
  group by {{ vacancy }}.month, {{ vacancy }}.major, {{ vacancy }}.sido
),
seeker_cell as (
  select
    seeker.month,
    seeker.wished_major as major,
    seeker.wished_sido as sido,
    count(*) as seekers,
    max(seeker.registered_on) as known_on
  from seeker
  where seeker.registered_on <= date '{{ var('as_of') }}'
  group by seeker.month, seeker.wished_major, seeker.wished_sido
),
opening_major as (
  select
    opening_cell.month,
    opening_cell.major,
    sum(opening_cell.openings) as openings,
    max(opening_cell.known_on) as known_on
  from opening_cell
  group by opening_cell.month, opening_cell.major
),
seeker_major as (
  select
    seeker_cell.month,
    seeker_cell.major,
    sum(seeker_cell.seekers) as seekers,
    max(seeker_cell.known_on) as known_on
  from seeker_cell
  group by seeker_cell.month, seeker_cell.major
)
{%- endmacro %}
