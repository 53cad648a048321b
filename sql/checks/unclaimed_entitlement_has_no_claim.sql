/*---
description: {ko: "미신청 목록의 사람은 수급기간 안에 신청하지 않았다", en: "nobody on the list of unclaimed entitlements applied in the benefit year"}
severity: error
---*/
with unclaimed as (
  select * from {{ ref('unclaimed_entitlement') }}
),
claim as (
  select * from {{ ref('claim') }}
),
broken as (
  select unclaimed.person_key, unclaimed.separated_on
  from unclaimed
  inner join claim
    on claim.person_key = unclaimed.person_key
    and claim.applied_on >= unclaimed.separated_on
    and claim.applied_on < unclaimed.claim_until
)
select * from broken
