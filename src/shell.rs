//! Command lines that tfc suggests: a shell takes them as they are written.

/// A text as one word of a command line, in quotes where it needs some.
pub fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+=:,@%".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_reads_what_was_written() {
        for plain in ["runs/tiny-width=64-s3", "größe", "/a/b.c"] {
            assert_eq!(word(plain), plain);
        }
        for text in ["runs/tiny-evaluate=every(4,batches=2)-s0", "it's here", "", "$HOME", "a\nb", "~", "*", "größe"]
        {
            let said = Command::new("sh").args(["-c", &format!("printf %s {}", word(text))]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&said.stdout), text);
        }
    }
}
