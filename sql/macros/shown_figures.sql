{#- Figures in sentences: a share in whole percent, an amount with separated thousands; null stays null. -#}
{% macro percent(share) -%}
cast(cast(round({{ share }} * 100.0) as int) as varchar)
{%- endmacro %}
{% macro won(amount) -%}
reverse(regexp_replace(regexp_replace(reverse(cast({{ amount }} as varchar)), '([0-9][0-9][0-9])', '\1,', 'g'), ',$', ''))
{%- endmacro %}
