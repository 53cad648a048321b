/*---
description:
  ko: 처음 신고한 상실사유가 나중에 바뀐 피보험 기간과 그 증빙
  en: >-
    insured spells whose reported loss reason was changed by a later report, with the document the correction was
    filed with. What the first report said stays on record, whatever stands now
grain: [person_key, workplace_no, acquired_on]
materialized: table
owner: core
legal_basis: 고용보험법 제15조 · 같은 법 시행령 제7조
columns:
  person_key: {tags: [pseudonym]}
  first_reason: {description: reason of the first report of the loss}
  reason: {description: reason that stands}
  changed_on: {description: day of the report that stands}
  document: {description: "kind of document filed with the correction; null when no correction was filed or nothing attached"}
tests:
  - {expression: "changed_on > first_reported_on"}
---*/
with report as (
  select * from {{ source('ei_insured_spell') }}
  where lost_on is not null
    and loss_reason is not null
    and lost_reported_on is not null
),
spell as (
  select * from {{ ref('insured_spell') }}
),
filed as (
  select * from {{ source('ei_correction') }}
),
-- a spell reported with one reason only cannot have changed: most are left here
several as (
  select report.person_key, report.workplace_no, report.acquired_on, min(report.lost_reported_on) as first_reported_on
  from report
  group by report.person_key, report.workplace_no, report.acquired_on
  having min(report.loss_reason) <> max(report.loss_reason)
),
first_report as (
  select
    several.person_key,
    several.workplace_no,
    several.acquired_on,
    several.first_reported_on,
    min(report.loss_reason) as first_reason
  from several
  inner join report
    on report.person_key = several.person_key
    and report.workplace_no = several.workplace_no
    and report.acquired_on = several.acquired_on
    and report.lost_reported_on = several.first_reported_on
  group by several.person_key, several.workplace_no, several.acquired_on, several.first_reported_on
),
documented as (
  select
    filed.person_key,
    filed.workplace_no,
    filed.acquired_on,
    filed.to_reason,
    max(filed.document) as document
  from filed
  where filed.document <> 'none'
  group by filed.person_key, filed.workplace_no, filed.acquired_on, filed.to_reason
),
loss_reason_change as (
  select
    -- ids
    spell.person_key,
    spell.workplace_no,
    spell.acquired_on,
    -- what was reported and when
    spell.insured_to,
    first_report.first_reason,
    first_report.first_reported_on,
    spell.loss_reason as reason,
    spell.lost_reported_on as changed_on,
    spell.known_on,
    documented.document
  from first_report
  inner join spell
    on spell.person_key = first_report.person_key
    and spell.workplace_no = first_report.workplace_no
    and spell.acquired_on = first_report.acquired_on
  left join documented
    on documented.person_key = spell.person_key
    and documented.workplace_no = spell.workplace_no
    and documented.acquired_on = spell.acquired_on
    and documented.to_reason = spell.loss_reason
  where spell.loss_reason <> first_report.first_reason
    and spell.lost_reported_on > first_report.first_reported_on
    and not spell.cancelled
)
select * from loss_reason_change
