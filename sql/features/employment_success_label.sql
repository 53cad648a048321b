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
  select seeker.seeker_no, count(*) as acquisitions
  from seeker
  inner join insured_spell
    on insured_spell.person_key = seeker.person_key
  where not insured_spell.cancelled
    and insured_spell.acquired_on > seeker.registered_on
    and insured_spell.acquired_on <= add_days(seeker.registered_on, 180)
  group by seeker.seeker_no
),
employment_success_label as (
  select
    seeker.seeker_no,
    seeker.registered_on,
    seeker.month,
    case
      when month_end(add_months(month_start(add_days(seeker.registered_on, 180)), 1)) > date '{{ var('as_of') }}' then cast(null as boolean)
      when add_days(seeker.registered_on, 180) > covered.covered_until then cast(null as boolean)
      when seeker.registered_on < first_month.month then cast(null as boolean)
      else acquisition.seeker_no is not null end as label,
    month_end(add_months(month_start(add_days(seeker.registered_on, 180)), 1)) as label_known_on
  from seeker
  cross join covered
  cross join first_month
  left join acquisition
    on acquisition.seeker_no = seeker.seeker_no
  where seeker.registered_on <= date '{{ var('as_of') }}'
)
select * from employment_success_label
