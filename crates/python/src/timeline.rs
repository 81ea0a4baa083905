//! Spans of `tracing` as a list: where the time of a proof goes.

#![expect(
    clippy::disallowed_types,
    reason = "a clock for people; nothing that is proven or verified depends on it"
)]

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};

/// Name, number of the span around it, nanoseconds from the beginning, nanoseconds that it took.
type Entry = (String, Option<usize>, u64, u64);

/// A list of spans, filled by what is called with it and by the caller.
#[pyclass(frozen, module = "veridical._core")]
pub(crate) struct Timeline {
    log: Arc<Log>,
    dispatch: Dispatch,
}

#[pymethods]
impl Timeline {
    #[new]
    fn new() -> Self {
        let log = Arc::new(Log {
            origin: Instant::now(),
            state: Mutex::default(),
        });
        let dispatch = Dispatch::new(Recorder {
            log: Arc::clone(&log),
        });
        Self { log, dispatch }
    }

    /// Begins a span within the one that was begun last.
    fn enter(&self, name: String) {
        self.log.enter(Cow::Owned(name), None);
    }

    /// Ends the span that was begun last.
    fn leave(&self) {
        self.log.leave(None);
    }

    /// All spans in the order in which they began; one that goes on has lasted until now.
    fn spans(&self) -> Vec<Entry> {
        let now = self.log.origin.elapsed();
        let state = self.log.state();
        let entry = |span: &Span| {
            let lasted = span.end.unwrap_or(now).saturating_sub(span.begin);
            let name = span.name.clone().into_owned();
            (
                name,
                span.parent,
                nanoseconds(span.begin),
                nanoseconds(lasted),
            )
        };
        state.spans.iter().map(entry).collect()
    }
}

/// Does `work`; its spans go into the timeline, if there is one, and cost next to nothing if not.
pub(crate) fn recorded<T>(timeline: Option<&Timeline>, work: impl FnOnce() -> T) -> T {
    match timeline {
        Some(timeline) => dispatcher::with_default(&timeline.dispatch, work),
        None => work(),
    }
}

/// Spans of one thread at a time: a subscriber is set for the thread that goes from stage to stage.
struct Log {
    origin: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    /// Those that go on, each within the one before it.
    open: Vec<usize>,
    /// Names by id, counted from 1.
    names: Vec<&'static str>,
}

struct Span {
    name: Cow<'static, str>,
    parent: Option<usize>,
    begin: Duration,
    end: Option<Duration>,
    id: Option<u64>,
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        // A list that somebody left while it was written is a list still.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: Cow<'static, str>, id: Option<u64>) {
        let begin = self.origin.elapsed();
        let mut state = self.state();
        let (number, parent) = (state.spans.len(), state.open.last().copied());
        state.spans.push(Span {
            name,
            parent,
            begin,
            end: None,
            id,
        });
        state.open.push(number);
    }

    /// Ends the last span of this id and all within it.
    fn leave(&self, id: Option<u64>) {
        let end = self.origin.elapsed();
        let mut state = self.state();
        let State { spans, open, .. } = &mut *state;
        let is_it = |number: &usize| spans.get(*number).is_some_and(|span| span.id == id);
        let Some(at) = open.iter().rposition(is_it) else {
            return;
        };
        for number in open.drain(at..) {
            if let Some(span) = spans.get_mut(number) {
                span.end = Some(end);
            }
        }
    }
}

struct Recorder {
    log: Arc<Log>,
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && *metadata.level() <= Level::INFO
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut state = self.log.state();
        state.names.push(attributes.metadata().name());
        Id::from_u64(state.names.len() as u64)
    }

    fn enter(&self, id: &Id) {
        let number = id.into_u64();
        let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
        let name = self.log.state().names.get(at).copied().unwrap_or_default();
        self.log.enter(Cow::Borrowed(name), Some(number));
    }

    fn exit(&self, id: &Id) {
        self.log.leave(Some(id.into_u64()));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
