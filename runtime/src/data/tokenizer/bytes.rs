//! `bytes` written as a `tokenizer.json`, so that every checkpoint carries one that other tools can read.

/// A byte-level BPE without merges whose ids are the bytes. This text tells a file of ours from others: it stays.
pub(super) fn bytes_json() -> String {
    let vocab: Vec<String> = byte_letters()
        .iter()
        .enumerate()
        .map(|(byte, letter)| format!("{}:{byte}", serde_json::Value::from(letter.to_string())))
        .collect();
    [
        r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"#,
        r#""pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},"#,
        r#""post_processor":null,"#,
        r#""decoder":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},"#,
        r#""model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"#,
        r#""end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"#,
        r#""vocab":{"#,
        &vocab.join(","),
        r#"},"merges":[]}}"#,
    ]
    .concat()
}

/// The letter that stands for each byte in GPT-2's vocabulary and all byte-level ones since: itself where it is printable
/// in Latin-1, else the next from U+0100 on.
fn byte_letters() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        byte @ (b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) => char::from(byte),
        _ => others.next().expect("an endless range"),
    })
}
