//! `tfc serve`, as clients of OpenAI's interface speak to it.

use super::{SPEC, Workplace};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A server of the run `run`; it ends with this value.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn of(workplace: &Workplace) -> Server {
        Server::started(workplace.command(&["serve", "run", "--port", "0"]))
    }

    fn started(mut command: Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the command starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix("/v1"));
        Server { address: address.unwrap_or_else(|| panic!("no address: {line}")).to_string(), child }
    }

    /// The status and the body of an answer.
    fn call(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("the server is there");
        let length = body.len();
        write!(stream, "{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        (status, if is_chunked { unchunked(body) } else { body.to_string() })
    }

    fn ask(&self, request: &Value) -> (u16, Value) {
        let (status, body) = self.call("POST /v1/completions", &request.to_string());
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    /// The choices of an answer.
    fn choices(&self, request: &Value) -> Vec<Value> {
        let (status, answer) = self.ask(request);
        assert_eq!(status, 200, "{answer}");
        answer["choices"].as_array().expect("a list").clone()
    }

    fn texts(&self, request: &Value) -> Vec<String> {
        self.choices(request).iter().map(|choice| choice["text"].as_str().expect("a text").to_string()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a length");
        whole += &rest[..length];
        body = &rest[length + 2..];
    }
    whole
}

fn trained() -> Workplace {
    let workplace = Workplace::with_spec(&SPEC.replace("let context = 16", "let context = 24"));
    workplace.succeed(&["train", "tiny.tfm", "--steps", "20", "--out", "run"]);
    workplace
}

#[test]
fn texts_are_continued_side_by_side_and_in_pieces() {
    let workplace = trained();
    let server = Server::of(&workplace);
    let ask = |prompt: Value| json!({ "prompt": prompt, "max_tokens": 40, "temperature": 0 });
    let prompts = ["The quick", "Document 1", "o"];
    let texts = server.texts(&ask(json!(prompts)));
    for (prompt, text) in prompts.iter().zip(&texts) {
        assert_eq!(server.texts(&ask(json!(prompt))), std::slice::from_ref(text), "alone as among others");
        let arguments = ["generate", "run", "--prompt", prompt, "--tokens", "40", "--temperature", "0"];
        assert_eq!(workplace.succeed(&arguments), format!("{prompt}{text}\n"), "beyond the context, too");
    }

    let mut request = ask(json!(prompts));
    request["stream"] = json!(true);
    let (status, said) = server.call("POST /v1/completions", &request.to_string());
    assert_eq!(status, 200, "{said}");
    let events: Vec<&str> = said.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let (last, pieces) = events.split_last().expect("there are some");
    assert_eq!(*last, "[DONE]");
    assert!(pieces.len() > 40, "they come one by one");
    let mut streamed = vec![String::new(); 3];
    for piece in pieces {
        let piece: Value = serde_json::from_str(piece).expect("JSON");
        let choice = &piece["choices"][0];
        streamed[choice["index"].as_u64().expect("an index") as usize] += choice["text"].as_str().expect("a text");
    }
    assert_eq!(streamed, texts);

    let whole = &texts[0];
    let stop: String = whole.chars().skip(7).take(3).collect();
    let mut request = ask(json!("The quick"));
    request["stop"] = json!(["\u{1F980}", stop]);
    let stopped = &server.choices(&request)[0];
    assert_eq!(stopped["text"], whole[..whole.find(&stop).expect("it was taken from there")]);
    assert_eq!(stopped["finish_reason"], "stop");
    let drawn = |seed: u64| server.texts(&json!({ "prompt": "The", "max_tokens": 30, "seed": seed }));
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));

    let prompts = ["The", "fox"];
    let several = json!({ "prompt": prompts, "n": 5, "max_tokens": 10, "seed": 3, "top_p": 0.9 });
    let choices = server.choices(&several);
    let indices: Vec<u64> = choices.iter().filter_map(|choice| choice["index"].as_u64()).collect();
    assert_eq!(indices, (0..10).collect::<Vec<u64>>());
    for (choice, text) in choices.iter().enumerate().map(|(i, choice)| (i, &choice["text"])) {
        let alone = json!({ "prompt": prompts[choice / 5], "max_tokens": 10, "seed": 3 + choice, "top_p": 0.9 });
        assert_eq!(server.texts(&alone), [text.as_str().expect("a text")], "choice {choice}");
    }
    // No byte comes twice where that costs more than any logit can bring.
    let penalized = json!({ "prompt": "The", "max_tokens": 60, "temperature": 0, "presence_penalty": 1000.0 });
    let text = server.texts(&penalized).concat();
    let mut letters: Vec<char> = text.chars().filter(char::is_ascii).collect();
    letters.sort_unstable();
    assert!(letters.windows(2).all(|two| two[0] != two[1]), "{text}");
}

