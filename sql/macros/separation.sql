{#- What the records of employers say of the separations behind claims, as it was known on a day. `observed` is a
    relation of claim_no, entered_on, observed_on, person_key, workplace_no and separated_on; a claim may stand in it
    with several days. Every read is bounded by that day. -#}

{#- The employment a claim ended, once its loss was reported. -#}
{% macro ended_employment(observed) -%}
  select
    {{ observed }}.claim_no,
    {{ observed }}.entered_on,
    {{ observed }}.observed_on,
    {{ observed }}.person_key,
    {{ observed }}.workplace_no,
    {{ observed }}.separated_on,
    max(insured_spell.acquired_on) as acquired_on,
    max(insured_spell.lost_reported_on) as lost_reported_on
  from {{ observed }}
  inner join {{ ref('insured_spell') }} as insured_spell
    on insured_spell.person_key = {{ observed }}.person_key
    and insured_spell.workplace_no = {{ observed }}.workplace_no
  where insured_spell.acquired_reported_on <= {{ observed }}.observed_on
    and insured_spell.lost_reported_on <= {{ observed }}.observed_on
    and insured_spell.insured_to = {{ observed }}.separated_on
  group by {{ observed }}.claim_no, {{ observed }}.entered_on, {{ observed }}.observed_on, {{ observed }}.person_key, {{ observed }}.workplace_no, {{ observed }}.separated_on
{%- endmacro %}

{#- Claims whose loss was reported with several reasons, without a correction that had a document. -#}
{% macro undocumented_change(observed) -%}
  select reported.claim_no, reported.entered_on
  from (
    select {{ observed }}.claim_no, {{ observed }}.entered_on
    from {{ observed }}
    inner join {{ source('ei_insured_spell') }} as report
      on report.person_key = {{ observed }}.person_key
      and report.workplace_no = {{ observed }}.workplace_no
    where report.acquired_reported_on <= {{ observed }}.observed_on
      and report.lost_reported_on <= {{ observed }}.observed_on
      and report.lost_on = add_days({{ observed }}.separated_on, 1)
    group by {{ observed }}.claim_no, {{ observed }}.entered_on
    having count(distinct report.loss_reason) > 1
  ) as reported
  left join (
    select distinct {{ observed }}.claim_no, {{ observed }}.entered_on
    from {{ observed }}
    inner join {{ source('ei_correction') }} as correction
      on correction.person_key = {{ observed }}.person_key
      and correction.workplace_no = {{ observed }}.workplace_no
    where correction.filed_on <= {{ observed }}.observed_on
      and correction.document <> 'none'
  ) as documented
    on documented.claim_no = reported.claim_no
    and documented.entered_on = reported.entered_on
  where documented.claim_no is null
{%- endmacro %}

{#- Claims that followed a loss reported three months late, as rule F08 asks for them. -#}
{% macro late_claim() -%}
  select claim.claim_no, claim.person_key, claim.workplace_no, claim.separated_on, claim.applied_on
  from {{ ref('claim') }} as claim
  inner join {{ ref('insured_spell') }} as insured_spell
    on insured_spell.person_key = claim.person_key
    and insured_spell.workplace_no = claim.workplace_no
  where claim.applied_on <= date '{{ var('as_of') }}'
    and insured_spell.acquired_reported_on <= date '{{ var('as_of') }}'
    and insured_spell.lost_reported_on <= date '{{ var('as_of') }}'
    and insured_spell.insured_to = claim.separated_on
    and insured_spell.lost_reported_on >= add_months(claim.separated_on, 3)
    and insured_spell.lost_reported_on <= claim.applied_on
    and claim.applied_on <= add_days(insured_spell.lost_reported_on, 60)
{%- endmacro %}

{#- Claims after a seasonal closure that the centre had been told of. -#}
{% macro told_season() -%}
  select distinct claim.claim_no
  from {{ ref('claim') }} as claim
  inner join {{ ref('centre_closure') }} as closure
    on closure.workplace_no = claim.workplace_no
  where claim.applied_on <= date '{{ var('as_of') }}'
    and closure.filed_on <= claim.separated_on
    and claim.separated_on <= claim.applied_on
    and closure.closes_on between claim.separated_on and add_days(claim.separated_on, 14)
{%- endmacro %}

{#- Leavers hired back by the workplace while they could be paid; `leavers` has payable_until as well. -#}
{% macro hired_back(leavers) -%}
  select distinct {{ leavers }}.claim_no, {{ leavers }}.entered_on, {{ leavers }}.person_key
  from {{ leavers }}
  inner join {{ ref('insured_spell') }} as insured_spell
    on insured_spell.person_key = {{ leavers }}.person_key
    and insured_spell.workplace_no = {{ leavers }}.workplace_no
  where insured_spell.acquired_reported_on <= {{ leavers }}.observed_on
    and insured_spell.acquired_on > {{ leavers }}.separated_on
    and insured_spell.acquired_on <= {{ leavers }}.payable_until
    and not (insured_spell.cancelled and insured_spell.lost_reported_on <= {{ leavers }}.observed_on)
{%- endmacro %}

{#- The state of each workplace of a relation as its deliveries had told it by the day. -#}
{% macro workplace_as_known(observed) -%}
  select
    newest.workplace_no,
    newest.observed_on,
    delivered.biz_no,
    delivered.ksic,
    delivered.ksic_version,
    delivered.sigungu,
    delivered.established_on,
    delivered.closed_on,
    delivered.headcount
  from (
    select day.workplace_no, day.observed_on, max({{ row_version('stated') }}) as version
    from (select distinct {{ observed }}.workplace_no, {{ observed }}.observed_on from {{ observed }}) as day
    inner join {{ source('ei_workplace') }} as stated
      on stated.workplace_no = day.workplace_no
    where stated._known_on <= day.observed_on
    group by day.workplace_no, day.observed_on
  ) as newest
  inner join {{ source('ei_workplace') }} as delivered
    on delivered.workplace_no = newest.workplace_no
    and {{ row_version('delivered') }} = newest.version
  where delivered._known_on <= newest.observed_on
{%- endmacro %}

{#- Steps of a `with` that end in `unpaid`: by claim and day the insured months of the last two years, and those of
    them without a wage statement of the employer although statements of their month had been delivered. Over the
    steps `ended` (ended_employment), `known_workplace` (workplace_as_known) and `income` (wages of income_month). -#}
{% macro unpaid_steps() -%}
statement_month as (
  select income.month, min(income.known_on) as known_on
  from income
  where income.known_on <= date '{{ var('as_of') }}'
  group by income.month
),
covered as (
  select observation.observed_on, min(statement_month.month) as first_month, max(statement_month.month) as last_month
  from (select distinct ended.observed_on from ended) as observation
  inner join statement_month
    on statement_month.known_on <= observation.observed_on
  group by observation.observed_on
),
employment as (
  select
    ended.claim_no,
    ended.entered_on,
    ended.observed_on,
    ended.person_key,
    known_workplace.biz_no,
    greatest(month_start(ended.acquired_on), covered.first_month, add_months(month_start(ended.separated_on), -23)) as from_month,
    least(month_start(ended.separated_on), covered.last_month) as to_month
  from ended
  inner join covered
    on covered.observed_on = ended.observed_on
  inner join known_workplace
    on known_workplace.workplace_no = ended.workplace_no
    and known_workplace.observed_on = ended.observed_on
  where known_workplace.biz_no is not null
),
stated as (
  select employment.claim_no, employment.entered_on, count(distinct income.month) as months
  from employment
  inner join income
    on income.person_key = employment.person_key
    and income.payer_biz_no = employment.biz_no
  where income.known_on <= employment.observed_on
    and income.month >= employment.from_month
    and income.month <= employment.to_month
  group by employment.claim_no, employment.entered_on
),
unpaid as (
  select
    employment.claim_no,
    employment.entered_on,
    greatest(0, months_between(employment.from_month, employment.to_month) + 1) as insured_months,
    greatest(0, months_between(employment.from_month, employment.to_month) + 1 - coalesce(stated.months, 0)) as months
  from employment
  left join stated
    on stated.claim_no = employment.claim_no
    and stated.entered_on = employment.entered_on
)
{%- endmacro %}
