{#- When a delivery is due: the days its contract allows after the end of its period; a due day on a Saturday, Sunday
    or public holiday moves to the next working day (민법 제161조). -#}

{#- First day of a period written as 2024, 2024-H1, 2024-Q1, 2024-08 or 2024-08-31. -#}
{% macro period_from(period) -%}
case
      when character_length(cast({{ period }} as varchar)) = 10 then try_cast({{ period }} as date)
      when cast({{ period }} as varchar) like '____-H1' then try_cast(substr(cast({{ period }} as varchar), 1, 4) || '-01-01' as date)
      when cast({{ period }} as varchar) like '____-H2' then try_cast(substr(cast({{ period }} as varchar), 1, 4) || '-07-01' as date)
      when cast({{ period }} as varchar) like '____-Q1' then try_cast(substr(cast({{ period }} as varchar), 1, 4) || '-01-01' as date)
      when cast({{ period }} as varchar) like '____-Q2' then try_cast(substr(cast({{ period }} as varchar), 1, 4) || '-04-01' as date)
      when cast({{ period }} as varchar) like '____-Q3' then try_cast(substr(cast({{ period }} as varchar), 1, 4) || '-07-01' as date)
      when cast({{ period }} as varchar) like '____-Q4' then try_cast(substr(cast({{ period }} as varchar), 1, 4) || '-10-01' as date)
      when character_length(cast({{ period }} as varchar)) = 7 then try_cast(cast({{ period }} as varchar) || '-01' as date)
      when character_length(cast({{ period }} as varchar)) = 4 then try_cast(cast({{ period }} as varchar) || '-01-01' as date)
      end
{%- endmacro %}

{#- First day of the period that follows. -#}
{% macro next_period_from(day, cadence) -%}
case {{ cadence }}
      when 'daily' then add_days({{ day }}, 1)
      when 'weekly' then add_days({{ day }}, 7)
      when 'quarterly' then add_months(month_start({{ day }}), 3)
      when 'half_yearly' then add_months(month_start({{ day }}), 6)
      when 'yearly' then add_months(month_start({{ day }}), 12)
      else add_months(month_start({{ day }}), 1) end
{%- endmacro %}

{#- The first working day from each `due_by` of a relation on, as `due_by`, `due_on`. -#}
{% macro working_days(relation) -%}
  select due.due_by, min(add_days(due.due_by, shift.days)) as due_on
  from (select distinct {{ relation }}.due_by from {{ relation }} where {{ relation }}.due_by is not null) as due
  cross join (
    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13)
  ) as shift (days)
  left join {{ seed('holiday') }} as holiday
    on holiday.day = add_days(due.due_by, shift.days)
  where holiday.day is null
    and days_between(date '1970-01-05', add_days(due.due_by, shift.days)) % 7 < 5
  group by due.due_by
{%- endmacro %}
