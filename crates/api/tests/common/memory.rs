//! An index that keeps everything in memory: enough for what the API asks.

use event::Decision;
use index::{
    Cursor, DecisionFilter, DecisionPage, EventFilter, EventPage, EventRow, Events, Fold, Found,
    IndexReader, IndexWriter, Measures, Metrics, MetricsQuery, ModelQuery, ModelSeen, Page,
    ProjectedRecord, RecordPointer, Relation, Result, Session, SessionFilter, SessionPage,
    SqlLimits, SqlResult, Status, write_event_data,
};
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

#[derive(Default)]
struct State {
    decisions: Vec<Decision>,
    events: Vec<EventRow>,
    records: Vec<(Uuid, RecordPointer)>,
    cursor: Option<Cursor>,
    queries: Vec<DecisionFilter>,
}

#[derive(Default, Clone)]
pub struct MemoryIndex(Arc<Mutex<State>>);

impl MemoryIndex {
    /// The filters that lists were asked with.
    pub fn queries(&self) -> Vec<DecisionFilter> {
        self.0.lock().unwrap().queries.clone()
    }
}

impl IndexWriter for MemoryIndex {
    fn cursor(&self) -> Option<Cursor> {
        self.0.lock().unwrap().cursor.clone()
    }

    fn apply(&mut self, records: &[ProjectedRecord], cursor: &Cursor) -> Result<()> {
        let mut state = self.0.lock().unwrap();
        for record in records {
            state.take(record);
        }
        state.cursor = Some(cursor.clone());
        Ok(())
    }
}

impl State {
    fn take(&mut self, record: &ProjectedRecord) {
        let at = self.decisions.iter().position(|one| one.id == record.decision_id);
        let at = at.or_else(|| {
            Fold::begins(record).then(|| {
                self.decisions.push(Fold::start(record));
                self.decisions.len() - 1
            })
        });
        if let Some(at) = at {
            Fold::apply(&mut self.decisions[at], record);
        }
        for event in &record.events {
            let mut data = Vec::new();
            write_event_data(event, at.map(|at| &self.decisions[at]), &mut data);
            self.events.push(EventRow {
                event_id: event.event_id,
                decision_id: record.decision_id,
                trace_id: record.trace_id,
                request_id: record.request_id.clone(),
                event_type: event.event_type(),
                component: event.component,
                timestamp: event.timestamp,
                event_data: RawValue::from_string(String::from_utf8(data).unwrap()).unwrap(),
            });
        }
        let pointer = RecordPointer {
            at: record.at.clone(),
            seq: record.seq,
            record_id: record.record_id,
            ts: record.ts,
        };
        self.records.push((record.decision_id, pointer));
    }

    fn chosen(&self, filter: &DecisionFilter) -> Vec<Decision> {
        let fits = |wish: &Option<String>, value: &Option<String>| wish.is_none() || wish == value;
        let mut chosen = self.decisions.clone();
        chosen.retain(|one| {
            fits(&filter.user_id, &one.user_id)
                && fits(&filter.source, &one.source)
                && fits(&filter.session_id, &one.session_id)
        });
        chosen
    }
}

impl IndexReader for MemoryIndex {
    fn list(&self, filter: &DecisionFilter, page: &Page) -> Result<DecisionPage> {
        page.start(filter)?;
        let mut state = self.0.lock().unwrap();
        state.queries.push(filter.clone());
        let mut items = state.chosen(filter);
        items.truncate(page.limit());
        Ok(DecisionPage { items, next_cursor: None, as_of: state.cursor.clone() })
    }

    fn decision(&self, id: Uuid) -> Result<Option<Decision>> {
        Ok(self.0.lock().unwrap().decisions.iter().find(|one| one.id == id).cloned())
    }

    fn by_request_id(&self, request_id: &str) -> Result<Option<Found>> {
        let state = self.0.lock().unwrap();
        let mut found: Vec<_> =
            state.decisions.iter().filter(|one| one.request_id == request_id).collect();
        Ok(found.pop().map(|newest| Found {
            decision: newest.clone(),
            other_ids: found.iter().rev().map(|one| one.id).collect(),
        }))
    }

    fn events(&self, filter: &EventFilter, page: &Page) -> Result<EventPage> {
        let state = self.0.lock().unwrap();
        let about = filter.target.as_ref().map(|target| format!("\"target\":\"{target}\""));
        let fits = |row: &&EventRow| {
            filter.event_type.is_none_or(|wish| wish == row.event_type)
                && about.as_ref().is_none_or(|about| row.event_data.get().contains(about))
        };
        let items = state.events.iter().rev().filter(fits).take(page.limit()).cloned().collect();
        Ok(EventPage { items, next_cursor: None, as_of: state.cursor.clone() })
    }

