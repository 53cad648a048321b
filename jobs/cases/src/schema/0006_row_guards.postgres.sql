-- What only the book's own work does to its rows, whoever sends the statement: it leaves a permit for as long as its
-- transaction lasts.

create function case_needs_permit() returns trigger language plpgsql as $$
begin
    -- The first argument says why not, the others are works that may.
    if not exists (select 1 from case_permits where work = any (tg_argv)) then
        raise exception '%', tg_argv[0] using errcode = 'check_violation';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end $$;

create function case_refuses() returns trigger language plpgsql as $$
begin
    raise exception '%', tg_argv[0] using errcode = 'check_violation';
end $$;

create trigger case_opens_at_night before insert on cases for each row
    execute function case_needs_permit('a case is opened by a night', 'night');

create trigger case_subject_stays before update on cases for each row
    when (old.pivot_key is distinct from new.pivot_key or old.person_key is distinct from new.person_key)
    execute function case_needs_permit('whom a case is about changes with the keys only', 'rename', 'forget');

create trigger case_evidence_is_raised before insert on case_evidence for each row
    execute function case_needs_permit('evidence is raised by a night or found by an investigator', 'night', 'find');

create trigger case_evidence_facts_stay before update on case_evidence for each row
    when (old.rule_version is distinct from new.rule_version or old.subject_kind is distinct from new.subject_kind
        or old.evidence_kind is distinct from new.evidence_kind
        or old.severity is distinct from new.severity or old.subject_from is distinct from new.subject_from
        or old.subject_to is distinct from new.subject_to
        or old.evidence_from is distinct from new.evidence_from
        or old.evidence_to is distinct from new.evidence_to
        or old.amount_at_risk_won is distinct from new.amount_at_risk_won
        or old.known_on is distinct from new.known_on or old.withdrawn_on is distinct from new.withdrawn_on)
    execute function case_needs_permit('facts of evidence follow the night that corrects them', 'night');

create trigger case_evidence_keys_stay before update on case_evidence for each row
    when (old.subject_key is distinct from new.subject_key or old.evidence_key is distinct from new.evidence_key
        or old.person_key is distinct from new.person_key or old.claim_no is distinct from new.claim_no)
    execute function case_needs_permit('what evidence is about changes with the keys only', 'rename', 'forget');

create trigger case_opening_is_made before insert on case_openings for each row
    execute function case_needs_permit('evidence is opened by whoever reads it', 'open', 'find');

create trigger case_decision_is_made before insert on case_decisions for each row
    execute function case_needs_permit('a decision is made by closing its case', 'close');

create trigger case_citation_is_made before insert on case_citations for each row
    execute function case_needs_permit('a decision names its evidence when it is made', 'close');

create trigger case_suppression_is_made before insert on case_suppressions for each row
    execute function case_needs_permit('a suppression is made with its event', 'suppress');

create trigger case_suppression_value_stays before update on case_suppressions for each row
    when (old.value is distinct from new.value)
    execute function case_needs_permit('what a suppression is about changes with the keys only', 'rename');

create trigger case_suppression_is_lifted before update on case_suppressions for each row
    when (old.lifted_on is distinct from new.lifted_on)
    execute function case_needs_permit('a suppression is lifted with its event', 'lift');

create trigger case_suppression_goes_with_person before delete on case_suppressions for each row
    execute function case_needs_permit('a suppression is lifted, not removed', 'forget');

create trigger case_draw_is_made before insert on case_draws for each row
    execute function case_needs_permit('claims are drawn by a night', 'night');

create trigger case_draw_goes_with_person before delete on case_draws for each row
    execute function case_needs_permit('what was drawn stays drawn', 'forget');

create trigger case_list_is_written before insert on case_list for each row
    execute function case_needs_permit('the list is written by a night', 'night');

create trigger case_list_is_written_anew before delete on case_list for each row
    execute function case_needs_permit('the list of a night is written anew by that night', 'night');

create trigger case_evidence_decided_stays before update on case_evidence for each row
    when ((old.decided_in is not null
        or old.evidence_kind = 'finding') and (old.rule_version is distinct from new.rule_version
        or old.subject_kind is distinct from new.subject_kind
        or old.evidence_kind is distinct from new.evidence_kind
        or old.severity is distinct from new.severity or old.subject_from is distinct from new.subject_from
        or old.subject_to is distinct from new.subject_to
        or old.evidence_from is distinct from new.evidence_from
        or old.evidence_to is distinct from new.evidence_to
        or old.amount_at_risk_won is distinct from new.amount_at_risk_won
        or old.known_on is distinct from new.known_on or old.withdrawn_on is distinct from new.withdrawn_on))
    execute function case_refuses('what is decided or was found by an investigator is not corrected');

create trigger case_suppression_stays before update on case_suppressions for each row
    when (old.suppression_no is distinct from new.suppression_no or old.owner is distinct from new.owner
        or old.reason is distinct from new.reason or old.scope is distinct from new.scope
        or old.from_on is distinct from new.from_on
        or old.expires_on is distinct from new.expires_on
       
        or (old.lifted_on is not null and old.lifted_on is distinct from new.lifted_on))
    execute function case_refuses('a suppression is lifted once and otherwise stays what it is');

create trigger case_draw_stays before update on case_draws for each row
    execute function case_refuses('what was drawn stays drawn');

create trigger case_list_stays before update on case_list for each row
    execute function case_refuses('the list of a night is written anew by that night');

create function case_evidence_is_decided() returns trigger language plpgsql as $$
begin
    if old.decided_in is distinct from new.decided_in and not exists (
        select 1 from case_decisions
        where case_decisions.decision_no = new.decided_in and case_decisions.case_no = new.case_no) then
        raise exception 'evidence is decided by a decision about its case' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_evidence_is_decided before update on case_evidence for each row execute function case_evidence_is_decided();

-- No trigger of a row sees a table being emptied.
create trigger cases_are_not_emptied before truncate on cases for each statement
    execute function case_refuses('cases is not emptied');
create trigger case_evidence_are_not_emptied before truncate on case_evidence for each statement
    execute function case_refuses('case_evidence is not emptied');
create trigger case_openings_are_not_emptied before truncate on case_openings for each statement
    execute function case_refuses('case_openings is not emptied');
create trigger case_decisions_are_not_emptied before truncate on case_decisions for each statement
    execute function case_refuses('case_decisions is not emptied');
create trigger case_citations_are_not_emptied before truncate on case_citations for each statement
    execute function case_refuses('case_citations is not emptied');
create trigger case_events_are_not_emptied before truncate on case_events for each statement
    execute function case_refuses('case_events is not emptied');
create trigger case_suppressions_are_not_emptied before truncate on case_suppressions for each statement
    execute function case_refuses('case_suppressions is not emptied');
create trigger case_draws_are_not_emptied before truncate on case_draws for each statement
    execute function case_refuses('case_draws is not emptied');
create trigger case_list_are_not_emptied before truncate on case_list for each statement
    execute function case_refuses('case_list is not emptied');
