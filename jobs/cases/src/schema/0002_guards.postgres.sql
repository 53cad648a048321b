-- What no statement may do to cases, whoever sends it.

create function case_begins_pending() returns trigger language plpgsql as $$
begin
    if new.state <> 'pending' or new.outcome is not null or new.last_event_no <> 0 then
        raise exception 'a case begins pending and without an event' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_begins_pending before insert on cases for each row execute function case_begins_pending();

create function case_moves_on() returns trigger language plpgsql as $$
begin
    if not (old.state = new.state
        or (old.state = 'pending' and new.state = 'investigating')
        or (old.state = 'investigating' and new.state = 'awaiting_verification')
        or (old.state = 'awaiting_verification' and new.state = 'closed')
        or (old.state = 'closed' and new.state = 'investigating')) then
        raise exception 'a case goes pending, investigating, awaiting_verification, closed, and from there to investigating' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_moves_on before update on cases for each row execute function case_moves_on();

create function case_reopens_on_evidence() returns trigger language plpgsql as $$
begin
    if old.state = 'closed' and new.state = 'investigating' and not exists (
        select 1 from case_evidence
        where case_evidence.case_no = new.case_no
            and case_evidence.decided_in is null and case_evidence.withdrawn_on is null) then
        raise exception 'a closed case reopens on new evidence only' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_reopens_on_evidence before update on cases for each row execute function case_reopens_on_evidence();

create function case_closes_by_decision() returns trigger language plpgsql as $$
begin
    if old.state <> 'closed' and new.state = 'closed' and not exists (
        select 1 from case_decisions
        where case_decisions.decision_no = new.decision_no
            and case_decisions.case_no = new.case_no
            and case_decisions.outcome = new.outcome
            and case_decisions.decided_on = new.closed_on
            and case_decisions.investigator = new.investigator
            and case_decisions.verifier = new.verifier
            and (case_decisions.outcome not in ('confirmed_fraud', 'overpayment_error', 'referred') or exists (
                select 1 from case_citations where case_citations.decision_no = case_decisions.decision_no))) then
        raise exception 'a case is closed by a decision, which names its evidence where it burdens a person' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_closes_by_decision before update on cases for each row execute function case_closes_by_decision();

create function case_outcome_stays() returns trigger language plpgsql as $$
begin
    if old.state = 'closed' and new.state = 'closed'
        and (old.outcome <> new.outcome or old.decision_no <> new.decision_no or old.closed_on <> new.closed_on
            or old.verifier <> new.verifier or old.investigator <> new.investigator) then
        raise exception 'an outcome is not changed; an appeal is recorded beside it' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_outcome_stays before update on cases for each row execute function case_outcome_stays();

create function case_changes_with_event() returns trigger language plpgsql as $$
begin
    if new.last_event_no <= old.last_event_no
            and (old.state <> new.state or old.centre <> new.centre or old.severity <> new.severity or old.rules <> new.rules
                or old.evidence_count <> new.evidence_count or old.undecided_count <> new.undecided_count
                or old.evidence_sum <> new.evidence_sum or old.amount_at_risk_won <> new.amount_at_risk_won
                or coalesce(old.first_on, '') <> coalesce(new.first_on, '') or coalesce(old.last_on, '') <> coalesce(new.last_on, '')
                or coalesce(old.known_on, '') <> coalesce(new.known_on, '')
                or coalesce(old.investigator, '') <> coalesce(new.investigator, '') or old.worked_by <> new.worked_by
                or coalesce(old.verifier, '') <> coalesce(new.verifier, '')
                or coalesce(old.snoozed_until, '') <> coalesce(new.snoozed_until, '')
                or coalesce(old.notice_sent_on, '') <> coalesce(new.notice_sent_on, '')
                or coalesce(old.reply_due_on, '') <> coalesce(new.reply_due_on, '')
                or coalesce(old.reply_received_on, '') <> coalesce(new.reply_received_on, '')
                or old.appeal <> new.appeal or old.opened_on <> new.opened_on or old.pivot_kind <> new.pivot_kind)
        or new.last_event_no < old.last_event_no
        or new.case_no <> old.case_no
        or (new.last_event_no > old.last_event_no and not exists (
            select 1 from case_events
            where case_events.event_no = new.last_event_no and case_events.case_no = new.case_no)) then
        raise exception 'a case changes with an event of its own only' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_changes_with_event before update on cases for each row execute function case_changes_with_event();

