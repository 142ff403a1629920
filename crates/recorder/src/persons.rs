//! Whose keys seal a record.

use seal::SubjectKey;
use std::sync::Arc;

/// The persons of a decision: who calls, and whom the call is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonNames {
    /// The calling user; none where the call was never authenticated.
    pub user: Option<String>,
    /// The persons the call is about, where not the user.
    pub subjects: Vec<String>,
}

/// The keys of a decision's persons, durable before anything is sealed under them.
#[derive(Debug, Clone)]
pub struct Persons {
    user: Arc<SubjectKey>,
    subjects: Vec<(String, Arc<SubjectKey>)>,
    content: Arc<[Arc<SubjectKey>]>,
}

impl Persons {
    pub(crate) fn new(user: Arc<SubjectKey>, subjects: Vec<(String, Arc<SubjectKey>)>) -> Self {
        let mut content: Vec<_> = if subjects.is_empty() {
            vec![user.clone()]
        } else {
            subjects.iter().map(|(_, key)| key.clone()).collect()
        };
        content.sort_by_key(|key| key.id());
        content.dedup_by_key(|key| key.id());
        Self { user, subjects, content: content.into() }
    }

    pub(crate) const fn user(&self) -> &Arc<SubjectKey> {
        &self.user
    }

    pub(crate) fn subjects(&self) -> &[(String, Arc<SubjectKey>)] {
        &self.subjects
    }

    /// The keys that bodies and content fields are sealed under, in id order.
    pub(crate) fn content(&self) -> &[Arc<SubjectKey>] {
        &self.content
    }

    /// The user's key and those of everybody the call is about, in id order.
    pub(crate) fn all(&self) -> Vec<Arc<SubjectKey>> {
        let mut keys = self.content.to_vec();
        keys.push(self.user.clone());
        keys.sort_by_key(|key| key.id());
        keys.dedup_by_key(|key| key.id());
        keys
    }
}
