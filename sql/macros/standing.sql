{#- What the conditions of support programmes ask about a person on a day. `events` is a relation of person_key, on_day
    and income_month (the month whose income counts), each pair of person and day once; each gives one row. All of it
    is what the registers say: insured days, open registrations, running claims, statements of income. -#}
{% macro standing(events) %}
  select
    event.person_key,
    event.on_day,
    person.sex,
    age_at(person.birth_date, event.on_day) as age,
    coalesce(seeking.registrations, 0) > 0 as is_seeker,
    coalesce(insurance.jobs, 0) > 0 as is_insured,
    coalesce(claiming.claims, 0) > 0 as has_claim,
    coalesce(contract.contracts, 0) > 0 as is_contractor,
    coalesce(owning.businesses, 0) > 0 as is_owner,
    coalesce(insurance.insured_days, 0) as insured_days,
    -- null for somebody who was never insured: longer than any condition asks
    case
      when coalesce(insurance.jobs, 0) + coalesce(contract.contracts, 0) + coalesce(owning.businesses, 0) > 0 then 0
      else months_between(add_days(insurance.last_insured_on, 1), event.on_day) end as jobless_months,
    coalesce(earning.gross_won, cast(0 as decimal(28, 0))) as monthly_income_won,
    insurance.workplace_no
  from {{ events }} as event
  inner join {{ ref('person') }} as person
    on person.person_key = event.person_key
  left join (
    select
      event.person_key,
      event.on_day,
      sum(greatest(0, days_between(
        greatest(piece.from_on, add_days(add_months(event.on_day, -18), 1)),
        least(coalesce(piece.to_on, event.on_day), event.on_day)) + 1)) as insured_days,
      count(*) filter (where piece.to_on is null or piece.to_on >= event.on_day) as jobs,
      max(piece.workplace_no) filter (where piece.to_on is null or piece.to_on >= event.on_day) as workplace_no,
      max(piece.to_on) as last_insured_on
    from {{ events }} as event
    inner join {{ ref('employment_spell') }} as piece
      on piece.person_key = event.person_key
    where piece.from_on <= event.on_day
    group by event.person_key, event.on_day
  ) as insurance
    on insurance.person_key = event.person_key
    and insurance.on_day = event.on_day
  left join (
    select event.person_key, event.on_day, count(*) as registrations
    from {{ events }} as event
    inner join {{ ref('seeker') }} as seeker
      on seeker.person_key = event.person_key
    where seeker.registered_on <= event.on_day
      and (seeker.closed_on is null or seeker.closed_on > event.on_day)
    group by event.person_key, event.on_day
  ) as seeking
    on seeking.person_key = event.person_key
    and seeking.on_day = event.on_day
  left join (
    select event.person_key, event.on_day, count(*) as claims
    from {{ events }} as event
    inner join {{ ref('claim_outcome') }} as claim
      on claim.person_key = event.person_key
    where claim.applied_on <= event.on_day
      and (claim.ended_on is null or claim.ended_on > event.on_day)
    group by event.person_key, event.on_day
  ) as claiming
    on claiming.person_key = event.person_key
    and claiming.on_day = event.on_day
  left join (
    select event.person_key, event.on_day, count(*) as contracts
    from {{ events }} as event
    inner join {{ ref('contractor_spell') }} as spell
      on spell.person_key = event.person_key
    where not spell.cancelled
      and spell.insured_from <= event.on_day
      and (spell.insured_to is null or spell.insured_to >= event.on_day)
    group by event.person_key, event.on_day
  ) as contract
    on contract.person_key = event.person_key
    and contract.on_day = event.on_day
  left join (
    select event.person_key, event.on_day, count(*) as businesses
    from {{ events }} as event
    inner join {{ ref('business') }} as business
      on business.owner_key = event.person_key
    where business.opened_on <= event.on_day
      and (business.closed_on is null or business.closed_on > event.on_day)
    group by event.person_key, event.on_day
  ) as owning
    on owning.person_key = event.person_key
    and owning.on_day = event.on_day
  left join (
    select event.person_key, event.on_day, sum(income.gross_won) as gross_won
    from {{ events }} as event
    inner join {{ ref('income_month') }} as income
      on income.person_key = event.person_key
      and income.month = event.income_month
    group by event.person_key, event.on_day
  ) as earning
    on earning.person_key = event.person_key
    and earning.on_day = event.on_day
{% endmacro %}

{#- Whether a standing meets every condition of a policy. The columns of the contract policy_programme are the closed
    vocabulary; a condition that is null does not apply. `headcount` is that of the standing's workplace. -#}
{% macro meets(policy, standing, headcount) -%}
({{ policy }}.age_from is null or {{ standing }}.age >= {{ policy }}.age_from)
      and ({{ policy }}.age_to is null or {{ standing }}.age <= {{ policy }}.age_to)
      and ({{ policy }}.required_sex is null or {{ standing }}.sex = {{ policy }}.required_sex)
      and ({{ policy }}.is_seeker is null or {{ standing }}.is_seeker = {{ policy }}.is_seeker)
      and ({{ policy }}.is_insured is null or {{ standing }}.is_insured = {{ policy }}.is_insured)
      and ({{ policy }}.has_claim is null or {{ standing }}.has_claim = {{ policy }}.has_claim)
      and ({{ policy }}.is_contractor is null or {{ standing }}.is_contractor = {{ policy }}.is_contractor)
      and ({{ policy }}.is_owner is null or {{ standing }}.is_owner = {{ policy }}.is_owner)
      and ({{ policy }}.insured_days_from is null or {{ standing }}.insured_days >= {{ policy }}.insured_days_from)
      and ({{ policy }}.jobless_months_from is null
        or {{ standing }}.jobless_months is null
        or {{ standing }}.jobless_months >= {{ policy }}.jobless_months_from)
      and ({{ policy }}.monthly_income_to is null or {{ standing }}.monthly_income_won <= {{ policy }}.monthly_income_to)
      and ({{ policy }}.headcount_from is null or coalesce({{ headcount }}, 0) >= {{ policy }}.headcount_from)
      and ({{ policy }}.headcount_to is null or {{ headcount }} <= {{ policy }}.headcount_to)
{%- endmacro %}
