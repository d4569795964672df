//! The routes: requests go to the model's thread, answers come from there piece by piece.

use super::protocol::{Asked, Piece, Usage};
use axum::body::{Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{Method, StatusCode, Uri};
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
use tokio::sync::mpsc::{self, Receiver};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// A request, and where its answer goes.
pub struct Job {
    pub asked: Asked,
    pub answer: mpsc::Sender<Event>,
}

/// A part of an answer; after the last two nothing comes.
pub enum Event {
    Piece(Piece),
    Done(Usage),
    Failed(Failure),
}

/// Events that wait for whoever reads them, at most; then the model does.
const WAITING: usize = 64;

/// Bytes of the largest request: thousands of long prompts.
const LARGEST: usize = 64 << 20;

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
    let routes = Router::new()
        .route("/v1/models", get(models))
        .route("/v1/completions", post(completions))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(server);
    listener.set_nonblocking(true)?;
    // Where no more files can be opened, connections are accepted a little later: that takes a clock.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, routes).await })
}

async fn models(State(server): State<Server>) -> Json<Value> {
    let model = json!({ "id": &*server.model, "object": "model", "created": now(), "owned_by": "tfc" });
    Json(json!({ "object": "list", "data": [model] }))
}

async fn nowhere(uri: Uri) -> Response {
    let message = format!("there is nothing at {}; this server has /v1/models and /v1/completions", uri.path());
    answer(StatusCode::NOT_FOUND, &Failure::mistake(message))
}

async fn not_so(method: Method) -> Response {
    let message = format!("{method} is not how to ask; GET /v1/models, or POST /v1/completions");
    answer(StatusCode::METHOD_NOT_ALLOWED, &Failure::mistake(message))
}

async fn completions(State(server): State<Server>, request: Request) -> Response {
    let body = match body(request).await {
        Ok(body) => body,
        Err((status, message)) => return answer(status, &Failure::mistake(message)),
    };
    let asked = match Asked::parse(&body) {
        Ok(asked) => asked,
        Err(failure) => return refusal(&failure),
    };
    let is_stream = asked.stream == Some(true);
    let (pieces, mut events) = mpsc::channel(WAITING);
    if server.jobs.send(Job { asked, answer: pieces }).is_err() {
        return refusal(&Failure::new(Kind::Machine, "the model is gone; start the server again"));
    }
    let number = server.asked.fetch_add(1, Ordering::Relaxed);
    let head = Head { id: format!("cmpl-{number}"), created: now(), model: server.model };
    if is_stream { stream(head, events).await } else { whole(&head, &mut events).await }
}

/// The body of a request; or the status and the message of a refusal, before it is sent where it is announced as too large.
async fn body(request: Request) -> Result<Bytes, (StatusCode, String)> {
    let too_large = || {
        let message = format!("the request is larger than {} MiB; ask for fewer prompts at once", LARGEST >> 20);
        (StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    if request.body().size_hint().lower() > LARGEST as u64 {
        return Err(too_large());
    }
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        status => (status, format!("the request did not arrive: {}", rejection.body_text())),
    })
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

async fn whole(head: &Head, events: &mut Receiver<Event>) -> Response {
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
async fn stream(head: Head, mut events: Receiver<Event>) -> Response {
    let first = match events.recv().await {
        Some(Event::Failed(failure)) => return refusal(&failure),
        first => first,
    };
    let rest = ReceiverStream::new(events);
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
    answer(status, failure)
}

fn answer(status: StatusCode, failure: &Failure) -> Response {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;
    use std::thread;

    /// A client that does not read keeps the model waiting, not the memory growing; when it goes, the model learns of it.
    #[test]
    fn an_answer_waits_for_its_reader() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (jobs, asked) = std::sync::mpsc::channel();
        thread::spawn(move || serve(listener, "model", jobs));
        let body = r#"{"prompt": "a", "stream": true}"#;
        let length = body.len();
        write!(client, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let Job { answer, .. } = asked.recv().unwrap();

        let piece = || Event::Piece(Piece { text: "x".repeat(1 << 20), ..Piece::default() });
        assert!((0..1000).any(|_| answer.try_send(piece()).is_err()));
        drop(client);
        while answer.blocking_send(piece()).is_ok() {}
    }
}
