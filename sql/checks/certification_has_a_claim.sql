/*---
description: {ko: "모든 실업인정에는 수급자격이 있다", en: "every certification has a claim; one without may wait for a claim row held in quarantine"}
severity: warn
---*/
with certification as (
  select * from {{ ref('certification') }}
),
claim as (
  select * from {{ ref('claim') }}
),
broken as (
  select certification.claim_no, count(*) as rounds
  from certification
  where not exists (select 1 from claim where claim.claim_no = certification.claim_no)
  group by certification.claim_no
)
select * from broken
