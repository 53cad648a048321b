{#- Vacancies opened by as_of that state a pay, with its logarithm; what is summed of it is decimal, so that the order of
    rows cannot matter. -#}
{% macro priced_vacancy(vacancy) -%}
  select
    {{ vacancy }}.*,
    ln(cast({{ vacancy }}.monthly_wage_won as double)) as pay_log,
    cast(ln(cast({{ vacancy }}.monthly_wage_won as double)) as decimal(18, 9)) as exact_pay_log
  from {{ vacancy }}
  where {{ vacancy }}.opened_on <= date '{{ var('as_of') }}'
    and {{ vacancy }}.monthly_wage_won > 0
{%- endmacro %}
