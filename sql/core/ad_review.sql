/*---
description: {ko: "구인공고마다 담당자의 마지막 판정", en: "the last decision of a reviewer on each advertisement"}
grain: [ad_source, ad_no]
materialized: table
owner: core
legal_basis: 직업안정법 제34조
columns:
  ad_source: {tests: [{accepted_values: [worknet, portal]}]}
  decision: {tests: [{accepted_values: [adequate, inadequate]}]}
---*/
with changes as (
  select * from {{ source('ad_review') }}
),
latest as (
  {{ latest_version('changes', ['ad_source', 'ad_no']) }}
),
ad_review as (
  select
    -- ids
    latest.ad_source,
    latest.ad_no,
    -- decision
    latest.decision,
    -- dates
    latest.reviewed_on,
    latest._known_on as known_on
  from latest
)
select * from ad_review
