{#- Upper tail of the normal distribution: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17, reflected
    below zero. `z` is a double. -#}
{% macro normal_tail(z) -%}
case
      when {{ z }} < 0.0 then 1.0 - {{ _normal_tail('abs(' ~ z ~ ')') }}
      else {{ _normal_tail(z) }} end
{%- endmacro %}

{% macro _normal_tail(z) -%}
(0.3989422804014327 * exp(-({{ z }}) * ({{ z }}) / 2.0)
        * (1.0 / (1.0 + 0.2316419 * ({{ z }}))) * (0.319381530
        + (1.0 / (1.0 + 0.2316419 * ({{ z }}))) * (-0.356563782
        + (1.0 / (1.0 + 0.2316419 * ({{ z }}))) * (1.781477937
        + (1.0 / (1.0 + 0.2316419 * ({{ z }}))) * (-1.821255978
        + (1.0 / (1.0 + 0.2316419 * ({{ z }}))) * 1.330274429)))))
{%- endmacro %}
