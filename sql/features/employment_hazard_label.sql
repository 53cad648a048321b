/*---
description:
  ko: 아직 구직 중이던 사람이 그 30일 안에 상용 피보험자격을 취득했는지. 아직 알 수 없으면 비어 있다.
  en: >-
    whether somebody still searching acquired a regular insured spell within these 30 days. A search ends with the first
    such spell, and has no later month. Null while it cannot be known, so last month's registrants teach with the months
    that are known of them
grain: [seeker_no, searching_from]
materialized: table
owner: learning
label: true
legal_basis: 고용보험법 제15조 · 시행령 제7조
sort_by: [seeker_no]
meta:
  label_known_on: as that of employment_success, for the last of the 30 days
columns:
  seeker_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
  label_known_on: {tests: [not_null]}
---*/
with seeker as (
  select * from {{ ref('seeker') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
registered as (
  select * from {{ source('wn_seeker') }}
),
first_month as (
  select min(registered._period) as month from registered
),
-- reports that arrive until the 15th stand in the delivery of the month before
covered as (
  select month_end(max(delivered._period)) as covered_until from delivered
),
acquisition as (
  select seeker.seeker_no, min(insured_spell.acquired_on) as acquired_on
  from seeker
  inner join insured_spell
    on insured_spell.person_key = seeker.person_key
  where not insured_spell.cancelled
    and insured_spell.acquired_on > seeker.registered_on
    and insured_spell.acquired_on <= add_days(seeker.registered_on, 180)
  group by seeker.seeker_no
),
months as (
  select * from (values (1), (2), (3), (4), (5), (6)) as months (search_month)
),
searching as (
  select
    seeker.seeker_no,
    seeker.registered_on,
    add_days(seeker.registered_on, 30 * (months.search_month - 1)) as searching_from,
    add_days(seeker.registered_on, 30 * months.search_month) as searching_to
  from seeker
  cross join months
  where seeker.registered_on <= date '{{ var('as_of') }}'
),
employment_hazard_label as (
  select
    searching.seeker_no,
    searching.registered_on,
    searching.searching_from,
    case
      when month_end(add_months(month_start(searching.searching_to), 1)) > date '{{ var('as_of') }}' then cast(null as boolean)
      when searching.searching_to > covered.covered_until then cast(null as boolean)
      when searching.registered_on < first_month.month then cast(null as boolean)
      else coalesce(acquisition.acquired_on <= searching.searching_to, false) end as label,
    month_end(add_months(month_start(searching.searching_to), 1)) as label_known_on
  from searching
  cross join covered
  cross join first_month
  left join acquisition
    on acquisition.seeker_no = searching.seeker_no
  where acquisition.acquired_on is null
    or acquisition.acquired_on > searching.searching_from
)
select * from employment_hazard_label
