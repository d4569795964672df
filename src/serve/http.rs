//! The routes: requests go to the model's thread, answers come from there piece by piece.

use super::protocol::{Asked, Piece, Usage};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{SystemTime, UNIX_EPOCH};
use tfc_runtime::{Failure, Kind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// A request, and where its answer goes.
pub struct Job {
    pub asked: Asked,
    pub answer: UnboundedSender<Event>,
}

/// A part of an answer; after the last two nothing comes.
pub enum Event {
    Piece(Piece),
    Done(Usage),
    Failed(Failure),
}

#[derive(Clone)]
struct Server {
    /// What the model is called.
    model: Arc<str>,
    jobs: Sender<Job>,
    asked: Arc<AtomicU64>,
}

/// Serves until the process ends.
///
/// # Errors
/// The machine does not let it.
pub fn serve(listener: TcpListener, model: &str, jobs: Sender<Job>) -> std::io::Result<()> {
    let server = Server { model: model.into(), jobs, asked: Arc::default() };
    let routes =
        Router::new().route("/v1/models", get(models)).route("/v1/completions", post(completions)).with_state(server);
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, routes).await })
}

async fn models(State(server): State<Server>) -> Json<Value> {
    let model = json!({ "id": &*server.model, "object": "model", "created": now(), "owned_by": "tfc" });
    Json(json!({ "object": "list", "data": [model] }))
}

async fn completions(State(server): State<Server>, body: Bytes) -> Response {
    let asked = match Asked::parse(&body) {
        Ok(asked) => asked,
        Err(failure) => return refusal(&failure),
    };
    let is_stream = asked.stream == Some(true);
    let (answer, mut events) = unbounded_channel();
    if server.jobs.send(Job { asked, answer }).is_err() {
        return refusal(&Failure::new(Kind::Machine, "the model is gone; start the server again"));
    }
    let number = server.asked.fetch_add(1, Ordering::Relaxed);
    let head = Head { id: format!("cmpl-{number}"), created: now(), model: server.model };
    if is_stream { stream(head, events).await } else { whole(&head, &mut events).await }
}

/// What every part of an answer says of itself.
struct Head {
    id: String,
    created: u64,
    model: Arc<str>,
}

impl Head {
    fn json(&self, choices: &Value, usage: Option<Usage>) -> Value {
        json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": &*self.model,
            "choices": choices,
            "usage": usage,
        })
    }
}

async fn whole(head: &Head, events: &mut UnboundedReceiver<Event>) -> Response {
    let mut choices: BTreeMap<usize, Piece> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Piece(piece) => {
                let empty = Piece { index: piece.index, ..Piece::default() };
                choices.entry(piece.index).or_insert(empty).extend(piece);
            }
            Event::Done(usage) => {
                let choices: Vec<Piece> = choices.into_values().collect();
                return Json(head.json(&json!(choices), Some(usage))).into_response();
            }
            Event::Failed(failure) => return refusal(&failure),
        }
    }
    refusal(&Failure::new(Kind::Machine, "the model is gone; start the server again"))
}

/// Server-sent events. A request that cannot be answered is refused before the first of them.
async fn stream(head: Head, mut events: UnboundedReceiver<Event>) -> Response {
    let first = match events.recv().await {
        Some(Event::Failed(failure)) => return refusal(&failure),
        first => first,
    };
    let rest = UnboundedReceiverStream::new(events);
    let said = tokio_stream::iter(first).chain(rest).map(move |event| {
        let data = match event {
            Event::Piece(piece) => head.json(&json!([piece]), None).to_string(),
            Event::Done(_) => "[DONE]".to_string(),
            Event::Failed(failure) => error(&failure).to_string(),
        };
        Ok::<_, Infallible>(sse::Event::default().data(data))
    });
    Sse::new(said).into_response()
}

fn refusal(failure: &Failure) -> Response {
    let status = match failure.kind {
        Kind::Mistake => StatusCode::BAD_REQUEST,
        Kind::Missing | Kind::Denied | Kind::Broken | Kind::Diverged | Kind::Full | Kind::Machine => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, Json(error(failure))).into_response()
}

fn error(failure: &Failure) -> Value {
    let kind = if failure.kind == Kind::Mistake { "invalid_request_error" } else { "server_error" };
    json!({ "error": { "message": failure.message, "type": kind, "param": null, "code": null } })
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
