//! Random sequences of whatever officers, nights and clients do: no rule breaks, no event is lost, the chain verifies.

use super::guarding::{ATTEMPTS, attempt};
use super::moving::{close, finding, to, with_cases};
use super::{Place, act, all, claims, day, evidence, later, night, on_both};
use crate::{Appeal, CaseBook, CaseError, Command, Outcome, Scope, State};

on_both!(random_sequences_break_no_rule_and_lose_no_event);

const SEEDS: u64 = 40;
/// A statement costs PostgreSQL a message; the guards there are those of SQLite, said again.
const SEEDS_ON_POSTGRES: u64 = 8;
const STEPS: u64 = 300;
const CASES: i64 = 4;
const ACCOUNTS: [&str; 4] = ["kim", "lee", "choi", "park"];

/// Whether somebody was burdened who could not answer.
fn is_unheard(state: &crate::CaseState) -> bool {
    let is_adverse = state.outcome.is_some_and(Outcome::is_adverse);
    let had_time = state.reply_due_on.is_some() && state.reply_due_on < state.closed_on;
    is_adverse
        && (state.notice_sent_on.is_none() || (state.reply_received_on.is_none() && !had_time))
}

/// A small generator: the sequence is the same on every machine.
struct Dice(u64);

impl Dice {
    fn of(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.of(of.len() as u64) as usize].clone()
    }
}

fn any_command(dice: &mut Dice, on: chrono::NaiveDate, case_no: i64) -> Command {
    let accounts = ["kim", "lee"];
    match dice.of(14) {
        0 => Command::Assign {
            investigator: dice.one(&accounts).to_owned(),
        },
        1..=5 => to(dice.one(State::ALL)),
        6 => Command::Note {
            text: "called back".to_owned(),
        },
        7 => Command::SendNotice {
            sent_on: on,
            reply_due_on: later(on, 5 + dice.of(10)),
        },
        8 => Command::ReceiveReply { received_on: on },
        9 => Command::Snooze {
            until: later(on, dice.of(5)),
            reason: "waits for a file".to_owned(),
        },
        10 => Command::Wake,
        12 => Command::Find(finding(&format!("protocol {case_no} of {on}"))),
        11 => Command::Appeal {
            state: dice.one(Appeal::ALL),
            reason: "a letter came".to_owned(),
        },
        _ => close(dice.one(Outcome::ALL), &[2 * case_no - 1]),
    }
}

/// What brings a case nearer to its end, so that sequences are not of refusals alone.
fn next_command(state: &crate::CaseState, account: &str) -> (Command, String) {
    let command = match state.state {
        State::Pending => to(State::Investigating),
        State::Investigating => to(State::AwaitingVerification),
        State::AwaitingVerification => {
            return (close(Outcome::FalsePositive, &[]), account.to_owned());
        }
        State::Closed => to(State::Investigating),
    };
    let investigator = state.investigator.as_deref().unwrap_or(account);
    (command, investigator.to_owned())
}

/// What the sequences did, over all seeds.
#[derive(Debug, Default)]
struct Done {
    commands: u64,
    refused: u64,
    closed: u64,
    reopened: u64,
    found: u64,
    openings: u64,
    suppressed: u64,
    lifted: u64,
    drawn: u64,
    listed: u64,
    withdrawn: u64,
}

/// A sequence on a book of its own.
struct Sequence<'a> {
    place: &'a Place,
    dice: Dice,
    on: chrono::NaiveDate,
    /// Events there ought to be, without those of lists.
    expected: usize,
    /// Rows of evidence against each person that nights have brought.
    brought: i64,
    done: &'a mut Done,
}

