{#- What the seekers of an occupation wished in the twelve months before a month: wish_of_month, wish_before (wished_occupation,
    month, won, known_on). `cells` is a relation of wished_occupation and month; reads the relation seeker. -#}
{% macro wish_cells(cells) -%}
wish_of_month as (
  select
    seeker.wished_occupation,
    seeker.month,
    avg(cast(seeker.wished_wage_won as double)) as won,
    count(*) as seekers,
    max(seeker.registered_on) as known_on
  from seeker
  where seeker.wished_wage_won > 0
    and seeker.registered_on <= date '{{ var('as_of') }}'
  group by seeker.wished_occupation, seeker.month
),
wish_before as (
  select
    cell.wished_occupation,
    cell.month,
    sum(before.won * before.seekers) / sum(before.seekers) as won,
    max(before.known_on) as known_on
  from (select distinct wished_occupation, month from {{ cells }}) as cell
  inner join wish_of_month as before
    on before.wished_occupation = cell.wished_occupation
  where before.month < cell.month
    and before.month >= add_months(cell.month, -12)
  group by cell.wished_occupation, cell.month
)
{%- endmacro %}
