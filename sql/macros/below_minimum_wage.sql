{#- Whether an offer lies below the minimum wage of an hour (최저임금법 제6조): a full-time month has 209 hours, a day 8. -#}
{% macro below_minimum_wage(contract_kind, wage_kind, wage, monthly_wage, hourly_won) -%}
coalesce(
      {{ contract_kind }} <> 'part_time' and {{ monthly_wage }} < {{ hourly_won }} * 209
      or {{ wage_kind }} = 'hour' and {{ wage }} < {{ hourly_won }}
      or {{ wage_kind }} = 'day' and {{ contract_kind }} <> 'part_time' and {{ wage }} < {{ hourly_won }} * 8,
      false)
{%- endmacro %}
