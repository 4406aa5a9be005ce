//! The rows AG1 to AG8 of docs/reference/crash-rows.md, and what else one group's listeners promise.

use super::*;

const TICKET: Ticket = Ticket(1);

/// The first runner of a seat has the seat's number; of generation 2, a hundred more.
fn agent(seat: u32, generation: u32) -> Agent {
    let runner = RunnerId(u64::from(seat + (generation - 1) * 100));
    Agent { id: AgentId { seat, runner }, generation }
}

fn key(seat: u32, number: u64) -> SessionKey {
    SessionKey { seat, number }
}

fn heard(seat: u32, number: u64) -> Heard {
    Heard { session: key(seat, number), is_current: true }
}

fn loaded(seat: u32, generation: u32) -> Event {
    Event::Prepared(seat, Prepared::Loaded { agent: agent(seat, generation), fits: true })
}

fn registered(seat: u32, generation: u32) -> Event {
    Event::Prepared(seat, Prepared::Registered { agent: agent(seat, generation), fits: true })
}

fn failed(seat: u32) -> Event {
    Event::Prepared(seat, Prepared::Failed(Trouble::Other("no".into())))
}

fn dead(seat: u32, number: u64) -> Event {
    Event::Dead(key(seat, number), Death { why: "conflict", words: None })
}

fn configured(max_listeners: usize) -> Event {
    Event::Configured { max_listeners, edited: false, outdated: BTreeSet::new() }
}

fn open(seat: u32, number: u64, status: Status) -> Effect {
    Effect::Open { session: key(seat, number), fresh: false, status }
}

fn told(trigger: Trigger, seat: u32, generation: u32) -> Effect {
    Effect::Report(Fact::Registered { agent: agent(seat, generation), trigger: Some(trigger) })
}

/// All of it a minute after the start; but each session is open since then, so that no offer was waiting for it.
fn go_on(listeners: &mut Listeners, events: &[Event]) {
    for event in events {
        let now = if matches!(event, Event::Listening(_)) { EPOCH } else { at(60) };
        listeners.handle(event.clone(), now);
    }
}

/// Listeners that a predecessor left this, after these events.
fn after_a_start(inherited: Inherited, events: &[Event]) -> Listeners {
    let (mut listeners, _) = Listeners::start(3, inherited, 7, EPOCH);
    go_on(&mut listeners, events);
    listeners
}

fn after(events: &[Event]) -> Listeners {
    after_a_start(Inherited::default(), events)
}

/// One that listens since a minute, in seat 0.
fn listening(events: &[Event]) -> Listeners {
    let mut listeners = after(&[loaded(0, 1), Event::Listening(key(0, 1))]);
    go_on(&mut listeners, events);
    listeners
}

/// Seat 0 is busy, and seat 1 listens.
fn busy() -> Listeners {
    listening(&[
        Event::Offered(heard(0, 1)),
        Event::Claimed(agent(0, 1).id),
        loaded(1, 1),
        Event::Listening(key(1, 2)),
    ])
}

/// Seat 0 is busy, seat 1 stands by, and seat 2 listens.
fn busy_with_one_in_reserve() -> Listeners {
    let mut listeners = busy();
    let another_job = [
        Event::Offered(heard(1, 2)),
        Event::Claimed(agent(1, 1).id),
        loaded(2, 1),
        Event::Listening(key(2, 3)),
        Event::Replace(agent(1, 1).id, TICKET),
        registered(1, 2),
    ];
    go_on(&mut listeners, &another_job);
    listeners
}

fn inherited(kind: fn(&mut Inherited) -> &mut std::collections::HashSet<RunnerId>) -> Inherited {
    let mut inherited = Inherited { seats: [0].into(), ..Inherited::default() };
    kind(&mut inherited).insert(agent(0, 1).id.runner);
    inherited
}

/// What is done about an event; log lines, which say nothing new, and looks at the time aside.
#[track_caller]
fn check(mut listeners: Listeners, event: Event, now: Timestamp, expected: &[Effect]) {
    let mut effects = listeners.handle(event, now);
    let counts = |it: &Fact| matches!(it, Fact::Registered { trigger: Some(_), .. });
    effects.retain(|it| !matches!(it, Effect::Report(fact) if !counts(fact)));
    effects.retain(|it| !matches!(it, Effect::Wake(Timer::Census, _)));
    assert_eq!(effects, expected);
}

