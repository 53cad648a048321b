{#- Ends of the 95 % interval of observed / expected by Byar's approximation to the exact Poisson limits: Breslow and
    Day, Statistical Methods in Cancer Research II (IARC 1987), p. 69. `observed` and `expected` are doubles; null when
    nothing is expected. Placements are not rare, so the interval is wider than an exact binomial one: an agency is not
    called better or worse for chance. -#}
{% macro byar_low(observed, expected) -%}
case
      when {{ expected }} <= 0.0 then cast(null as double)
      when {{ observed }} <= 0.0 then 0.0
      else {{ observed }}
        * (1.0 - 1.0 / (9.0 * {{ observed }}) - 1.96 / (3.0 * sqrt({{ observed }})))
        * (1.0 - 1.0 / (9.0 * {{ observed }}) - 1.96 / (3.0 * sqrt({{ observed }})))
        * (1.0 - 1.0 / (9.0 * {{ observed }}) - 1.96 / (3.0 * sqrt({{ observed }})))
        / {{ expected }} end
{%- endmacro %}

{% macro byar_high(observed, expected) -%}
case
      when {{ expected }} <= 0.0 then cast(null as double)
      else ({{ observed }} + 1.0)
        * (1.0 - 1.0 / (9.0 * ({{ observed }} + 1.0)) + 1.96 / (3.0 * sqrt({{ observed }} + 1.0)))
        * (1.0 - 1.0 / (9.0 * ({{ observed }} + 1.0)) + 1.96 / (3.0 * sqrt({{ observed }} + 1.0)))
        * (1.0 - 1.0 / (9.0 * ({{ observed }} + 1.0)) + 1.96 / (3.0 * sqrt({{ observed }} + 1.0)))
        / {{ expected }} end
{%- endmacro %}

{#- How an interval stands to 1; with fewer than 5 expected nothing is said. -#}
{% macro verdict(low, high, expected) -%}
case
      when {{ expected }} < 5.0 then 'too_few'
      when {{ low }} > 1.0 then 'above'
      when {{ high }} < 1.0 then 'below'
      else 'as_expected' end
{%- endmacro %}
