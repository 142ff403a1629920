//! Reviews in the control store, at its boundary.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use control::{
    Error, HELD_BYTES_MAX, HookKind, NewReview, NewVote, Review, ReviewFilter, ReviewOutcome,
    ReviewStage, ReviewState, ReviewViolation, Reviews, VerdictError, new_review_id,
};
use event::Timestamp;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;
use uuid::Uuid;

const T0: i64 = 1_800_000_000_000_000;
const HOUR: i64 = 3_600_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(T0 + micros)
}

fn open(dir: &Path) -> Reviews {
    Reviews::open(&dir.join("control.db")).unwrap()
}

fn new_review(fingerprint: u8, reviewers_needed: u32) -> NewReview {
    NewReview {
        id: new_review_id(),
        decision_id: Uuid::now_v7(),
        trace_id: Uuid::new_v4(),
        request_id: "req-1".to_owned(),
        stage: ReviewStage::Request,
        fingerprint: [fingerprint; 32],
        arrived_at: at(0),
        created_at: at(1),
        expires_at: at(HOUR),
        policy_ids: vec!["large-loan".to_owned()],
        violations: vec![ReviewViolation {
            policy_id: "large-loan".to_owned(),
            outcome: "ESCALATE".to_owned(),
            ..ReviewViolation::default()
        }],
        api_key_id: Some("key_1".to_owned()),
        source: Some("finance-app".to_owned()),
        request_type: Some("summarise".to_owned()),
        model: Some("gpt-4o".to_owned()),
        reviewers_needed,
        about: b"sealed about".to_vec(),
        held: b"sealed held".to_vec(),
        next_record: 1,
    }
}

fn vote(reviewer: &str, approve: bool) -> NewVote {
    NewVote { reviewer: reviewer.to_owned(), approve, rationale: "checked".to_owned() }
}

fn approved(reviews: &Reviews, review: &Review) -> Review {
    let review = reviews.vote(&review.id, &vote("alice", true), at(2)).unwrap();
    reviews.mark_recorded(&review.id, 2).unwrap();
    reviews.get(&review.id).unwrap()
}

#[test]
fn two_persons_at_once_make_one_outcome_and_the_other_is_told_which() {
    let dir = tempfile::tempdir().unwrap();
    // Two connections, as two processes would have.
    let desks = [Arc::new(open(dir.path())), Arc::new(open(dir.path()))];
    for round in 0..40 {
        let review = desks[0].insert(&new_review(round, 1)).unwrap();
        let start = Arc::new(Barrier::new(2));
        let threads = [("alice", true), ("bob", false)].map(|(name, approve)| {
            let (desk, start) = (desks[usize::from(approve)].clone(), start.clone());
            let id = review.id.clone();
            std::thread::spawn(move || {
                start.wait();
                desk.vote(&id, &vote(name, approve), at(2))
            })
        });
        let results = threads.map(|thread| thread.join().unwrap());
        let stands = desks[0].get(&review.id).unwrap();
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1));
        assert_eq!(won[0].as_ref().unwrap().outcome, stands.outcome);
        let Err(VerdictError::Decided { outcome, by, .. }) = &lost[0] else {
            unreachable!("{lost:?}")
        };
        assert_eq!(Some(*outcome), stands.outcome);
        assert_eq!(*by, format!(" by {}", stands.votes[0].reviewer));
        assert_eq!(stands.votes.len(), 1);
    }
}

#[test]
fn a_second_approval_of_a_decided_review_is_told_who_decided() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let review = reviews.insert(&new_review(1, 1)).unwrap();
    approved(&reviews, &review);
    for (name, approve) in [("alice", true), ("bob", true), ("bob", false)] {
        let refused = reviews.vote(&review.id, &vote(name, approve), at(3)).unwrap_err();
        let text =
            format!("the review {} is approved by alice already, and that stands", review.id);
        assert_eq!(refused.to_string(), text);
    }
}

#[test]
fn four_eyes_need_two_persons_and_one_rejection_rejects() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let review = reviews.insert(&new_review(1, 2)).unwrap();
    let first = reviews.vote(&review.id, &vote("alice", true), at(2)).unwrap();
    assert_eq!((first.state, first.outcome, first.recorded), (ReviewState::Pending, None, true));
    let again = reviews.vote(&review.id, &vote("Alice", true), at(3)).unwrap_err();
    assert!(matches!(again, VerdictError::Voted { .. }), "{again}");
    let second = reviews.vote(&review.id, &vote("bob", true), at(4)).unwrap();
    assert_eq!((second.state, second.recorded), (ReviewState::Approved, false));
    assert_eq!(second.decided_at, Some(at(4)));
    let other = reviews.insert(&new_review(2, 2)).unwrap();
    reviews.vote(&other.id, &vote("alice", true), at(2)).unwrap();
    // Who thought again counts once, with what was said last.
    let rejected = reviews.vote(&other.id, &vote("alice", false), at(3)).unwrap();
    assert_eq!((rejected.state, rejected.votes.len()), (ReviewState::Rejected, 1));
    assert!(!rejected.votes[0].approve);
}

