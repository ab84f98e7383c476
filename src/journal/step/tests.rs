//! Every state against every event, and the rules that are easily broken, each by name.

use super::*;
use crate::domain::ClientName;
use crate::journal::{Cause, Operation, ScopeId};
use crate::plan::{OpKind, Series, VerdictState};

const STATES: [State; 6] = [State::Prepared, State::Sending, State::Done, State::Refused, State::Unknown, State::Ask];

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000) + SignedDuration::from_secs(seconds)
}

fn us() -> Owner {
    Owner::new("us")
}

fn them() -> Owner {
    Owner::new("them")
}

fn account(id: u64) -> AccountId {
    AccountId::new(id.to_string())
}

fn verdict() -> Verdict {
    Verdict { state: VerdictState::Failed, reason: None, message: "no".into(), request_id: None }
}

/// A row of ours. What was sent was sent at 0 with a permit until 20, so that it has
/// settled at 200.
fn row(state: State, repeat: Repeat) -> Row {
    let series =
        Series { client: ClientName::parse("acme").unwrap(), kind: OpKind::CreateAccount, argument: String::new() };
    let operation = Operation { scope: ScopeId::new("s"), series, generation: 0 };
    let row = Row::prepared(operation, us(), repeat, "first".into(), Cause::default());
    let is_sent = state != State::Prepared;
    Row {
        state,
        sends: u32::from(is_sent),
        in_doubt: matches!(state, State::Unknown | State::Ask),
        first_sent_at: is_sent.then(|| at(0)),
        deadline: is_sent.then(|| at(20)),
        ended_at: matches!(state, State::Done | State::Refused).then(|| at(5)),
        version: 1,
        ..row
    }
}

fn try_it(row: &Row, event: &Event) -> Result<Row, Rejected> {
    step(row, event, &Rules::default()).map(|(row, _)| row)
}

fn done() -> Answer {
    Answer::Done { account: Some(account(7)), invited: false, request_id: None }
}

fn answered(owner: Owner, answer: Answer) -> Event {
    Event::Answered { owner, now: at(10), answer }
}

/// Every event that can be told from the others by its outcome, with its name.
fn events() -> Vec<(&'static str, Event)> {
    let permit = |owner, looked| Event::Permit { owner, now: at(300), deadline: at(320), looked };
    let refused = || Answer::Refused { verdict: verdict() };
    vec![
        ("permit", permit(us(), false)),
        ("permit, looked", permit(us(), true)),
        ("permit, theirs", permit(them(), true)),
        ("done", answered(us(), done())),
        ("done, theirs", answered(them(), done())),
        ("not sent", answered(us(), Answer::NotSent { verdict: verdict() })),
        ("refused", answered(us(), refused())),
        ("refused, theirs", answered(them(), refused())),
        ("still running", answered(us(), Answer::StillRunning { verdict: verdict() })),
        ("key reused", answered(us(), Answer::KeyReused { verdict: verdict() })),
        ("unknown", answered(us(), Answer::Unknown { verdict: verdict() })),
        ("orphaned at its deadline", Event::Orphaned { now: at(20), proved: false }),
        ("orphaned after it", Event::Orphaned { now: at(21), proved: false }),
        ("orphaned, proved", Event::Orphaned { now: at(1), proved: true }),
        ("doubted", Event::Doubted { deadline: at(40) }),
        ("taken over", Event::TakenOver { owner: them() }),
        ("there", Event::Looked { began: at(30), sight: Sight::There { account: Some(account(7)) } }),
        ("absent, early", Event::Looked { began: at(199), sight: Sight::Absent }),
        ("absent", Event::Looked { began: at(200), sight: Sight::Absent }),
        ("absent, a day later", Event::Looked { began: at(86_400), sight: Sight::Absent }),
        ("several", Event::Looked { began: at(200), sight: Sight::Several { accounts: vec![account(7), account(8)] } }),
        ("resend", Event::Resend { owner: them(), now: at(300), deadline: at(320) }),
        ("resend, a day later", Event::Resend { owner: them(), now: at(86_400), deadline: at(86_420) }),
        ("retry", Event::Retry { owner: them(), request: "second".into() }),
        ("withdrawn", Event::Withdrawn { now: at(300) }),
        ("released", Event::Released),
        ("it happened", Event::Resolved { now: at(30), word: Word::Created { account: Some(account(7)) } }),
        ("it did not, early", Event::Resolved { now: at(199), word: Word::NotCreated }),
        ("it did not", Event::Resolved { now: at(200), word: Word::NotCreated }),
    ]
}