#[test]
fn ag1_one_listens_and_another_follows_whoever_claims() {
    let (offered, claimed) = (Event::Offered(heard(0, 1)), Event::Claimed(agent(0, 1).id));
    let now = at(60);
    check(after(&[]), loaded(0, 1), now, &[open(0, 1, Status::Online)]);
    let nothing = Event::Prepared(0, Prepared::Nothing { generation: 1 });
    check(after(&[]), nothing, now, &[Effect::Register { seat: 0, generation: 1 }]);
    check(listening(&[]), offered.clone(), now, &[Effect::Offer(key(0, 1))]);
    check(listening(&[]), offered.clone(), at(4), &[Effect::Offer(key(0, 1)), Effect::Load { seat: 1 }]);
    check(listening(std::slice::from_ref(&offered)), offered.clone(), now, &[]);
    let follows = [Effect::SetStatus(key(0, 1), Status::Busy), Effect::Load { seat: 1 }];
    check(listening(std::slice::from_ref(&offered)), claimed, now, &follows);
    let undecided = listening(&[offered]);
    check(undecided.clone(), Event::Intake(Intake::Held), now, &[]);
    let polls_on = [Effect::SetStatus(key(0, 1), Status::Online)];
    check(undecided, Event::Released(agent(0, 1).id), now, &polls_on);
}

#[test]
fn ag1_no_more_listen_than_the_group_allows() {
    let (mut listeners, _) = Listeners::start(1, Inherited::default(), 7, EPOCH);
    for event in [loaded(0, 1), Event::Listening(key(0, 1))] {
        listeners.handle(event, EPOCH);
    }
    check(listeners, Event::Offered(heard(0, 1)), EPOCH, &[Effect::Offer(key(0, 1))]);
}

#[test]
fn ag1_an_extra_listener_leaves_after_silence_and_the_last_one_never() {
    let silence = vec![Event::EmptyPoll(heard(0, 1)); EMPTY_POLLS as usize];
    check(listening(&silence), Event::EmptyPoll(heard(0, 1)), at(60), &[]);
    let mut two = listening(&silence);
    two.wanted = 2;
    go_on(&mut two, &[Event::VersionChanged, loaded(1, 1), Event::Listening(key(1, 2))]);
    check(two.clone(), Event::EmptyPoll(heard(0, 1)), at(60), &[Effect::Close(key(0, 1))]);

    two.handle(configured(1), at(60));
    two.handle(Event::EmptyPoll(heard(0, 1)), at(60));
    two.handle(Event::Offered(heard(1, 2)), at(60));
    let follows = [Effect::SetStatus(key(1, 2), Status::Busy), open(0, 3, Status::Online)];
    check(two, Event::Claimed(agent(1, 1).id), at(60), &follows);
}

#[test]
fn ag2_a_busy_agent_hears_of_its_cancellation_whatever_becomes_of_its_session() {
    let mut listeners = busy();
    let effects = listeners.handle(dead(0, 1), at(60));
    let Some(Effect::Wake(timer, due)) = effects.last().cloned() else { panic!("{effects:?}") };
    assert_eq!(timer, Timer::Reopen(agent(0, 1).id));
    check(listeners.clone(), Event::Due(timer), due, &[open(0, 3, Status::Busy)]);
    listeners.handle(Event::Replace(agent(0, 1).id, TICKET), at(60));
    check(listeners, Event::Due(timer), due, &[]);
    let mut claiming = listening(&[Event::Offered(heard(0, 1)), dead(0, 1)]);
    assert_eq!(claiming.census(at(60)).opening, 1, "another is on its way");
    let effects = claiming.handle(Event::Claimed(agent(0, 1).id), at(60));
    assert_eq!(effects, [open(0, 2, Status::Busy)]);
}

#[test]
fn ag2_without_room_the_listeners_ask_for_no_job_and_count_all_the_same() {
    let mut listeners = busy();
    let effects = listeners.handle(Event::Intake(Intake::Held), at(60));
    assert_eq!(effects, [Effect::SetStatus(key(1, 2), Status::Busy)]);
    assert_eq!(listeners.census(at(60)), Census { listening: 1, busy: 1, ..Census::default() });
    check(listeners, Event::Intake(Intake::Open), at(60), &[Effect::SetStatus(key(1, 2), Status::Online)]);
    check(after(&[Event::Intake(Intake::Held)]), loaded(0, 1), at(60), &[open(0, 1, Status::Busy)]);
}

