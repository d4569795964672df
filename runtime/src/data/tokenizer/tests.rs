//! Bytes, a trained BPE and foreign files; the `tokenizers` crate is the oracle where it can be.

use super::*;
use crate::Kind as FailureKind;
use proptest::prelude::*;
use std::sync::LazyLock;

const TEXT: &str = "The quick brown fox jumps over the lazy dog. Größe, naïveté, 東京, 🦀🦀!\n\nThe lazy dog sleeps.\n";

static TRAINED: LazyLock<Tokenizer> = LazyLock::new(|| trained(320));

fn trained(entries: u32) -> Tokenizer {
    Tokenizer::train(entries, std::iter::repeat_n(TEXT, 20).map(|text| Ok(text.to_string()))).unwrap()
}

/// Marks where words begin, as SentencePiece does.
static WORDS: LazyLock<Tokenizer> = LazyLock::new(|| {
    let json = r#"{"version":"1.0","added_tokens":[],"normalizer":null,"post_processor":null,
        "pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true},
        "decoder":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true},
        "model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"_the":1,"_king":2,"_":3,"s":4,"END":5}}}"#;
    Tokenizer::parse(json.into()).unwrap()
});

/// Marks where words go on, as BERT does.
static WORD_PIECES: LazyLock<Tokenizer> = LazyLock::new(|| {
    let json = r###"{"version":"1.0","added_tokens":[],"normalizer":null,"post_processor":null,
        "pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
        "model":{"type":"WordPiece","unk_token":"?","continuing_subword_prefix":"##","max_input_chars_per_word":100,
        "vocab":{"?":0,"the":1,"king":2,".":3,"##s":4,"'":5}}}"###;
    Tokenizer::parse(json.into()).unwrap()
});

/// Spells what it has no entry for in bytes, as Llama does.
static BYTE_FALLBACK: LazyLock<Tokenizer> = LazyLock::new(|| {
    let bytes: String = (0..256).map(|byte| format!(r#""<0x{byte:02X}>":{byte},"#)).collect();
    let json = r#"{"version":"1.0","added_tokens":[],"pre_tokenizer":null,"post_processor":null,
        "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"_"},
            {"type":"Replace","pattern":{"String":" "},"content":"_"}]},
        "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"_"},"content":" "},
            {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
        "model":{"type":"BPE","unk_token":null,"fuse_unk":false,"byte_fallback":true,"merges":[],
        "vocab":{BYTES"_":256,"a":257,"b":258}}}"#;
    Tokenizer::parse(json.replace("BYTES", &bytes)).unwrap()
});

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> (Vec<String>, String) {
    streamed_behind(tokenizer, &[], ids)
}

fn streamed_behind(tokenizer: &Tokenizer, before: &[u32], ids: &[u32]) -> (Vec<String>, String) {
    let mut detokenizer = Detokenizer::new(tokenizer, None, before).unwrap();
    let pieces = ids.iter().map(|&id| detokenizer.push(id).unwrap()).collect();
    (pieces, detokenizer.held().to_string())
}

#[test]
fn bytes_are_their_own_ids() {
    let bytes = Tokenizer::bytes();
    assert_eq!(bytes.vocab(), 256);
    assert_eq!(bytes.encode("hé\n").unwrap(), [104, 0xC3, 0xA9, 10]);
    assert_eq!(bytes.decode(&[104, 0xC3, 0xA9, 10]).unwrap(), "hé\n");
}

/// The `tokenizer.json` of `bytes`, read by the crate everyone reads them with, is `bytes`.
#[test]
fn the_json_of_bytes_is_bytes_to_others() {
    let foreign = HuggingFace::from_bytes(Tokenizer::bytes().json()).unwrap();
    let every_length: String = ('\0'..='\u{7F}').chain("\u{80}ÿĀ߿ࠀ東\u{FFFF}🦀\u{10FFFF}".chars()).collect();
    for text in [TEXT, &every_length] {
        let ids: Vec<u32> = text.bytes().map(u32::from).collect();
        assert_eq!(foreign.encode(text, false).unwrap().get_ids(), ids);
        assert_eq!(foreign.decode(&ids, false).unwrap(), text);
    }
    assert_eq!(foreign.get_vocab_size(true), 256);
}

