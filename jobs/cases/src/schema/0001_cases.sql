-- Cases, their evidence, what was decided, and the chain of events. Days are texts such as 2024-01-31, times milliseconds
-- since 1970 in UTC.

create table cases (
    case_no bigint primary key,
    -- person, workplace, ring
    pivot_kind text not null check (pivot_kind in ('person', 'workplace', 'ring')),
    pivot_key text not null unique,
    person_key bigint,
    opened_on text not null,
    state text not null check (state in ('pending', 'investigating', 'awaiting_verification', 'closed')),
    centre text not null,
    severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
    rules text not null,
    evidence_count bigint not null check (evidence_count >= 0),
    undecided_count bigint not null check (undecided_count >= 0),
    evidence_sum bigint not null,
    amount_at_risk_won bigint not null check (amount_at_risk_won >= 0),
    first_on text,
    last_on text,
    known_on text,
    investigator text,
    worked_by text not null,
    verifier text,
    snoozed_until text,
    notice_sent_on text,
    reply_due_on text,
    reply_received_on text,
    outcome text check (outcome in ('confirmed_fraud', 'overpayment_error', 'valuable_alert', 'false_positive', 'referred')),
    closed_on text,
    decision_no bigint,
    appeal text not null check (appeal in ('none', 'filed', 'upheld', 'overturned', 'withdrawn')),
    -- the event that made the row what it is
    last_event_no bigint not null,
    check (state = 'pending' or investigator is not null),
    check ((state = 'closed') = (outcome is not null)),
    check ((state = 'closed') = (closed_on is not null)),
    check ((state = 'closed') = (verifier is not null)),
    check ((state = 'closed') = (decision_no is not null)),
    check (verifier is null or verifier <> investigator),
    -- nobody who worked on it verifies it
    check (verifier is null
        or replace(',' || worked_by || ',', ',' || verifier || ',', '') = ',' || worked_by || ','),
    check (appeal = 'none' or outcome in ('confirmed_fraud', 'overpayment_error', 'referred'))
);

create index cases_by_state on cases (state, centre);

create table case_evidence (
    evidence_no bigint primary key,
    case_no bigint not null references cases (case_no),
    rule_id text not null,
    rule_version bigint not null,
    subject_kind text not null,
    subject_key text not null,
    evidence_kind text not null,
    evidence_key text not null,
    person_key bigint,
    claim_no text,
    severity text not null,
    subject_from text,
    subject_to text,
    evidence_from text,
    evidence_to text,
    amount_at_risk_won bigint not null,
    known_on text not null,
    first_seen_on text not null,
    -- no longer raised: the facts were corrected, or explained
    withdrawn_on text,
    decided_in bigint,
    -- a row of evidence is raised once
    unique (rule_id, subject_kind, subject_key, evidence_kind, evidence_key)
);

create index case_evidence_by_case on case_evidence (case_no);

-- Who looked at which evidence, first.
create table case_openings (
    evidence_no bigint not null references case_evidence (evidence_no),
    account text not null,
    at_ms bigint not null,
    primary key (evidence_no, account)
);

create table case_decisions (
    decision_no bigint primary key,
    case_no bigint not null references cases (case_no),
    decided_on text not null,
    outcome text not null check (outcome in ('confirmed_fraud', 'overpayment_error', 'valuable_alert', 'false_positive', 'referred')),
    reason text not null check (length(trim(reason)) > 0),
    investigator text not null,
    verifier text not null,
    notice_sent_on text,
    reply_due_on text,
    reply_received_on text,
    check (verifier <> investigator),
    -- whom it burdens was told, and answered or had the time to
    check (outcome not in ('confirmed_fraud', 'overpayment_error', 'referred')
        or (length(trim(reason)) >= 20
            and notice_sent_on is not null
            and (reply_received_on is not null or (reply_due_on is not null and reply_due_on < decided_on))))
);

-- The evidence a decision rests on.
create table case_citations (
    decision_no bigint not null references case_decisions (decision_no),
    evidence_no bigint not null references case_evidence (evidence_no),
    primary key (decision_no, evidence_no)
);

-- Append-only; each event carries the hash of the one before.
create table case_events (
    event_no bigint primary key,
    -- nothing where it is about no case
    case_no bigint,
    at_ms bigint not null,
    account text not null,
    action text not null,
    before text not null,
    after text not null,
    detail text not null,
    previous_hash text not null,
    hash text not null unique
);

create index case_events_by_case on case_events (case_no, event_no);

-- What is not listed for a while, by whose leave; still counted.
create table case_suppressions (
    suppression_no bigint primary key,
    owner text not null check (length(trim(owner)) > 0),
    reason text not null check (length(trim(reason)) > 0),
    scope text not null check (scope in ('rule', 'person', 'workplace')),
    -- a rule, or the pivot of the case
    value text not null,
    from_on text not null,
    expires_on text not null,
    lifted_on text,
    check (expires_on > from_on)
);

-- Claims drawn at random from all active ones.
create table case_draws (
    night text not null,
    claim_no text not null,
    centre text not null,
    case_no bigint not null references cases (case_no),
    -- active claims of the centre that night, and the probability of each to be drawn in billionths
    population bigint not null,
    inclusion_ppb bigint not null,
    primary key (night, claim_no)
);

-- What each centre is given to do, by night.
create table case_list (
    night text not null,
    centre text not null,
    place bigint not null,
    case_no bigint not null references cases (case_no),
    primary key (night, case_no)
);

-- What a night brings, while it is merged.
create table case_incoming (
    pivot_key text primary key,
    pivot_kind text not null,
    person_key bigint,
    centre text not null,
    rules text not null,
    severity text not null,
    amount_at_risk_won bigint not null,
    first_on text,
    last_on text,
    known_on text,
    is_drawn bigint not null
);

create table case_incoming_evidence (
    rule_id text not null,
    subject_kind text not null,
    subject_key text not null,
    evidence_kind text not null,
    evidence_key text not null,
    pivot_key text not null,
    rule_version bigint not null,
    person_key bigint,
    claim_no text,
    severity text not null,
    subject_from text,
    subject_to text,
    evidence_from text,
    evidence_to text,
    amount_at_risk_won bigint not null,
    known_on text not null,
    primary key (rule_id, subject_kind, subject_key, evidence_kind, evidence_key)
);

create index case_incoming_evidence_by_pivot on case_incoming_evidence (pivot_key);

-- Rows of cases as a merge leaves them.
create table case_changes (
    case_no bigint primary key,
    event_no bigint not null,
    state text not null,
    centre text not null,
    severity text not null,
    rules text not null,
    evidence_count bigint not null,
    undecided_count bigint not null,
    evidence_sum bigint not null,
    amount_at_risk_won bigint not null,
    first_on text,
    last_on text,
    known_on text,
    investigator text,
    worked_by text not null,
    verifier text,
    snoozed_until text,
    notice_sent_on text,
    reply_due_on text,
    reply_received_on text,
    outcome text,
    closed_on text,
    decision_no bigint,
    appeal text not null
);
