/*---
description:
  ko: 사업장의 이력. 업종·지역·규모·상호가 바뀔 때마다 새 줄이 시작한다.
  en: >-
    history of each insured workplace (slowly changing, type 2). A delivery states the workplace at the end of its
    month, so a version begins with the first day of that month; the first version begins with the establishment. A delivery in which nothing kept here changed begins no version
grain: [workplace_no, valid_from]
materialized: table
owner: core
legal_basis: 고용산재보험료징수법 제11조 · 제12조
tests:
  - {expression: "valid_to is null or valid_to >= valid_from"}
  - {unique: [workplace_no, valid_to]}
columns:
  valid_to: {description: "last day of the version; null while it is the present one and the workplace is open"}
  is_current: {description: the latest version of the workplace}
  ksic_version: {description: revision of KSIC that ksic is written in}
  ksic10: {description: "the class in revision 10, by the crosswalk from revision 9; null for a class without a counterpart and for revision 11, from which no class crosswalk leads back"}
  section: {description: "KSIC section; revisions 10 and 11 share their divisions"}
  headcount_class: {tests: [{accepted_values: ["1-4", "5-9", "10-29", "30-99", "100-299", "300+"]}]}
  known_on: {description: the day the version became known}
---*/
with changes as (
  select * from {{ source('ei_workplace') }}
),
division as (
  select * from {{ seed('ksic_division') }}
),
ksic9 as (
  select * from {{ crosswalk('KSIC9', 'KSIC10') }}
),
-- the state at the end of each month with a delivery
stated as (
  {{ latest_version('changes', ['workplace_no', '_period']) }}
),
described as (
  select
    stated.workplace_no,
    stated.biz_no,
    stated.firm_name,
    stated.ksic,
    stated.ksic_version,
    stated.sigungu,
    stated.established_on,
    stated.closed_on,
    {{ headcount_class('stated.headcount') }} as headcount_class,
    concat_ws(
      '|', coalesce(stated.biz_no, '-'), coalesce(stated.ksic, '-'), coalesce(stated.ksic_version, '-'),
      coalesce(stated.sigungu, '-'), coalesce({{ headcount_class('stated.headcount') }}, '-'), coalesce(stated.firm_name, '-')
    ) as version,
    stated._period,
    stated._known_on
  from stated
),
-- one text of everything that makes a version, so that versions are told apart by one comparison
compared as (
  select
    described.*,
    described.version <> lag(described.version) over (
      partition by described.workplace_no order by described._period
    ) as differs
  from described
),
last_state as (
  select described.workplace_no, max(described._period) as _period
  from described
  group by described.workplace_no
),
closing as (
  select described.workplace_no, described.closed_on
  from described
  inner join last_state
    on last_state.workplace_no = described.workplace_no
    and last_state._period = described._period
  where described.closed_on is not null
),
changed as (
  select
    compared.*,
    case
      when compared.differs is null then least(compared.established_on, month_end(compared._period))
      else compared._period end as valid_from
  from compared
  where compared.differs is null or compared.differs
),
bounded as (
  select
    changed.*,
    lead(changed.valid_from) over (partition by changed.workplace_no order by changed.valid_from) as next_from
  from changed
),
workplace_history as (
  select
    -- ids
    bounded.workplace_no,
    bounded.biz_no,
    bounded.firm_name,
    -- dates
    bounded.valid_from,
    case
      when bounded.next_from is not null then add_days(bounded.next_from, -1)
      -- a workplace that closed before its last version began is closed on the day that version begins
      when closing.closed_on is not null then greatest(closing.closed_on, bounded.valid_from) end as valid_to,
    bounded.next_from is null as is_current,
    bounded._known_on as known_on,
    -- codes
    bounded.ksic,
    bounded.ksic_version,
    case bounded.ksic_version when '10' then bounded.ksic when '9' then ksic9.to_code end as ksic10,
    division.section,
    bounded.sigungu,
    substr(bounded.sigungu, 1, 2) as sido,
    bounded.headcount_class
  from bounded
  left join closing
    on closing.workplace_no = bounded.workplace_no
  left join ksic9
    on ksic9.from_code = bounded.ksic
    and bounded.ksic_version = '9'
  left join division
    on division.division = substr(bounded.ksic, 1, 2)
    and bounded.ksic_version in ('10', '11')
)
select * from workplace_history
