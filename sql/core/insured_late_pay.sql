/*---
description:
  ko: 지급한 달보다 앞선 날의 임금 가운데 그 날에 가입되어 있던 것
  en: late pay for days on some of which the person was insured, by the month it is paid in
grain: [person_key, month, payer_biz_no]
materialized: table
owner: coverage
columns:
  person_key: {tags: [pseudonym]}
---*/
with late_pay as (
  select * from {{ ref('late_pay') }}
),
employment_spell as (
  select * from {{ ref('employment_spell') }}
),
insured_late_pay as (
  select distinct late_pay.person_key, late_pay.month, late_pay.payer_biz_no
  from late_pay
  inner join employment_spell
    on employment_spell.person_key = late_pay.person_key
    and employment_spell.from_on <= late_pay.paid_to
    and (employment_spell.to_on is null or employment_spell.to_on >= late_pay.paid_from)
)
select * from insured_late_pay