/// A tokenizer that marks where words begin, as SentencePiece's do: each word behind another has its space, wherever it is told.
#[test]
fn a_continuation_fits_its_prompt() {
    let workplace = Workplace::with_spec(
        &SPEC.replace("vocab = 256", "vocab = 12").replace("tokenizer = bytes", "tokenizer = \"words.json\""),
    );
    let marks = json!({ "type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": true });
    let words = "? _Document _The _quick _brown _fox _jumps _over _the _lazy _dog, _times.".split(' ');
    let words: serde_json::Map<String, Value> = words.enumerate().map(|(id, word)| (word.into(), json!(id))).collect();
    let model = json!({ "type": "WordLevel", "unk_token": "?", "vocab": words });
    let tokenizer =
        json!({ "version": "1.0", "added_tokens": [], "pre_tokenizer": marks, "decoder": marks, "model": model });
    workplace.write("words.json", tokenizer.to_string().as_bytes());
    workplace.succeed(&["train", "tiny.tfm", "--steps", "20", "--out", "run"]);
    let server = Server::of(&workplace);

    let ask = json!({ "prompt": "The quick", "max_tokens": 10, "temperature": 0, "logprobs": 2 });
    let with = |key: &str, value: Value| {
        let mut ask = ask.clone();
        ask[key] = value;
        ask
    };
    let text = server.texts(&ask).concat();
    assert!(text.starts_with(" brown fox"), "{text}");
    let arguments = ["generate", "run", "--prompt", "The quick", "--tokens", "10", "--temperature", "0"];
    assert_eq!(workplace.succeed(&arguments), format!("The quick{text}\n"));
    assert_eq!(server.texts(&with("echo", json!(true))), [format!("The quick{text}")]);
    let (_, pieces) = server.call("POST /v1/completions", &with("stream", json!(true)).to_string());
    let pieces = pieces.split("\n\n").filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok());
    let pieces: Vec<String> =
        pieces.filter_map(|piece: Value| piece["choices"][0]["text"].as_str().map(str::to_string)).collect();
    assert_eq!((&*pieces[0], pieces.concat()), (" brown", text));
    assert_eq!(server.texts(&with("stop", json!(" fox"))), [" brown"]);

    for ask in [&ask, &with("echo", json!(true))] {
        let choice = &server.choices(ask)[0];
        let listed = &choice["logprobs"];
        let tokens = listed["tokens"].as_array().expect("a list").iter().map(|token| token.as_str().expect("a text"));
        assert_eq!(tokens.clone().collect::<String>(), choice["text"]);
        for (i, token) in tokens.clone().enumerate() {
            assert_eq!(listed["text_offset"][i], tokens.clone().take(i).map(str::len).sum::<usize>());
            assert!(listed["top_logprobs"][i].is_null() || listed["top_logprobs"][i][token].is_number(), "{listed}");
        }
    }
}

