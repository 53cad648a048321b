/*---
description:
  ko: 구직신청 뒤 180일 안에 상용 피보험자격을 취득했는지. 아직 알 수 없으면 비어 있다.
  en: >-
    whether a regular insured spell was acquired within 180 days of registration. Null while it cannot be known: a
    censored registration is not a failure. Null for ever where the registration is older than the first delivered
    month, because of those only the ones came that were still open
grain: [seeker_no, registered_on]
materialized: table
owner: learning
label: true
legal_basis: 고용보험법 제15조 · 시행령 제7조
sort_by: [seeker_no]
meta:
  label_known_on: >-
    an acquisition is due to be reported by the 15th of the next month and the delivery with that report arrives
    before that month ends, so the answer is known on the last day of the month after the 180th day, for success and
    failure alike
columns:
  seeker_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
  label_known_on: {tests: [not_null]}
---*/
with {{ search_outcome() }},
followed as (
  select
    seeker.seeker_no,
    seeker.registered_on,
    seeker.month,
    add_days(seeker.registered_on, 180) as followed_until
  from seeker
  where seeker.registered_on <= date '{{ var('as_of') }}'
),
employment_success_label as (
  select
    followed.seeker_no,
    followed.registered_on,
    followed.month,
    {{ known_outcome('first_find.found_on is not null', 'followed.registered_on', 'followed.followed_until') }} as label,
    {{ outcome_known_on('followed.followed_until') }} as label_known_on
  from followed
  cross join covered
  left join first_find
    on first_find.seeker_no = followed.seeker_no
)
select * from employment_success_label
