/*---
description: {ko: "실업인정의 사람은 수급자격의 사람과 같다", en: "a certification belongs to a claim of the same person"}
severity: error
---*/
with certification as (
  select * from {{ ref('certification') }}
),
claim as (
  select * from {{ ref('claim') }}
),
broken as (
  select certification.claim_no, certification.round
  from certification
  inner join claim
    on claim.claim_no = certification.claim_no
  where claim.person_key <> certification.person_key
)
select * from broken