/// The next row as far as it differs from a usual one, and what is to be done.
fn told(row: &Row, event: &Event) -> String {
    let (next, effects) = match step(row, event, &Rules::default()) {
        Ok(found) => found,
        Err(rejected) => return format!("- {rejected:?}"),
    };
    let Row { state, attempt, sends, in_doubt, owner, request, account_id, looks, released, .. } = &next;
    let Row { first_sent_at, deadline, ended_at, .. } = &next;
    let second =
        |at: &Option<Timestamp>| at.map_or("-".into(), |time| time.duration_since(self::at(0)).as_secs().to_string());
    let times = format!("{}/{}/{}", second(first_sent_at), second(deadline), second(ended_at));
    let mut words = vec![format!("{state:?} #{attempt} sends {sends} at {times}")];
    words.extend((*owner != us()).then(|| "theirs".to_owned()));
    words.extend(in_doubt.then(|| "in doubt".to_owned()));
    words.extend((request == "second").then(|| "other bytes".to_owned()));
    words.extend(account_id.as_ref().map(|id| format!("account {id}")));
    words.extend((*looks > 0).then(|| format!("looks {looks}")));
    words.extend(released.then(|| "released".to_owned()));
    let effects: Vec<_> = effects.iter().map(effect).collect();
    format!("{} -> {}", words.join(", "), effects.join(", "))
}

fn effect(effect: &Effect) -> String {
    let second = |time: &Timestamp| time.duration_since(at(0)).as_secs();
    match effect {
        Effect::Send { until } => format!("Send until {}", second(until)),
        Effect::LookFor { from } => format!("LookFor from {}", second(from)),
        Effect::SendAgain { until } => format!("SendAgain until {}", second(until)),
        Effect::Alarm { accounts } => format!("Alarm {accounts:?}"),
        other => format!("{other:?}"),
    }
}

/// All of it for one kind of write.
fn table(repeat: Repeat) -> String {
    let mut lines = Vec::new();
    for state in STATES {
        lines.push(format!("{state:?}"));
        let row = row(state, repeat);
        lines.extend(events().iter().map(|(name, event)| format!("  {name}: {}", told(&row, event))));
    }
    lines.join("\n")
}

