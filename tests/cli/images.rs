//! A classifier on a folder of images.

use super::Workplace;
use serde_json::Value;

const SPEC: &str = r#"model shades {
  tokens ffn = 8

  forward(image: image[3, 8, 8], label: class[2]) {
    cut = patches(image, 4) |> linear(8, bias)
    y = cut + pattention(layernorm(cut), ffn)
    logits = mean(y, axis = 1) |> linear(2, bias)
  }

  loss = cross_entropy(logits, label)
  hits = accuracy(logits, label)
}

data {
  train = "train"
  validate = "validate"
  images = normalize(mean = 0.5, std = 0.5) |> augment(crop = 50%, flip)
}

train {
  batch = 8
  optimizer = adamw(lr = 3e-2)
  evaluate = every(10)
}

grow {
  init = (keys = zero, values = normal(0.02))
  scale = keep

  stage "small" { steps = 20 }
  stage "large" { ffn = 16  steps = 20  expect preserve(1e-5) }
}
"#;

/// An uncompressed PNG of one grey.
fn grey(width: u32, height: u32, level: u8) -> Vec<u8> {
    let image = image::GrayImage::from_pixel(width, height, image::Luma([level]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).expect("memory takes everything");
    bytes.into_inner()
}

/// Dark and light images of several sizes.
fn workplace() -> Workplace {
    let workplace = Workplace::with_spec(SPEC);
    for set in ["train", "validate"] {
        for i in 0..12u8 {
            let (width, height) = (8 + 3 * u32::from(i), 20 - u32::from(i));
            workplace.write(&format!("{set}/dark/{i}.png"), &grey(width, height, 2 * i));
            workplace.write(&format!("{set}/light/{i}.png"), &grey(height, width, 255 - 2 * i));
        }
    }
    workplace
}

#[test]
fn a_folder_of_images_is_learned_and_what_is_confused_has_names() {
    let workplace = workplace();
    workplace.succeed(&["train", "tiny.tfm", "--out", "run"]);
    let text = workplace.succeed(&["eval", "run"]);
    let matrix = "\
rows are the truth, columns the answers:
         dark light
   dark    12     .
  light     .    12
";
    assert!(text.contains("hits 1.0000  (24 images)") && text.ends_with(matrix), "{text}");
    let recorded: Value = serde_json::from_slice(&workplace.read("run/confusion.json")).expect("JSON");
    assert_eq!(recorded[0]["confusion"]["classes"], serde_json::json!(["dark", "light"]));
    workplace.succeed(&["train", "tiny.tfm", "--out", "halves", "--steps", "7"]);
    workplace.succeed(&["train", "tiny.tfm", "--out", "halves", "--resume"]);
    let last = |run: &str| super::checkpoint_bytes(&workplace.path(run).join("checkpoints/step-40"));
    assert!(last("run") == last("halves"), "the same images are drawn after a resume");
}

#[test]
fn folders_that_do_not_fit_are_refused_and_broken_files_named() {
    let workplace = workplace();
    workplace.write("train/green/1.png", &grey(8, 8, 99));
    let message = workplace.fail(1, &["train", "tiny.tfm", "--out", "a"]);
    assert!(message.contains("`train` has 3 classes, but `label` has 2; change `forward`"), "{message}");
    workplace.write("other/dark/1.png", &grey(8, 8, 0));
    workplace.write("other/white/1.png", &grey(8, 8, 255));
    let other = ["train", "tiny.tfm", "--set", "data.train=\"other\"", "--out", "b"];
    let message = workplace.fail(1, &other);
    assert!(message.contains("`validate` has the class `light` where `other` has `white`"), "{message}");
    workplace.write("one/dark/1.png", &grey(8, 8, 0));
    let one = ["train", "tiny.tfm", "--set", "data.train=\"one\"", "--out", "c"];
    let message = workplace.fail(1, &one);
    assert!(message.contains("`one` has one class only, `dark`, so there is nothing to tell apart"), "{message}");
    workplace.write("validate/dark/3.png", b"no image");
    let broken = ["train", "tiny.tfm", "--set", "data.train=\"validate\"", "--out", "d"];
    let message = workplace.fail(1, &broken);
    assert!(message.contains("`validate/dark/3.png` is no PNG or JPEG file; convert it, or remove it"), "{message}");
}
