//! Counts made by hand.

use super::*;

fn confusion(names: &[&str], pairs: &[(usize, usize, u64)]) -> Confusion {
    let counts = pairs.iter().map(|(truth, prediction, count)| ((*truth, *prediction), *count)).collect();
    Confusion { names: names.iter().map(ToString::to_string).collect(), counts }
}

#[test]
fn a_few_classes_are_a_matrix() {
    let animals = confusion(&["cat", "dog", "owl"], &[(0, 0, 980), (0, 1, 12), (1, 1, 7), (1, 0, 12), (2, 1, 1)]);
    assert_eq!(animals.matrix().unwrap(), [[980, 12, 0], [12, 7, 0], [0, 1, 0]]);
    assert_eq!((animals.total(), animals.accuracy()), (1012, 987.0 / 1012.0));
    let expected = "\
rows are the truth, columns the answers:
      cat dog owl
  cat 980  12   .
  dog  12   7   .
  owl   .   1   .
most confused: cat taken for dog (12), dog taken for cat (12), owl taken for dog (1)
";
    assert_eq!(animals.to_string(), expected);
    let json = animals.json();
    assert_eq!(json["matrix"][2][1], 1);
    assert_eq!(json["most_confused"][1], serde_json::json!({ "truth": "dog", "prediction": "cat", "count": 12 }));
}

#[test]
fn of_many_classes_only_the_worst_pairs_are_said() {
    let names: Vec<String> = (0..1000).map(|class| format!("n{class:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pairs: Vec<(usize, usize, u64)> = (0..999).map(|class| (class, class + 1, 1 + class as u64 % 100)).collect();
    let many = confusion(&names, &pairs);
    assert_eq!(many.matrix(), None);
    assert_eq!(many.mistakes().len(), PAIRS);
    let json = many.json();
    assert_eq!((&json["classes"], &json["matrix"]), (&serde_json::json!(1000), &serde_json::Value::Null));
    let text = many.to_string();
    assert!(text.starts_with("most confused of 1000 classes:\n  n099 taken for n100: 100\n  n199 taken for"), "{text}");
    assert_eq!(text.lines().count(), 1 + PAIRS);
}

#[test]
fn of_equal_logits_the_first_is_the_answer() {
    assert_eq!([largest(&[1.0, 3.0, 3.0]), largest(&[2.0]), largest(&[-2.0, -1.0])], [1, 0, 1]);
}
