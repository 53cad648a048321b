/*---
description: {ko: "고용센터 이용자의 평가. 의견의 글은 싣지 않는다.", en: "ratings of centre visitors; the words of a comment stay in staging"}
grain: [feedback_no]
materialized: table
owner: core
columns:
  centre: {description: employment centre}
  service: {tests: [{accepted_values: [registration, counselling, referral, programme]}]}
  rating: {tests: [{range: {min: 1, max: 5}}]}
  month: {description: month of the answer}
---*/
with changes as (
  select * from {{ source('centre_feedback') }}
),
centre as (
  select * from {{ seed('centre') }}
),
latest as (
  {{ latest_version('changes', ['feedback_no']) }}
),
centre_feedback as (
  select
    -- ids
    latest.feedback_no,
    latest.centre,
    coalesce(centre.sido, substr(latest.centre, 1, 2)) as sido,
    latest.seeker_no,
    latest.service,
    -- dates
    latest.given_on,
    month_start(latest.given_on) as month,
    latest._known_on as known_on,
    -- answer
    latest.rating,
    latest.comment is not null as has_comment
  from latest
  left join centre
    on centre.centre = latest.centre
)
select * from centre_feedback
