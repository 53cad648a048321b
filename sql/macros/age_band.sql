{#- The age bands of seeds/age_band.csv as an expression; a check compares the two. -#}
{% macro age_band(age) -%}
case when {{ age }} < 15 then '0-14'
            when {{ age }} < 30 then '15-29'
            when {{ age }} < 40 then '30-39'
            when {{ age }} < 50 then '40-49'
            when {{ age }} < 60 then '50-59'
            when {{ age }} < 65 then '60-64'
            else '65+' end
{%- endmacro %}
