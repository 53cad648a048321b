{#- The crosswalk between two versions of a classification, as a relation with from_code, to_code and share. A pair
    without a crosswalk has no seed of that name, so the model does not compile. -#}
{% macro crosswalk(from_version, to_version) -%}
{{ seed('crosswalk_' ~ from_version | lower ~ '_' ~ to_version | lower) }}
{%- endmacro %}
