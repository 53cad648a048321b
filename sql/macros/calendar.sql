{#- The Monday of a day's week (ISO 8601): 1900-01-01 was a Monday. -#}
{% macro week_start(day) -%}
add_days({{ day }}, - (days_between(date '1900-01-01', {{ day }}) % 7))
{%- endmacro %}

{#- Year of the ISO week that begins on a Monday: the year of its Thursday. -#}
{% macro iso_year(monday) -%}
cast(date_part('year', add_days({{ monday }}, 3)) as int)
{%- endmacro %}

{#- Number of the ISO week that begins on a Monday: week 1 holds the year's first Thursday. -#}
{% macro iso_week(monday) -%}
cast(floor((date_part('doy', add_days({{ monday }}, 3)) - 1) / 7.0) as int) + 1
{%- endmacro %}