create function case_stays() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'a case is not removed' using errcode = 'check_violation';
    end if;
    return old;
end $$;
create trigger case_stays before delete on cases for each row execute function case_stays();

create function case_evidence_stays() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'evidence is not removed' using errcode = 'check_violation';
    end if;
    return old;
end $$;
create trigger case_evidence_stays before delete on case_evidence for each row execute function case_evidence_stays();

create function case_evidence_stays_decided() returns trigger language plpgsql as $$
begin
    if old.evidence_no <> new.evidence_no or old.case_no <> new.case_no or old.rule_id <> new.rule_id
        or old.first_seen_on <> new.first_seen_on
        or (old.decided_in is not null and (new.decided_in is null or new.decided_in <> old.decided_in)) then
        raise exception 'evidence stays with its case and its decision' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_evidence_stays_decided before update on case_evidence for each row execute function case_evidence_stays_decided();

create function case_citation_was_opened() returns trigger language plpgsql as $$
begin
    if not exists (
        select 1 from case_evidence
        join case_decisions on case_decisions.case_no = case_evidence.case_no
        join cases on cases.case_no = case_evidence.case_no
        join case_openings on case_openings.evidence_no = case_evidence.evidence_no
        where case_evidence.evidence_no = new.evidence_no
            and case_decisions.decision_no = new.decision_no
            and replace(',' || cases.worked_by || ',', ',' || case_openings.account || ',', '') <> ',' || cases.worked_by || ',') then
        raise exception 'a decision rests on evidence of its case that an investigator opened' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_citation_was_opened before insert on case_citations for each row execute function case_citation_was_opened();

create function case_event_follows() returns trigger language plpgsql as $$
begin
    if new.event_no <> 1 + coalesce((select max(event_no) from case_events), 0)
        or new.previous_hash <> coalesce((select hash from case_events order by event_no desc limit 1), '') then
        raise exception 'an event follows the one before' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_event_follows before insert on case_events for each row execute function case_event_follows();

create function case_opening_refuses_update() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_openings is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_opening_refuses_update before update on case_openings for each row execute function case_opening_refuses_update();

create function case_opening_refuses_delete() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_openings is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return old;
end $$;
create trigger case_opening_refuses_delete before delete on case_openings for each row execute function case_opening_refuses_delete();

create function case_decision_refuses_update() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_decisions is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_decision_refuses_update before update on case_decisions for each row execute function case_decision_refuses_update();

create function case_decision_refuses_delete() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_decisions is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return old;
end $$;
create trigger case_decision_refuses_delete before delete on case_decisions for each row execute function case_decision_refuses_delete();

create function case_citation_refuses_update() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_citations is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_citation_refuses_update before update on case_citations for each row execute function case_citation_refuses_update();

create function case_citation_refuses_delete() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_citations is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return old;
end $$;
create trigger case_citation_refuses_delete before delete on case_citations for each row execute function case_citation_refuses_delete();

create function case_event_refuses_update() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_events is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger case_event_refuses_update before update on case_events for each row execute function case_event_refuses_update();

create function case_event_refuses_delete() returns trigger language plpgsql as $$
begin
    if 1 = 1 then
        raise exception 'what is recorded of case_events is neither changed nor removed' using errcode = 'check_violation';
    end if;
    return old;
end $$;
create trigger case_event_refuses_delete before delete on case_events for each row execute function case_event_refuses_delete();