#[test]
fn ag2_where_nobody_may_listen_sessions_are_deleted_and_those_of_jobs_stay() {
    let closed = Event::Intake(Intake::Closed);
    check(busy(), closed.clone(), at(60), &[Effect::Close(key(1, 2))]);
    let mut listeners = busy();
    listeners.handle(closed.clone(), at(60));
    assert_eq!(listeners.census(at(60)), Census { busy: 1, ..Census::default() });
    check(listeners.clone(), closed.clone(), at(60), &[]);
    check(listeners.clone(), configured(3), at(60), &[]);
    check(listeners.clone(), Event::Offered(heard(1, 2)), at(60), &[]);
    check(listeners.clone(), Event::Intake(Intake::Open), at(60), &[open(1, 3, Status::Online)]);
    check(listeners, Event::Intake(Intake::Held), at(60), &[open(1, 3, Status::Busy)]);
    check(after(std::slice::from_ref(&closed)), loaded(0, 1), at(60), &[]);
}

#[test]
fn ag2_where_nobody_may_listen_an_offer_that_is_decided_about_keeps_its_session_until_then() {
    let closed = Event::Intake(Intake::Closed);
    let undecided = listening(&[Event::Offered(heard(0, 1))]);
    check(undecided.clone(), closed.clone(), at(60), &[]);
    let mut listeners = undecided;
    listeners.handle(closed, at(60));
    let released = Event::Released(agent(0, 1).id);
    check(listeners.clone(), released, at(60), &[Effect::Close(key(0, 1))]);
    let claimed = Event::Claimed(agent(0, 1).id);
    check(listeners, claimed, at(60), &[Effect::SetStatus(key(0, 1), Status::Busy)]);
}

fn failed_poll(seat: u32, number: u64) -> Event {
    Event::PollFailed(key(seat, number), "invalid peer certificate: UnknownIssuer".into())
}

/// How many listen at that time.
#[track_caller]
fn check_listening(listeners: &Listeners, now: Timestamp, expected: usize) {
    assert_eq!(listeners.census(now).listening, expected, "{listeners:?}");
}

#[test]
fn a_session_whose_polls_keep_failing_listens_no_more_until_one_is_answered() {
    let once = listening(&[Event::EmptyPoll(heard(0, 1)), failed_poll(0, 1)]);
    check_listening(&once, at(60), 1);
    let mut twice = once;
    twice.handle(failed_poll(0, 1), at(62));
    check_listening(&twice, at(62), 0);
    assert_eq!(twice.census(at(62)).opening, 1, "nobody else is registered for it");
    assert_eq!(twice.poll_error(), Some("invalid peer certificate: UnknownIssuer"));
    twice.handle(Event::Listening(key(0, 1)), at(63)); // in place of a lost one: no poll of it was answered yet
    check_listening(&twice, at(63), 0);
    for answer in [Event::EmptyPoll(heard(0, 1)), Event::Answered(key(0, 1)), Event::Offered(heard(0, 1))] {
        let mut answered = twice.clone();
        answered.handle(answer, at(64));
        check_listening(&answered, at(64), 1);
        assert_eq!(answered.poll_error(), None);
    }
}

#[test]
fn a_session_without_an_answer_for_longer_than_a_poll_listens_no_more_and_that_is_looked_at_in_time() {
    let mut listeners = listening(&[Event::EmptyPoll(heard(0, 1))]);
    check_listening(&listeners, at(600), 1); // whatever fails says so
    let effects = listeners.handle(failed_poll(0, 1), at(115));
    assert_eq!(effects, [Effect::Wake(Timer::Census, at(120))]);
    check_listening(&listeners, at(119), 1);
    check_listening(&listeners, at(120), 0);
}

#[test]
fn a_rate_limit_and_the_polls_of_busy_sessions_are_no_reason_to_say_that_nobody_listens() {
    let limited = vec![Event::RateLimited(key(0, 1)); 3];
    check_listening(&listening(&limited), at(600), 1);
    let mut busy = busy();
    go_on(&mut busy, &[failed_poll(0, 1), failed_poll(0, 1), failed_poll(0, 1)]);
    check_listening(&busy, at(60), 1);
    assert_eq!(busy.poll_error(), None);
}

#[test]
fn nobody_listening_is_a_moment_for_ten_seconds_and_then_it_is_looked_at() {
    let mut listeners = listening(&[Event::Offered(heard(0, 1))]);
    let effects = listeners.handle(Event::Claimed(agent(0, 1).id), at(60));
    assert_eq!(effects.last(), Some(&Effect::Wake(Timer::Census, at(70))));
    assert!(listeners.census(at(69)).is_between);
    assert!(!listeners.census(at(70)).is_between);
    listeners.handle(loaded(1, 1), at(69));
    listeners.handle(Event::Listening(key(1, 2)), at(72));
    check_listening(&listeners, at(72), 1);

    let (started, effects) = Listeners::start(3, Inherited::default(), 7, EPOCH);
    assert_eq!(effects.last(), Some(&Effect::Wake(Timer::Census, at(10))));
    assert!(started.census(at(9)).is_between && !started.census(at(10)).is_between);
    let closed = listening(&[Event::Intake(Intake::Closed)]);
    assert!(!closed.census(at(60)).is_between, "nobody is on the way");
}

