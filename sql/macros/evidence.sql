{#- Won of a round at risk for some of its days: the daily benefit for each, never more than was paid. -#}
{% macro amount_at_risk(days) -%}
cast(least(
      certification.amount_won,
      coalesce(certification.benefit_daily_won, certification.amount_won) * {{ days }}
    ) as decimal(18, 0))
{%- endmacro %}

{#- Whether a link is sure enough to count against somebody: by a number, or by linkage with at least this probability.
    Linkage itself joins from one half on, which serves figures; below the bound a link is shown and joins nobody. -#}
{% macro is_sure_link(probability) -%}
coalesce({{ probability }} >= {{ var('link_probability', '0.95') }}, true)
{%- endmacro %}

{#- What a claim was paid so far: one row per claim with a paid round. `known_on` is that of the first payment: a
    claim is at risk from then on, and later rounds raise the amount without being new evidence. -#}
{% macro paid_claim() -%}
  select
    certification.claim_no,
    certification.person_key,
    min(certification.period_from) as paid_from,
    max(certification.period_to) as paid_to,
    cast(sum(certification.amount_won) as decimal(18, 0)) as amount_won,
    min(certification.known_on) as known_on
  from {{ ref('certification') }} as certification
  where certification.days_paid > 0
  group by certification.claim_no, certification.person_key
{%- endmacro %}

{#- The last day on which a claim can be paid: entitled days after the waiting days, within a year of separation
    (고용보험법 제48조 · 제49조). -#}
{% macro entitled_until(claim) -%}
least(
      add_days({{ claim }}.applied_on, cast(6 + {{ claim }}.entitled_days as int)),
      add_days({{ claim }}.separated_on, 365))
{%- endmacro %}

{#- When a workplace reopens that told its centre of a seasonal closure before those of `leavers` separated, by claim.
    Over the relation closure of the rule. -#}
{% macro told_closure(leavers) -%}
  select leaver.claim_no, min(closure.reopens_on) as reopens_on
  from {{ leavers }} as leaver
  inner join closure
    on closure.workplace_no = leaver.workplace_no
  where closure.closes_on between leaver.separated_on and add_days(leaver.separated_on, 14)
    and closure.filed_on <= leaver.separated_on
  group by leaver.claim_no
{%- endmacro %}

{#- The rows of a rule as the evidence table wants them. `subject` says what a row is about: a certified `round`, a
    whole `claim`, or a `subsidy`. Rules about people give no pivot: the person is the case. `facts` are the columns of
    the rule, beside those that all have, from which it is derived again. -#}
{% macro rule_rows(rule, severity, subject, facts) %}
  select
    {% if subject == 'round' %}'person/' || cast({{ rule }}.person_key as varchar){% else %}{{ rule }}.pivot_key{% endif %} as pivot_key,
    {{ rule }}.person_key,
    {% if subject == 'round' %}cast(null as varchar){% else %}{{ rule }}.workplace_no{% endif %} as workplace_no,
    {{ rule }}.rule_id,
    {{ rule }}.rule_version,
    '{{ severity }}' as severity,
    '{{ subject }}' as subject_kind,
    {% if subject == 'round' %}{{ rule }}.claim_no || '/' || cast({{ rule }}.round as varchar)
    {%- elif subject == 'claim' %}{{ rule }}.claim_no
    {%- else %}{{ rule }}.decision_no{% endif %} as subject_key,
    {% if subject == 'subsidy' %}cast(null as varchar){% else %}{{ rule }}.claim_no{% endif %} as claim_no,
    {% if subject == 'round' %}{{ rule }}.round{% else %}cast(null as int){% endif %} as round,
    {% if subject == 'round' %}{{ rule }}.certified_from{% elif subject == 'claim' %}{{ rule }}.paid_from{% else %}{{ rule }}.subsidised_from{% endif %} as subject_from,
    {% if subject == 'round' %}{{ rule }}.certified_to{% elif subject == 'claim' %}{{ rule }}.paid_to{% else %}{{ rule }}.subsidised_to{% endif %} as subject_to,
    {{ rule }}.evidence_kind,
    {{ rule }}.evidence_key,
    {{ rule }}.evidence_from,
    {{ rule }}.evidence_to,
    {% if rule in ['f01', 'f02', 'f04', 'f09'] %}cast(null as date){% else %}{{ rule }}.fact_on{% endif %} as fact_on,
    {% if subject == 'round' %}{{ rule }}.overlap_days{% else %}cast(null as int){% endif %} as overlap_days,
    {% if subject == 'round' %}cast(null as bigint){% else %}{{ rule }}.group_size{% endif %} as group_size,
    {% if subject == 'round' %}cast(null as bigint){% else %}{{ rule }}.group_matched{% endif %} as group_matched,
    {{ rule }}.amount_at_risk_won,
    {{ rule }}.known_on,
    {{ rule }}.cleared,
    {{ rule }}.cleared_by,
    {{ rule }}.paid_won,
    {% if subject == 'round' %}{{ rule }}.benefit_daily_won{% else %}cast(null as decimal(18, 0)){% endif %} as benefit_daily_won
    {%- for name, kind in [
      ('declared_work', 'boolean'), ('declared_income_won', 'decimal(18, 0)'), ('income_won', 'decimal(18, 0)'),
      ('channel', 'varchar'), ('seen_on', 'date'), ('abroad_until', 'date'), ('claim_paid_from', 'date'),
      ('ended_workplace_no', 'varchar'), ('ended_acquired_on', 'date'), ('ended_on', 'date'),
      ('loss_reason_before', 'varchar'), ('loss_reason', 'varchar'), ('document', 'varchar'),
      ('statements', 'bigint'), ('months_observed', 'bigint'), ('statements_until', 'date'),
      ('expected', 'double'), ('p_value', 'double'), ('tests', 'bigint'),
      ('users', 'bigint'), ('households', 'bigint'), ('staff', 'bigint'), ('group_alike', 'bigint'),
      ('together', 'bigint'), ('together_p_value', 'double'),
      ('window_from', 'date'), ('window_to', 'date'), ('applied_on', 'date'), ('rehired_on', 'date'),
      ('reopens_on', 'date'), ('closed_on', 'date'), ('link_probability', 'double')] %},
    {% if name in facts %}cast({{ rule }}.{{ name }} as {{ kind }}){% else %}cast(null as {{ kind }}){% endif %} as {{ name }}
    {%- endfor %}
  from {{ ref(rule) }} as {{ rule }}
{% endmacro %}
