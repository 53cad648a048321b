{#- Daily benefit for an average daily wage: the rate of it, not below the floor for the contractual hours of a day and
    not above the ceiling (고용보험법 제45조 · 제46조). `minimum` and `ceiling` are aliases of the seeds. -#}
{% macro benefit_daily_won(base_daily_won, weekly_hours, minimum, ceiling) -%}
least(
      greatest(
        floor(cast({{ base_daily_won }} as double) * cast({{ ceiling }}.replacement_rate as double)),
        floor(cast({{ minimum }}.hourly_won as double) * cast({{ ceiling }}.floor_rate as double)
          * least(greatest(floor((cast(coalesce({{ weekly_hours }}, 40) as double) + 4.0) / 5.0), 1.0), cast({{ ceiling }}.floor_hours as double)))),
      cast({{ ceiling }}.ceiling_daily_won as double))
{%- endmacro %}
