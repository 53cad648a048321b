{#- The latest row of each key of a small source without periods: the day it became known, then the delivery, then the
    row. -#}
{% macro latest_listed(table, key) -%}
  select listed.*
  from (
    select
      {{ table }}.*,
      row_number() over (
        partition by {% for column in key %}{{ table }}.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}
        order by {{ table }}._known_on desc, {{ table }}._delivery_id desc, {{ table }}._row_number desc
      ) as listing
    from {{ table }}
  ) as listed
  where listed.listing = 1
{%- endmacro %}
