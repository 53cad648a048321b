{#- Won of a round at risk for some of its days: the daily benefit for each, never more than was paid. -#}
{% macro amount_at_risk(days) -%}
cast(least(
      certification.amount_won,
      coalesce(certification.benefit_daily_won, certification.amount_won) * {{ days }}
    ) as decimal(18, 0))
{%- endmacro %}
