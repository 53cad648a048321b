{#- Raking (iterative proportional fitting, Deming & Stephan 1940): multiplies the persons of each cell so that they
    add up to a target, margin after margin, for a fixed number of rounds. `cells` has `replicate`, the columns of
    `margins` and `keep`, and `persons`; `target` has `replicate`, `margin`, `member`, `persons`. A member without a
    target stays as it is. Writes CTEs <name>_1 … and <name>, each read once, so that the plan does not double with every step. -#}
{% macro rake(name, cells, target, margins, keep, rounds) -%}
{%- set ns = namespace(before=cells, step=0) -%}
{%- for round in range(rounds) -%}
{%- for margin in margins -%}
{%- set ns.step = ns.step + 1 -%}
{{ name }}_{{ ns.step }} as (
  select
    share.replicate,
    {% for column in margins + keep %}share.{{ column }},
    {% endfor %}cast(cast(share.persons as double)
      * coalesce(cast(target.persons as double) / nullif(cast(share.total as double), 0.0), 1.0) as decimal(28, 8)) as persons
  from (
    select
      {{ ns.before }}.*,
      sum({{ ns.before }}.persons) over (partition by {{ ns.before }}.replicate, {{ ns.before }}.{{ margin }}) as total
    from {{ ns.before }}
  ) as share
  left join {{ target }} as target
    on target.replicate = share.replicate
    and target.margin = '{{ margin }}'
    and target.member = share.{{ margin }}
),
{% set ns.before = name ~ '_' ~ ns.step -%}
{%- endfor -%}
{%- endfor -%}
{{ name }} as (
  select * from {{ ns.before }}
)
{%- endmacro %}

{#- Three age groups, for margins that a survey can carry. -#}
{% macro age_third(age_band) -%}
case when {{ age_band }} in ('0-14', '15-29', '30-39') then 'young'
            when {{ age_band }} in ('40-49', '50-59') then 'middle'
            else 'old' end
{%- endmacro %}

{#- Three size classes of workplaces; unknown ones count as small, since the large ones are all registered. -#}
{% macro size_third(size_class) -%}
case when {{ size_class }} in ('30-99', '100-299', '300+') then '30+'
            when {{ size_class }} = '10-29' then '10-29'
            else '1-9' end
{%- endmacro %}

{#- A setting of seeds/blind_spot_setting. -#}
{% macro blind_spot_setting(setting) -%}
(select setting.value from {{ seed('blind_spot_setting') }} as setting where setting.setting = '{{ setting }}')
{%- endmacro %}

{# What the survey can carry: kinds of work, and within them members of a margin, with enough respondents. Over the
   relations margin and setting of the model. #}
{% macro kept_by_survey() -%}
kept_kind as (
  select margin.work_kind
  from margin
  cross join setting
  where margin.replicate = 0
    and margin.margin = 'size'
  group by margin.work_kind
  having sum(margin.respondents) >= max(setting.least_respondents)
),
kept as (
  select margin.margin, margin.work_kind, margin.member
  from margin
  cross join setting
  inner join kept_kind
    on kept_kind.work_kind = margin.work_kind
  where margin.replicate = 0
    and margin.respondents >= setting.least_respondents
)
{%- endmacro %}
