/*---
description:
  ko: 사업장이 속한 사업주 집단. 사업자번호가 같거나 한 사람이 대표인 사업체는 하나로 본다.
  en: "the business group of each insured workplace: one business by the linkage, and the businesses of one owner together"
grain: [workplace_no]
materialized: table
owner: detection
legal_basis: 고용보험법 제62조
meta:
  links: evidence carries the lowest probability of the links it rests on; a link below the bound is shown by F05 and joins nobody
  hubs: an owner of more than twenty registrations is an agent or a franchise and links nothing
columns:
  workplace_no: {tests: [not_null, unique]}
  business_group: {description: "the business, or the first one of its owner's", tags: [firm], tests: [not_null]}
  linked_by: {description: "what makes the group: its own number, or the owner of several", tests: [{accepted_values: [own, owner]}]}
  link_probability: {description: "that the workplace belongs to the business, where linkage did not go by a number; otherwise null. Owners are joined by their own number", tests: [{range: {min: 0, max: 1}}]}
  sure_group: {description: "the group when the link is by a number or has a probability of at least 0.95 (var link_probability), otherwise the workplace alone", tags: [firm], tests: [not_null]}
  businesses: {description: businesses in the group, tests: [{range: {min: 1}}]}
---*/
with workplace as (
  select * from {{ ref('workplace') }}
),
entity as (
  select * from {{ ref('workplace_entity') }}
  where source = 'ei_workplace'
),
business as (
  select * from {{ ref('business') }}
),
owner as (
  select
    business.owner_key,
    min('B' || business.biz_no) as business_group,
    count(*) as businesses
  from business
  group by business.owner_key
  having count(*) between 2 and 20
),
owned as (
  select 'B' || business.biz_no as entity_id, owner.business_group, owner.businesses
  from business
  inner join owner
    on owner.owner_key = business.owner_key
),
known as (
  select
    workplace.workplace_no,
    coalesce(entity.entity_id, 'B' || workplace.biz_no, workplace.workplace_no) as entity_id,
    case when entity.pass not in ('own', 'business_number', 'workplace_no') then entity.probability end as link_probability
  from workplace
  left join entity
    on entity.source_id = workplace.workplace_no
),
linked_business as (
  select
    known.workplace_no,
    known.entity_id,
    coalesce(owned.business_group, known.entity_id) as business_group,
    case when owned.business_group is null then 'own' else 'owner' end as linked_by,
    coalesce(owned.businesses, 1) as businesses,
    known.link_probability,
    case when {{ is_sure_link('known.link_probability') }}
      then coalesce(owned.business_group, known.entity_id)
      else known.workplace_no end as sure_group
  from known
  left join owned
    on owned.entity_id = known.entity_id
)
select * from linked_business