impl Sequence<'_> {
    fn book(&self) -> &CaseBook {
        &self.place.book
    }

    async fn step(&mut self) {
        let case_no = 1 + self.dice.of(CASES as u64) as i64;
        let account = self.dice.one(&ACCOUNTS);
        if self.dice.of(6) == 0 {
            self.on = later(self.on, self.dice.of(8));
        }
        match self.dice.of(24) {
            0 => {
                attempt(self.place, self.dice.one(&ATTEMPTS), case_no).await;
            }
            1 | 2 => self.open(case_no, account).await,
            3 => self.suppress(case_no, account).await,
            4 => self.lift(account).await,
            5 => self.merge().await,
            _ => self.command(case_no, account).await,
        }
    }

    async fn open(&mut self, case_no: i64, account: &str) {
        let rows = self.book().evidence(case_no).await.unwrap();
        let is_new = |row: &crate::Evidence| row.opened_by.split(',').all(|one| one != account);
        let opened = rows.iter().filter(|row| is_new(row)).count();
        self.expected += usize::from(opened > 0);
        self.done.openings += opened as u64;
        let opening = act(account, self.on);
        let rows = self.book().open_evidence(case_no, &opening).await.unwrap();
        assert!(!rows.iter().any(is_new));
    }

    async fn suppress(&mut self, case_no: i64, account: &str) {
        let scope = match self.dice.of(2) {
            0 => Scope::Rule("F01".to_owned()),
            _ => Scope::Case(case_no),
        };
        let until = later(self.on, self.dice.of(500));
        let act = act(account, self.on);
        match self
            .book()
            .suppress(&scope, "a court looks", until, &act)
            .await
        {
            Ok(_) => {
                self.expected += 1;
                self.done.suppressed += 1;
            }
            Err(CaseError::Refused(_)) => self.done.refused += 1,
            Err(other) => panic!("{scope:?} until {until}: {other:?}"),
        }
    }

    async fn lift(&mut self, account: &str) {
        let number = 1 + self.dice.of(6) as i64;
        let act = act(account, self.on);
        match self.book().lift(number, "the court is done", &act).await {
            Ok(()) => {
                self.expected += 1;
                self.done.lifted += 1;
            }
            Err(CaseError::Refused(_)) => self.done.refused += 1,
            Err(other) => panic!("lift {number}: {other:?}"),
        }
    }

    /// A night with some of all evidence, some of it corrected, and some claims drawn.
    async fn merge(&mut self) {
        self.brought += 1;
        let mut rows = Vec::new();
        for person in 0..CASES {
            for number in 0..self.brought {
                let mut row = evidence(person, number);
                match self.dice.of(8) {
                    0 => continue,
                    1 => row.amount_at_risk_won += 1,
                    2 => row.subject_from = Some(day("2024-01-02")),
                    _ => {}
                }
                rows.push(row);
            }
        }
        let mut incoming = night(&self.on.to_string(), rows);
        incoming.active_claims = claims(CASES);
        incoming.capacity.random_basis_points = 400;
        let merged = self.book().merge(&incoming).await.unwrap();
        self.expected += (merged.opened + merged.updated + merged.reopened) as usize;
        self.done.reopened += merged.reopened;
        self.done.drawn += merged.drawn;
        self.done.listed += merged.listed;
        self.done.withdrawn += merged.withdrawn;
    }

    async fn command(&mut self, case_no: i64, account: &str) {
        let before = self.book().case(case_no).await.unwrap();
        let (command, account) = match self.dice.of(3) {
            0 => next_command(&before.state, account),
            _ => (
                any_command(&mut self.dice, self.on, case_no),
                account.to_owned(),
            ),
        };
        let act = act(&account, self.on);
        match self.book().apply(case_no, &command, &act).await {
            Ok(after) => {
                assert!(crate::may_follow(before.state.state, after.state.state));
                assert!(!is_unheard(&after.state));
                assert_eq!(self.book().case(case_no).await.unwrap(), after);
                let is_closed = after.state.state == State::Closed;
                self.expected += 1;
                self.done.commands += 1;
                self.done.found += u64::from(matches!(command, Command::Find(_)));
                self.done.closed += u64::from(is_closed && before.state.state != State::Closed);
            }
            Err(CaseError::Refused(_)) => {
                self.done.refused += 1;
                assert_eq!(self.book().case(case_no).await.unwrap(), before);
            }
            Err(other) => panic!("{command:?}: {other:?}"),
        }
    }
}

async fn random_sequences_break_no_rule_and_lose_no_event(place: Place) {
    let mut done = Done::default();
    let seeds = if place.is_postgres() {
        SEEDS_ON_POSTGRES
    } else {
        SEEDS
    };
    for seed in 1..=seeds {
        // Shown where the test fails: the last one is it.
        println!("seed {seed}");
        let place = place.another().await;
        with_cases(&place, CASES).await;
        let book = &place.book;
        let mut sequence = Sequence {
            place: &place,
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            on: day("2024-03-02"),
            expected: CASES as usize,
            brought: 2,
            done: &mut done,
        };
        for _ in 0..STEPS {
            sequence.step().await;
        }
        let expected = sequence.expected;
        let events = book.events(None).await.unwrap();
        let kept = events.iter().filter(|event| event.action != "list").count();
        assert_eq!(kept, expected, "no event is lost");
        let report = book.verify(&[book.head().await.unwrap()]).await.unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!(book.cases(&all()).await.unwrap().len(), CASES as usize);
        one_edited_byte_is_found(&place, 1 + sequence.dice.of(events.len() as u64) as i64).await;
    }
    let Done {
        commands,
        refused,
        closed,
        reopened,
        found,
        openings,
        suppressed,
        lifted,
        drawn,
        listed,
        withdrawn,
    } = done;
    let each = [
        commands, refused, closed, reopened, found, openings, suppressed, lifted, drawn, listed,
        withdrawn,
    ];
    assert!(each.iter().all(|count| *count >= seeds / 4), "{each:?}");
}

/// Edits the account of an event behind its guard: it is named.
async fn one_edited_byte_is_found(place: &Place, event_no: i64) {
    let mut transaction = place.book.database.begin().await.unwrap();
    super::guarding::unguard_events(&mut transaction).await;
    let edit = "update case_events set account = account || '7' where event_no = $1";
    let edited = transaction.execute(edit, &[event_no.into()]).await.unwrap();
    assert_eq!(edited, 1);
    let report = crate::verify::verify(&mut transaction, &[]).await.unwrap();
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].starts_with(&format!("event {event_no} was changed")));
}