#[test]
fn bytes_come_back_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, Tokenizer::bytes().json()).unwrap();
    let opened = Tokenizer::open(&path).unwrap();
    assert!(matches!(opened.kind, Kind::Bytes));
    assert_eq!(opened.hash(), Tokenizer::bytes().hash());
    assert_eq!(opened.hash(), 0xfe5a715fa0120a1b, "token files and checkpoints of `bytes` carry this number");
}

#[test]
fn training_twice_gives_the_same_tokenizer_of_the_size_asked_for() {
    let [a, b] = [trained(300), trained(300)];
    assert_eq!(a.vocab(), 300);
    assert_eq!(a.json(), b.json());
    assert_ne!(a.hash(), trained(299).hash());
}

#[test]
fn a_trained_tokenizer_is_shorter_than_bytes_and_loses_nothing() {
    let tokenizer = &*TRAINED;
    let ids = tokenizer.encode(TEXT).unwrap();
    assert!(ids.len() < TEXT.len() / 2, "{} ids", ids.len());
    assert_eq!(tokenizer.decode(&ids).unwrap(), TEXT);
    // Bytes it has never seen too.
    assert_eq!(tokenizer.decode(&tokenizer.encode("\0 ẞ").unwrap()).unwrap(), "\0 ẞ");
    assert_eq!(tokenizer.encode("a<|endoftext|>b").unwrap()[1], 0);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, tokenizer.json()).unwrap();
    let opened = Tokenizer::open(&path).unwrap();
    assert_eq!((opened.hash(), opened.vocab()), (tokenizer.hash(), 320));
    assert_eq!(opened.encode(TEXT).unwrap(), ids);
}

#[test]
fn many_texts_are_each_text() {
    let texts: Vec<String> = (0..50).map(|i| TEXT.chars().rev().skip(i).collect()).collect();
    for tokenizer in [&Tokenizer::bytes(), &*TRAINED] {
        let each: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode(text).unwrap()).collect();
        assert_eq!(tokenizer.encode_all(&texts).unwrap(), each);
    }
}

proptest! {
    /// However small the pieces are that a long document is cut into.
    #[test]
    fn pieces_of_a_document_have_the_ids_of_the_whole(text in "([Tt]he|quick|dog|a|é| |  |\n|\\.){0,60}", size in 1usize..20) {
        let tokenizer = &*TRAINED;
        let whole = tokenizer.encode(&text).unwrap();
        prop_assert_eq!(tokenizer.encode_in_pieces(&[text.as_str(), "", "a b"], size).unwrap()[0].clone(), whole);
    }
}

/// A tokenizer like SentencePiece's marks the start of every text it is given: it must not be given pieces.
#[test]
fn a_tokenizer_that_would_show_the_cut_gets_whole_documents() {
    let json = r#"{"version":"1.0","added_tokens":[],"normalizer":null,"post_processor":null,"decoder":null,
        "pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":false},
        "model":{"type":"BPE","unk_token":null,"fuse_unk":false,"byte_fallback":false,
        "vocab":{"_":0,"a":1,"b":2},"merges":[]}}"#;
    let tokenizer = Tokenizer::parse(json.into()).unwrap();
    assert_eq!(tokenizer.encode_in_pieces(&["a b a b"], 1).unwrap(), [[0, 1, 0, 2, 0, 1, 0, 2]]);
}

#[test]
fn dropout_of_the_file_is_not_ours() {
    let dropping = TRAINED.json().replace("\"dropout\": null", "\"dropout\": 1.0");
    assert_ne!(dropping, TRAINED.json());
    assert_eq!(Tokenizer::parse(dropping).unwrap().encode(TEXT).unwrap(), TRAINED.encode(TEXT).unwrap());
}

