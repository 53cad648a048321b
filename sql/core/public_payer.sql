/*---
description:
  ko: 월별로 공공 부문에 속하는 지급자. 공공행정이거나, 100명 이상에게 임금을 주면서 가입 사업장이 하나도 없다.
  en: >-
    payers that count as public service in a month (civil servants, teachers, soldiers under pension laws of their own):
    public administration, or wages to 100 persons or more without any insured workplace
grain: [payer_biz_no, month]
materialized: partitioned
partition_by: month
reads: {payer_month: [0, 0]}
owner: coverage
legal_basis: 고용보험법 제10조
---*/
with payer as (
  select * from {{ ref('payer_month') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
insured_payer as (
  select workplace.biz_no, bool_or(workplace.section is not distinct from 'O') as public_administration
  from workplace
  group by workplace.biz_no
),
public_payer as (
  select payer.payer_biz_no, payer.month
  from payer
  left join insured_payer
    on insured_payer.biz_no = payer.payer_biz_no
  where payer.month = date '{{ var('partition_start') }}'
    and payer.wage_persons > 0
    and (insured_payer.public_administration
      or (insured_payer.biz_no is null and payer.wage_persons >= 100))
)
select * from public_payer
