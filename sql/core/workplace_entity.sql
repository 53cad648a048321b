/*---
description:
  ko: 원천마다의 사업장 번호가 어느 사업체의 것인지. 번호가 같거나 연계로 찾은 것이다.
  en: "which business each workplace of each source belongs to, by an equal number or by linkage"
grain: [source, source_id]
materialized: table
owner: linkage
expects:
  linkage.workplace_cluster:
    source: string
    source_id: string
    entity_id: string
    pass: string
    probability: float
columns:
  source: {description: "ei_workplace, kcomwel_workplace, nps_workplace, alio_institution, nts_payer, nts_business_registration, wn_vacancy", tests: [not_null]}
  source_id: {tags: [firm], tests: [not_null]}
  entity_id: {description: "the business: B and its number where one is known, otherwise R and a digest of its first record", tags: [firm], tests: [not_null]}
  pass:
    description: "how the row came to its business: own (its own number or nothing else), business_number, workplace_no, institution_name, probabilistic"
    tests: [{accepted_values: [own, business_number, workplace_no, institution_name, probabilistic]}]
  probability: {description: "of the best pair when the pass is probabilistic, otherwise 1", tests: [{range: {min: 0, max: 1}}]}
---*/
with linked as (
  select * from {{ table('linkage.workplace_cluster') }}
),
wage as (
  select * from {{ source('nts_wage_statement') }}
),
daily as (
  select * from {{ source('nts_daily_statement') }}
),
business_income as (
  select * from {{ source('nts_business_income') }}
),
registration as (
  select * from {{ ref('business') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
-- a payer or registration is known by its number alone
payer as (
  select payer_biz_no as biz_no from wage
  union
  select payer_biz_no as biz_no from daily
  union
  select payer_biz_no as biz_no from business_income
),
hiring as (
  select distinct workplace_no from vacancy
),
workplace_entity as (
  select source, source_id, entity_id, pass, probability
  from linked
  union all
  select
    'nts_payer' as source,
    biz_no as source_id,
    concat('B', biz_no) as entity_id,
    'business_number' as pass,
    cast(1 as double) as probability
  from payer
  where biz_no is not null
  union all
  select
    'nts_business_registration' as source,
    biz_no as source_id,
    concat('B', biz_no) as entity_id,
    'business_number' as pass,
    cast(1 as double) as probability
  from registration
  union all
  select
    'wn_vacancy' as source,
    hiring.workplace_no as source_id,
    linked.entity_id as entity_id,
    'workplace_no' as pass,
    cast(1 as double) as probability
  from hiring
  inner join linked
    on linked.source = 'ei_workplace' and linked.source_id = hiring.workplace_no
)
select * from workplace_entity