#[test]
fn truncation_and_padding_of_the_file_are_not_ours() {
    let mut cutting = HuggingFace::from_bytes(Tokenizer::bytes().json()).unwrap();
    let truncation = tokenizers::TruncationParams { max_length: 3, ..Default::default() };
    cutting.with_truncation(Some(truncation)).unwrap().with_padding(Some(tokenizers::PaddingParams {
        strategy: tokenizers::PaddingStrategy::Fixed(9),
        ..Default::default()
    }));
    let ours = Tokenizer::parse(cutting.to_string(false).unwrap()).unwrap();
    assert_eq!(ours.encode("abcde").unwrap().len(), 5);
    assert_eq!(ours.encode_all(&["a", "abcde"]).unwrap(), [vec![97], vec![97, 98, 99, 100, 101]]);
}

#[test]
fn a_character_comes_when_its_last_byte_has() {
    let ids: Vec<u32> = "aé🦀".bytes().map(u32::from).collect();
    let (pieces, rest) = streamed(&Tokenizer::bytes(), &ids);
    assert_eq!(pieces, ["a", "", "é", "", "", "", "🦀"]);
    assert_eq!(rest, "");
}

#[test]
fn what_never_becomes_a_character_comes_at_the_end() {
    let (pieces, rest) = streamed(&Tokenizer::bytes(), &[0xF0, 0x9F, b'a'.into(), 0xF0, 0x9F]);
    assert_eq!(pieces, ["", "", "\u{FFFD}a", "", ""]);
    assert_eq!(rest, "\u{FFFD}");
}

proptest! {
    #[test]
    fn pieces_make_the_whole(ids in prop::collection::vec(0u32..300, 0..100), words in any::<String>(), cut in 0usize..100) {
        let known: Vec<u32> = ids.iter().map(|id| id % WORDS.vocab()).collect();
        let bytes = Tokenizer::bytes();
        for (tokenizer, ids) in [(&bytes, &ids), (&*TRAINED, &ids), (&*WORDS, &known), (&*WORD_PIECES, &known)] {
            for ids in [ids, &tokenizer.encode(&words).unwrap()] {
                check_pieces(tokenizer, ids, cut);
            }
        }
    }

    /// Of whole characters: others break a run of which a part is shown, and U+FFFD looks as if it did.
    #[test]
    fn pieces_of_runs_of_bytes_make_the_whole(text in "([ab ]|é|日|🦀|[^\u{FFFD}]){0,60}", cut in 0usize..100) {
        check_pieces(&BYTE_FALLBACK, &BYTE_FALLBACK.encode(&text).unwrap(), cut);
    }
}

fn check_pieces(tokenizer: &Tokenizer, ids: &[u32], cut: usize) {
    let (pieces, rest) = streamed(tokenizer, ids);
    let whole = tokenizer.decode(ids).unwrap();
    assert_eq!(pieces.concat() + &rest, whole.as_str());
    // A continuation fits what is there already, if that is whole.
    let (before, ids) = ids.split_at(cut.min(ids.len()));
    let shown = tokenizer.decode(before).unwrap();
    if !shown.ends_with(char::REPLACEMENT_CHARACTER) {
        let (pieces, rest) = streamed_behind(tokenizer, before, ids);
        assert_eq!(shown + &pieces.concat() + &rest, whole);
    }
}

#[test]
fn a_word_behind_others_has_its_space() {
    assert_eq!(streamed(&WORDS, &[1, 2, 4]).0, ["the", " king", "s"]);
    assert_eq!(streamed(&WORDS, &[3, 1]).0, ["", " the"]);
    assert_eq!(streamed_behind(&WORDS, &[1, 2], &[4, 1]).0, ["s", " the"]);
    assert_eq!(streamed_behind(&WORD_PIECES, &[1, 2], &[4, 1, 3]).0, ["s", " the", "."]);
    let peeked = |before: &[u32]| Detokenizer::new(&WORDS, None, before).unwrap().peek(2).unwrap();
    assert_eq!([peeked(&[]), peeked(&[1])], ["king", " king"]);
    // What follows the end of a document is no continuation of it.
    let mut documents = Detokenizer::new(&WORDS, Some(5), &[1, 5]).unwrap();
    assert_eq!([1, 2, 5, 1, 2].map(|id| documents.push(id).unwrap()), ["the", " king", "END", "the", " king"]);
}

