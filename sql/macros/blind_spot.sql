{#- Ends of the 95 % interval of a blind-spot estimate: Student's quantile for the replicates (Cornish & Fisher 1938),
    and beside it what missed and mistaken links can have moved between the insured and the uninsured. -#}
{% macro blind_spot_interval(estimate, link, replicates) -%}
(1.96 + 2.3725 / (cast({{ replicates }} as double) - 1.0)) * sqrt(cast({{ estimate }}.variance as double))
      + cast({{ estimate }}.insured_alike as double) * coalesce(cast({{ link }}.missed as double) + cast({{ link }}.mistaken as double), 0.0)
{%- endmacro %}
