{#- The lower end of Wilson's 95 % interval of a share (Wilson 1927), null without trials. -#}
{% macro wilson_lower(successes, trials) -%}
{{ _wilson(successes, trials, '-') }}
{%- endmacro %}

{#- The upper end. -#}
{% macro wilson_upper(successes, trials) -%}
{{ _wilson(successes, trials, '+') }}
{%- endmacro %}

{% macro _wilson(successes, trials, sign) -%}
((cast({{ successes }} as double) + 1.9207294103)
  {{ sign }} 1.9599639845 * sqrt(cast({{ successes }} as double)
    * (cast({{ trials }} as double) - cast({{ successes }} as double)) / nullif(cast({{ trials }} as double), 0.0) + 0.9603647052))
  / nullif(cast({{ trials }} as double) + 3.8414588207, 3.8414588207)
{%- endmacro %}