#[test]
fn time_decides_once_and_no_person_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let review = reviews.insert(&new_review(1, 1)).unwrap();
    assert!(reviews.expire_due(at(HOUR - 1), false).unwrap().is_empty());
    let due = reviews.vote(&review.id, &vote("alice", true), at(HOUR)).unwrap_err();
    assert!(matches!(due, VerdictError::Due { .. }), "{due}");
    let expired = reviews.expire_due(at(HOUR), false).unwrap();
    assert_eq!((expired.len(), expired[0].state), (1, ReviewState::Expired));
    assert!(reviews.expire_due(at(HOUR), false).unwrap().is_empty());
    let refused = reviews.vote(&review.id, &vote("alice", true), at(HOUR + 1)).unwrap_err();
    let VerdictError::Decided { outcome, .. } = refused else { unreachable!() };
    assert_eq!(outcome, ReviewOutcome::Expired);
    reviews.insert(&new_review(2, 1)).unwrap();
    let let_through = reviews.expire_due(at(HOUR), true).unwrap();
    assert_eq!(
        (let_through[0].state, let_through[0].outcome),
        (ReviewState::Approved, Some(ReviewOutcome::Expired))
    );
}

#[test]
fn reviews_survive_a_restart_with_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let new = new_review(7, 2);
    let review = reviews.insert(&new).unwrap();
    reviews.vote(&review.id, &vote("alice", true), at(2)).unwrap();
    let before = reviews.get(&review.id).unwrap();
    drop(reviews);
    let reviews = open(dir.path());
    assert!(reviews.is_live(&[7; 32]) && !reviews.is_live(&[8; 32]));
    let after = reviews.find(&[7; 32]).unwrap().unwrap();
    assert_eq!(after, before);
    assert_eq!(after.votes[0].reviewer, "alice");
    assert_eq!(after.violations, new.violations);
    assert_eq!(reviews.held(&review.id).unwrap(), Some(new.held));
    assert_eq!(reviews.unsettled().unwrap(), [after]);
}

#[test]
fn an_approved_review_is_picked_up_once_and_only_when_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let review = reviews.insert(&new_review(1, 1)).unwrap();
    assert_eq!(reviews.pick_up(&review.id).unwrap(), None, "pending");
    reviews.vote(&review.id, &vote("alice", true), at(2)).unwrap();
    assert_eq!(reviews.pick_up(&review.id).unwrap(), None, "not recorded yet");
    reviews.mark_recorded(&review.id, 2).unwrap();
    let running = reviews.pick_up(&review.id).unwrap().unwrap();
    assert_eq!((running.state, running.next_record), (ReviewState::Running, 2));
    assert_eq!(reviews.pick_up(&review.id).unwrap(), None, "somebody has it");
    assert!(reviews.finish(&review.id, b"sealed answer", 3).unwrap());
    assert!(!reviews.finish(&review.id, b"another", 3).unwrap());
    let answered = reviews.find(&[1; 32]).unwrap().unwrap();
    assert_eq!(answered.state, ReviewState::Answered);
    assert_eq!(reviews.answer(&review.id).unwrap().as_deref(), Some(&b"sealed answer"[..]));
    assert_eq!(reviews.held(&review.id).unwrap(), None);
}

#[test]
fn an_equal_request_joins_until_its_caller_knows_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    assert!(!reviews.any_live());
    let claim = reviews.claim(&[1; 32]).unwrap();
    assert!(reviews.claim(&[1; 32]).is_none(), "one at a time opens a review");
    let review = reviews.insert(&new_review(1, 1)).unwrap();
    let mut changed = reviews.changed();
    changed.mark_unchanged();
    drop(claim);
    assert!(changed.has_changed().unwrap(), "who waits for the claim looks again");
    let second = reviews.insert(&new_review(1, 1)).unwrap_err();
    assert_eq!(second, Error::Exists { what: "review", id: review.id.clone() });
    reviews.vote(&review.id, &vote("alice", false), at(2)).unwrap();
    assert_eq!(reviews.find(&[1; 32]).unwrap().unwrap().state, ReviewState::Rejected);
    assert!(reviews.told(&review.id).unwrap());
    assert!(!reviews.is_live(&[1; 32]));
    assert!(!reviews.told(&review.id).unwrap());
    let next = reviews.insert(&new_review(1, 1)).unwrap();
    let next = approved(&reviews, &next);
    assert!(!reviews.fail(&next.id, ReviewState::Running).unwrap());
    reviews.pick_up(&next.id).unwrap().unwrap();
    assert!(reviews.fail(&next.id, ReviewState::Running).unwrap());
    assert!(!reviews.any_live(), "what failed is asked anew");
}

