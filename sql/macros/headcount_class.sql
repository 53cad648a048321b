{#- Size classes of the establishment census (사업체노동실태현황). -#}
{% macro headcount_class(headcount) -%}
case when {{ headcount }} is null then null
            when {{ headcount }} < 5 then '1-4'
            when {{ headcount }} < 10 then '5-9'
            when {{ headcount }} < 30 then '10-29'
            when {{ headcount }} < 100 then '30-99'
            when {{ headcount }} < 300 then '100-299'
            else '300+' end
{%- endmacro %}