/// What lm-evaluation-harness asks for: the likelihoods of prompts given as tokens, and one token more.
#[test]
fn likelihoods_are_those_of_the_evaluation() {
    let workplace = trained();
    let text = "The quick brown fox jumps";
    workplace.write("one.txt", text.as_bytes());
    let evaluated: Value =
        serde_json::from_str(&workplace.succeed(&["eval", "run", "--data", "one.txt", "--format", "json"])).unwrap();
    let loss = evaluated[0]["loss"].as_f64().expect("a number");
    let server = Server::of(&workplace);
    let numbers = |choice: &Value| -> Vec<f64> {
        let numbers = choice["logprobs"]["token_logprobs"].as_array().expect("a list");
        assert!(numbers[0].is_null(), "nothing comes before the first token");
        numbers[1..].iter().map(|number| number.as_f64().expect("a number")).collect()
    };
    let all = &server.choices(&json!({ "prompt": text, "max_tokens": 0, "echo": true, "logprobs": 1 }))[0];
    let likelihoods = numbers(all);
    assert_eq!((all["text"].as_str(), likelihoods.len()), (Some(text), 24));
    let mean = likelihoods.iter().sum::<f64>() / 24.0;
    assert!((loss + mean).abs() < 1e-5, "a loss of {loss} is no mean of {mean}");

    let prompts: Vec<Vec<u8>> = [&text[..24], &text[..5]].map(|text| text.bytes().collect()).to_vec();
    let request =
        json!({ "prompt": prompts, "max_tokens": 1, "logprobs": 1, "echo": true, "seed": 1234, "temperature": 0 });
    let choices = server.choices(&request);
    for (choice, length) in choices.iter().zip([24, 5]) {
        let got = numbers(choice);
        assert_eq!(got.len(), length, "one token was made");
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-4;
        assert!(got[..length - 1].iter().zip(&likelihoods).all(close), "{got:?} is not {likelihoods:?}");
        let listed = choice["logprobs"]["top_logprobs"].as_array().expect("a list");
        for (number, listed) in got.iter().zip(&listed[1..]) {
            let listed: Vec<f64> = listed.as_object().expect("a table").values().filter_map(Value::as_f64).collect();
            assert!(listed.contains(number) && listed.iter().all(|other| other >= number), "{number}: {listed:?}");
        }
        // At temperature 0 the token that was made is the likeliest.
        assert_eq!(listed[length].as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(choice["logprobs"]["text_offset"][length], length);
        assert_eq!(choice["finish_reason"], "length");
    }
    let made = |choice: &Value| choice["text"].as_str().expect("a text")[5..].to_string();
    let alone = json!({ "prompt": "The q", "max_tokens": 1, "temperature": 0 });
    assert_eq!(server.texts(&alone), [made(&choices[1])]);
}

#[test]
fn what_cannot_be_answered_is_refused_and_the_server_goes_on() {
    let workplace = trained();
    let server = Server::of(&workplace);
    let refused = |request: Value| {
        let (status, answer) = server.ask(&request);
        assert_eq!(answer["error"]["type"], "invalid_request_error", "{answer}");
        (status, answer["error"]["message"].as_str().expect("a message").to_string())
    };
    let long = "x".repeat(25);
    for (request, message) in [
        (json!({ "prompt": long }), "a prompt has 25 tokens, but the model's context is 24; make it shorter"),
        (json!({ "prompt": [[7, 256]] }), "the prompt holds the token 256; tokens are 0 to 255"),
        (json!({ "prompt": "" }), "there is nothing to continue; give a prompt"),
        (json!({ "prompt": [] }), "there is nothing to continue; give a prompt"),
        (json!({ "prompt": "x", "n": 0 }), "`n` is 0, but must be 1 to 128"),
        (json!({ "prompt": "x", "n": 2, "best_of": 3 }), "`best_of` is not supported; leave it out"),
        (json!({ "prompt": "x", "logit_bias": { "50": 3 } }), "`logit_bias` is not supported; leave it out"),
        (json!({ "prompt": "x", "top_p": 1.5 }), "top-p is 1.5, but must be more than 0 and at most 1"),
        (json!({ "prompt": "x", "logprobs": 50 }), "`logprobs` lists at most 20 tokens"),
        (
            json!({ "prompt": "x", "temperature": -1, "echo": true, "logprobs": 1, "max_tokens": 1 }),
            "the temperature is -1, but must be 0 (the likeliest token) or more",
        ),
        (
            json!({ "prompt": "x", "stream": true, "top_k": 0 }),
            "top-k is 0, so there is no token to choose; make it 1 or more",
        ),
    ] {
        assert_eq!(refused(request), (400, message.to_string()));
    }
    for (request, part) in [
        (json!({ "prompt": null }), "`prompt` must be a text, some texts, tokens, or lists of tokens"),
        (json!({ "prompt": "x", "stop": 3 }), "`stop` must be a text or some texts"),
    ] {
        let (status, message) = refused(request);
        assert!(status == 400 && message.contains(part), "{message}");
    }
    assert_eq!(server.call("POST /v1/completions", "{").0, 400);
    for (head, status, message) in [
        ("GET /v1/completions", 405, "GET is not how to ask; GET /v1/models, or POST /v1/completions"),
        ("POST /v1/chat", 404, "there is nothing at /v1/chat; this server has /v1/models and /v1/completions"),
    ] {
        let (given, answer) = server.call(head, "");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!((given, &answer["error"]["message"]), (status, &json!(message)));
    }
    // A request that is announced as too large is refused before it is sent.
    let mut stream = TcpStream::connect(&server.address).expect("the server is there");
    write!(stream, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("is larger than 64 MiB; ask for fewer"), "{answer}");
    // What is larger than most servers' two megabytes is not.
    assert_eq!(server.ask(&json!({ "prompt": vec!["x".repeat(25); 100_000] })).0, 400);
    let (status, models) = server.call("GET /v1/models", "");
    let models: Value = serde_json::from_str(&models).expect("JSON");
    assert_eq!((status, &models["data"][0]["id"]), (200, &json!("tiny")));
    let (_, answer) = server.ask(&json!({ "prompt": ["ab", "c"], "max_tokens": 2 }));
    assert_eq!(answer["usage"], json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 }));
}

/// Connections that cannot be accepted for want of files wait until there are some.
#[test]
#[cfg(target_os = "linux")]
fn a_server_without_files_goes_on() {
    const FILES: usize = 64;
    let workplace = trained();
    let tfc = workplace.command(&["serve", "run", "--port", "0"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {FILES} && exec \"$0\" \"$@\"")]).arg(tfc.get_program());
    limited.args(tfc.get_args()).envs(tfc.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(workplace.folder.path());
    let server = Server::started(limited);
    let files = format!("/proc/{}/fd", server.child.id());

    let connect = || TcpStream::connect(&server.address).expect("the server is there");
    let answered = |mut connection: &TcpStream| {
        write!(connection, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is open");
        let mut answer = String::new();
        BufReader::new(connection).read_line(&mut answer).expect("UTF-8");
        assert_eq!(answer, "HTTP/1.1 200 OK\r\n");
    };
    let first = connect();
    let mut held = Vec::new();
    while std::fs::read_dir(&files).expect("it runs").count() < FILES {
        held.push(connect());
        answered(&held[held.len() - 1]);
    }
    let late = connect();
    // What is answered behind it was seen behind it.
    answered(&first);
    drop(held);
    answered(&late);
}