#[test]
fn ag3_a_successor_is_registered_unless_one_stands_by() {
    let replace = Event::Replace(agent(0, 1).id, Ticket(2));
    let registers = [Effect::Abandon(key(0, 1)), Effect::Register { seat: 0, generation: 2 }];
    check(busy(), replace.clone(), at(60), &registers);
    let clears = [Effect::Abandon(key(0, 1)), Effect::Clear { seat: 0, generation: 2 }];
    check(busy_with_one_in_reserve(), replace.clone(), at(60), &clears);

    let mut listeners = busy_with_one_in_reserve();
    listeners.handle(replace, at(60));
    check(listeners.clone(), Event::Cleared(0), at(60), &[Effect::Replaced(Ticket(2))]);
    listeners.handle(Event::Cleared(0), at(60));
    listeners.handle(Event::Offered(heard(2, 3)), at(60));
    listeners.handle(Event::Claimed(agent(2, 1).id), at(60)); // the one that stood by listens
    listeners.handle(Event::Offered(heard(1, 4)), at(60));
    let follows = [Effect::SetStatus(key(1, 4), Status::Busy), Effect::Register { seat: 0, generation: 2 }];
    check(listeners, Event::Claimed(agent(1, 2).id), at(60), &follows);
}

#[test]
fn ag4_generations_go_on_from_the_one_whose_name_was_free() {
    let listeners = after(&[Event::Prepared(0, Prepared::Nothing { generation: 1 }), registered(0, 3)]);
    let next = Effect::Register { seat: 0, generation: 4 };
    check(listeners, Event::Unusable(key(0, 1)), at(60), &[next]);
}

#[test]
fn ag5_an_agent_that_gets_no_session_leaves_no_record_and_the_next_one_waits() {
    let listeners = after(&[loaded(0, 1)]);
    check(listeners.clone(), dead(0, 1), at(60), &[Effect::Discard(agent(0, 1))]);
    let mut parked = listeners;
    parked.handle(dead(0, 1), at(60));
    assert!(matches!(parked.trouble(), Some(Trouble::SessionRefused(words)) if words.ends_with("conflict")));
    check(parked.clone(), configured(3), at(61), &[]);
    check(parked, configured(3), at(65), &[Effect::Register { seat: 0, generation: 2 }]);
}

#[test]
fn ag6_each_new_generation_says_why_it_was_registered() {
    let mut over = busy();
    over.handle(Event::Replace(agent(0, 1).id, TICKET), at(60));
    let answered = [told(Trigger::PostJob, 0, 2), Effect::Replaced(TICKET)];
    check(over, registered(0, 2), at(60), &answered);

    let opened = |number| Effect::Open { session: key(0, number), fresh: true, status: Status::Online };
    let listens = |trigger, listeners: Listeners, number| {
        check(listeners, registered(0, 2), at(60), &[told(trigger, 0, 2), opened(number)]);
    };
    listens(Trigger::StaleSession, listening(&[dead(0, 1)]), 2);
    listens(Trigger::Startup, after_a_start(inherited(|it| &mut it.consumed), &[loaded(0, 1)]), 1);
    let outdated = Event::Configured { max_listeners: 3, edited: true, outdated: [0].into() };
    listens(Trigger::ReconcileRepair, listening(&[outdated]), 2);
    let first = after(&[Event::Prepared(0, Prepared::Nothing { generation: 1 })]);
    check(first, registered(0, 1), at(60), &[opened(1)]);
}

#[test]
fn ag6_what_a_start_finds_decides_what_an_agent_is_good_for() {
    let consumed = after_a_start(inherited(|it| &mut it.consumed), &[]);
    check(consumed, loaded(0, 1), at(60), &[Effect::Register { seat: 0, generation: 2 }]);
    let busy = after_a_start(inherited(|it| &mut it.busy), &[]);
    check(busy, loaded(0, 1), at(60), &[open(0, 1, Status::Busy), Effect::Load { seat: 1 }]);
    let reserved = after_a_start(inherited(|it| &mut it.reserved), &[]);
    check(reserved.clone(), loaded(0, 1), at(60), &[Effect::Load { seat: 1 }]);
    let mut settled = reserved;
    settled.handle(loaded(0, 1), at(60));
    check(settled.clone(), Event::Claimed(agent(0, 1).id), at(60), &[open(0, 1, Status::Busy)]);
    settled.handle(Event::Released(agent(0, 1).id), at(60));
    check(settled, failed(1), at(60), &[open(0, 1, Status::Online)]);
    let cleared = Event::Prepared(0, Prepared::Nothing { generation: 4 });
    check(after(&[]), cleared, at(60), &[Effect::Register { seat: 0, generation: 4 }]);
}