#[test]
fn every_state_and_event_of_what_is_never_repeated() {
    insta::assert_snapshot!(table(Repeat::Never), @r"
    Prepared
      permit: - NotLooked
      permit, looked: Sending #1 sends 1 at 300/320/- -> Send until 320
      permit, theirs: - NotYours
      done: - State
      done, theirs: - State
      not sent: - State
      refused: - State
      refused, theirs: - State
      still running: - State
      key reused: - State
      unknown: - State
      orphaned at its deadline: - State
      orphaned after it: - State
      orphaned, proved: - State
      doubted: Unknown #1 sends 0 at 40/40/-, in doubt -> LookFor from 220
      taken over: Prepared #1 sends 0 at -/-/-, theirs -> Look
      there: Done #1 sends 0 at -/-/30, account 7 -> Rest
      absent, early: - State
      absent: - State
      absent, a day later: - State
      several: - State
      resend: - State
      resend, a day later: - State
      retry: - State
      withdrawn: Refused #1 sends 0 at -/-/300, released -> Wait
      released: - State
      it happened: - State
      it did not, early: - State
      it did not: - State
    Sending
      permit: - State
      permit, looked: - State
      permit, theirs: - State
      done: Done #1 sends 1 at 0/20/10, account 7 -> Rest
      done, theirs: - NotYours
      not sent: Prepared #1 sends 0 at -/-/- -> Look
      refused: Refused #1 sends 1 at 0/20/10 -> Wait
      refused, theirs: - NotYours
      still running: Unknown #1 sends 1 at 0/20/-, in doubt -> LookFor from 200
      key reused: Ask #1 sends 1 at 0/20/-, in doubt -> AskPerson
      unknown: Unknown #1 sends 1 at 0/20/-, in doubt -> LookFor from 200
      orphaned at its deadline: - OwnerAlive
      orphaned after it: Unknown #1 sends 1 at 0/20/-, in doubt -> LookFor from 200
      orphaned, proved: Unknown #1 sends 1 at 0/20/-, in doubt -> LookFor from 200
      doubted: Unknown #1 sends 1 at 0/40/-, in doubt -> LookFor from 220
      taken over: - State
      there: - State
      absent, early: - State
      absent: - State
      absent, a day later: - State
      several: - State
      resend: - State
      resend, a day later: - State
      retry: - State
      withdrawn: - State
      released: - State
      it happened: - State
      it did not, early: - State
      it did not: - State
    Done
      permit: - State
      permit, looked: - State
      permit, theirs: - State
      done: - State
      done, theirs: - State
      not sent: - State
      refused: - State
      refused, theirs: - State
      still running: - State
      key reused: - State
      unknown: - State
      orphaned at its deadline: - State
      orphaned after it: - State
      orphaned, proved: - State
      doubted: - State
      taken over: - State
      there: - State
      absent, early: - State
      absent: - State
      absent, a day later: - State
      several: - State
      resend: - State
      resend, a day later: - State
      retry: - State
      withdrawn: - State
      released: Done #1 sends 1 at 0/20/5, released -> Rest
      it happened: - State
      it did not, early: - State
      it did not: - State
    Refused
      permit: - State
      permit, looked: - State
      permit, theirs: - State
      done: - State
      done, theirs: - State
      not sent: - State
      refused: - State
      refused, theirs: - State
      still running: - State
      key reused: - State
      unknown: - State
      orphaned at its deadline: - State
      orphaned after it: - State
      orphaned, proved: - State
      doubted: - State
      taken over: - State
      there: Done #1 sends 1 at 0/20/30, account 7 -> Rest
      absent, early: - State
      absent: - State
      absent, a day later: - State
      several: - State
      resend: - State
      resend, a day later: - State
      retry: Prepared #2 sends 1 at -/-/-, theirs, other bytes -> Look
      withdrawn: - State
      released: Refused #1 sends 1 at 0/20/5, released -> Wait
      it happened: - State
      it did not, early: - State
      it did not: - State
    Unknown
      permit: - State
      permit, looked: - State
      permit, theirs: - State
      done: Done #1 sends 1 at 0/20/10, account 7 -> Rest
      done, theirs: - NotYours
      not sent: - State
      refused: - State
      refused, theirs: - NotYours
      still running: - State
      key reused: - State
      unknown: - State
      orphaned at its deadline: - State
      orphaned after it: - State
      orphaned, proved: - State
      doubted: - State
      taken over: - State
      there: Done #1 sends 1 at 0/20/30, account 7 -> Rest
      absent, early: Unknown #1 sends 1 at 0/20/-, in doubt -> LookFor from 200
      absent: Unknown #1 sends 1 at 0/20/-, in doubt, looks 1 -> LookFor from 200
      absent, a day later: Unknown #1 sends 1 at 0/20/-, in doubt, looks 1 -> LookFor from 200
      several: Ask #1 sends 1 at 0/20/-, in doubt -> Alarm [AccountId(7), AccountId(8)], AskPerson
      resend: - Unrepeatable
      resend, a day later: - Unrepeatable
      retry: - State
      withdrawn: - State
      released: - State
      it happened: Done #1 sends 1 at 0/20/30, account 7 -> Rest
      it did not, early: - TooEarly
      it did not: Prepared #2 sends 1 at -/-/- -> Look
    Ask
      permit: - State
      permit, looked: - State
      permit, theirs: - State
      done: Done #1 sends 1 at 0/20/10, account 7 -> Rest
      done, theirs: - NotYours
      not sent: - State
      refused: - State
      refused, theirs: - NotYours
      still running: - State
      key reused: - State
      unknown: - State
      orphaned at its deadline: - State
      orphaned after it: - State
      orphaned, proved: - State
      doubted: - State
      taken over: - State
      there: Done #1 sends 1 at 0/20/30, account 7 -> Rest
      absent, early: - State
      absent: - State
      absent, a day later: - State
      several: Ask #1 sends 1 at 0/20/-, in doubt -> Alarm [AccountId(7), AccountId(8)], AskPerson
      resend: - State
      resend, a day later: - State
      retry: - State
      withdrawn: - State
      released: - State
      it happened: Done #1 sends 1 at 0/20/30, account 7 -> Rest
      it did not, early: - TooEarly
      it did not: Prepared #2 sends 1 at -/-/- -> Look
    ");
}

/// What differs from the table above.
fn differences(repeat: Repeat) -> String {
    let (never, other) = (table(Repeat::Never), table(repeat));
    let mut lines = Vec::new();
    let mut state = "";
    for (one, two) in never.lines().zip(other.lines()) {
        if !two.starts_with(' ') {
            state = two;
        } else if one != two {
            lines.push(format!("{state}:{}", &two[1..]));
        }
    }
    lines.join("\n")
}

#[test]
fn what_differs_where_the_server_has_keys() {
    insta::assert_snapshot!(differences(Repeat::UnderKey), @r"
    Prepared: permit: Sending #1 sends 1 at 300/320/- -> Send until 320
    Prepared: doubted: Unknown #1 sends 0 at 40/40/-, in doubt -> SendAgain until 43240
    Prepared: taken over: Prepared #1 sends 0 at -/-/-, theirs -> AskPermit
    Sending: not sent: Prepared #1 sends 0 at -/-/- -> AskPermit
    Sending: still running: Unknown #1 sends 1 at 0/20/-, in doubt -> SendAgain until 43200
    Sending: unknown: Unknown #1 sends 1 at 0/20/-, in doubt -> SendAgain until 43200
    Sending: orphaned after it: Unknown #1 sends 1 at 0/20/-, in doubt -> SendAgain until 43200
    Sending: orphaned, proved: Unknown #1 sends 1 at 0/20/-, in doubt -> SendAgain until 43200
    Sending: doubted: Unknown #1 sends 1 at 0/40/-, in doubt -> SendAgain until 43200
    Refused: retry: Prepared #2 sends 1 at -/-/-, theirs, other bytes -> AskPermit
    Unknown: absent, early: Unknown #1 sends 1 at 0/20/-, in doubt -> SendAgain until 43200
    Unknown: absent: Unknown #1 sends 1 at 0/20/-, in doubt -> SendAgain until 43200
    Unknown: resend: Sending #1 sends 2 at 0/320/-, theirs, in doubt -> Send until 320
    Unknown: resend, a day later: - KeyTooOld
    Unknown: it did not: Prepared #2 sends 1 at -/-/- -> AskPermit
    Ask: it did not: Prepared #2 sends 1 at -/-/- -> AskPermit
    ");
}

#[test]
fn what_differs_for_what_states_an_end() {
    insta::assert_snapshot!(differences(Repeat::Freely), @r"
    Prepared: permit: Sending #1 sends 1 at 300/320/- -> Send until 320
    Prepared: taken over: Prepared #1 sends 0 at -/-/-, theirs -> AskPermit
    Sending: not sent: Prepared #1 sends 0 at -/-/- -> AskPermit
    Refused: retry: Prepared #2 sends 1 at -/-/-, theirs, other bytes -> AskPermit
    Unknown: absent, early: Prepared #2 sends 1 at -/-/- -> AskPermit
    Unknown: absent: Prepared #2 sends 1 at -/-/- -> AskPermit
    Unknown: absent, a day later: Prepared #2 sends 1 at -/-/- -> AskPermit
    Unknown: it did not: Prepared #2 sends 1 at -/-/- -> AskPermit
    Ask: it did not: Prepared #2 sends 1 at -/-/- -> AskPermit
    ");
}

#[test]
fn a_refusal_under_a_key_proves_nothing_of_an_earlier_send_in_doubt() {
    let unknown = row(State::Unknown, Repeat::UnderKey);
    let again = try_it(&unknown, &Event::Resend { owner: us(), now: at(30), deadline: at(50) }).unwrap();
    assert_eq!((again.state, again.sends, again.in_doubt), (State::Sending, 2, true));
    let refused = try_it(&again, &answered(us(), Answer::Refused { verdict: verdict() })).unwrap();
    assert_eq!((refused.state, refused.in_doubt, refused.ended_at), (State::Unknown, true, None));
    // The first time, nothing else can have happened.
    let first = try_it(&row(State::Sending, Repeat::UnderKey), &answered(us(), Answer::Refused { verdict: verdict() }));
    assert_eq!(first.unwrap().state, State::Refused);
}

#[test]
fn a_late_answer_of_the_owner_is_taken_in_after_it_was_given_up() {
    let sending = row(State::Sending, Repeat::Never);
    let given_up = try_it(&sending, &Event::Orphaned { now: at(21), proved: false }).unwrap();
    let asked = row(State::Ask, Repeat::Never);
    for late in [given_up, asked] {
        let taken_in = try_it(&late, &answered(us(), done())).unwrap();
        assert_eq!((taken_in.state, taken_in.account_id, taken_in.in_doubt), (State::Done, Some(account(7)), false));
        // Somebody else's is not, and a late refusal proves nothing.
        assert_eq!(try_it(&late, &answered(them(), done())), Err(Rejected::NotYours));
        let refused = answered(us(), Answer::Refused { verdict: verdict() });
        assert_eq!(try_it(&late, &refused), Err(Rejected::State));
    }
}

#[test]
fn what_was_not_sent_is_taken_back() {
    let not_sent = answered(us(), Answer::NotSent { verdict: verdict() });
    let back = try_it(&row(State::Sending, Repeat::Never), &not_sent).unwrap();
    assert_eq!((back.state, back.sends, back.first_sent_at, back.deadline), (State::Prepared, 0, None, None));
    // Under a key, the earlier send stays in doubt, and so does the age of the key.
    let unknown = row(State::Unknown, Repeat::UnderKey);
    let again = try_it(&unknown, &Event::Resend { owner: us(), now: at(30), deadline: at(50) }).unwrap();
    let back = try_it(&again, &not_sent).unwrap();
    assert_eq!((back.state, back.sends, back.first_sent_at), (State::Unknown, 1, Some(at(0))));
}

#[test]
fn three_looks_in_vain_ask_and_early_ones_do_not_count() {
    let mut row = row(State::Unknown, Repeat::Never);
    let mut seen = Vec::new();
    for began in [30, 199, 200, 250, 199, 300] {
        row = try_it(&row, &Event::Looked { began: at(began), sight: Sight::Absent }).unwrap();
        seen.push((row.state, row.looks));
    }
    let unknown = |looks| (State::Unknown, looks);
    assert_eq!(seen, [unknown(0), unknown(0), unknown(1), unknown(2), unknown(2), (State::Ask, 3)]);
    // A complete look that finds it still answers the question.
    let there = Event::Looked { began: at(400), sight: Sight::There { account: Some(account(7)) } };
    assert_eq!(try_it(&row, &there).unwrap().state, State::Done);
}

#[test]
fn past_half_its_life_a_key_is_no_help_any_more() {
    let unknown = row(State::Unknown, Repeat::UnderKey);
    let half = 12 * 3600;
    assert_eq!(due(&unknown, &Rules::default()), Effect::SendAgain { until: at(half) });
    let resend = |now| Event::Resend { owner: us(), now: at(now), deadline: at(now + 20) };
    assert_eq!(try_it(&unknown, &resend(half - 1)).unwrap().first_sent_at, Some(at(0)));
    assert_eq!(try_it(&unknown, &resend(half)), Err(Rejected::KeyTooOld));
    let mut row = unknown;
    for began in [half - 1, half, half + 1, half + 2] {
        row = try_it(&row, &Event::Looked { began: at(began), sight: Sight::Absent }).unwrap();
    }
    assert_eq!((row.state, row.looks), (State::Ask, 3));
}

#[test]
fn nothing_is_sent_that_was_not_looked_for_after_a_journal_held_it() {
    let permit = |looked| Event::Permit { owner: us(), now: at(0), deadline: at(20), looked };
    let held = row(State::Prepared, Repeat::Never);
    assert_eq!(try_it(&held, &permit(false)), Err(Rejected::NotLooked));
    assert_eq!(try_it(&held, &permit(true)).unwrap().state, State::Sending);
    let new = Row { version: 0, ..held };
    assert_eq!(try_it(&new, &permit(true)), Err(Rejected::NotLooked));
    for repeat in [Repeat::UnderKey, Repeat::Freely] {
        assert_eq!(try_it(&Row { repeat, ..new.clone() }, &permit(false)).unwrap().state, State::Sending);
    }
}

#[test]
fn after_a_failover_nothing_is_looked_for_before_a_forgotten_permit_has_settled() {
    let prepared = row(State::Prepared, Repeat::Never);
    let doubted = try_it(&prepared, &Event::Doubted { deadline: at(20) }).unwrap();
    assert_eq!(due(&doubted, &Rules::default()), Effect::LookFor { from: at(200) });
    let early = try_it(&doubted, &Event::Looked { began: at(199), sight: Sight::Absent }).unwrap();
    assert_eq!((early.state, early.looks), (State::Unknown, 0));
    // A permit that ends later than that is not forgotten.
    let sending = try_it(&row(State::Sending, Repeat::Never), &Event::Doubted { deadline: at(10) }).unwrap();
    assert_eq!(sending.deadline, Some(at(20)));
}

#[test]
fn what_is_begun_anew_has_another_attempt_and_nothing_of_the_last_one() {
    let refused = Row { released: true, ..row(State::Refused, Repeat::Never) };
    let retried = try_it(&refused, &Event::Retry { owner: them(), request: "second".into() }).unwrap();
    let expected = Row {
        state: State::Prepared,
        attempt: 2,
        owner: them(),
        request: "second".into(),
        released: false,
        first_sent_at: None,
        deadline: None,
        ended_at: None,
        ..refused
    };
    assert_eq!(retried, expected);
    // A person's word begins it anew too, with the same bytes.
    let resolved = Event::Resolved { now: at(200), word: Word::NotCreated };
    let anew = try_it(&row(State::Ask, Repeat::Never), &resolved).unwrap();
    assert_eq!((anew.state, anew.attempt, anew.request.as_str(), anew.in_doubt), (State::Prepared, 2, "first", false));
}

#[test]
fn what_was_withdrawn_is_free_to_be_wanted_again() {
    let withdrawn = try_it(&row(State::Prepared, Repeat::Never), &Event::Withdrawn { now: at(30) }).unwrap();
    assert_eq!((withdrawn.state, withdrawn.released, withdrawn.ended_at), (State::Refused, true, Some(at(30))));
    let again = try_it(&withdrawn, &Event::Retry { owner: us(), request: "first".into() }).unwrap();
    assert_eq!((again.state, again.attempt, again.released), (State::Prepared, 2, false));
}
