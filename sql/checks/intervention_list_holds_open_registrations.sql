/*---
description:
  ko: 지원 목록의 구직신청은 모두 열려 있고, 센터와 목록마다 순번이 빠짐없이 이어진다
  en: every registration on an intervention list is open, and the places of a centre's list run without a gap
severity: error
---*/
with intervention_list as (
  select * from {{ ref('intervention_list') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
not_open as (
  select intervention_list.centre, intervention_list.list, intervention_list.seeker_no
  from intervention_list
  left join seeker
    on seeker.seeker_no = intervention_list.seeker_no
    and seeker.person_key = intervention_list.person_key
    and seeker.registered_on = intervention_list.registered_on
  where seeker.seeker_no is null
    or seeker.closed_on <= date '{{ var('as_of') }}'
),
with_gap as (
  select intervention_list.centre, intervention_list.list, cast(null as varchar) as seeker_no
  from intervention_list
  group by intervention_list.centre, intervention_list.list
  having max(intervention_list.place) <> count(*)
)
select * from not_open
union all
select * from with_gap
