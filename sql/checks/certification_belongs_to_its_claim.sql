/*---
description:
  ko: 실업인정의 주민등록번호는 수급자격의 것과 같다
  en: a certification carries the resident number of its claim; a mistyped one is reported and the claim's person stands
severity: warn
---*/
with certification as (
  select * from {{ ref('certification') }}
),
broken as (
  select claim_no, round from certification where person_differs
)
select * from broken
