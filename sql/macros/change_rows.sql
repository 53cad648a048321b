{#- The order of change rows that carry the same key, as one 62-bit number: the day the row became known, then the
    delivered period, the revision and the row number. A row released from quarantine is known from the day of its
    release and stands where its delivery stands: its flag names that day. The first days of two months are at least 28 days apart, so
    dividing by 28 keeps periods apart. The latest row is found by max() and an equality join, which costs a quarter
    of a window over millions of small partitions. -#}
{% macro row_version(alias) -%}
(cast(arrow_cast(case when {{ alias }}._flags like 'released:%'
        then coalesce(try_cast(substr({{ alias }}._flags, 10, 10) as date), {{ alias }}._known_on)
        else {{ alias }}._known_on end, 'Int32') as bigint) * 140737488355328
      + cast(arrow_cast({{ alias }}._period, 'Int32') / 28 as bigint) * 68719476736
      + cast(substr(split_part({{ alias }}._delivery_id, '/', 3), 2) as bigint) * 1073741824
      + {{ alias }}._row_number)
{%- endmacro %}

{#- The latest version of each key: the row that stands after all corrections. The keys come first, because the first
    side of a join is held in memory and theirs is the narrower. -#}
{% macro latest_version(table, key) -%}
  select {{ table }}.*
  from (
    select {% for column in key %}{{ table }}.{{ column }}, {% endfor %}max({{ row_version(table) }}) as version
    from {{ table }}
    group by {% for column in key %}{{ table }}.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}
  ) as newest
  inner join {{ table }}
    on {% for column in key %}newest.{{ column }} = {{ table }}.{{ column }}
    and {% endfor %}newest.version = {{ row_version(table) }}
{%- endmacro %}