#[test]
fn what_is_too_much_or_too_little_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let large = NewReview { held: vec![0; HELD_BYTES_MAX + 1], ..new_review(1, 1) };
    assert!(matches!(reviews.insert(&large), Err(Error::Invalid { .. })));
    let review = reviews.insert(&new_review(1, 1)).unwrap();
    for rationale in ["", " \n", &"x".repeat(4_097)] {
        let vote = NewVote { rationale: rationale.to_owned(), ..vote("alice", true) };
        let refused = reviews.vote(&review.id, &vote, at(2)).unwrap_err();
        assert!(matches!(refused, VerdictError::Store(Error::Invalid { .. })), "{refused}");
    }
    assert_eq!(reviews.get(&review.id).unwrap().state, ReviewState::Pending);
    let missing = reviews.vote("rev_none", &vote("alice", true), at(2)).unwrap_err();
    let not_found = Error::NotFound { what: "review", id: "rev_none".to_owned() };
    assert_eq!(missing, VerdictError::Store(not_found));
}

#[test]
fn lists_page_by_key_and_filter_by_state() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let mut ids: Vec<String> = Vec::new();
    for number in 0..5 {
        ids.push(reviews.insert(&new_review(number, 1)).unwrap().id);
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut filter = ReviewFilter { limit: 2, ..ReviewFilter::default() };
    loop {
        let page = reviews.list(&filter).unwrap();
        seen.extend(page.items.into_iter().map(|review| review.id));
        let Some(next) = page.next else { break };
        filter.after = Some(next);
    }
    assert_eq!(seen, ids);
    reviews.vote(&ids[3], &vote("alice", false), at(2)).unwrap();
    let rejected = Some(ReviewState::Rejected);
    let page = reviews.list(&ReviewFilter { state: rejected, limit: 9, ..Default::default() });
    let page = page.unwrap();
    assert_eq!((page.items.len(), &page.items[0].id, page.next), (1, &ids[3], None));
}

#[test]
fn what_ended_is_dropped_after_its_time_and_what_waits_stays() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    let rejected = reviews.insert(&new_review(1, 1)).unwrap();
    reviews.vote(&rejected.id, &vote("alice", false), at(2)).unwrap();
    reviews.mark_recorded(&rejected.id, 2).unwrap();
    let waiting = reviews.insert(&new_review(2, 1)).unwrap();
    let keep = Duration::from_hours(1);
    assert_eq!(reviews.purge(at(HOUR), keep).unwrap(), 0);
    assert_eq!(reviews.purge(at(HOUR + 3), keep).unwrap(), 1);
    assert!(!reviews.is_live(&[1; 32]) && reviews.is_live(&[2; 32]));
    assert_eq!(reviews.held(&rejected.id).unwrap(), None);
    assert_eq!(reviews.get(&rejected.id).unwrap().votes.len(), 1, "still listed");
    reviews.purge(at(31 * 24 * HOUR), keep).unwrap();
    assert!(matches!(reviews.get(&rejected.id), Err(Error::NotFound { .. })));
    assert!(reviews.held(&waiting.id).unwrap().is_some());
}

#[test]
fn outbox_holds_creation_and_decision_until_they_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let reviews = open(dir.path());
    reviews.keep_hooks();
    let review = reviews.insert(&new_review(1, 1)).unwrap();
    reviews.vote(&review.id, &vote("alice", true), at(2)).unwrap();
    drop(reviews);
    let reviews = open(dir.path());
    let now = Timestamp::now();
    let hooks = reviews.hooks(now).unwrap();
    let kinds: Vec<_> = hooks.iter().map(|hook| hook.kind).collect();
    assert_eq!(kinds, [HookKind::Created, HookKind::Decided]);
    let later = Timestamp::from_micros(now.as_micros() + 1_000);
    reviews.hook_again(&hooks[0], later).unwrap();
    reviews.hook_done(&hooks[1]).unwrap();
    assert!(reviews.hooks(now).unwrap().is_empty());
    assert_eq!(reviews.hooks(later).unwrap()[0].tries, 1);
}
