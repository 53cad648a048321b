/*---
description: {ko: "구인·구직 성과표는 모든 구인·구직과 활동을 한 번씩 센다", en: "vacancy and seeker outcomes hold every vacancy and registration once and every event of theirs"}
severity: error
---*/
with vacancy_total as (
  select
    count(*) as registrations,
    coalesce(sum(views), 0) as views,
    coalesce(sum(applications), 0) as applications,
    coalesce(sum(hires), 0) as hires
  from {{ ref('vacancy_outcome') }}
),
seeker_total as (
  select
    count(*) as registrations,
    coalesce(sum(views), 0) as views,
    coalesce(sum(applications), 0) as applications,
    coalesce(sum(hires), 0) as hires
  from {{ ref('seeker_outcome') }}
),
vacancy_event as (
  select match_event.kind, count(*) as events
  from {{ ref('match_event') }} as match_event
  inner join {{ ref('vacancy') }} as vacancy
    on vacancy.vacancy_no = match_event.vacancy_no
  group by match_event.kind
),
seeker_event as (
  select match_event.kind, count(*) as events
  from {{ ref('match_event') }} as match_event
  inner join {{ ref('seeker') }} as seeker
    on seeker.seeker_no = match_event.seeker_no
  group by match_event.kind
),
counted_vacancies as (
  select
    (select count(*) from {{ ref('vacancy') }}) as registrations,
    coalesce(sum(events) filter (where kind = 'view'), 0) as views,
    coalesce(sum(events) filter (where kind = 'apply'), 0) as applications,
    coalesce(sum(events) filter (where kind = 'hire'), 0) as hires
  from vacancy_event
),
counted_seekers as (
  select
    (select count(*) from {{ ref('seeker') }}) as registrations,
    coalesce(sum(events) filter (where kind = 'view'), 0) as views,
    coalesce(sum(events) filter (where kind = 'apply'), 0) as applications,
    coalesce(sum(events) filter (where kind = 'hire'), 0) as hires
  from seeker_event
),
compared as (
  select
    'vacancy_outcome' as mart,
    vacancy_total.registrations = counted_vacancies.registrations
      and vacancy_total.views = counted_vacancies.views
      and vacancy_total.applications = counted_vacancies.applications
      and vacancy_total.hires = counted_vacancies.hires as equal
  from vacancy_total
  cross join counted_vacancies
  union all
  select
    'seeker_outcome' as mart,
    seeker_total.registrations = counted_seekers.registrations
      and seeker_total.views = counted_seekers.views
      and seeker_total.applications = counted_seekers.applications
      and seeker_total.hires = counted_seekers.hires as equal
  from seeker_total
  cross join counted_seekers
),
broken as (
  select compared.mart from compared where not compared.equal
)
select * from broken
