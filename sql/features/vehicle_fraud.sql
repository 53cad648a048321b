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
  accident_month: {title: {ko: 사고 월, en: month of the accident}}
  accident_week: {title: {ko: 사고 주(그달의 몇째 주), en: week of the month of the accident}}
  accident_weekday: {title: {ko: 사고 요일, en: weekday of the accident}}
  claim_month: {title: {ko: 청구 월, en: month of the claim}}
  claim_week: {title: {ko: 청구 주(그달의 몇째 주), en: week of the month of the claim}}
  claim_weekday: {title: {ko: 청구 요일, en: weekday of the claim}}
  policy_year: {title: {ko: 계약 연도, en: year of the policy}}
  accident_area: {title: {ko: 사고 지역, en: area of the accident}}
  fault: {title: {ko: 과실, en: whose fault}}
  police_report_filed: {title: {ko: 경찰 신고, en: police report filed}}
  witness_present: {title: {ko: 목격자 있음, en: witness present}}
  sex: {title: {ko: 성별, en: sex}}
  marital_status: {title: {ko: 혼인 상태, en: marital status}}
  age: {title: {ko: 나이, en: age}}
  age_of_holder: {title: {ko: 계약자 나이, en: age of the policy holder}}
  driver_rating: {title: {ko: 운전자 등급, en: rating of the driver}}
  address_change: {title: {ko: 주소 변경, en: change of address}}
  cars: {title: {ko: 차량 수, en: number of cars}}
  make: {title: {ko: 제조사, en: make}}
  vehicle_category: {title: {ko: 차종, en: category of the vehicle}}
  vehicle_price_min: {title: {ko: 차량 가격의 하한, en: lower end of the price of the vehicle}}
  age_of_vehicle: {title: {ko: 차량 나이, en: age of the vehicle}}
  policy_type: {title: {ko: 보험 종류, en: type of policy}}
  base_policy: {title: {ko: 기본 보장, en: base policy}}
  deductible: {title: {ko: 자기부담금, en: deductible}}
  agent_no: {title: {ko: 대리인 번호, en: number of the agent}}
  agent_type: {title: {ko: 대리인 종류, en: type of agent}}
  days_policy_to_accident: {title: {ko: 계약부터 사고까지 날, en: days from policy to accident}}
  days_policy_to_claim: {title: {ko: 계약부터 청구까지 날, en: days from policy to claim}}
  past_claims: {title: {ko: 이전 청구 수, en: past claims}}
  supplements: {title: {ko: 추가 청구 수, en: number of supplements}}
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
