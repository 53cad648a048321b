{#- The last day of which it is known who was insured: an acquisition is due to be reported by the 15th of the next
    month (고용보험법 시행령 제7조) and its delivery arrives before that month ends. What lies behind this day is not
    known yet, which is not the same as not insured. `delivered` is the source ei_insured_spell. -#}
{% macro insured_observed_until(delivered) -%}
least(
      month_end(max({{ delivered }}._period)),
      month_end(add_months(month_start(add_days(date '{{ var('as_of') }}', 1)), -2)))
{%- endmacro %}

{#- The last day a source that is delivered by month has told about. -#}
{% macro delivered_until(delivered) -%}
least(month_end(max({{ delivered }}._period)), date '{{ var('as_of') }}')
{%- endmacro %}