#[test]
fn a_part_of_a_character_reads_so() {
    let bytes = Tokenizer::bytes();
    let mut text = Detokenizer::new(&bytes, None, &[]).unwrap();
    for byte in "a🦀".bytes().map(u32::from) {
        assert_eq!(text.peek(byte).unwrap(), if byte < 128 { "a" } else { "\u{FFFD}" });
        text.push(byte).unwrap();
    }
    assert_eq!(text.peek(98).unwrap(), "b");
}

/// However long it goes on.
#[test]
fn what_can_be_no_part_of_a_character_any_more_comes() {
    let (pieces, rest) = streamed(&Tokenizer::bytes(), &[0x80; 1000]);
    assert_eq!(pieces[..3].concat(), "");
    assert!(pieces[3..].iter().all(|piece| piece == "\u{FFFD}"));
    assert_eq!(rest, "\u{FFFD}".repeat(3));
    let real: Vec<u32> = "\u{FFFD}".repeat(100).bytes().map(u32::from).collect();
    assert_eq!(streamed(&Tokenizer::bytes(), &real).1, "\u{FFFD}".repeat(3));
}

/// The text before may end within one, or with what looks like it.
#[test]
fn a_character_that_was_begun_before_is_completed() {
    let bytes = Tokenizer::bytes();
    let [crab, real] = ["a🦀b", "a\u{FFFD}b"].map(|text| text.bytes().map(u32::from).collect::<Vec<u32>>());
    assert_eq!(streamed_behind(&bytes, &crab[..3], &crab[3..]).0, ["", "🦀", "b"]);
    assert_eq!(streamed_behind(&bytes, &real[..4], &real[4..]).0, ["b"]);
}

/// Where a run of bytes becomes text as a whole, what is shown of it stays.
#[test]
fn a_run_of_bytes_comes_by_characters() {
    let ids = BYTE_FALLBACK.encode("日本a").unwrap();
    assert_eq!(BYTE_FALLBACK.decode(&ids[..5]).unwrap(), "\u{FFFD}".repeat(4));
    assert_eq!(streamed(&BYTE_FALLBACK, &ids).0, ["", "", "", "日", "", "", "本", "a"]);
    assert_eq!(streamed(&BYTE_FALLBACK, &ids[..6]).1, "\u{FFFD}");
    assert_eq!(streamed_behind(&BYTE_FALLBACK, &ids[..4], &ids[4..]).0, ["", "", "本", "a"]);
    // Behind a part of a character too: what was there are the characters before it.
    assert_eq!(streamed_behind(&BYTE_FALLBACK, &ids[..5], &ids[5..]).0, ["", "本", "a"]);
    assert_eq!(streamed_behind(&BYTE_FALLBACK, &ids[..6], &ids[6..]).0, ["本", "a"]);
    let broken = [&ids[..5], &ids[7..]].concat();
    assert_eq!(streamed(&BYTE_FALLBACK, &broken).0, ["", "", "", "日", "", "\u{FFFD}a"]);
    // However long it stays so.
    let (pieces, _) = streamed_behind(&BYTE_FALLBACK, &ids[..4], &[0x80; 1000]);
    assert!(pieces[100..].iter().all(|piece| piece == "\u{FFFD}"));
}

#[test]
fn errors_say_what_to_do() {
    let small = Tokenizer::train(100, std::iter::empty()).err().unwrap();
    assert_eq!(
        small.message,
        "a byte-level BPE of 100 entries is too small: 256 bytes and `<|endoftext|>` come first; ask for 257 or more"
    );
    let large = Tokenizer::train(u32::MAX, std::iter::empty()).err().unwrap();
    assert_eq!(
        large.message,
        "a byte-level BPE of 4294967295 entries is larger than any model has use for; ask for 1048576 or fewer"
    );
    let missing = || Failure::new(FailureKind::Missing, "cannot read `x`");
    let documents = [Ok("a".to_string()), Err(missing())];
    assert_eq!(Tokenizer::train(300, documents.into_iter()).err().unwrap(), missing());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, "{}").unwrap();
    let foreign = Tokenizer::open(&path).err().unwrap();
    assert_eq!(foreign.kind, FailureKind::Broken);
    assert_eq!(
        foreign.message,
        format!(
            "`{}` is not a Hugging Face tokenizer.json (Model missing. at line 1 column 2); name such a file, or `bytes`",
            path.display()
        )
    );
}
