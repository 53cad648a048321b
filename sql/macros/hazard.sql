{#- Probability that what is waited for has happened by the end of a stretch, from hazards of the stretches up to it:
    1 - prod(1 - hazard), the discrete-time survival function of Singer and Willett 1993. `stretch` is unique within
    `entity`. -#}
{% macro chance_by_end(hazard, entity, stretch) -%}
1.0 - exp(sum(ln(1.0 - least({{ hazard }}, 0.999999))) over (
      partition by {{ entity }} order by {{ stretch }}
      rows between unbounded preceding and current row))
{%- endmacro %}

{#- The first day, counted from 1 within a stretch of `days`, on which a share of what waited at the beginning is
    reached, when the daily hazard is even within the stretch; null where the stretch does not reach it. `before` and
    `by_end` are the probabilities before the stretch and by its end. -#}
{% macro day_of_share(share, before, by_end, days) -%}
case
      when {{ before }} < {{ share }} and {{ by_end }} >= {{ share }}
        then least({{ days }}, greatest(1, cast(ceil(cast({{ days }} as double)
          * ln((1.0 - {{ share }}) / (1.0 - {{ before }})) / ln((1.0 - {{ by_end }}) / (1.0 - {{ before }}))) as int))) end
{%- endmacro %}
