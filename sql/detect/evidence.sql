/*---
description: {ko: 규칙들이 찾은 증거 전부. 소명된 것도 남긴다., en: every evidence row of every rule; explained ones stay with their reason}
schema: alerts
grain: [rule_id, subject_kind, subject_key, evidence_kind, evidence_key]
materialized: table
owner: detection
meta:
  rederived: "the check alerts_follow_from_evidence derives every row that counts, and every candidate, from the columns below alone"
columns:
  pivot_key: {tags: [pseudonym], description: "the case this row belongs to: person, workplace or ring"}
  person_key: {tags: [pseudonym]}
  workplace_no: {description: the workplace of a rule about workplaces or claims; null for rules about rounds}
  severity: {tests: [{accepted_values: [low, medium, high, critical]}]}
  subject_kind: {description: "what is questioned: a certified round, a whole claim or a subsidy", tests: [{accepted_values: [round, claim, subsidy]}]}
  subject_key: {description: "claim and round, claim, or decision on the subsidy"}
  subject_from: {description: "first certified, paid or subsidised day"}
  subject_to: {description: "last certified, paid or subsidised day"}
  fact_on: {description: the day on which a rule turns that is neither end of the evidence; each rule says which}
  overlap_days: {description: days of the evidence inside the certified days of a round; null for claims and subsidies}
  group_size: {description: how many the pattern is about; each rule says of whom}
  group_matched: {description: of how many of them it is so}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
  paid_won: {description: "what the round, the claim or the whole subsidy was paid", tests: [not_null]}
  benefit_daily_won: {description: daily benefit of the claim; null for claims and subsidies}
  declared_work: {description: "what would explain the row was declared; each rule says where"}
  declared_income_won: {description: "F02: the highest income declared for one of the days"}
  income_won: {description: "F02: pay of the statement. F09: business income stated for the months of the days, context and never proof"}
  channel: {description: "F03: how the round was certified"}
  seen_on: {description: "F03: last day on which the person stood in a centre"}
  abroad_until: {description: "F03: return, or the last day that border deliveries cover"}
  claim_paid_from: {description: "F09: first day that the claim was paid for"}
  ended_workplace_no: {description: "F01, F08: workplace of the employment that the claim ended"}
  ended_acquired_on: {description: "F01: acquisition of that employment"}
  ended_on: {description: "F01, F08: last insured day of it"}
  loss_reason_before: {description: "F06: reason of the first report, where it was changed"}
  loss_reason: {description: "F06: reason that stands"}
  document: {description: "F06, F11: what was filed or approved that explains the row"}
  statements: {description: "F07, F11, R01: months for which the employer stated wages of the person"}
  months_observed: {description: "F07, R01: insured months whose statements are due and delivered"}
  statements_until: {description: "F07, R01: last month whose statements are due and delivered"}
  expected: {description: "F06: hires that the turnover of the workplace gives"}
  p_value: {description: "F06, R01: chance of as many", tests: [{range: {min: 0, max: 1}}]}
  tests: {description: "F06: redundancies that were tested together"}
  users: {description: "F10: claimants who share the account or device and whose claims are on record"}
  households: {description: "R01: households of those tied"}
  staff: {description: "R01: insured with the business on the first day of the window"}
  group_alike: {description: "F10, R01: most claimants who share an employer, and an account of a device or a device of an account"}
  together: {description: "F10, R01: most claimants who applied within 61 days of one; null for hubs and for accounts of fewer than ten"}
  together_p_value: {description: "F10, R01: chance that the claimants applied so close to each other", tests: [{range: {min: 0, max: 1}}]}
  window_from: {description: "R01: first day of the window in which they left together"}
  window_to: {description: "R01: its last day"}
  applied_on: {description: "R01: application of one who left"}
  rehired_on: {description: "R01: return of one who left to the same business"}
  reopens_on: {description: "F05, R01: when a seasonal closure that the centre was told of was to end"}
  link_probability: {description: "F05, R01: the lowest probability of the links between businesses that the row rests on; null where all are by number. Below 0.95 the row is context and cleared", tests: [{range: {min: 0, max: 1}}]}
  closed_on: {description: "R01: last day on which a workplace that they left closed"}
---*/
with evidence as (
  {{ rule_rows('f01', 'high', 'round', ['declared_work', 'ended_workplace_no', 'ended_acquired_on', 'ended_on']) }}
  union all
  {{ rule_rows('f02', 'medium', 'round', ['declared_work', 'declared_income_won', 'income_won']) }}
  union all
  {{ rule_rows('f03', 'high', 'round', ['channel', 'seen_on', 'abroad_until']) }}
  union all
  {{ rule_rows('f04', 'high', 'round', ['declared_work']) }}
  union all
  {{ rule_rows('f05', 'critical', 'claim', ['reopens_on', 'link_probability']) }}
  union all
  {{ rule_rows('f06', 'high', 'claim', ['loss_reason_before', 'loss_reason', 'document', 'expected', 'p_value', 'tests']) }}
  union all
  {{ rule_rows('f07', 'critical', 'claim', ['statements', 'months_observed', 'statements_until']) }}
  union all
  {{ rule_rows('f08', 'high', 'claim', ['ended_workplace_no', 'ended_on']) }}
  union all
  {{ rule_rows('f09', 'medium', 'round', ['declared_work', 'claim_paid_from', 'income_won']) }}
  union all
  {{ rule_rows('f10', 'critical', 'claim', ['users', 'group_alike', 'together', 'together_p_value']) }}
  union all
  {{ rule_rows('f11', 'high', 'subsidy', ['statements', 'document']) }}
  union all
  {{ rule_rows('r01', 'critical', 'claim', ['p_value', 'households', 'group_alike', 'together', 'together_p_value', 'window_from', 'window_to', 'staff', 'applied_on', 'rehired_on', 'reopens_on', 'closed_on', 'statements', 'months_observed', 'statements_until', 'link_probability']) }}
)
select * from evidence
