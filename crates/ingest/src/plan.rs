//! What to do with the items of a delivery: which are known, which are recorded, in what records.

use crate::answer::ItemResult;
use crate::context::Body;
use crate::error::{DeliveryError, ItemError};
use crate::memory::{Claims, Found};
use crate::prepared::Prepared;
use crate::store::{Id, Known};
use event::Event;
use recorder::{DecisionIds, EVENTS_MAX, PersonNames, RecordError};
use std::collections::{HashMap, HashSet};
use tokio::sync::watch;
use uuid::Uuid;

/// One record to be written, with the items that it holds.
pub(crate) struct Group {
    pub ids: DecisionIds,
    pub number: u32,
    pub names: PersonNames,
    pub events: Vec<Event>,
    pub bodies: Vec<Body>,
    reference: Option<String>,
    items: Vec<Item>,
}

/// What of an item is needed to answer.
struct Item {
    index: usize,
    item_id: Option<String>,
    digest: [u8; 32],
    unknown: Vec<String>,
}

/// Items that have to be looked at again.
#[derive(Default)]
pub(crate) struct Again {
    items: Vec<Prepared>,
    /// Others that are at the same ids.
    others: Vec<watch::Receiver<()>>,
}

/// What to do.
pub(crate) struct Plan {
    pub known: Vec<ItemResult>,
    pub groups: Vec<Group>,
    pub again: Again,
}

struct Planner<'a> {
    sender: &'a str,
    claims: Claims,
    plan: Plan,
    /// Ids of this delivery that are being recorded.
    taken: HashSet<Id>,
    /// Groups of events by the name of their decision.
    by_reference: HashMap<String, usize>,
}

/// Decides about every item.
pub(crate) fn plan(
    claims: Claims,
    items: Vec<Prepared>,
    sender: &str,
) -> Result<(Plan, Claims), DeliveryError> {
    let plan = Plan { known: Vec::new(), groups: Vec::new(), again: Again::default() };
    let mut planner =
        Planner { sender, claims, plan, taken: HashSet::new(), by_reference: HashMap::new() };
    for item in items {
        planner.take(item)?;
    }
    Ok((planner.plan, planner.claims))
}

// === impl Planner ===

impl Planner<'_> {
    fn take(&mut self, item: Prepared) -> Result<(), DeliveryError> {
        if let Some(item_id) = &item.item_id {
            let id = Id::of_item(self.sender, item_id);
            if self.taken.contains(&id) {
                self.plan.again.items.push(item);
                return Ok(());
            }
            match self.claims.claim(id)? {
                Found::Known(known) => {
                    self.plan.known.push(answer(item, &known));
                    return Ok(());
                }
                Found::Elsewhere(other) => {
                    self.plan.again.others.push(other);
                    self.plan.again.items.push(item);
                    return Ok(());
                }
                Found::Claimed => {}
            }
            if !self.place(item)? {
                return Ok(());
            }
            self.taken.insert(id);
            return Ok(());
        }
        self.place(item).map(|_| ())
    }

    /// Puts an item into a record; false where it has to wait.
    fn place(&mut self, item: Prepared) -> Result<bool, DeliveryError> {
        let Some(reference) = item.reference.clone() else {
            self.begin(item, Uuid::now_v7(), 0);
            return Ok(true);
        };
        if let Some(at) = self.by_reference.get(&reference)
            && let Some(group) = self.plan.groups.get_mut(*at)
        {
            if group.events.len() + item.events.len() <= EVENTS_MAX {
                group.add(item);
            } else {
                let (decision, number) = (group.ids.decision_id, group.number + 1);
                self.begin(item, decision, number);
            }
            return Ok(true);
        }
        let named = Id::of_item(self.sender, &reference);
        if self.taken.contains(&named) {
            self.plan.again.items.push(item);
            return Ok(false);
        }
        match self.claims.claim_decision(Id::of_decision(self.sender, &reference))? {
            Found::Known(known) => self.begin(item, known.decision, known.records),
            Found::Elsewhere(other) => {
                self.plan.again.others.push(other);
                self.plan.again.items.push(item);
                return Ok(false);
            }
            Found::Claimed => match self.claims.look(named)? {
                Some(known) => self.begin(item, known.decision, known.records),
                None => self.begin(item, Uuid::now_v7(), 0),
            },
        }
        Ok(true)
    }

    fn begin(&mut self, item: Prepared, decision_id: Uuid, number: u32) {
        let made = || item.item_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let request_id = item.request_id.clone().unwrap_or_else(made);
        let ids = DecisionIds { decision_id, trace_id: item.trace_id, request_id };
        let mut group = Group {
            ids,
            number,
            names: PersonNames::default(),
            events: Vec::new(),
            bodies: Vec::new(),
            reference: item.reference.clone(),
            items: Vec::new(),
        };
        if let Some(reference) = &group.reference {
            self.by_reference.insert(reference.clone(), self.plan.groups.len());
        }
        group.add(item);
        self.plan.groups.push(group);
    }
}

/// The answer to an item that is recorded already: as it was then, unless it is another.
fn answer(item: Prepared, known: &Known) -> ItemResult {
    // Without a digest (a person of it was erased) there is nothing to compare with.
    let same = known.digest.is_none_or(|digest| digest == item.digest);
    let conflict = || ItemError::Conflict { id: item.item_id.clone().unwrap_or_default() };
    ItemResult {
        index: item.index,
        recorded: if same { Ok(known.decision) } else { Err(conflict()) },
        id: item.item_id,
        unknown_fields: item.unknown,
    }
}

// === impl Group ===

impl Group {
    fn add(&mut self, item: Prepared) {
        let PersonNames { user, subjects } = item.names;
        self.names.user = self.names.user.take().or(user);
        for subject in subjects {
            if !self.names.subjects.contains(&subject) {
                self.names.subjects.push(subject);
            }
        }
        self.events.extend(item.events);
        self.bodies.extend(item.bodies);
        self.items.push(Item {
            index: item.index,
            item_id: item.item_id,
            digest: item.digest,
            unknown: item.unknown,
        });
    }

    /// Notes that this is recorded.
    pub(crate) fn remember(&self, sender: &str, claims: &mut Claims) {
        let decision = self.ids.decision_id;
        let records = self.number + 1;
        for item in &self.items {
            if let Some(item_id) = &item.item_id {
                let known = Known { digest: Some(item.digest), decision, records };
                claims.recorded(Id::of_item(sender, item_id), known);
            }
        }
        if let Some(reference) = &self.reference {
            let known = Known { digest: None, decision, records };
            claims.recorded(Id::of_decision(sender, reference), known);
        }
    }

    /// What became of the items.
    pub(crate) fn results(self, durable: Result<(), RecordError>) -> Vec<ItemResult> {
        let (text, mut error) = match durable {
            Ok(()) => (String::new(), None),
            Err(error) => (error.to_string(), Some(error)),
        };
        let failed = error.is_some();
        let decision = self.ids.decision_id;
        let results = self.items.into_iter().map(|item| ItemResult {
            index: item.index,
            id: item.item_id,
            unknown_fields: item.unknown,
            recorded: match error.take() {
                Some(error) => Err(error.into()),
                None if failed => Err(ItemError::Together(text.clone())),
                None => Ok(decision),
            },
        });
        results.collect()
    }
}

// === impl Again ===

impl Again {
    /// The items, once those who are at the same ids have ended.
    pub(crate) async fn wait(self) -> Vec<Prepared> {
        for mut other in self.others {
            // Ends with its sender, which is never sent on.
            let _ended = other.changed().await;
        }
        self.items
    }
}
