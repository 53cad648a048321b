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
with {{ search_outcome() }},
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
    {{ known_outcome('coalesce(first_find.found_on <= searching.searching_to, false)', 'searching.registered_on', 'searching.searching_to') }} as label,
    {{ outcome_known_on('searching.searching_to') }} as label_known_on
  from searching
  cross join covered
  left join first_find
    on first_find.seeker_no = searching.seeker_no
  where first_find.found_on is null
    or first_find.found_on > searching.searching_from
    -- a month that is missing would tell of a find before it is known
    or {{ outcome_known_on('first_find.found_on') }} > date '{{ var('as_of') }}'
)
select * from employment_hazard_label