#[test]
fn ag6_a_consumed_agent_that_could_not_be_read_is_replaced_once_it_is() {
    let mut listeners = after_a_start(inherited(|it| &mut it.busy), &[failed(0)]);
    check(listeners.clone(), Event::Replace(agent(0, 1).id, TICKET), at(60), &[Effect::Replaced(TICKET)]);
    listeners.handle(Event::Replace(agent(0, 1).id, TICKET), at(60));
    listeners.handle(configured(3), at(600));
    check(listeners, loaded(0, 1), at(600), &[Effect::Register { seat: 0, generation: 2 }]);
}

#[test]
fn ag7_the_session_of_a_consumed_agent_is_not_deleted_and_every_other_one_is() {
    let outdated = Event::Configured { max_listeners: 3, edited: true, outdated: [0, 1].into() };
    let closed =
        [Effect::Close(key(1, 2)), Effect::Register { seat: 1, generation: 2 }, Effect::Discard(agent(1, 1))];
    check(busy(), outdated, at(60), &closed);
    let abandoned = [Effect::Abandon(key(0, 1)), Effect::Register { seat: 0, generation: 2 }];
    check(busy(), Event::Replace(agent(0, 1).id, TICKET), at(60), &abandoned);
    check(busy(), Event::Replace(agent(0, 9).id, TICKET), at(60), &[Effect::Replaced(TICKET)]);
}

#[test]
fn ag8_a_drain_ends_every_session_and_answers_whoever_waits() {
    let ended = [Effect::Abandon(key(0, 1)), Effect::Close(key(1, 2))];
    check(busy(), Event::Drain, at(60), &ended);
    let mut replacing = busy();
    replacing.handle(Event::Replace(agent(0, 1).id, TICKET), at(60));
    check(replacing.clone(), Event::Drain, at(60), &[Effect::Replaced(TICKET), Effect::Close(key(1, 2))]);
    replacing.handle(Event::Drain, at(60));
    check(replacing.clone(), registered(0, 2), at(60), &[]);
    check(replacing, Event::Replace(agent(0, 1).id, TICKET), at(60), &[Effect::Replaced(TICKET)]);
}

#[test]
fn a_refused_version_silences_the_group_until_it_is_tried_again() {
    let refused = Event::VersionRefused(key(0, 1), "too old".into());
    let effects = listening(&[]).handle(refused.clone(), at(60));
    let again = |at: Timestamp| (660..=720).contains(&at.as_second());
    let is_again = |it: &Effect| matches!(it, Effect::Wake(Timer::Version, at) if again(*at));
    assert!(effects.iter().any(is_again), "{effects:?}");
    let mut listeners = listening(&[refused]);
    check(listeners.clone(), configured(3), at(100), &[]);
    check(listeners.clone(), Event::VersionChanged, at(100), &[open(0, 2, Status::Online)]);
    check(listeners.clone(), Event::Due(Timer::Version), at(660), &[open(0, 2, Status::Online)]);

    listeners.handle(Event::VersionChanged, at(100));
    listeners.handle(Event::EmptyPoll(Heard { is_current: false, ..heard(0, 2) }), at(100));
    assert_eq!(listeners.version_too_old(), Some("too old"), "an older version's poll proves nothing");
    listeners.handle(Event::EmptyPoll(heard(0, 2)), at(100));
    assert_eq!(listeners.version_too_old(), None);
}

#[test]
fn three_rate_limits_in_a_row_are_no_accident() {
    let limited = Event::RateLimited(key(0, 1));
    let mut listeners = listening(&[limited.clone(), limited.clone()]);
    assert!(!listeners.is_rate_limited());
    listeners.handle(limited, at(60));
    assert!(listeners.is_rate_limited());
    listeners.handle(Event::EmptyPoll(heard(0, 1)), at(60));
    assert!(!listeners.is_rate_limited());
}

#[test]
fn a_seat_of_somebody_else_is_left_alone() {
    let foreign = Event::Prepared(0, Prepared::Foreign("another".into()));
    check(after(&[]), foreign, at(60), &[Effect::Load { seat: 1 }]);
}
