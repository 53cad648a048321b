-- What only the book's own work does to its rows, whoever sends the statement: it leaves a permit for as long as its
-- transaction lasts.

create trigger case_opens_at_night before insert on cases
for each row when not exists (select 1 from case_permits where work = 'night')
begin
    select raise(abort, 'a case is opened by a night');
end;

create trigger case_subject_stays before update on cases
for each row when (old.pivot_key is distinct from new.pivot_key or old.person_key is distinct from new.person_key)
    and not exists (select 1 from case_permits where work in ('rename', 'forget'))
begin
    select raise(abort, 'whom a case is about changes with the keys only');
end;

create trigger case_evidence_is_raised before insert on case_evidence
for each row when not exists (select 1 from case_permits where work in ('night', 'find'))
begin
    select raise(abort, 'evidence is raised by a night or found by an investigator');
end;

create trigger case_evidence_facts_stay before update on case_evidence
for each row when (old.rule_version is distinct from new.rule_version or old.subject_kind is distinct from new.subject_kind
        or old.evidence_kind is distinct from new.evidence_kind
        or old.severity is distinct from new.severity or old.subject_from is distinct from new.subject_from
        or old.subject_to is distinct from new.subject_to
        or old.evidence_from is distinct from new.evidence_from
        or old.evidence_to is distinct from new.evidence_to
        or old.amount_at_risk_won is distinct from new.amount_at_risk_won
        or old.known_on is distinct from new.known_on or old.withdrawn_on is distinct from new.withdrawn_on)
    and not exists (select 1 from case_permits where work = 'night')
begin
    select raise(abort, 'facts of evidence follow the night that corrects them');
end;

create trigger case_evidence_keys_stay before update on case_evidence
for each row when (old.subject_key is distinct from new.subject_key or old.evidence_key is distinct from new.evidence_key
        or old.person_key is distinct from new.person_key or old.claim_no is distinct from new.claim_no)
    and not exists (select 1 from case_permits where work in ('rename', 'forget'))
begin
    select raise(abort, 'what evidence is about changes with the keys only');
end;

create trigger case_opening_is_made before insert on case_openings
for each row when not exists (select 1 from case_permits where work in ('open', 'find'))
begin
    select raise(abort, 'evidence is opened by whoever reads it');
end;

create trigger case_decision_is_made before insert on case_decisions
for each row when not exists (select 1 from case_permits where work = 'close')
begin
    select raise(abort, 'a decision is made by closing its case');
end;

create trigger case_citation_is_made before insert on case_citations
for each row when not exists (select 1 from case_permits where work = 'close')
begin
    select raise(abort, 'a decision names its evidence when it is made');
end;

create trigger case_suppression_is_made before insert on case_suppressions
for each row when not exists (select 1 from case_permits where work = 'suppress')
begin
    select raise(abort, 'a suppression is made with its event');
end;

create trigger case_suppression_value_stays before update on case_suppressions
for each row when (old.value is distinct from new.value)
    and not exists (select 1 from case_permits where work = 'rename')
begin
    select raise(abort, 'what a suppression is about changes with the keys only');
end;

create trigger case_suppression_is_lifted before update on case_suppressions
for each row when (old.lifted_on is distinct from new.lifted_on)
    and not exists (select 1 from case_permits where work = 'lift')
begin
    select raise(abort, 'a suppression is lifted with its event');
end;

create trigger case_suppression_goes_with_person before delete on case_suppressions
for each row when not exists (select 1 from case_permits where work = 'forget')
begin
    select raise(abort, 'a suppression is lifted, not removed');
end;

create trigger case_draw_is_made before insert on case_draws
for each row when not exists (select 1 from case_permits where work = 'night')
begin
    select raise(abort, 'claims are drawn by a night');
end;

create trigger case_draw_goes_with_person before delete on case_draws
for each row when not exists (select 1 from case_permits where work = 'forget')
begin
    select raise(abort, 'what was drawn stays drawn');
end;

create trigger case_list_is_written before insert on case_list
for each row when not exists (select 1 from case_permits where work = 'night')
begin
    select raise(abort, 'the list is written by a night');
end;

create trigger case_list_is_written_anew before delete on case_list
for each row when not exists (select 1 from case_permits where work = 'night')
begin
    select raise(abort, 'the list of a night is written anew by that night');
end;

create trigger case_evidence_decided_stays before update on case_evidence
for each row when (old.decided_in is not null
        or old.evidence_kind = 'finding') and (old.rule_version is distinct from new.rule_version
        or old.subject_kind is distinct from new.subject_kind
        or old.evidence_kind is distinct from new.evidence_kind
        or old.severity is distinct from new.severity or old.subject_from is distinct from new.subject_from
        or old.subject_to is distinct from new.subject_to
        or old.evidence_from is distinct from new.evidence_from
        or old.evidence_to is distinct from new.evidence_to
        or old.amount_at_risk_won is distinct from new.amount_at_risk_won
        or old.known_on is distinct from new.known_on or old.withdrawn_on is distinct from new.withdrawn_on)
begin
    select raise(abort, 'what is decided or was found by an investigator is not corrected');
end;

create trigger case_suppression_stays before update on case_suppressions
for each row when old.suppression_no is distinct from new.suppression_no or old.owner is distinct from new.owner
        or old.reason is distinct from new.reason or old.scope is distinct from new.scope
        or old.from_on is distinct from new.from_on
        or old.expires_on is distinct from new.expires_on
       
        or (old.lifted_on is not null and old.lifted_on is distinct from new.lifted_on)
begin
    select raise(abort, 'a suppression is lifted once and otherwise stays what it is');
end;

create trigger case_draw_stays before update on case_draws
for each row
begin
    select raise(abort, 'what was drawn stays drawn');
end;

create trigger case_list_stays before update on case_list
for each row
begin
    select raise(abort, 'the list of a night is written anew by that night');
end;

create trigger case_evidence_is_decided before update on case_evidence
for each row when old.decided_in is distinct from new.decided_in and not exists (
        select 1 from case_decisions
        where case_decisions.decision_no = new.decided_in and case_decisions.case_no = new.case_no)
begin
    select raise(abort, 'evidence is decided by a decision about its case');
end;
