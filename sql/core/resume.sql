/*---
description:
  ko: 이력서의 최신 상태. 자기소개서의 글은 싣지 않고 길이만 둔다.
  en: "latest state of each résumé; the text of the self-introduction stays in staging, only its length is here"
grain: [resume_no]
materialized: table
owner: core
legal_basis: 직업안정법 제9조
sort_by: [seeker_no, resume_no]
columns:
  seeker_no: {tests: [not_null]}
  person_key: {tags: [pseudonym], description: "the registration's person; the number typed on a résumé may be wrong, the registration links better"}
  introduction_characters: {description: "length of the self-introduction, 0 when there is none", tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('wn_resume') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
latest as (
  {{ latest_version('changes', ['resume_no']) }}
),
resume as (
  select
    -- ids
    latest.resume_no,
    latest.seeker_no,
    coalesce(seeker.person_key, latest.person_key) as person_key,
    -- dates
    latest.written_on,
    latest._known_on as known_on,
    -- background
    latest.career_months,
    latest.licences,
    latest.is_open,
    cast(coalesce(character_length(latest.self_introduction), 0) as int) as introduction_characters
  from latest
  left join seeker
    on seeker.seeker_no = latest.seeker_no
)
select * from resume
