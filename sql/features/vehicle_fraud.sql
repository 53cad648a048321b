/*---
description:
  ko: 자동차보험 청구의 특성(연구자료)
  en: what was known of an insurance claim before it was examined (research data)
grain: [policy_no]
materialized: table
owner: learning
tags: [research]
sort_by: [policy_no]
columns:
  policy_no: {tests: [not_null]}
  recorded_on: {description: the day the file became known; the file has a year and no day}
---*/
with claim as (
  select * from {{ source('vehicle_claim') }}
),
vehicle_fraud as (
  select
    -- ids and dates
    claim.policy_no,
    claim._known_on as recorded_on,
    -- when
    claim.accident_month,
    claim.accident_week,
    claim.accident_weekday,
    claim.claim_month,
    claim.claim_week,
    claim.claim_weekday,
    claim.policy_year,
    -- the accident
    claim.accident_area,
    claim.fault,
    claim.police_report_filed,
    claim.witness_present,
    -- the holder
    claim.sex,
    claim.marital_status,
    claim.age,
    claim.age_of_holder,
    claim.driver_rating,
    claim.address_change,
    claim.cars,
    -- the vehicle
    claim.make,
    claim.vehicle_category,
    claim.vehicle_price_min,
    claim.age_of_vehicle,
    -- the policy
    claim.policy_type,
    claim.base_policy,
    claim.deductible,
    claim.agent_no,
    claim.agent_type,
    claim.days_policy_to_accident,
    claim.days_policy_to_claim,
    claim.past_claims,
    claim.supplements
  from claim
  where claim._known_on <= date '{{ var('as_of') }}'
)
select * from vehicle_fraud