    fn trace(&self, trace_id: Uuid) -> Result<Events> {
        let state = self.0.lock().unwrap();
        let items = state.events.iter().filter(|row| row.trace_id == trace_id).cloned().collect();
        Ok(Events { items, truncated: false })
    }

    fn events_of(&self, decision_id: Uuid) -> Result<Events> {
        let state = self.0.lock().unwrap();
        let of = |row: &&EventRow| row.decision_id == decision_id;
        Ok(Events { items: state.events.iter().filter(of).cloned().collect(), truncated: false })
    }

    fn records(&self, decision_id: Uuid) -> Result<Vec<RecordPointer>> {
        let state = self.0.lock().unwrap();
        let of = state.records.iter().filter(|(id, _)| *id == decision_id);
        Ok(of.map(|(_, pointer)| pointer.clone()).collect())
    }

    fn sessions(&self, filter: &SessionFilter, _page: &Page) -> Result<SessionPage> {
        let state = self.0.lock().unwrap();
        let wish = DecisionFilter {
            user_id: filter.user_id.clone(),
            source: filter.source.clone(),
            ..DecisionFilter::default()
        };
        let items = state.chosen(&wish).iter().filter_map(session_of).collect();
        Ok(SessionPage { items, next_cursor: None, as_of: state.cursor.clone() })
    }

    fn session(&self, session_id: &str, of: &SessionFilter) -> Result<Option<Session>> {
        let wish = DecisionFilter {
            session_id: Some(session_id.to_owned()),
            user_id: of.user_id.clone(),
            source: of.source.clone(),
            ..DecisionFilter::default()
        };
        Ok(self.0.lock().unwrap().chosen(&wish).first().and_then(session_of))
    }

    fn metrics(&self, query: &MetricsQuery) -> Result<Metrics> {
        let state = self.0.lock().unwrap();
        let wish = DecisionFilter {
            user_id: query.user_id.clone(),
            source: query.source.clone(),
            ..DecisionFilter::default()
        };
        let requests = state.chosen(&wish).len() as i64;
        let totals = Measures { requests, cost_usd: "0".to_owned(), ..Measures::default() };
        let group = index::Group { value: None, values: vec![None], measures: totals.clone() };
        let point = |value: Option<Option<String>>| index::Point {
            start: event::Timestamp::now(),
            values: value.iter().cloned().collect(),
            value,
            measures: totals.clone(),
        };
        let series = vec![point(None), point(Some(None)), point(Some(Some("x".to_owned())))];
        Ok(Metrics {
            from: query.from,
            to: query.to,
            groups: vec![group],
            series,
            truncated: false,
            totals,
        })
    }

    fn models(&self, query: &ModelQuery) -> Result<Vec<ModelSeen>> {
        let wish = DecisionFilter {
            user_id: query.user_id.clone(),
            source: query.source.clone(),
            ..DecisionFilter::default()
        };
        let of = |one: Decision| {
            Some(ModelSeen {
                provider: one.provider,
                model: one.model?,
                first_seen: one.timestamp,
                last_seen: one.timestamp,
                decisions: 1,
                errors: 0,
                total_tokens: 0,
                cost_usd: "0".to_owned(),
            })
        };
        Ok(self.0.lock().unwrap().chosen(&wish).into_iter().filter_map(of).collect())
    }

    fn sql(&self, query: &str, beside: &[Relation], _limits: &SqlLimits) -> Result<SqlResult> {
        if !query.starts_with("SELECT") {
            return Err(index::Error::BadQuery("only one SELECT is allowed".to_owned()));
        }
        if let Some(name) = query.strip_prefix("SELECT * FROM ") {
            let found = beside.iter().find(|relation| relation.name == name);
            let none = || index::Error::BadQuery(format!("there is no table {name}"));
            let Relation { columns, rows, .. } = found.ok_or_else(none)?.clone();
            let columns = columns.iter().map(|name| (*name).to_owned()).collect();
            return Ok(SqlResult { columns, rows, truncated: false });
        }
        let rows = vec![vec![1.into()], vec![serde_json::Value::Null]];
        Ok(SqlResult { columns: vec!["n".to_owned()], rows, truncated: false })
    }

    fn status(&self) -> Result<Status> {
        Ok(Status { cursor: self.0.lock().unwrap().cursor.clone(), ..Status::default() })
    }
}

fn session_of(decision: &Decision) -> Option<Session> {
    Some(Session {
        session_id: decision.session_id.clone()?,
        first_at: decision.timestamp,
        last_at: decision.timestamp,
        decisions: 1,
        errors: 0,
        blocked: 0,
        input_tokens: 0,
        output_tokens: 0,
        total_tokens: 0,
        cost_usd: decision.cost_usd.clone(),
        cost_unknown: 0,
        source: decision.source.clone(),
        user_id: decision.user_id.clone(),
    })
}
