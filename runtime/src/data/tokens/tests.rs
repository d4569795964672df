//! From text to batches: what is written is read, what is drawn is drawn once, and every error.

use super::format::{HEADER, Header, TokenWriter};
use super::*;
use crate::data::{Order, Tokenizer};
use crate::storage::Bytes;
use crate::{Kind, Result};
use proptest::prelude::*;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The image of a token file with these documents; the hash of document i is `hashes(i)`.
fn token_file(vocab: u32, documents: &[Vec<u32>], hash: impl Fn(usize) -> u64) -> Vec<u8> {
    let mut writer = TokenWriter::new(Cursor::new(Vec::new()), vocab, 77).unwrap();
    for (i, ids) in documents.iter().enumerate() {
        writer.push(hash(i), ids).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn corpus(documents: &[Vec<u32>]) -> Arc<Corpus> {
    let bytes = token_file(1000, documents, |i| i as u64);
    Arc::new(Corpus::new(Path::new("data"), Bytes::Owned(bytes)).unwrap())
}

/// Documents of these lengths with the tokens 0, 1, 2, ….
fn counting(lengths: &[u32]) -> Arc<Corpus> {
    let mut next = 0..;
    corpus(&lengths.iter().map(|&length| next.by_ref().take(length as usize).collect()).collect::<Vec<_>>())
}

fn join(end: &[u32]) -> Documents {
    Documents::Join { end: end.to_vec() }
}

fn sequences(corpus: &Arc<Corpus>, documents: &Documents, context: usize, order: Order) -> Sequences {
    Sequences::new(Part::whole(corpus.clone(), documents), context, order).unwrap()
}

fn all(part: &Part) -> Vec<i32> {
    let mut ids = Vec::new();
    part.read(0, part.tokens(), &mut ids, &mut Vec::new()).unwrap();
    ids
}

// ---- token files

proptest! {
    #[test]
    fn a_token_file_gives_back_its_documents(
        documents in prop::collection::vec(prop::collection::vec(0u32..500, 0..9), 0..9),
        vocab in prop::sample::select(vec![500, 1 << 16, (1 << 16) + 1]),
    ) {
        let bytes = token_file(vocab, &documents, |i| 10 + i as u64);
        let corpus = Corpus::new(Path::new("data"), Bytes::Owned(bytes)).unwrap();
        prop_assert_eq!((corpus.documents() as usize, corpus.vocab()), (documents.len(), vocab));
        for (i, document) in documents.iter().enumerate() {
            let mut ids = Vec::new();
            corpus.read(corpus.document(i as u64), &mut ids).unwrap();
            prop_assert_eq!(ids.iter().map(|&id| id as u32).collect::<Vec<_>>(), document.clone());
            prop_assert_eq!(corpus.document_hash(i as u64), 10 + i as u64);
        }
    }

    /// Whatever is cut off or changed in header and index is found.
    #[test]
    fn any_damage_outside_of_the_tokens_is_found(place in 0usize..96, flip in 1u8..=255) {
        let mut bytes = token_file(300, &[vec![1, 2], vec![3, 4]], |i| i as u64);
        prop_assert_eq!(bytes.len(), HEADER + 8 + 2 * 16);
        let tokens = HEADER..HEADER + 8;
        let place = if tokens.contains(&place) { 0 } else { place };
        bytes[place] ^= flip;
        prop_assert!(Corpus::new(Path::new("data"), Bytes::Owned(bytes)).is_err());
    }
}

#[test]
fn each_wrong_token_file_gets_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.tokens");
    let whole = token_file(300, &[vec![1, 2], vec![3, 4]], |i| i as u64);
    let mut newer = whole.clone();
    newer[8] = 2;
    let mut header = whole.clone();
    header[24] = 9;
    let mut index = whole.clone();
    index[HEADER + 8] = 9;
    let absurd = Header { vocab: 9, tokens: u64::MAX / 2, documents: 3, tokenizer: 0, index: 0 }.to_bytes();
    let truncated = "has 103 bytes where its header promises 104, it is truncated; make it again with `tfc data`";
    let cases: [(&[u8], &str); 7] = [
        (b"", "is not a token file; make one with `tfc data`"),
        (
            b"some text that is long enough to hold a header, had it one to hold",
            "is not a token file; make one with `tfc data`",
        ),
        (&whole[..40], "is truncated within its header; make it again with `tfc data`"),
        (&whole[..103], truncated),
        (&newer, "is a token file of version 2, but this tfc reads version 1; make it again with `tfc data`"),
        (&header, "has a damaged header; make it again with `tfc data`"),
        (&index, "has a damaged index of documents; make it again with `tfc data`"),
    ];
    for (bytes, what) in cases.into_iter().chain([(&absurd[..], "has a damaged header; make it again with `tfc data`")])
    {
        fs::write(&path, bytes).unwrap();
        let failure = Corpus::open(&path).err().unwrap();
        assert_eq!(failure.message, format!("`{}` {what}", path.display()));
        assert_eq!(failure.kind, Kind::Broken);
    }
}

#[test]
fn an_emptied_token_file_is_not_taken_for_text() {
    let folder = folder(&[("data.tokens", ""), ("tokenizer.json", "{}")]);
    let file = folder.path().join("data.tokens");
    for path in [folder.path(), &file] {
        let failure = load_one(path, &Tokenizer::bytes(), None).err().unwrap();
        assert_eq!(failure.message, format!("`{}` is not a token file; make one with `tfc data`", file.display()));
    }
}

#[test]
fn a_token_outside_of_the_vocabulary_is_found_when_it_is_read() {
    let mut bytes = token_file(300, &[vec![1, 2, 3]], |_| 0);
    bytes[HEADER + 2..HEADER + 4].copy_from_slice(&300u16.to_le_bytes());
    let corpus = Arc::new(Corpus::new(Path::new("data"), Bytes::Owned(bytes)).unwrap());
    let batch = sequences(&corpus, &Documents::Separate, 2, Order::InOrder).batch(0, 1);
    let what = "is damaged: it has token 300 but a vocabulary of 300; make it again with `tfc data`";
    assert_eq!(batch.unwrap_err().message, format!("`data` {what}"));
}

// ---- from text

fn load_one(path: &Path, tokenizer: &Tokenizer, cache: Option<&Path>) -> Result<Corpus> {
    Corpus::load(&[path.to_owned()], tokenizer, cache)
}

#[test]
fn several_texts_are_one_corpus() {
    let folder = folder(&[("a.txt", "first"), ("b.txt", "second"), ("c.txt", "third")]);
    let [a, b, made] = ["a.txt", "b.txt", "made"].map(|name| folder.path().join(name));
    let bytes = Tokenizer::bytes();
    let both = Corpus::load(&[b.clone(), a.clone()], &bytes, None).unwrap();
    assert_eq!((both.documents(), both.tokens()), (2, 11));
    assert_eq!(both.hash(), prepare(&[b.clone(), a.clone()], &bytes, &made).unwrap().hash());
    let refused = Corpus::load(&[made.clone(), a], &bytes, None).err().unwrap();
    let what = "is made of tokens and stands beside another path; name only texts, or make one token file of all with `tfc data`";
    assert_eq!(refused.message, format!("`{}` {what}", made.display()));
}

#[test]
fn text_is_the_same_in_memory_cached_and_prepared() {
    let folder = folder(&[("a.txt", "first"), ("b.txt", "größer"), ("c.jsonl", "{\"text\": \"third\"}")]);
    let out = tempfile::tempdir().unwrap();
    let bytes = Tokenizer::bytes();
    let memory = load_one(folder.path(), &bytes, None).unwrap();
    let prepared = prepare(&[folder.path().to_owned()], &bytes, &out.path().join("made")).unwrap();
    let cached = load_one(folder.path(), &bytes, Some(&out.path().join("cache"))).unwrap();
    let reopened = [out.path().join("made"), out.path().join("made/data.tokens")]
        .map(|path| load_one(&path, &bytes, None).unwrap());
    let read = |corpus: &Corpus| {
        let document = |document| {
            let mut ids = Vec::new();
            corpus.read(corpus.document(document), &mut ids).unwrap();
            bytes.decode(&ids.iter().map(|&id| id as u32).collect::<Vec<_>>()).unwrap()
        };
        (0..corpus.documents()).map(document).collect::<Vec<_>>()
    };
    let [made, file] = &reopened;
    for corpus in [&memory, &prepared, &cached, made, file] {
        assert_eq!(read(corpus), ["first", "größer", "third"]);
        assert_eq!(corpus.hash(), memory.hash());
    }
    assert_eq!(fs::read_to_string(out.path().join("made/tokenizer.json")).unwrap(), bytes.json());
}

#[test]
fn a_cache_is_used_until_text_or_tokenizer_change() {
    let folder = folder(&[("a.txt", "one two"), ("b.txt", "three")]);
    let cache = tempfile::tempdir().unwrap();
    let [bytes, trained] =
        [Tokenizer::bytes(), Tokenizer::train(260, [Ok("one two".to_string())].into_iter()).unwrap()];
    let load = |tokenizer| load_one(folder.path(), tokenizer, Some(cache.path())).unwrap();
    let files = || fs::read_dir(cache.path()).unwrap().count();

    let first = load(&bytes).hash();
    let entry = |cache: &Path| fs::read_dir(cache).unwrap().next().unwrap().unwrap().path();
    let kept = entry(cache.path());
    // Proof that it is read, not made again: what lies there is taken.
    let [others, cache_of_others] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    fs::write(others.path().join("c.txt"), "four").unwrap();
    let other = load_one(others.path(), &bytes, Some(cache_of_others.path())).unwrap().hash();
    fs::copy(entry(cache_of_others.path()), &kept).unwrap();
    assert_eq!(load(&bytes).hash(), other);
    // What is damaged is made again.
    for damaged in [&b"tfctoken"[..], b""] {
        fs::write(&kept, damaged).unwrap();
        assert_eq!(load(&bytes).hash(), first);
    }

    assert_ne!(load(&trained).hash(), first);
    assert_eq!(files(), 2);
    // The same bytes, cut into other documents.
    fs::write(folder.path().join("a.txt"), "one twoth").unwrap();
    fs::write(folder.path().join("b.txt"), "ree").unwrap();
    assert_ne!(load(&bytes).hash(), first);
    assert_eq!(files(), 3);
}

#[test]
fn tokens_of_another_tokenizer_and_missing_data_are_refused() {
    let folder = folder(&[("a.txt", "one two")]);
    let made = folder.path().join("made");
    prepare(&[folder.path().join("a.txt")], &Tokenizer::bytes(), &made).unwrap();
    let other = Tokenizer::train(260, [Ok("one two".to_string())].into_iter()).unwrap();
    let failure = load_one(&made, &other, None).err().unwrap();
    let what = "was made with another tokenizer than the spec's; make it again with `tfc data`, or name the tokenizer.json beside it";
    assert_eq!(failure.message, format!("`{}/data.tokens` {what}", made.display()));

    let missing = folder.path().join("no");
    let failure = load_one(&missing, &other, None).err().unwrap();
    let message = format!("cannot read `{}`: there is no such file or folder; check the path", missing.display());
    assert_eq!((failure.kind, failure.message), (Kind::Missing, message));
}

/// A run that was trained on them would not go on, and a model would talk nonsense.
#[test]
fn tokens_and_tokenizers_are_not_replaced() {
    let folder = folder(&[("a.txt", "one two")]);
    let [text, made, tokenizer] = ["a.txt", "made", "made/tokenizer.json"].map(|name| folder.path().join(name));
    let trained = Tokenizer::train(260, [Ok("one two".to_string())].into_iter()).unwrap();
    let prepare = |tokenizer: &Tokenizer| prepare(std::slice::from_ref(&text), tokenizer, &made);
    let refused = |path: &Path| {
        let path = path.display();
        format!("cannot create `{path}`: it already exists; remove it or choose another name")
    };
    let first = prepare(&trained).unwrap().hash();
    assert_eq!(prepare(&trained).err().unwrap().message, refused(&made.join("data.tokens")));

    fs::remove_file(made.join("data.tokens")).unwrap();
    // Where the tokenizer cannot be written, the next attempt does not find half of what it is to make.
    let in_the_way = made.join(".tokenizer.json.partial");
    fs::create_dir(&in_the_way).unwrap();
    fs::write(in_the_way.join("x"), "").unwrap();
    assert!(prepare(&trained).is_err());
    assert!(!made.join("data.tokens").exists());
    let kept = fs::read(&tokenizer).unwrap();
    assert_eq!(prepare(&Tokenizer::bytes()).err().unwrap().message, refused(&tokenizer));
    assert_eq!(fs::read(&tokenizer).unwrap(), kept);
    let own = Tokenizer::open(&tokenizer).unwrap();
    assert_eq!(prepare(&own).unwrap().hash(), first);
    assert_eq!(fs::read(&tokenizer).unwrap(), kept);
}

#[test]
fn text_that_cannot_be_read_leaves_no_token_file() {
    let folder = folder(&[("a.txt", "fine")]);
    fs::write(folder.path().join("b.txt"), b"\xff").unwrap();
    let out = tempfile::tempdir().unwrap();
    let failure = prepare(&[folder.path().to_owned()], &Tokenizer::bytes(), out.path()).err().unwrap();
    let what = "is not UTF-8 text (byte 0 is no part of a character); convert it to UTF-8";
    assert_eq!(failure.message, format!("`{}` {what}", folder.path().join("b.txt").display()));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

// ---- sequences

#[test]
fn joined_documents_have_an_end_after_each() {
    let corpus = counting(&[3, 0, 2]);
    let joined = Part::whole(corpus.clone(), &join(&[900, 901]));
    assert_eq!(all(&joined), [0, 1, 2, 900, 901, 3, 4, 900, 901]);
    assert_eq!((joined.tokens(), joined.documents()), (9, 2));
    let sequences = sequences(&corpus, &join(&[900, 901]), 3, Order::InOrder);
    assert_eq!(sequences.per_epoch(), 2);
    let batch = sequences.batch(0, 2).unwrap();
    assert_eq!(batch.ids, [0, 1, 2, 900, 900, 901, 3, 4]);
    assert_eq!((batch.rows, batch.document_starts), (2, None));
}

#[test]
fn separate_documents_say_where_each_token_s_document_starts() {
    let batch = sequences(&counting(&[3, 1, 5]), &Documents::Separate, 4, Order::InOrder).batch(0, 2).unwrap();
    assert_eq!(batch.ids, [0, 1, 2, 3, 4, 4, 5, 6, 7, 8]);
    assert_eq!(batch.document_starts.unwrap(), [0, 0, 0, 3, 4, 0, 0, 0, 0, 0]);
}

proptest! {
    /// Reading anywhere is reading everything and cutting.
    #[test]
    fn any_window_is_a_piece_of_the_whole(
        lengths in prop::collection::vec(0u32..7, 1..9), end in 0usize..3, cut in any::<[prop::sample::Index; 2]>(),
    ) {
        let part = Part::whole(counting(&lengths), &join(&[900, 901][..end]));
        prop_assume!(part.tokens() > 0);
        let whole = all(&part);
        let [a, b] = cut.map(|index| index.index(whole.len()));
        let [from, to] = [a.min(b), a.max(b) + 1];
        let mut ids = Vec::new();
        part.read(from as u64, (to - from) as u64, &mut ids, &mut Vec::new()).unwrap();
        prop_assert_eq!(&ids, &whole[from..to]);
    }

    /// An epoch, cut anywhere into batches, draws no input twice, and draws all but two contexts.
    #[test]
    fn an_epoch_is_without_replacement(tokens in 2u32..400, context in 1usize..20, seed in any::<u64>(), epoch in 0u64..5) {
        prop_assume!(tokens as usize > context);
        let corpus = counting(&[tokens]);
        let sequences = sequences(&corpus, &Documents::Separate, context, Order::Shuffled { seed });
        let per_epoch = sequences.per_epoch();
        let batch = sequences.batch(epoch * per_epoch, per_epoch as usize).unwrap();
        let mut inputs: Vec<i32> = Vec::new();
        for row in batch.ids.chunks(context + 1) {
            prop_assert!(row.windows(2).all(|pair| pair[1] == pair[0] + 1), "a row is a piece of the text");
            inputs.extend(&row[..context]);
        }
        inputs.sort_unstable();
        let drawn = inputs.len();
        inputs.dedup();
        prop_assert_eq!(inputs.len(), drawn);
        prop_assert!(drawn + 2 * context >= tokens as usize);
    }

    /// Resuming at a cursor is not having stopped.
    #[test]
    fn a_cursor_is_the_whole_state(seed in any::<u64>(), cuts in prop::collection::vec(1usize..9, 1..9)) {
        let sequences = || sequences(&counting(&[50, 31]), &join(&[999]), 8, Order::Shuffled { seed });
        let whole = sequences().batch(0, cuts.iter().sum()).unwrap();
        let mut cursor = 0;
        let mut pieces = Vec::new();
        for rows in cuts {
            pieces.extend(sequences().batch(cursor, rows).unwrap().ids);
            cursor += rows as u64;
        }
        prop_assert_eq!(pieces, whole.ids);
    }
}

#[test]
fn epochs_differ_in_order_and_in_where_they_cut() {
    let corpus = counting(&[900]);
    let sequences = sequences(&corpus, &Documents::Separate, 32, Order::Shuffled { seed: 1 });
    let starts = |epoch: u64| -> Vec<i32> {
        let per_epoch = sequences.per_epoch();
        let batch = sequences.batch(epoch * per_epoch, per_epoch as usize).unwrap();
        batch.ids.chunks(33).map(|row| row[0]).collect()
    };
    let [first, second] = [starts(0), starts(1)];
    assert_ne!(first[0] % 32, second[0] % 32);
    assert!(first.iter().all(|start| start % 32 == first[0] % 32));
    let order = |starts: &[i32]| starts.iter().map(|start| start / 32).collect::<Vec<_>>();
    assert_ne!(order(&first), order(&second));
    assert!(!first.is_sorted());
}

/// If this changes, resumed runs see other data than before. Computed in Python from the definitions.
#[test]
fn the_order_of_a_seed_never_changes() {
    let sequences = sequences(&counting(&[100]), &Documents::Separate, 9, Order::Shuffled { seed: 42 });
    let batch = sequences.batch(0, 12).unwrap();
    let starts: Vec<i32> = batch.ids.chunks(10).map(|row| row[0]).collect();
    assert_eq!(starts, [50, 32, 86, 59, 68, 14, 23, 77, 5, 41, 24, 6]);
}

#[test]
fn validation_is_in_order_and_starts_again() {
    let sequences = sequences(&counting(&[10]), &Documents::Separate, 3, Order::InOrder);
    assert_eq!(sequences.per_epoch(), 3);
    assert_eq!(sequences.batch(1, 3).unwrap().ids, [3, 4, 5, 6, 6, 7, 8, 9, 0, 1, 2, 3]);
}

#[test]
fn a_text_shorter_than_a_sequence_is_refused_and_one_as_long_is_not() {
    let corpus = counting(&[4]);
    for order in [Order::InOrder, Order::Shuffled { seed: 0 }] {
        let part = || Part::whole(corpus.clone(), &Documents::Separate);
        assert_eq!(Sequences::new(part(), 3, order).unwrap().batch(0, 2).unwrap().ids, [0, 1, 2, 3, 0, 1, 2, 3]);
        let failure = Sequences::new(part(), 4, order);
        assert_eq!(
            failure.err().unwrap().message,
            "`data` has 4 tokens, but a sequence of context 4 needs 5; name more text or make `context` smaller"
        );
    }
}

// ---- holding out

/// 2000 documents of 10 tokens with hashes that are spread evenly.
fn many() -> Arc<Corpus> {
    let documents: Vec<Vec<u32>> = (0..2000).map(|i| vec![i % 1000; 10]).collect();
    let bytes = token_file(1000, &documents, |i| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    Arc::new(Corpus::new(Path::new("data"), Bytes::Owned(bytes)).unwrap())
}

#[test]
fn of_many_documents_whole_ones_are_held_out_by_their_hash_alone() {
    let held = hold_out(&many(), &join(&[999]), 0.01, 16).unwrap();
    assert!(held.by_document);
    assert_eq!((held.train.documents(), held.validate.documents()), (1980, 20));
    assert_eq!(held.validate.tokens(), 20 * 11);

    // Leaving out the first half of the corpus moves no document of the second half to the other side.
    let documents: Vec<Vec<u32>> = (1000..2000).map(|i| vec![i % 1000; 10]).collect();
    let bytes = token_file(1000, &documents, |i| (1000 + i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let half = Arc::new(Corpus::new(Path::new("data"), Bytes::Owned(bytes)).unwrap());
    let fewer = all(&hold_out(&half, &join(&[999]), 0.01, 16).unwrap().validate);
    let all = all(&held.validate);
    assert_eq!(fewer, all[all.len() - fewer.len()..]);
}

#[test]
fn of_few_documents_the_end_of_the_text_is_held_out() {
    let corpus = counting(&[500, 480, 20]);
    let held = hold_out(&corpus, &join(&[]), 0.05, 9).unwrap();
    assert!(!held.by_document);
    assert_eq!(all(&held.validate), (950..1000).collect::<Vec<i32>>());
    assert_eq!(all(&held.train), (0..950).collect::<Vec<i32>>());
    // At least a sequence.
    assert_eq!(hold_out(&corpus, &join(&[]), 0.001, 99).unwrap().validate.tokens(), 100);
}

#[test]
fn too_little_text_to_hold_any_out_is_said() {
    let failure = hold_out(&counting(&[150]), &join(&[]), 0.1, 99).err().unwrap();
    let why =
        "`data` has 150 tokens, too few to hold out any: with a context of 99, training and validation need 100 each";
    assert_eq!(failure.message, format!("{why}; name more text or a separate `validate`"));
}
